package connecttest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

func TestSuiteAcceptsMemory(t *testing.T) {
	Source(t, memorySourceFixture(""))
	Sink(t, memorySinkFixture(""))
	Sink(t, lakeFixture(""))
	f := memorySourceFixture("")(t)
	Spec(t, f.Spec, f.Settings)
}

// recorder is a testing.TB that notes failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failures runs a check as a test would and returns what it found.
func failures(t *testing.T, run func(testing.TB)) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(r)
	}()
	<-done
	return r.failures
}

// TestSuiteFindsFlaws shows that each rule has a check that can fail.
func TestSuiteFindsFlaws(t *testing.T) {
	for flaw, want := range map[string]string{
		"swaps":    "came as number",
		"unmarked": "have no mark after them",
		"early":    "different records in",
		"deaf":     "Read did not return",
		"leaks":    "goroutines more than before",
		"stuck":    "Close did not return",
	} {
		t.Run("source that is "+flaw, func(t *testing.T) {
			wantFound(t, want, func() (found []string) {
				for _, c := range sourceChecks {
					found = append(found, failures(t, func(tb testing.TB) { runSourceCheck(tb, memorySourceFixture(flaw), c) })...)
				}
				return found
			})
		})
	}
	for flaw, want := range map[string]string{
		"keeps": "record 0 is not visible",
		"ahead": "record 0 is not visible",
		"half":  "visible are",
		"fails": "close: broken",
	} {
		t.Run("sink that "+flaw, func(t *testing.T) {
			wantFound(t, want, func() (found []string) {
				for _, c := range sinkChecks {
					found = append(found, failures(t, func(tb testing.TB) { runSinkCheck(tb, memorySinkFixture(flaw), c) })...)
				}
				return found
			})
		})
	}
}

// TestSuiteFindsFlawsOfTwoPhases does the same for sinks that have two phases.
func TestSuiteFindsFlawsOfTwoPhases(t *testing.T) {
	for flaw, want := range map[string]string{
		"forgets":  "is not visible",
		"destroys": "there is no upload",
		"shows":    "records are visible before the commit",
		"gives up": "nothing was prepared",
	} {
		wantFound(t, want, func() (found []string) {
			for _, c := range sinkChecks {
				found = append(found, failures(t, func(tb testing.TB) { runSinkCheck(tb, lakeFixture(flaw), c) })...)
			}
			return append(found, failures(t, func(tb testing.TB) { sinkCrashes(tb, lakeFixture(flaw)) })...)
		})
	}
}

// wantFound wants a failure with a text. A check that runs out of patience first says
// something else, so the patience grows until it is found, or is that of users.
func wantFound(t *testing.T, want string, run func() []string) {
	t.Helper()
	users := patience
	defer func() { patience = users }()
	for patience = 300 * time.Millisecond; ; patience = min(10*patience, users) {
		found := run()
		if patience == users || slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, want) }) {
			wantFailure(t, found, want)
			return
		}
	}
}

func wantFailure(t *testing.T, found []string, want string) {
	t.Helper()
	for _, f := range found {
		if strings.Contains(f, want) {
			return
		}
	}
	t.Errorf("the suite found %q, want a failure with %q", found, want)
}

type carelessConfig struct{ n int }

func (c *carelessConfig) Define(d *connect.Def) {
	d.Add(connect.Option{Name: "n", Var: &c.n, Default: "1"})
}

func TestSuiteFindsFlawsOfASpec(t *testing.T) {
	spec := connect.Spec{Class: "test.Careless", New: func() connect.Config { return &carelessConfig{} }}
	found := failures(t, func(tb testing.TB) { specDescribes(tb, spec, nil) })
	wantFailure(t, found, "version")
	wantFailure(t, found, "option n needs a doc")
	wantFailure(t, failures(t, func(tb testing.TB) { specMakesNew(tb, spec, nil) }), "is neither")
	wantFailure(t, failures(t, func(tb testing.TB) { specAccepts(tb, spec, map[string]string{"n": "x"}) }), "are refused")
	wantFailure(t, failures(t, func(tb testing.TB) { specAccepts(tb, spec, map[string]string{"m": "1"}) }), "setting m")
}

// generator fills batches without any I/O: what is left is the cost of the API
// itself and of passing batches from one goroutine to another.
type generator struct {
	payload []byte
	read    uint64
}

func (g *generator) Open(context.Context, connect.SourceContext) error { return nil }
func (g *generator) Close() error                                      { return nil }
func (g *generator) Read(_ context.Context, b *connect.Batch) error {
	for !b.Full() {
		r := b.Append()
		r.Topic = "t"
		r.ValueSchema, r.Value = connect.BytesSchema, connect.BytesValue(b.Bytes(g.payload))
		g.read++
	}
	b.Mark(connect.Mark{Token: g.read})
	return nil
}

// BenchmarkOrchestration passes records of 200 bytes from a source through a
// batch to a consumer on another goroutine and recycles the batches. The budget
// is 100 ns and no allocation per record.
func BenchmarkOrchestration(b *testing.B) {
	g := &generator{payload: []byte(strings.Repeat("x", 200))}
	free, full := make(chan *connect.Batch, 4), make(chan *connect.Batch, 4)
	for range cap(free) {
		free <- connect.NewBatch(2048, 4<<20)
	}
	consumed := make(chan uint64)
	go func() {
		var bytes uint64
		for batch := range full {
			for i := range batch.Records() {
				bytes += uint64(len(batch.Records()[i].Value.Bytes()))
			}
			free <- batch
		}
		consumed <- bytes
	}()
	b.ReportAllocs()
	b.ResetTimer()
	for g.read < uint64(b.N) {
		batch := <-free
		batch.Reset()
		if err := g.Read(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		full <- batch
	}
	close(full)
	if got := <-consumed; got != g.read*200 {
		b.Fatalf("consumed %d bytes of %d records", got, g.read)
	}
}
