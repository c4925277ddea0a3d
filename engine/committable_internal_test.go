package engine

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// A commit waits until the client has stored a partition that was written to.
func TestCommittable(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	wrote := connect.TopicPartition{Topic: "t"}
	if err := committable(t.Context(), client); err != nil {
		t.Errorf("nothing was written: %v", err)
	}
	unknown, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := committable(unknown, client, wrote); err == nil {
		t.Error("a partition that the client does not know can be committed")
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := committable(t.Context(), client, connect.TopicPartition{Topic: "other"}, wrote); err != nil {
		t.Errorf("one of the partitions is known: %v", err)
	}
}

// What the log refused is not part of the transaction.
func TestLastWritten(t *testing.T) {
	records := []kgo.Record{{Topic: "a", Partition: 1}, {Topic: "b", Partition: 2}}
	failures := []produceFailure{{record: &records[1]}}
	if got := lastWritten(records, failures); len(got) != 1 || got[0] != (connect.TopicPartition{Topic: "a", Partition: 1}) {
		t.Errorf("got %v", got)
	}
	if got := lastWritten(records, nil); len(got) != 1 || got[0] != (connect.TopicPartition{Topic: "b", Partition: 2}) {
		t.Errorf("got %v", got)
	}
	if got := lastWritten(records[1:], failures); got != nil {
		t.Errorf("got %v of records that were all refused", got)
	}
}
