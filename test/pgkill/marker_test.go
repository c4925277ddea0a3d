package pgkill

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

// slowTopic is a disk that holds back the syncs of a topic's records while gate is
// set.
func slowTopic(topic string, gate *atomic.Pointer[chan struct{}]) vfs.FS {
	return &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
		if wait := gate.Load(); wait != nil && op == vfs.OpSync && strings.Contains(name, topic+"-0/") {
			<-*wait
		}
		return nil
	}}
}

// commit writes records to topics in one transaction. beforeEnd is called when they
// are durable.
func commit(t *testing.T, c *kgo.Client, beforeEnd func(), records ...*kgo.Record) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	until(t, "what the client knows of its topics", func() error { // it ends nothing before that
		for _, r := range records {
			if _, _, err := c.PartitionLeader(r.Topic, 0); err != nil {
				return err
			}
		}
		return nil
	})
	beforeEnd()
	if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

// TestEndOfTheLastTransaction has the disk show a committed transaction in one topic
// and not yet in another: what a reader misses then is not lost, and the end of the
// log is not reached.
func TestEndOfTheLastTransaction(t *testing.T) {
	const rows = 832
	done, history := topics[2], topics[1]
	var gate atomic.Pointer[chan struct{}]
	log, _ := registrytest.Cluster(t, slowTopic(history, &gate), "/data")
	c, err := kgo.NewClient(append(log, kgo.TransactionalID("shop"), kgo.AllowAutoTopicCreation())...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopics(t.Context(), 1, 1, nil, done, history); err != nil {
		t.Fatal(err)
	}
	records := []*kgo.Record{{Topic: done, Value: []byte("done")}}
	for i := range rows {
		records = append(records, &kgo.Record{Topic: history, Value: fmt.Appendf(nil, "row %d", i)})
	}
	hold := make(chan struct{})
	open := func() {
		if gate.Swap(nil) != nil {
			close(hold)
		}
	}
	t.Cleanup(open) // before the log is closed
	commit(t, c, func() { gate.Store(&hold) }, records...)

	read := func(topic string) (n int) {
		newJudge(t, prefix).readAs(kgo.ReadCommitted(), log, func(*kgo.Record) { n++ }, topic)
		return n
	}
	until(t, "the committed record of done", func() error {
		if read(done) == 0 {
			return fmt.Errorf("%s has none", done)
		}
		return nil
	})
	if n := read(history); n != 0 {
		t.Fatalf("a reader gets %d rows, though their marker is not durable", n)
	}
	check := func() error { return ended(context.WithoutCancel(t.Context()), log, done, done, history) }
	if err := check(); err == nil {
		t.Errorf("the log counts as complete, and a reader misses %d rows", rows)
	}
	open()
	until(t, "the end of the transaction", check)
	if n := read(history); n != rows {
		t.Errorf("a reader gets %d rows, want %d", n, rows)
	}
}
