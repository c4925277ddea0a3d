package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// fixture is a coordinator over a log with the topic t.
type fixture struct {
	*Coordinator
	t     *testing.T
	fs    vfs.FS
	cfg   Config
	log   *log.Log
	ended []string // calls of EndOffsets
}

// bubble runs f in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, x *fixture)) {
	t.Helper()
	bubbleOn(t, func() vfs.FS { return vfs.NewMem() }, Config{}, f)
}

func bubbleOn(t *testing.T, fs func() vfs.FS, cfg Config, f func(t *testing.T, x *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := &fixture{t: t, fs: fs(), cfg: cfg}
		x.open()
		defer func() { x.close() }()
		x.topic("t", 4)
		f(t, x)
	})
}

func (x *fixture) open() {
	x.t.Helper()
	logger := slog.New(slog.NewTextHandler(x.t.Output(), nil))
	var err error
	if x.log, err = log.Open(log.Config{Dir: "/data", FS: x.fs, Logger: logger}); err != nil {
		x.t.Fatal(err)
	}
	cfg := x.cfg
	cfg.Log, cfg.Partitions, cfg.Dir, cfg.FS, cfg.Logger = x.log, 3, "/data", x.fs, logger
	cfg.EndOffsets = func(partition int32, id int64, epoch int16, commit bool) {
		x.ended = append(x.ended, fmt.Sprintf("%d: %d/%d %v", partition, id, epoch, commit))
	}
	if x.Coordinator, err = Open(cfg); err != nil {
		x.t.Fatal(err)
	}
}

func (x *fixture) close() {
	x.t.Helper()
	if err := x.Coordinator.Close(); err != nil {
		x.t.Error(err)
	}
	if err := x.log.Close(); err != nil {
		x.t.Error(err)
	}
}

func (x *fixture) reopen() {
	x.t.Helper()
	x.close()
	x.open()
}

func (x *fixture) topic(name string, partitions int) {
	x.t.Helper()
	if _, err := x.log.CreateTopic(name, partitions, nil); err != nil {
		x.t.Fatal(err)
	}
}

// init is Init without an expected producer.
func (x *fixture) init(id string) Producer {
	x.t.Helper()
	p, err := x.Init(x.t.Context(), InitRequest{TransactionalID: id, TimeoutMs: 60_000})
	if err != nil {
		x.t.Fatalf("init %s: %v", id, err)
	}
	return p
}

func (x *fixture) partition(tp TopicPartition) *log.Partition {
	x.t.Helper()
	t, ok := x.log.Topic(tp.Topic)
	if !ok {
		x.t.Fatalf("no topic %s", tp.Topic)
	}
	p, _ := t.Partition(tp.Partition)
	return p
}

// data is a transactional batch with one record.
func data(t testing.TB, p Producer, sequence int32, value string) []byte {
	t.Helper()
	b := batch.Builder{Idempotent: true, Transactional: true, ProducerID: p.ID, ProducerEpoch: p.Epoch, BaseSequence: sequence}
	b.Append(time.Now().UnixMilli(), []byte(value), []byte(value))
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// write does what the broker does for a produce to one partition.
func (x *fixture) write(p Producer, tp TopicPartition, sequence int32, value string, implicit bool) error {
	a, err := x.Admit(x.t.Context(), p, []TopicPartition{tp}, implicit)
	if err != nil {
		return err
	}
	defer a.Leave()
	if err := a.Err(tp); err != nil {
		return err
	}
	part := x.partition(tp)
	res, err := part.Append(data(x.t, p, sequence, value), log.AppendOptions{})
	if err != nil {
		return err
	}
	return errors.Join(part.WaitDurable(x.t.Context(), res.LastOffset), a.WaitDurable())
}

func (x *fixture) mustWrite(p Producer, partition, sequence int32, value string) {
	x.t.Helper()
	if err := x.write(p, TopicPartition{"t", partition}, sequence, value, true); err != nil {
		x.t.Fatalf("write %s: %v", value, err)
	}
}

// end is End in protocol version 2.
func (x *fixture) end(p Producer, commit bool) Producer {
	x.t.Helper()
	next, err := x.End(x.t.Context(), p, commit, true)
	if err != nil {
		x.t.Fatalf("end of %v: %v", p, err)
	}
	return next
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func (x *fixture) wantErr(what string, got, want error) {
	x.t.Helper()
	if !errors.Is(got, want) {
		x.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (x *fixture) wantState(id string, want State, partitions ...int32) {
	x.t.Helper()
	d, err := x.Describe(id)
	var got []int32
	for _, tp := range d.Partitions {
		got = append(got, tp.Partition)
	}
	if err != nil || d.State != want || !slices.Equal(got, partitions) {
		x.t.Errorf("%s is %v with partitions %v (%v), want %v with %v", id, d.State, got, err, want, partitions)
	}
}

// committed returns what a reader of committed data finds in a partition.
func committed(t testing.TB, p *log.Partition) []string {
	t.Helper()
	upTo := p.LastStableOffset()
	aborted, err := p.AbortedTransactions(p.LogStartOffset(), upTo)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	dropping := map[int64]bool{}
	for offset := p.LogStartOffset(); offset < upTo; {
		b, err := p.Read(nil, offset, 1<<20, upTo)
		if err != nil {
			t.Fatal(err)
		}
		for len(b) > 0 {
			h, err := batch.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			for len(aborted) > 0 && aborted[0].FirstOffset <= h.LastOffset() {
				dropping[aborted[0].ProducerID] = true
				aborted = aborted[1:]
			}
			if h.Control() {
				delete(dropping, h.ProducerID)
			} else if !(h.Transactional() && dropping[h.ProducerID]) {
				values = append(values, recordsOf(t, b[:h.Size()])...)
			}
			offset, b = h.LastOffset()+1, b[h.Size():]
		}
	}
	return values
}

func recordsOf(t testing.TB, b []byte) []string {
	t.Helper()
	rd, err := batch.NewReader(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for rd.Next() {
		values = append(values, string(rd.Record().Value))
	}
	return values
}

// wantCommitted compares what readers of committed data see in partitions 0, 1, … of t.
func (x *fixture) wantCommitted(want ...[]string) {
	x.t.Helper()
	for i, w := range want {
		if got := committed(x.t, x.partition(TopicPartition{"t", int32(i)})); !slices.Equal(got, w) {
			x.t.Errorf("committed in partition %d: %q, want %q", i, got, w)
		}
	}
}

// Transactions of protocol version 2 with one producer after the other, also
// across a restart.
func TestTransactions(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		p := x.init("x")
		x.wantState("x", Empty)
		x.mustWrite(p, 0, 0, "a")
		x.mustWrite(p, 1, 0, "b")
		x.mustWrite(p, 0, 1, "c")
		x.wantState("x", Ongoing, 0, 1)
		x.wantCommitted(nil, nil)
		p2 := x.end(p, true)
		if p2.ID != p.ID || p2.Epoch != p.Epoch+1 {
			t.Errorf("the next transaction is of %v, want the epoch after %v", p2, p)
		}
		synctest.Wait()
		x.wantState("x", CompleteCommit)
		x.wantCommitted([]string{"a", "c"}, []string{"b"})
		x.mustWrite(p2, 0, 0, "d") // waits for the markers where it comes too soon
		p3 := x.end(p2, false)
		x.mustWrite(p3, 2, 0, "e")
		x.reopen()
		x.wantState("x", Ongoing, 2)
		x.mustWrite(p3, 1, 0, "f")
		x.end(p3, true)
		synctest.Wait()
		x.wantCommitted([]string{"a", "c"}, []string{"b", "f"}, []string{"e"})
		x.reopen()
		x.wantState("x", CompleteCommit)
	})
}

// A client of version 1 adds partitions first, and keeps its epoch.
func TestVersion1(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		ctx := t.Context()
		p := x.init("x")
		tp0, tp1 := TopicPartition{"t", 0}, TopicPartition{"t", 1}
		x.wantErr("write before adding", x.write(p, tp0, 0, "a", false), kerr.TransactionAbortable)
		x.wantErr("add", x.AddPartitions(ctx, p, []TopicPartition{tp0}), nil)
		x.wantErr("write", x.write(p, tp0, 0, "a", false), nil)
		x.wantErr("write elsewhere", x.write(p, tp1, 0, "b", false), kerr.TransactionAbortable)
		errs, err := x.Verify(ctx, p, []TopicPartition{tp0, tp1})
		if err != nil || errs[0] != nil || !errors.Is(errs[1], kerr.TransactionAbortable) {
			t.Errorf("verify: %v, %v", errs, err)
		}
		for range 2 { // the second is a retry
			if next, err := x.End(ctx, p, true, false); err != nil || next != p {
				t.Errorf("end: %v, %v, want %v", next, err, p)
			}
		}
		_, err = x.End(ctx, p, false, false)
		x.wantErr("end the other way", err, kerr.InvalidTxnState)
		x.wantErr("write after the end", x.write(p, tp0, 1, "late", false), kerr.TransactionAbortable)
		x.wantErr("add again", x.AddPartitions(ctx, p, []TopicPartition{tp0}), nil)
		x.wantErr("write again", x.write(p, tp0, 1, "c", false), nil)
		if _, err := x.End(ctx, p, false, false); err != nil {
			t.Errorf("abort: %v", err)
		}
		synctest.Wait()
		x.wantCommitted([]string{"a"}, nil)
	})
}

// A second producer with the id aborts what the first one has open, and the first
// one can do nothing any more.
func TestZombie(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		ctx := t.Context()
		zombie := x.init("x")
		x.mustWrite(zombie, 0, 0, "lost")
		p := x.init("x")
		if p.ID != zombie.ID || p.Epoch <= zombie.Epoch {
			t.Errorf("new producer %v after %v", p, zombie)
		}
		x.wantState("x", Empty)
		x.wantErr("write", x.write(zombie, TopicPartition{"t", 0}, 1, "late", true), kerr.ProducerFenced)
		x.wantErr("verified write", x.write(zombie, TopicPartition{"t", 0}, 1, "late", false), kerr.ProducerFenced)
		x.wantErr("add", x.AddPartitions(ctx, zombie, []TopicPartition{{"t", 0}}), kerr.ProducerFenced)
		for _, bump := range []bool{true, false} {
			_, err := x.End(ctx, zombie, true, bump)
			x.wantErr("end", err, kerr.ProducerFenced)
		}
		_, err := x.Init(ctx, InitRequest{"x", 1000, &zombie})
		x.wantErr("init with the old epoch", err, kerr.ProducerFenced)
		x.mustWrite(p, 0, 0, "kept")
		_, err = x.Init(ctx, InitRequest{"x", 1000, &zombie})
		x.wantErr("init with the old epoch while a transaction is open", err, kerr.ProducerFenced)
		x.wantState("x", Ongoing, 0)
		x.end(p, true)
		synctest.Wait()
		x.wantCommitted([]string{"kept"})
	})
}

// A producer raises its own epoch after an error (KIP-360); a retry gets the same.
func TestRaiseEpoch(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		p := x.init("x")
		x.mustWrite(p, 0, 0, "lost")
		next, err := x.Init(t.Context(), InitRequest{"x", 1000, &p})
		if err != nil || next.ID != p.ID || next.Epoch != p.Epoch+1 {
			t.Fatalf("raise of %v: %v, %v", p, next, err)
		}
		again, err := x.Init(t.Context(), InitRequest{"x", 1000, &p})
		if err != nil || again != next {
			t.Errorf("retry: %v, %v, want %v", again, err, next)
		}
		x.mustWrite(next, 0, 0, "kept")
		x.end(next, true)
		synctest.Wait()
		x.wantCommitted([]string{"kept"})
	})
}

// When the epochs are used up the producer gets another id: at the end of a
// transaction, when it is fenced, and in version 1 at the next Init.
func TestEpochsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		first := x.init("x")
		last := func() Producer { // sets the epoch to the last one
			synctest.Wait() // until nothing is being completed
			x.mu.Lock()
			tx := x.txns["x"]
			x.mu.Unlock()
			tx.mu.Lock()
			defer tx.mu.Unlock()
			tx.meta.epoch = maxEpoch
			return Producer{"x", tx.meta.producerID, maxEpoch}
		}
		p := last()
		x.mustWrite(p, 0, 0, "a")
		next := x.end(p, true)
		if next.ID == first.ID || next.Epoch != 0 {
			t.Errorf("after the last epoch: %v", next)
		}
		if again := x.end(p, true); again != next { // a retry
			t.Errorf("retry: %v, want %v", again, next)
		}
		x.mustWrite(next, 0, 0, "b")
		x.end(next, true)
		p = last()
		x.mustWrite(p, 1, 0, "lost")
		fenced := x.init("x")
		if fenced.ID == p.ID || fenced.Epoch != 1 {
			t.Errorf("after fencing the last epoch: %v", fenced)
		}
		p = last()
		if rotated := x.init("x"); rotated.ID == p.ID || rotated.Epoch != 0 {
			t.Errorf("after the last epoch without a transaction: %v", rotated)
		}
		synctest.Wait()
		x.wantCommitted([]string{"a", "b"}, nil)
	})
}

// A transaction that takes longer than its timeout is aborted, and its producer
// is fenced.
func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		p, err := x.Init(t.Context(), InitRequest{TransactionalID: "x", TimeoutMs: 30_000})
		if err != nil {
			t.Fatal(err)
		}
		other := x.init("other")
		x.mustWrite(p, 0, 0, "late")
		x.mustWrite(other, 0, 0, "kept")
		pass(25 * time.Second)
		x.wantState("x", Ongoing, 0)
		pass(20 * time.Second)
		x.wantState("x", CompleteAbort)
		x.wantErr("write", x.write(p, TopicPartition{"t", 0}, 1, "later", true), kerr.ProducerFenced)
		x.end(other, true)
		synctest.Wait()
		x.wantCommitted([]string{"kept"})
	})
}

// Ids that nobody uses are forgotten, also on disk, and those with an open
// transaction are not.
func TestExpiration(t *testing.T) {
	bubbleOn(t, func() vfs.FS { return vfs.NewMem() }, Config{MaxTimeout: 100 * 24 * time.Hour}, func(t *testing.T, x *fixture) {
		x.init("unused")
		used, err := x.Init(t.Context(), InitRequest{TransactionalID: "used", TimeoutMs: int32((20 * 24 * time.Hour).Milliseconds())})
		if err != nil {
			t.Fatal(err)
		}
		x.mustWrite(used, 0, 0, "a")
		pass(7*24*time.Hour - time.Minute)
		x.wantState("unused", Empty)
		pass(2 * time.Minute)
		for range 2 {
			_, err := x.Describe("unused")
			x.wantErr("describe", err, kerr.TransactionalIDNotFound)
			x.wantState("used", Ongoing, 0)
			x.reopen()
		}
		_, err = x.End(t.Context(), Producer{"unused", 0, 0}, false, true)
		x.wantErr("end", err, kerr.InvalidProducerIDMapping)
		if p := x.init("unused"); p.Epoch != 0 || p.ID == used.ID {
			t.Errorf("new life of an id: %v", p)
		}
	})
}

func TestLimits(t *testing.T) {
	bubbleOn(t, func() vfs.FS { return vfs.NewMem() }, Config{MaxIDs: 2, MaxPartitions: 2, MaxTotalPartitions: 3}, func(t *testing.T, x *fixture) {
		for _, tt := range []struct {
			id      string
			timeout int32
			want    error
		}{
			{"", 1000, kerr.InvalidRequest},
			{string(make([]byte, maxIDBytes+1)), 1000, kerr.InvalidRequest},
			{"a", 0, kerr.InvalidTransactionTimeout},
			{"a", -1, kerr.InvalidTransactionTimeout},
			{"a", 15*60*1000 + 1, kerr.InvalidTransactionTimeout},
			{"a", 15 * 60 * 1000, nil},
			{"b", 1, nil},
			{"c", 1, kerr.CoordinatorNotAvailable},
			{"b", 1, nil},
		} {
			_, err := x.Init(t.Context(), InitRequest{TransactionalID: tt.id, TimeoutMs: tt.timeout})
			x.wantErr(fmt.Sprintf("init %.10q, %d ms", tt.id, tt.timeout), err, tt.want)
		}
		p := x.init("a")
		err := x.AddPartitions(t.Context(), p, []TopicPartition{{"t", 0}, {"t", 1}, {"t", 2}})
		x.wantErr("add three partitions", err, kerr.PolicyViolation)
		b := x.init("b")
		for range 2 { // what a transaction has ended with is free again, also after a restart
			x.wantErr("add two", x.AddPartitions(t.Context(), p, []TopicPartition{{"t", 0}, {"t", 1}}), nil)
			x.reopen()
			err = x.AddPartitions(t.Context(), b, []TopicPartition{{"t", 0}, {"t", 1}})
			x.wantErr("add two more than there may be", err, kerr.PolicyViolation)
			x.wantErr("add one more", x.AddPartitions(t.Context(), b, []TopicPartition{{"t", 0}}), nil)
			p, b = x.end(p, true), x.end(b, false)
			synctest.Wait()
		}
		_, err = x.End(t.Context(), Producer{"never", 1, 1}, true, true)
		x.wantErr("end of an id that is not known", err, kerr.InvalidProducerIDMapping)
	})
}

// The end of a transaction waits for those who are between check and append, and
// nobody enters meanwhile: so no marker comes before their records.
func TestNoMarkerBetweenCheckAndAppend(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		p := x.init("x")
		tp := TopicPartition{"t", 0}
		a, err := x.Admit(t.Context(), p, []TopicPartition{tp}, true)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := x.End(t.Context(), p, true, true)
			ended <- err
		}()
		synctest.Wait()
		entered := make(chan error, 1)
		go func() { entered <- x.write(p, tp, 1, "too late", true) }()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("ended (%v) before the append", err)
		case err := <-entered:
			t.Fatalf("entered (%v) while the transaction ends", err)
		default:
		}
		if _, err := x.partition(tp).Append(data(t, p, 0, "a"), log.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		a.Leave()
		x.wantErr("end", <-ended, nil)
		x.wantErr("write", <-entered, kerr.ProducerFenced)
		synctest.Wait()
		x.wantCommitted([]string{"a"})
	})
}

// Who never leaves does not keep others waiting for ever.
func TestBusy(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		p := x.init("x")
		a, err := x.Admit(t.Context(), p, []TopicPartition{{"t", 0}}, true)
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.End(t.Context(), p, true, true)
		x.wantErr("end", err, kerr.ConcurrentTransactions)
		_, err = x.Init(t.Context(), InitRequest{TransactionalID: "x", TimeoutMs: 1})
		x.wantErr("init", err, kerr.ConcurrentTransactions)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = x.End(ctx, p, true, true)
		x.wantErr("end by a client that has gone", err, kerr.ConcurrentTransactions)
		a.Leave()
		x.end(p, true)
	})
}

func TestClosed(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		p := x.init("x")
		a, err := x.Admit(t.Context(), p, []TopicPartition{{"t", 0}}, true)
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error, 1)
		go func() {
			_, err := x.End(t.Context(), p, true, true)
			waiting <- err
		}()
		synctest.Wait()
		x.Coordinator.Close()
		x.wantErr("a waiting request", <-waiting, kerr.ConcurrentTransactions)
		_, err = x.End(t.Context(), p, true, true)
		x.wantErr("a later request", err, kerr.NotCoordinator)
		_, err = x.Init(t.Context(), InitRequest{TransactionalID: "y", TimeoutMs: 1})
		x.wantErr("a new id", err, kerr.NotCoordinator)
		a.Leave()
	})
}

// The offsets of a group are committed or dropped after their marker.
func TestOffsets(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		x.topic(offsetsTopic, 2)
		p := x.init("x")
		tp := TopicPartition{offsetsTopic, 1}
		for _, commit := range []bool{true, false} {
			x.wantErr("write", x.write(p, tp, 0, "offset", true), nil)
			x.mustWrite(p, 0, 0, "a")
			p = x.end(p, commit)
			synctest.Wait()
		}
		if want := []string{"1: 0/1 true", "1: 0/2 false"}; !slices.Equal(x.ended, want) {
			t.Errorf("offsets ended: %q, want %q", x.ended, want)
		}
	})
}

func TestListAndDescribe(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		a, b := x.init("app-1"), x.init("app-2")
		x.init("other")
		x.mustWrite(a, 1, 0, "a")
		x.mustWrite(a, 0, 0, "a")
		pass(5 * time.Second)
		x.mustWrite(b, 0, 0, "a")
		for _, tt := range []struct {
			f    Filter
			want []string
		}{
			{Filter{MinMs: -1}, []string{"app-1", "app-2", "other"}},
			{Filter{MinMs: -1, States: []string{"Ongoing"}}, []string{"app-1", "app-2"}},
			{Filter{MinMs: -1, States: []string{"Ongoing", "Empty", "Sleeping"}}, []string{"app-1", "app-2", "other"}},
			{Filter{MinMs: -1, ProducerIDs: []int64{b.ID}}, []string{"app-2"}},
			{Filter{MinMs: 3000, States: []string{"Ongoing"}}, []string{"app-1"}},
			{Filter{MinMs: -1, Pattern: "app-.*"}, []string{"app-1", "app-2"}},
			{Filter{MinMs: -1, Pattern: "app"}, nil}, // it is for the whole id
		} {
			list, unknown, err := x.List(tt.f)
			var ids []string
			for _, l := range list {
				ids = append(ids, l.TransactionalID)
			}
			if err != nil || !slices.Equal(ids, tt.want) {
				t.Errorf("%+v: %q, %v, want %q", tt.f, ids, err, tt.want)
			}
			if slices.Contains(tt.f.States, "Sleeping") != (len(unknown) == 1) {
				t.Errorf("%+v: unknown states %q", tt.f, unknown)
			}
		}
		_, _, err := x.List(Filter{Pattern: "("})
		x.wantErr("bad pattern", err, kerr.InvalidRegularExpression)
		d, err := x.Describe("app-1")
		if err != nil || d.Producer != a || d.State != Ongoing || d.TimeoutMs != 60_000 || time.Now().UnixMilli()-d.StartMs != 5000 || len(d.Partitions) != 2 {
			t.Errorf("describe: %+v, %v", d, err)
		}
		_, err = x.Describe("nobody")
		x.wantErr("describe", err, kerr.TransactionalIDNotFound)
	})
}
