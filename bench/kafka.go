package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const benchPartitions = 4

func produceSmall(ctx context.Context, b *bench) (result, error) {
	rate, _, err := b.produce(ctx, 100)
	if err != nil {
		return result{}, err
	}
	return result{figure: perSecond(rate), limit: "1.0 M/s", ratio: times(rate / 1e6)}, nil
}

func produceLarge(ctx context.Context, b *bench) (result, error) {
	_, disk, err := fdatasync(b.dir, 1<<20, b.seconds)
	if err != nil {
		return result{}, err
	}
	rate, _, err := b.produce(ctx, 1024)
	if err != nil {
		return result{}, err
	}
	return result{
		figure: megabytes(rate * 1024),
		limit:  megabytes(disk) + " in blocks of 1 MiB",
		ratio:  times(rate * 1024 / disk),
	}, nil
}

// produce loads a new server for b.seconds with records of the given size from an
// idempotent producer with acks=all and returns records per second and how many
// are in the topic.
func (b *bench) produce(ctx context.Context, size int) (rate float64, total int64, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	return b.load(ctx, s, size)
}

// load produces for b.seconds.
func (b *bench) load(ctx context.Context, s *server, size int) (rate float64, total int64, err error) {
	begin := time.Now()
	return b.loadWhile(ctx, s, size, func(int) bool { return time.Since(begin) < b.seconds })
}

// loadWhile produces records as long as more, which gets their number, says so.
func (b *bench) loadWhile(ctx context.Context, s *server, size int, more func(n int) bool) (rate float64, total int64, err error) {
	if err := s.createTopic(ctx, "bench", benchPartitions); err != nil {
		return 0, 0, err
	}
	cl, err := s.client(kgo.DefaultProduceTopic("bench"), kgo.MaxBufferedRecords(250_000),
		kgo.ProducerLinger(10*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(1<<16, false, false, nil)))
	if err != nil {
		return 0, 0, err
	}
	defer cl.Close()
	payloads := payloads(size)
	var acked, failed atomic.Int64
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
			return
		}
		acked.Add(1)
	}
	begin := time.Now()
	for i := 0; more(i) && ctx.Err() == nil; i += 256 {
		block := make([]kgo.Record, 256) // one allocation, as a careful producer does
		for j := range block {
			block[j].Value = payloads[(i+j)%len(payloads)]
			cl.Produce(ctx, &block[j], promise)
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return 0, 0, err
	}
	if n := failed.Load(); n > 0 {
		return 0, 0, fmt.Errorf("%d records were not acknowledged", n)
	}
	return float64(acked.Load()) / time.Since(begin).Seconds(), acked.Load(), nil
}

// payloads returns values that do not compress to nothing.
func payloads(size int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, 1024)
	for i := range out {
		out[i] = make([]byte, size)
		for j := range out[i] {
			out[i][j] = "0123456789abcdefghijklmnopqrstuvwxyz"[random.IntN(36)]
		}
	}
	return out
}

func consumeSmall(ctx context.Context, b *bench) (result, error) {
	rate, err := b.consume(ctx, 100)
	return result{figure: perSecond(rate), limit: "2.5 M/s", ratio: times(rate / 2.5e6)}, err
}

func consumeLarge(ctx context.Context, b *bench) (result, error) {
	rate, err := b.consume(ctx, 1024)
	return result{figure: megabytes(rate * 1024)}, err
}

// consume fills a topic, then reads it from the start with a new client.
func (b *bench) consume(ctx context.Context, size int) (rate float64, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	_, total, err := b.load(ctx, s, size)
	if err != nil {
		return 0, err
	}
	cl, err := s.client(kgo.ConsumeTopics("bench"), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	begin := time.Now()
	for read := int64(0); read < total; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		read += int64(fetches.NumRecords())
	}
	return float64(total) / time.Since(begin).Seconds(), nil
}

func produceOne(ctx context.Context, b *bench) (result, error) { return b.syncLatency(ctx, 1) }

func produceDirty(ctx context.Context, b *bench) (result, error) { return b.syncLatency(ctx, 64) }

// syncLatency holds the latency of rounds against one fdatasync.
func (b *bench) syncLatency(ctx context.Context, n int) (result, error) {
	sync, _, err := fdatasync(b.dir, 100, b.seconds/2)
	if err != nil {
		return result{}, err
	}
	rounds, err := b.latency(ctx, n)
	if err != nil {
		return result{}, err
	}
	p50 := percentile(rounds, 0.5)
	return result{
		figure: fmt.Sprintf("%s (p99 %s)", micros(p50), micros(percentile(rounds, 0.99))),
		limit:  micros(sync) + " for one fdatasync",
		ratio:  times(float64(p50) / float64(sync)),
	}, nil
}

// latency measures rounds of one record to each of n partitions, all of a round
// acknowledged before the next begins.
func (b *bench) latency(ctx context.Context, n int) ([]time.Duration, error) {
	s, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.createTopic(ctx, "bench", int32(n)); err != nil {
		return nil, err
	}
	cl, err := s.client(kgo.DefaultProduceTopic("bench"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return b.rounds(ctx, cl, n)
}

func (b *bench) rounds(ctx context.Context, cl *kgo.Client, n int) ([]time.Duration, error) {
	payload := payloads(100)[0]
	var rounds []time.Duration
	for begin := time.Now(); time.Since(begin) < b.seconds; {
		records := make([]*kgo.Record, n)
		for p := range records {
			records[p] = &kgo.Record{Partition: int32(p), Value: payload}
		}
		t := time.Now()
		if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return nil, err
		}
		rounds = append(rounds, time.Since(t))
	}
	return rounds[len(rounds)/10:], nil // without the first ones, which open files
}

func startEmpty(ctx context.Context, b *bench) (result, error) {
	var all []time.Duration
	for range 5 {
		s, err := b.start(ctx)
		if err != nil {
			return result{}, err
		}
		s.stop()
		all = append(all, s.ready)
	}
	median := percentile(all, 0.5)
	return result{figure: fmt.Sprintf("%.2f s", median.Seconds()), limit: "0.3 s", ratio: times(median.Seconds() / 0.3)}, nil
}

// startFull kills a server that holds 10 GiB and measures how long the next one
// takes to be ready.
func startFull(ctx context.Context, b *bench) (result, error) {
	s, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	_, total, err := b.loadWhile(ctx, s, 1024, func(n int) bool { return n < b.gib<<20 })
	s.kill()
	if err != nil {
		return result{}, err
	}
	if s, err = b.startIn(ctx, s.dataDir); err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := s.waitForEnd(ctx, "bench", total); err != nil {
		return result{}, fmt.Errorf("count the records that were acknowledged: %w", err)
	}
	return result{figure: fmt.Sprintf("%.2f s, all %d records there", s.ready.Seconds(), total), limit: "5 s", ratio: times(s.ready.Seconds() / 5)}, nil
}

func perSecond(rate float64) string {
	if rate >= 1e6 {
		return fmt.Sprintf("%.2f M records/s", rate/1e6)
	}
	return fmt.Sprintf("%.0f records/s", rate)
}

func megabytes(rate float64) string { return fmt.Sprintf("%.0f MB/s", rate/1e6) }
func micros(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
func times(ratio float64) string    { return fmt.Sprintf("%.2f", ratio) }
