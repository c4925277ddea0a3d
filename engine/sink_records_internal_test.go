package engine

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// watchedPool counts what comes back.
type watchedPool struct {
	recordPool
	puts atomic.Int32
}

func (p *watchedPool) PutRecords(records []kgo.Record) {
	p.puts.Add(1)
	p.recordPool.PutRecords(records)
}

// TestRecordsGoBackAfterWrite wants the structs of a fetch back in the pool when the sink has its records, and not before.
func TestRecordsGoBackAfterWrite(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	pool := new(watchedPool)
	newClient := func(opts ...kgo.Opt) *kgo.Client {
		client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	producer := newClient(kgo.DefaultProduceTopic("in"))
	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("a"), kgo.StringRecord("b"), kgo.StringRecord("c")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	client := newClient(kgo.ConsumeTopics("in"), kgo.WithPools(pool)) // its first fetch has them all
	s := quietSinkTask(t, t.Context(), "")
	written := 0
	s.sink = writerFunc(func(b *connect.Batch) error {
		written += b.Len()
		if n := pool.puts.Load(); n > 0 {
			t.Errorf("the records of %d batches went back before they were written", n)
		}
		return nil
	})
	in := connect.TopicPartition{Topic: "in"}
	if err := s.add([]connect.PartitionOffset{{TopicPartition: in}}); err != nil {
		t.Fatal(err)
	}
	for written < 3 {
		fetches := client.PollFetches(t.Context())
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if err := s.convertPartition(t.Context(), in, s.fetched(in, &p.FetchPartition), s.epochs[in]); err != nil {
				t.Fatal(err)
			}
			if err := s.writeBatch(<-s.filled); err != nil {
				t.Fatal(err)
			}
		})
	}
	if pool.puts.Load() == 0 {
		t.Error("no records went back to the pool")
	}
}
