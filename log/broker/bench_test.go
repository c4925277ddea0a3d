package broker

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// BenchmarkProduce is kgo with its defaults (idempotent, acks=all) in the same
// process: every record is synced before it counts.
func BenchmarkProduce(b *testing.B) {
	for _, size := range []int{100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newServer(b)
			s.createTopic("t", 4, nil)
			produceMany(b, s, size, b.N)
		})
	}
}

// BenchmarkConsume reads back what was produced before the clock starts.
func BenchmarkConsume(b *testing.B) {
	for _, size := range []int{100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newServer(b)
			s.createTopic("t", 4, nil)
			produceMany(b, s, size, b.N)
			cl := s.client(kgo.ConsumeTopics("t"))
			b.ResetTimer()
			for n := 0; n < b.N; {
				f := cl.PollFetches(context.Background())
				if err := f.Err(); err != nil {
					b.Fatal(err)
				}
				n += f.NumRecords()
			}
		})
	}
}

// BenchmarkProduceSync is one record at a time: the latency of one group commit.
func BenchmarkProduceSync(b *testing.B) {
	s := newServer(b)
	s.createTopic("t", 1, nil)
	cl := s.client(kgo.DefaultProduceTopic("t"), kgo.ProducerLinger(0))
	b.ResetTimer()
	for range b.N {
		if err := cl.ProduceSync(context.Background(), kgo.SliceRecord(make([]byte, 100))).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

func produceMany(b *testing.B, s *server, size, n int) {
	cl := s.client(kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	value := bytes.Repeat([]byte{'x'}, size)
	records := make([]kgo.Record, n)
	b.SetBytes(int64(size))
	b.ResetTimer()
	failed := make(chan error, 1)
	for i := range records {
		records[i].Value = value
		cl.Produce(context.Background(), &records[i], func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := cl.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}

// BenchmarkRequests is one request at a time on a connection in memory, of a log in memory: what a request costs beside its
// records.
func BenchmarkRequests(b *testing.B) {
	s := startServer(b, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 1, nil)
	c := s.raw()
	records := oneBatch(b, 1, 100)
	ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, records))
	for name, q := range map[string]kmsg.Request{
		"produce": produceRequest("t", 1, records),
		"fetch":   fetchRequest("t", 0, 0, 1, 1),
	} {
		frame := requestFrame(q, q.AppendTo(nil))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.send(frame)
				if _, err := c.receive(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTransaction is a small transaction, one after the other, on a connection in memory as the worker has it. The time is
// that from its begin to the answer of the commit; syncs/op is how many fdatasync of this disk it takes.
func BenchmarkTransaction(b *testing.B) {
	b.Run("record+consumer offset", func(b *testing.B) {
		s := newServer(b)
		s.createTopic("t", 1, nil)
		c := newTxnClient(s)
		p := c.init(5, "x", -1, -1)
		timeSyncs(b, func() (err error) {
			if err := c.produce(12, "x", "t", 0, txnBatch(b, p, 0, "value")); err != nil {
				return err
			}
			if err := c.commitOffset(5, p, "g", "t", 1); err != nil {
				return err
			}
			p, err = c.end(5, p, true)
			return err
		})
	})
	b.Run("record+source offset", func(b *testing.B) { // an exactly-once source
		s := newServer(b)
		s.createTopic("t", 1, nil)
		s.createTopic("offsets", 1, nil)
		cl := s.client(kgo.TransactionalID("x"), kgo.ProducerLinger(0))
		timeSyncs(b, func() error {
			if err := cl.BeginTransaction(); err != nil {
				return err
			}
			value := []byte("value")
			err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Value: value}, &kgo.Record{Topic: "offsets", Value: value}).FirstErr()
			if err != nil {
				return err
			}
			return cl.EndTransaction(context.Background(), kgo.TryCommit)
		})
	})
}

// timeSyncs reports the median time of f, also in syncs of this disk.
func timeSyncs(b *testing.B, f func() error) {
	sync := syncTime(b)
	times := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(times)
	p50 := times[len(times)/2]
	b.ReportMetric(float64(p50.Microseconds()), "p50-µs/op")
	b.ReportMetric(float64(p50)/float64(sync), "syncs/op")
}

// syncTime is the median of an append and a sync of a file beside the log.
func syncTime(b *testing.B) time.Duration {
	b.Helper()
	f, err := vfs.OS.OpenFile(filepath.Join(b.TempDir(), "f"), vfs.Create)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var times []time.Duration
	for i := range 200 {
		start := time.Now()
		if _, err := f.WriteAt(make([]byte, 200), int64(i)*200); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2]
}
