package engine

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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

// slowPartitioner holds up a client between the first record that it sends to a topic
// that it did not know and the moment in which it stores what it has learned of it.
type slowPartitioner struct {
	n       atomic.Int32
	release chan struct{}
	over    <-chan struct{}
}

func (p *slowPartitioner) ForTopic(string) kgo.TopicPartitioner { return p }
func (*slowPartitioner) RequiresConsistency(*kgo.Record) bool   { return true }
func (p *slowPartitioner) Partition(*kgo.Record, int) int {
	if p.n.Add(1) > 1 {
		select {
		case <-p.release:
		case <-p.over:
		}
	}
	return 0
}

// A topic that the client has only had errors for, as of one that was created a moment
// ago, is not stored: not while the error is the last answer, and not when the first
// record is in the log but the client has yet to store the partitions.
func TestCommittableAfterAnError(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	slow := &slowPartitioner{release: make(chan struct{}), over: t.Context().Done()}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(slow), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	wrote := connect.TopicPartition{Topic: "new"}
	answers := make(chan error, 2)
	for range 2 {
		client.Produce(t.Context(), &kgo.Record{Topic: "new", Value: []byte("x")}, func(_ *kgo.Record, err error) { answers <- err })
	}
	for err = nil; err == nil && t.Context().Err() == nil; {
		_, _, err = client.PartitionLeader("new", 0)
	}
	wantUncommittable(t, client, wrote, "the topic does not exist")
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, "new"); err != nil {
		t.Fatal(err)
	}
	if err := <-answers; err != nil {
		t.Fatal(err)
	}
	wantUncommittable(t, client, wrote, "the client has not stored the topic")
	close(slow.release)
	if err := <-answers; err != nil {
		t.Fatal(err)
	}
	if err := committable(t.Context(), client, wrote); err != nil {
		t.Error(err)
	}
}

func wantUncommittable(t *testing.T, client *kgo.Client, wrote connect.TopicPartition, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := committable(ctx, client, wrote); err == nil {
		t.Errorf("a commit is possible while %s", when)
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
