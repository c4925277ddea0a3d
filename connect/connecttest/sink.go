package connecttest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// SinkFixture is a sink connector with a target system of its own.
type SinkFixture struct {
	Spec     connect.Spec
	Settings map[string]string
	// Fill sets the value, and what else matters, of the record with number n.
	// Memory comes from b. The suite has set topic, partition and offset (n).
	Fill func(b *connect.Batch, r *connect.Record, n int)
	// Visible returns the numbers of the records that a reader of the target
	// system sees, in the order in which it sees them.
	Visible func() []int
}

// NewSinkFixture makes a fixture for one check and registers its clean-up.
type NewSinkFixture func(t testing.TB) SinkFixture

type sinkCheck struct {
	name string
	run  func(testing.TB, *sinkHarness)
}

var sinkChecks = []sinkCheck{
	{"makes everything visible in order", sinkShowsAll},
	{"takes empty batches", sinkTakesEmpty},
	{"repeats what was not durable at a crash", sinkRepeats},
	{"drops what is revoked", sinkRevokes},
	{"continues after calls that were cut short", sinkCutShort},
	{"shows nothing before the commit", sinkKeepsBack},
	{"closes after an Open that was cut short", sinkCloses},
}

// Sink checks a sink.
func Sink(t *testing.T, fixture NewSinkFixture) {
	for _, c := range sinkChecks {
		t.Run(c.name, func(t *testing.T) { runSinkCheck(t, fixture, c) })
	}
	t.Run("is exactly once wherever the engine crashes", func(t *testing.T) { sinkCrashes(t, fixture) })
}

var sinkPartition = connect.TopicPartition{Topic: "connecttest", Partition: 3}

func runSinkCheck(t testing.TB, fixture NewSinkFixture, c sinkCheck) {
	h := &sinkHarness{t: t, SinkFixture: fixture(t), tp: sinkPartition}
	h.watch(func() { c.run(t, h) })
}

// watch runs a check, closes the sink and sees that nothing is left of it.
func (h *sinkHarness) watch(check func()) {
	h.t.Helper()
	noLeaks := noLeak(h.t)
	check()
	h.close()
	noLeaks()
}

// sinkHarness plays the engine for one sink after another.
type sinkHarness struct {
	SinkFixture
	t         testing.TB
	tp        connect.TopicPartition
	sink      connect.Sink
	written   int    // the next number to write
	durable   int64  // the committed offset
	committed ledger // of a connect.TwoPhase
}

const sinkRecords = 100

func (h *sinkHarness) make() connect.Sink {
	h.t.Helper()
	cfg, err := h.Spec.Configure(h.Settings)
	if err != nil {
		h.t.Fatalf("configure: %v", err)
	}
	return cfg.(connect.SinkConfig).Sink()
}

// open opens a new sink that continues at the committed offset.
func (h *sinkHarness) open() {
	h.t.Helper()
	h.sink = h.make()
	_, twoPhase := h.sink.(connect.TwoPhase)
	sc := connect.SinkContext{Connector: "connecttest", Logger: slog.New(slog.DiscardHandler), ExactlyOnce: twoPhase}
	if err := within(h.t, "Open", func(ctx context.Context) error { return h.sink.Open(ctx, sc) }); err != nil {
		h.t.Fatalf("Open: %v", err)
	}
	h.written = int(h.durable)
	if a, ok := h.sink.(connect.Assigner); ok {
		start := connect.PartitionOffset{TopicPartition: h.tp, Offset: h.durable}
		err := within(h.t, "Assign", func(ctx context.Context) error {
			return a.Assign(ctx, []connect.PartitionOffset{start})
		})
		if err != nil {
			h.t.Fatalf("Assign: %v", err)
		}
	}
	h.restore()
}

func (h *sinkHarness) close() {
	h.t.Helper()
	if h.sink == nil {
		return
	}
	if err := returns(h.t, "Close", h.sink.Close); err != nil {
		h.t.Errorf("Close: %v", err)
	}
	h.sink = nil
}

// batch returns the next n records.
func (h *sinkHarness) batch(n int) *connect.Batch {
	b := connect.NewBatch(n, 1<<20)
	b.From = h.tp
	for i := range n {
		r := b.Append()
		r.Topic, r.Partition, r.Offset = h.tp.Topic, h.tp.Partition, int64(h.written+i)
		r.Timestamp = 1_700_000_000_000 + r.Offset
		h.Fill(b, r, h.written+i)
	}
	return b
}

// write writes numbers up to (excluded) in batches of different sizes.
func (h *sinkHarness) write(to int) {
	h.t.Helper()
	for size := 1; h.written < to; size++ {
		b := h.batch(min(size, to-h.written))
		h.retry("Write", func(ctx context.Context) error { return h.sink.Write(ctx, b) })
		h.written += b.Len()
		poison(b)
	}
}

// retry makes a call again while its error is retriable, as the engine does.
func (h *sinkHarness) retry(what string, call func(context.Context) error) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := within(h.t, what, call)
		if err == nil {
			return
		}
		if !connect.IsRetriable(err) || time.Now().After(deadline) {
			h.t.Fatalf("%s: %v", what, err)
		}
	}
}

// flush calls Flush once, commits what it returns and checks that a reader of
// the target sees everything below.
func (h *sinkHarness) flush() {
	h.t.Helper()
	if p, ok := h.sink.(connect.TwoPhase); ok {
		h.phases(p)
		return
	}
	f, ok := h.sink.(connect.Flusher)
	if !ok {
		h.durable = int64(h.written)
		return
	}
	var progress []connect.PartitionOffset
	h.retry("Flush", func(ctx context.Context) (err error) {
		progress, err = f.Flush(ctx)
		return err
	})
	h.commit(progress)
	h.checkVisible()
}

func (h *sinkHarness) commit(progress []connect.PartitionOffset) {
	h.t.Helper()
	for _, p := range progress {
		if p.TopicPartition != h.tp || p.Offset < h.durable || p.Offset > int64(h.written) {
			h.t.Fatalf("the sink reports %+v while %d to %d were written to %v", p, h.durable, h.written, h.tp)
		}
		h.durable = p.Offset
	}
}

func (h *sinkHarness) checkVisible() {
	h.t.Helper()
	visible := h.Visible()
	for n := range int(h.durable) {
		if !slices.Contains(visible, n) {
			h.t.Fatalf("offset %d is reported as durable, but record %d is not visible", h.durable, n)
		}
	}
}

func (h *sinkHarness) flushAll() {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for h.durable < int64(h.written) {
		if time.Now().After(deadline) {
			h.t.Fatalf("%d of %d records are durable after %s of flushing", h.durable, h.written, patience)
		}
		h.flush()
		<-time.After(5 * time.Millisecond) // a Flusher may rotate by age
	}
}

func (h *sinkHarness) wantExactly(n int) {
	h.t.Helper()
	if got := h.Visible(); !slices.Equal(got, numbersUpTo(n)) {
		h.t.Errorf("visible are %v, want 0 to %d in order", got, n-1)
	}
}

func numbersUpTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

func (h *sinkHarness) wantAll(n int) {
	h.t.Helper()
	visible := h.Visible()
	for i := range n {
		if !slices.Contains(visible, i) {
			h.t.Errorf("record %d is missing", i)
		}
	}
}

func sinkShowsAll(t testing.TB, h *sinkHarness) {
	h.open()
	h.write(sinkRecords / 2)
	h.flush()
	h.write(sinkRecords)
	h.flushAll()
	h.wantExactly(sinkRecords)
}

func sinkTakesEmpty(t testing.TB, h *sinkHarness) {
	h.open()
	empty := h.batch(0)
	h.retry("Write", func(ctx context.Context) error { return h.sink.Write(ctx, empty) })
	h.flush()
	h.write(3)
	h.retry("Write", func(ctx context.Context) error { return h.sink.Write(ctx, empty) })
	h.flushAll()
	h.wantExactly(3)
}

func sinkRepeats(t testing.TB, h *sinkHarness) {
	h.open()
	h.write(sinkRecords / 2)
	h.flush()
	h.write(sinkRecords * 3 / 4)
	h.close() // as far as the target can see, a crash
	h.open()
	h.write(sinkRecords)
	h.flushAll()
	h.wantAll(sinkRecords)
}

func sinkRevokes(t testing.TB, h *sinkHarness) {
	h.open()
	a, ok := h.sink.(connect.Assigner)
	if !ok {
		return
	}
	h.write(sinkRecords / 2)
	h.flush()
	h.retry("Revoke", func(ctx context.Context) error { return a.Revoke(ctx, []connect.TopicPartition{h.tp}) })
	h.retry("Assign", func(ctx context.Context) error {
		return a.Assign(ctx, []connect.PartitionOffset{{TopicPartition: h.tp, Offset: h.durable}})
	})
	h.restore()
	h.written = int(h.durable)
	h.write(sinkRecords)
	h.flushAll()
	h.wantAll(sinkRecords)
}

func sinkCutShort(t testing.TB, h *sinkHarness) {
	h.open()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for h.written < sinkRecords {
		b := h.batch(10)
		if err := returns(t, "Write", func() error { return h.sink.Write(ended, b) }); err != nil {
			if !errors.Is(err, context.Canceled) && !connect.IsRetriable(err) {
				t.Fatalf("Write with a context that has ended: got error %v, want the context's", err)
			}
			h.retry("Write", func(ctx context.Context) error { return h.sink.Write(ctx, b) })
		}
		h.written += b.Len()
	}
	h.flushCutShort(ended)
	h.flushAll()
	h.wantExactly(sinkRecords)
}

// flushCutShort calls Flush once with a context that has ended. It may do its
// work or not, but must not forget what it has not reported.
func (h *sinkHarness) flushCutShort(ended context.Context) {
	h.t.Helper()
	if p, ok := h.sink.(connect.TwoPhase); ok {
		_ = returns(h.t, "Prepare", func() error { _, err := p.Prepare(ended); return err })
		return
	}
	f, ok := h.sink.(connect.Flusher)
	if !ok {
		return
	}
	var progress []connect.PartitionOffset
	err := returns(h.t, "Flush", func() (err error) {
		progress, err = f.Flush(ended)
		return err
	})
	if err == nil {
		h.commit(progress)
	}
}

func sinkCloses(t testing.TB, h *sinkHarness) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	h.sink = h.make()
	_ = returns(t, "Open", func() error {
		return h.sink.Open(ended, connect.SinkContext{Connector: "connecttest", Logger: slog.New(slog.DiscardHandler)})
	})
}
