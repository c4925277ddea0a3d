package main

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// comparison is a row that is measured on every system, one after the other.
type comparison struct {
	name string
	run  func(ctx context.Context, b *bench) (string, error)
}

var comparisons = []comparison{
	{"produce 100 B, acks=all", compareProduce(100)},
	{"produce 1 KB, acks=all", compareProduce(1024)},
	{"consume 100 B", func(ctx context.Context, b *bench) (string, error) { return figureOf(consumeSmall(ctx, b)) }},
	{"consume 1 KB", func(ctx context.Context, b *bench) (string, error) { return figureOf(consumeLarge(ctx, b)) }},
	{"one synchronous produce", compareLatency(1)},
	{"one produce to each of 8 partitions", compareLatency(8)},
	{"one produce to each of 64 partitions", compareLatency(64)},
	{"one produce to each of 256 partitions", compareLatency(256)},
	{"one transaction: record, offset, commit", compareTransaction},
	{"start to ready, empty data dir", func(ctx context.Context, b *bench) (string, error) { return figureOf(startEmpty(ctx, b)) }},
	{"start to ready, after kill -9", func(ctx context.Context, b *bench) (string, error) { return figureOf(startFull(ctx, b)) }},
}

func figureOf(r result, err error) (string, error) { return r.figure, err }

// compare prints the rows of Sluice beside an Apache Kafka as it comes, which
// acknowledges what is in the page cache, and one that syncs every batch as Sluice
// does.
func compare(ctx context.Context, b *bench, classpathFile string, match *regexp.Regexp) error {
	classpath, err := readClasspath(classpathFile)
	if err != nil {
		return err
	}
	everyBatch := "1"
	systems := []*apacheKafka{nil, {classpath: classpath}, {classpath: classpath, configs: map[string]*string{"flush.messages": &everyBatch}}}
	fmt.Println("| What | Sluice | Kafka | Kafka, flush.messages=1 |\n|---|---|---|---|")
	failed := 0
	for _, c := range comparisons {
		if match.MatchString(c.name) {
			failed += printRow(c.name, systems, func(k *apacheKafka) (string, error) {
				b.kafka = k
				return c.run(ctx, b)
			})
		}
	}
	return unmeasured(failed)
}

// printRow measures a row of a table, a figure for each system, and prints it. It returns
// how many could not be measured.
func printRow[S any](name string, systems []S, measure func(S) (string, error)) (failed int) {
	fmt.Printf("| %s |", name)
	for _, s := range systems {
		figure, err := measure(s)
		if err != nil {
			failed++
			figure = "error: " + err.Error()
		}
		fmt.Printf(" %s |", figure)
	}
	fmt.Println()
	return failed
}

func unmeasured(failed int) error {
	if failed > 0 {
		return fmt.Errorf("%d figures could not be measured", failed)
	}
	return nil
}

// compareProduce measures a steady load, with the server's processor time for each
// megabyte and the most memory that it has taken.
func compareProduce(size int) func(context.Context, *bench) (string, error) {
	return func(ctx context.Context, b *bench) (string, error) {
		s, err := b.start(ctx)
		if err != nil {
			return "", err
		}
		defer s.stop()
		cpu := s.cpu()
		rate, total, err := b.load(ctx, s, size)
		if err != nil {
			return "", err
		}
		perMB := (s.cpu() - cpu).Seconds() * 1000 / (float64(total) * float64(size) / 1e6)
		return fmt.Sprintf("%s, %s, CPU %.2f ms/MB, resident %d MB", perSecond(rate), megabytes(rate*float64(size)), perMB, s.peakMemory()>>20), nil
	}
}

func compareLatency(n int) func(context.Context, *bench) (string, error) {
	return func(ctx context.Context, b *bench) (string, error) {
		rounds, err := b.latency(ctx, n)
		return latencyText(rounds), err
	}
}

func latencyText(rounds []time.Duration) string {
	return fmt.Sprintf("p50 %s, p99 %s", micros(percentile(rounds, 0.5)), micros(percentile(rounds, 0.99)))
}

// compareTransaction measures transactions of one record and one offset.
func compareTransaction(ctx context.Context, b *bench) (string, error) {
	s, err := b.start(ctx)
	if err != nil {
		return "", err
	}
	defer s.stop()
	if err := s.createTopic(ctx, "bench", 1); err != nil {
		return "", err
	}
	// TxnOffsetCommit v5 names topics; later versions would want their ids.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 5)
	cl, err := s.client(kgo.DefaultProduceTopic("bench"), kgo.TransactionalID("bench"), kgo.ProducerLinger(0), kgo.MaxVersions(versions))
	if err != nil {
		return "", err
	}
	defer cl.Close()
	if err := transact(ctx, cl, 0); err != nil { // the first waits for its coordinators
		return "", err
	}
	var rounds []time.Duration
	for begin := time.Now(); time.Since(begin) < b.seconds; {
		t := time.Now()
		if err := transact(ctx, cl, int64(len(rounds))); err != nil {
			return "", err
		}
		rounds = append(rounds, time.Since(t))
	}
	return latencyText(rounds[len(rounds)/10:]), nil
}

// transact makes one transaction.
func transact(ctx context.Context, cl *kgo.Client, offset int64) error {
	if err := cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Value: []byte("record")}).FirstErr(); err != nil {
		return fmt.Errorf("produce in a transaction: %w", err)
	}
	if err := commitOffset(ctx, cl, "bench", offset); err != nil {
		return err
	}
	if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	return nil
}

// commitOffset adds a group's offset to the transaction of a client.
func commitOffset(ctx context.Context, cl *kgo.Client, topic string, offset int64) error {
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	var err error
	if q.ProducerID, q.ProducerEpoch, err = cl.ProducerID(ctx); err != nil {
		return fmt.Errorf("get producer id: %w", err)
	}
	q.TransactionalID, q.Group = "bench", "bench"
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	resp, err := q.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("commit offset in a transaction: %w", err)
	}
	return nil
}
