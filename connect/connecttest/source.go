package connecttest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// SourceFixture is a source connector with an upstream system of its own.
type SourceFixture struct {
	Spec     connect.Spec
	Settings map[string]string
	// Produce makes the records numbered from (included) to (excluded) appear in
	// the upstream. It is called while a source is open or not; the source's next
	// reader gets them either way.
	Produce func(from, to int)
	// Number tells which of the produced records r is.
	Number func(r *connect.Record) (int, error)
}

// NewSourceFixture makes a fixture for one check and registers its clean-up.
type NewSourceFixture func(t testing.TB) SourceFixture

type sourceCheck struct {
	name string
	run  func(testing.TB, *sourceHarness)
}

var sourceChecks = []sourceCheck{
	{"reads everything in order", sourceReadsAll},
	{"reads again what was not committed", sourceRepeats},
	{"continues after what was committed", sourceContinues},
	{"commits while reading", sourceCommitsWhileReading},
	{"stops waiting when the context ends", sourceStops},
	{"closes after an Open that was cut short", sourceCloses},
}

// Source checks a source.
func Source(t *testing.T, fixture NewSourceFixture) {
	for _, c := range sourceChecks {
		t.Run(c.name, func(t *testing.T) { runSourceCheck(t, fixture, c) })
	}
}

func runSourceCheck(t testing.TB, fixture NewSourceFixture, c sourceCheck) {
	h := &sourceHarness{t: t, SourceFixture: fixture(t), offsets: map[string]json.RawMessage{}, seen: map[int]int{}}
	noLeaks := noLeak(t)
	c.run(t, h)
	h.close()
	noLeaks()
}

// sourceHarness plays the engine for one source after another, with a batch that
// it overwrites after each Read.
type sourceHarness struct {
	SourceFixture
	t       testing.TB
	source  connect.Source
	offsets map[string]json.RawMessage // stored, by source partition
	seen    map[int]int                // how often each number was read
	order   []int                      // numbers as they were read
}

func (h *sourceHarness) make() connect.Source {
	h.t.Helper()
	cfg, err := h.Spec.Configure(h.Settings)
	if err != nil {
		h.t.Fatalf("configure: %v", err)
	}
	return cfg.(connect.SourceConfig).Source()
}

func (h *sourceHarness) open() {
	h.t.Helper()
	h.source = h.make()
	if err := within(h.t, "Open", h.openWith(h.source)); err != nil {
		h.t.Fatalf("Open: %v", err)
	}
}

func (h *sourceHarness) openWith(s connect.Source) func(context.Context) error {
	return func(ctx context.Context) error {
		return s.Open(ctx, connect.SourceContext{
			Connector: "connecttest",
			Logger:    slog.New(slog.DiscardHandler),
			Offset: func(_ context.Context, partition json.RawMessage) (json.RawMessage, error) {
				return h.offsets[string(partition)], nil
			},
		})
	}
}

func (h *sourceHarness) close() {
	h.t.Helper()
	if h.source == nil {
		return
	}
	if err := returns(h.t, "Close", h.source.Close); err != nil {
		h.t.Errorf("Close: %v", err)
	}
	h.source = nil
}

// readUntil reads, noting the numbers, until enough returns true. It commits
// each batch's marks when commit says so.
func (h *sourceHarness) readUntil(enough func() bool, commit bool) {
	h.t.Helper()
	b := connect.NewBatch(16, 1<<16)
	deadline := time.Now().Add(patience)
	for !enough() {
		if time.Now().After(deadline) {
			h.t.Fatalf("got %d different records in %s, the last ones %v", len(h.seen), patience, tail(h.order))
		}
		h.readOnce(b)
		if commit {
			h.commit(b)
		}
		poison(b)
	}
}

func (h *sourceHarness) readOnce(b *connect.Batch) {
	h.t.Helper()
	b.Reset()
	err := within(h.t, "Read", func(ctx context.Context) error { return h.source.Read(ctx, b) })
	if err != nil && !connect.IsRetriable(err) && !errors.Is(err, context.DeadlineExceeded) {
		h.t.Fatalf("Read: %v", err)
	}
	for i := range b.Records() {
		n, err := h.Number(&b.Records()[i])
		if err != nil {
			h.t.Fatalf("record %d of a batch is none of the produced ones: %v", i, err)
		}
		h.seen[n]++
		h.order = append(h.order, n)
	}
	if m := b.Marks(); b.Len() > 0 && (len(m) == 0 || m[len(m)-1].Records != b.Len()) {
		h.t.Fatalf("%d records of a batch have no mark after them: they would never be committed", b.Len())
	}
}

// commit does what the engine does when the records of b are durable.
func (h *sourceHarness) commit(b *connect.Batch) {
	c, _ := h.source.(connect.Committer)
	for _, m := range b.Marks() {
		if m.Partition != nil {
			h.offsets[string(m.Partition)] = append(json.RawMessage(nil), m.Offset...)
		}
		if c != nil {
			c.Commit(m)
		}
	}
}

// poison overwrites the memory of a batch that its source should not keep.
func poison(b *connect.Batch) {
	b.Reset()
	for range 1 << 12 { // small pieces, so that none of the memory is passed over
		p := b.Buffer(32)
		for i := range p {
			p[i] = 0xdb
		}
	}
	b.Reset()
}

func (h *sourceHarness) have(n int) func() bool {
	return func() bool { return len(h.seen) >= n }
}

func tail(order []int) []int { return order[max(0, len(order)-10):] }

const sourceRecords = 100

func sourceReadsAll(t testing.TB, h *sourceHarness) {
	h.open()
	h.Produce(0, sourceRecords)
	h.readUntil(h.have(sourceRecords), true)
	for i, n := range h.order {
		if n != i {
			t.Fatalf("record %d came as number %d", n, i)
		}
	}
}

func sourceRepeats(t testing.TB, h *sourceHarness) {
	h.open()
	h.Produce(0, sourceRecords)
	h.readUntil(h.have(sourceRecords/2), false)
	h.close()
	clear(h.seen)
	h.open()
	h.readUntil(h.have(sourceRecords), true) // fails when one is missing
}

func sourceContinues(t testing.TB, h *sourceHarness) {
	h.open()
	h.Produce(0, sourceRecords)
	h.readUntil(h.have(sourceRecords), true)
	h.close()
	h.open()
	h.Produce(sourceRecords, 2*sourceRecords)
	h.readUntil(h.have(2*sourceRecords), true)
}

func sourceCommitsWhileReading(t testing.TB, h *sourceHarness) {
	h.open()
	c, ok := h.source.(connect.Committer)
	if !ok {
		return
	}
	marks := make(chan connect.Mark, sourceRecords)
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		for m := range marks {
			c.Commit(m)
		}
	}()
	b := connect.NewBatch(16, 1<<16)
	h.Produce(0, sourceRecords)
	for deadline := time.Now().Add(patience); len(h.seen) < sourceRecords && time.Now().Before(deadline); {
		h.readOnce(b)
		for _, m := range b.Marks() {
			marks <- connect.Mark{Token: m.Token, Records: m.Records,
				Partition: append(json.RawMessage(nil), m.Partition...), Offset: append(json.RawMessage(nil), m.Offset...)}
		}
		poison(b)
	}
	close(marks)
	<-committed
	if len(h.seen) < sourceRecords {
		t.Errorf("got %d of %d records", len(h.seen), sourceRecords)
	}
}

func sourceStops(t testing.TB, h *sourceHarness) {
	h.open()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	err := returns(t, "Read", func() error { return h.source.Read(ctx, connect.NewBatch(16, 1<<16)) })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Read: got error %v, want the context's or none", err)
	}
	if waited := time.Since(start); waited > patience/4 {
		t.Errorf("Read returned %s after it was cancelled", waited)
	}
}

func sourceCloses(t testing.TB, h *sourceHarness) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.source = h.make()
	_ = returns(t, "Open", func() error { return h.openWith(h.source)(ctx) })
}
