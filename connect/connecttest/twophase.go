package connecttest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// ledger is what is committed for the partition: the engine's transaction.
type ledger struct {
	offset int64
	state  json.RawMessage
}

// restore hands over the state that was committed, as the engine does after Assign.
func (h *sinkHarness) restore() {
	h.t.Helper()
	if p, ok := h.sink.(connect.TwoPhase); ok && h.committed.state != nil {
		states := []connect.PartitionState{{State: h.committed.state,
			PartitionOffset: connect.PartitionOffset{TopicPartition: h.tp, Offset: h.committed.offset}}}
		h.retry("Restore", func(ctx context.Context) error { return p.Restore(ctx, states) })
	}
}

func (h *sinkHarness) prepare(p connect.TwoPhase) []connect.PartitionState {
	h.t.Helper()
	var states []connect.PartitionState
	h.retry("Prepare", func(ctx context.Context) (err error) {
		states, err = p.Prepare(ctx)
		return err
	})
	return states
}

// prepareSome prepares until the offset would move.
func (h *sinkHarness) prepareSome(p connect.TwoPhase) []connect.PartitionState {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		states := h.prepare(p)
		if slices.ContainsFunc(states, func(st connect.PartitionState) bool { return st.Offset > h.durable }) {
			return states
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("nothing was prepared within %s with %d to %d written", patience, h.durable, h.written)
		}
		<-time.After(5 * time.Millisecond) // a sink may rotate by age
	}
}

func (h *sinkHarness) commitStates(states []connect.PartitionState) {
	h.t.Helper()
	for _, st := range states {
		h.commit([]connect.PartitionOffset{st.PartitionOffset})
		if st.State != nil && !json.Valid(st.State) {
			h.t.Fatalf("the state %q is not JSON", st.State)
		}
		h.committed = ledger{st.Offset, append(json.RawMessage(nil), st.State...)}
	}
}

func (h *sinkHarness) apply(p connect.TwoPhase) {
	h.t.Helper()
	h.retry("Apply", p.Apply)
	h.checkVisible()
}

// phases prepares once, commits and applies what there is.
func (h *sinkHarness) phases(p connect.TwoPhase) {
	h.t.Helper()
	if states := h.prepare(p); len(states) > 0 {
		h.commitStates(states)
		h.apply(p)
	}
}

// sinkKeepsBack wants nothing to be seen before its commit, and the Prepare after a
// commit that failed to make up for it.
func sinkKeepsBack(t testing.TB, h *sinkHarness) {
	h.open()
	p, ok := h.sink.(connect.TwoPhase)
	if !ok {
		return
	}
	h.write(sinkRecords / 2)
	h.prepareSome(p) // the transaction fails
	if seen := h.Visible(); len(seen) > 0 {
		t.Fatalf("%d records are visible before the commit", len(seen))
	}
	h.commitStates(h.prepareSome(p))
	h.apply(p)
	h.write(sinkRecords)
	h.flushAll()
	h.wantExactly(sinkRecords)
}

// sinkCrashes lets the engine end after every possible number of steps and another
// sink take the place of the first. That one is closed before, or it hangs and ends
// later, when its commits are refused.
func sinkCrashes(t testing.TB, fixture NewSinkFixture) {
	for steps, over := 1, false; !over; steps++ {
		for _, hangs := range []bool{false, true} {
			h := &sinkHarness{t: t, SinkFixture: fixture(t), tp: sinkPartition}
			if _, ok := h.make().(connect.TwoPhase); !ok {
				return
			}
			h.watch(func() { over = h.crash(steps, hangs) })
			if got, want := h.Visible(), numbersUpTo(sinkRecords); !slices.Equal(got, want) {
				t.Fatalf("end after %d steps (hangs: %v): visible are %v, want 0 to %d in order", steps, hangs, got, sinkRecords-1)
			}
		}
	}
}

// crash returns whether there was no step left.
func (h *sinkHarness) crash(steps int, hangs bool) (over bool) {
	h.t.Helper()
	h.open()
	over = h.run(steps)
	zombie := h.sink
	if !hangs {
		h.close()
	}
	h.open()
	h.write(sinkRecords)
	h.flushAll()
	h.close()
	if hangs {
		h.sink = zombie
		_ = h.prepare(zombie.(connect.TwoPhase)) // the transaction is refused
	}
	return over
}

// run goes through the phases of a few files and returns false when the steps are
// used up before the end.
func (h *sinkHarness) run(steps int) bool {
	h.t.Helper()
	p := h.sink.(connect.TwoPhase)
	var states []connect.PartitionState
	for to := sinkRecords / 3; to <= sinkRecords; to += sinkRecords / 3 {
		for _, step := range []func(){
			func() { h.write(to) },
			func() { states = h.prepareSome(p) },
			func() { h.commitStates(states) },
			func() { h.apply(p) },
		} {
			if steps == 0 {
				return false
			}
			step()
			steps--
		}
	}
	return true
}
