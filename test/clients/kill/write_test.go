package kill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/test/clients/history"
)

// write starts all writers. Each ends after ctx, when everything it has sent is
// answered.
func (r *run) write(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() { r.produceKgo(ctx, r.writer("kgo", topicKgo)) })
	wg.Go(func() { r.produceKgo(ctx, r.writer("kgo-keys", topicKeys)) })
	wg.Go(func() { r.produceRd(ctx, r.writer("rd", topicRd)) })
	for _, n := range []string{"1", "2"} {
		wg.Go(func() { r.transactKgo(ctx, r.writer("kgo-txn-"+n, topicTxn)) })
		wg.Go(func() { r.transactRd(ctx, r.writer("rd-txn-"+n, topicTxn)) })
	}
}

// writer makes the records of one producer.
type writer struct {
	*run
	name, topic string
	numbers     []int // by partition, of the last record
	random      *rand.Rand
}

func (r *run) writer(name, topic string) *writer {
	return &writer{run: r, name: name, topic: topic, numbers: make([]int, partitions[topic]), random: rand.New(rand.NewPCG(rand.Uint64(), 0))}
}

// padding makes segments of the compacted topic roll soon.
var padding = strings.Repeat(".", 100)

// next is the next record, on its way from now on.
func (w *writer) next(txn int) *history.Send {
	p := w.random.Int32N(partitions[w.topic])
	w.numbers[p]++
	s := history.Send{Producer: w.name, Partition: history.Partition{Topic: w.topic, Number: p}, Number: w.numbers[p], Txn: txn}
	s.Value = fmt.Sprintf("%s %v %d", w.name, s.Partition, s.Number)
	if configs[w.topic]["cleanup.policy"] == "compact" {
		s.Key = fmt.Sprint(w.random.IntN(40))
		s.Value += padding
	}
	return w.h.Sending(s)
}

// produceKgo produces with one client until ctx ends. The client retries until
// the server is there again.
func (r *run) produceKgo(ctx context.Context, w *writer) {
	cl := r.client(kgo.ProducerLinger(2*time.Millisecond), kgo.MaxBufferedRecords(500))
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		for range 1 + w.random.IntN(5) {
			s := w.next(0)
			// Not ctx: what is sent is to be answered.
			cl.Produce(context.WithoutCancel(ctx), kgoRecord(s), func(k *kgo.Record, err error) {
				switch _, gaveUp := errors.AsType[*kgo.ErrFirstReadEOF](err); {
				case gaveUp: // a kill right after connecting looks to it like a missing login: what it sent may be there or not
				case err != nil:
					r.fault("%s: %s: %v", w.name, s.Value, err)
				default:
					r.h.Sent(s, k.Offset)
				}
			})
		}
		<-tick.C
	}
	r.flush(w.name, cl)
}

func (r *run) flush(name string, cl *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cl.Flush(ctx); err != nil {
		r.fault("%s: flush: %v", name, err)
	}
}

func kgoRecord(s *history.Send) *kgo.Record {
	k := &kgo.Record{Topic: s.Partition.Topic, Partition: s.Partition.Number, Value: []byte(s.Value)}
	if s.Key != "" {
		k.Key = []byte(s.Key)
	}
	return k
}

// transactKgo writes transactions until ctx ends; one in four is aborted.
func (r *run) transactKgo(ctx context.Context, w *writer) {
	for ctx.Err() == nil {
		cl := r.client(kgo.TransactionalID(w.name), kgo.TransactionTimeout(20*time.Second), kgo.ProducerLinger(time.Millisecond))
		for ctx.Err() == nil {
			if err := r.transactionKgo(cl, w); err != nil {
				r.t.Logf("%s: %v; next client", w.name, err)
				break
			}
		}
		cl.Close()
	}
}

// transactionKgo writes one transaction. After an error the client is of no use.
func (r *run) transactionKgo(cl *kgo.Client, w *writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	txn, commit := r.h.Begin(), w.random.IntN(4) > 0
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	var mu sync.Mutex // guards failed
	var failed error
	for range 1 + w.random.IntN(10) {
		s := w.next(txn)
		cl.Produce(ctx, kgoRecord(s), func(k *kgo.Record, err error) {
			if err == nil {
				r.h.Sent(s, k.Offset)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			failed = err
		})
		if w.random.IntN(3) == 0 {
			<-time.After(interval) // some transactions take a while
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	commit = commit && failed == nil
	mu.Unlock()
	if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		return err
	}
	outcome := history.OK
	if !commit {
		outcome = history.Refused
	}
	r.h.End(txn, outcome)
	return failed
}

// copyKgo copies a topic in transactions with the consumer's offsets, until ctx
// ends.
func (r *run) copyKgo(ctx context.Context, from, to string) {
	for ctx.Err() == nil {
		name := "copy-" + from
		s, err := kgo.NewGroupTransactSession(
			kgo.SeedBrokers(r.addr), kgo.MetadataMinAge(50*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.TransactionalID(name), kgo.TransactionTimeout(20*time.Second), kgo.ProducerLinger(0),
			kgo.ConsumerGroup(name), kgo.ConsumeTopics(from), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.HeartbeatInterval(500*time.Millisecond),
		)
		if err != nil {
			r.fault("%s: %v", name, err)
			return
		}
		for ctx.Err() == nil {
			if err := copyOnceKgo(ctx, s, to); err != nil && ctx.Err() == nil {
				r.t.Logf("%s: %v; next client", name, err)
				break
			}
		}
		s.Client().CloseAllowingRebalance()
	}
}

func copyOnceKgo(ctx context.Context, s *kgo.GroupTransactSession, to string) error {
	records := s.PollRecords(ctx, 500).Records()
	if len(records) == 0 {
		return nil
	}
	if err := s.Begin(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var out kgo.FirstErrPromise
	for _, k := range records {
		s.Produce(limited, &kgo.Record{Topic: to, Partition: k.Partition, Value: k.Value}, out.Promise())
	}
	failed := out.Err()
	_, err := s.End(limited, failed == nil)
	if err != nil {
		return err
	}
	return failed
}
