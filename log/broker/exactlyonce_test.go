package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
)

// flaky is a server that can be restarted, or lose power, under its clients.
type flaky struct {
	*server
	mem *vfs.Mem
	mu  sync.RWMutex // held while there is no broker
}

var errDown = errors.New("the broker is down")

func (s *flaky) dialer(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.Broker == nil {
		return nil, errDown
	}
	return s.server.dial(ctx, network, addr)
}

// setDisk makes the server use mem, with syncs that take as long as on a real disk.
func (s *flaky) setDisk(mem *vfs.Mem) {
	s.mem = mem
	s.fs = &vfs.Fault{FS: mem, Inject: func(op vfs.Op, _ string) error {
		if op == vfs.OpSync {
			<-time.After(time.Millisecond)
		}
		return nil
	}}
}

// bounce restarts the server in order, or as after a power cut: then nothing has
// been said to a client after the disk stopped.
func (s *flaky) bounce(cut bool, rnd *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !cut {
		s.restart()
		return
	}
	if err := s.Broker.Close(); err != nil {
		s.t.Error(err)
	}
	mem := s.mem.CrashClone(rnd, 0.5)
	s.stop()
	s.setDisk(mem)
	s.start()
}

// copier consumes from in and produces to out, each batch in one transaction with
// its offsets, until ctx ends. What kgo says is over it begins again.
type copier struct {
	s    *flaky
	name string
}

func (c *copier) run(ctx context.Context) {
	for ctx.Err() == nil {
		s, err := kgo.NewGroupTransactSession(
			kgo.SeedBrokers("sluice:9092"), kgo.Dialer(c.s.dialer), kgo.MetadataMinAge(10*time.Millisecond),
			kgo.TransactionalID(c.name), kgo.TransactionTimeout(20*time.Second),
			kgo.ConsumerGroup("copiers"), kgo.ConsumeTopics("in"), kgo.DefaultProduceTopic("out"),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.FetchMaxBytes(1000),
			kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(100*time.Millisecond), kgo.RebalanceTimeout(6*time.Second),
			kgo.RequestTimeoutOverhead(5*time.Second), kgo.DialTimeout(time.Second), kgo.RetryTimeout(20*time.Second),
		)
		if err != nil {
			c.s.t.Error(err)
			return
		}
		err = c.copy(ctx, s)
		s.Close()
		if ctx.Err() == nil {
			c.s.t.Logf("%s begins again: %v", c.name, err)
		}
	}
}

func (c *copier) copy(ctx context.Context, s *kgo.GroupTransactSession) error {
	for {
		fetches := s.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := s.Begin(); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		var first kgo.FirstErrPromise
		fetches.EachRecord(func(r *kgo.Record) {
			s.Produce(ctx, &kgo.Record{Key: r.Key, Value: r.Value}, first.Promise())
		})
		ok := first.Err() == nil
		if _, err := s.End(ctx, kgo.TransactionEndTry(ok)); err != nil {
			return fmt.Errorf("end: %w", err)
		}
	}
}

// Every record of the input is in the output once, whatever happens to broker and
// disk on the way (consume, transform, produce with offsets in the transaction).
// In real time: kgo waits for a mutex while its group rebalances, so virtual time
// would stand still.
func TestExactlyOnce(t *testing.T) {
	const total = 3000
	s := &flaky{server: &server{t: t, dir: "/data"}}
	s.setDisk(vfs.NewMem())
	s.start()
	t.Cleanup(s.stop)
	s.createTopic("in", 4, nil)
	s.createTopic("out", 3, nil)
	source := s.client(kgo.DefaultProduceTopic("in"))
	for i := range total {
		source.Produce(s.ctx(), kgo.KeyStringRecord(fmt.Sprint(i%97), fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		if i%20 == 19 { // many small batches
			if err := source.Flush(s.ctx()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var copiers sync.WaitGroup
	for i := range 2 {
		c := &copier{s, fmt.Sprintf("copier-%d", i)}
		copiers.Go(func() { c.run(ctx) })
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 8 {
		<-time.After(time.Duration(50+rnd.IntN(200)) * time.Millisecond)
		s.bounce(i%2 == 0, rnd)
	}
	seen := s.readOut(total)
	cancel()
	copiers.Wait()
	for i := range total {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("record %d is in the output %d times", i, n)
		}
	}
}

// readOut reads committed records until there are n, and then as long as more come.
func (s *flaky) readOut(n int) map[string]int {
	s.t.Helper()
	seen := map[string]int{}
	cl := s.client(kgo.Dialer(s.dialer), kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	limit, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for got := 0; ; {
		ctx, cancel := limit, context.CancelFunc(func() {})
		if got >= n {
			ctx, cancel = context.WithTimeout(limit, 300*time.Millisecond)
		}
		f := cl.PollFetches(ctx)
		cancel()
		if f.NumRecords() == 0 && ctx.Err() != nil {
			s.t.Logf("read %d records", got)
			return seen
		}
		f.EachRecord(func(r *kgo.Record) {
			seen[string(r.Value)]++
			got++
		})
	}
}
