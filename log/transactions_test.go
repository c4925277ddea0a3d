package log

import (
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
)

// wantStable compares what read_committed readers go by.
func wantStable(t *testing.T, when string, p *Partition, stable int64, aborted ...AbortedTransaction) {
	t.Helper()
	if got := p.LastStableOffset(); got != stable {
		t.Errorf("%s: last stable offset is %d, want %d", when, got, stable)
	}
	got, err := p.AbortedTransactions(p.LogStartOffset(), p.LastStableOffset())
	if err != nil || len(got) != len(aborted) || len(got) > 0 && !reflect.DeepEqual(got, aborted) {
		t.Errorf("%s: aborted %v, %v; want %v", when, got, err, aborted)
	}
}

// TestTransactions lets two producers' transactions overlap, and restarts the log at every point.
func TestTransactions(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	restart := func() {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wantSound(t, mem, "data")
		l = mustOpen(t, testConfig(mem))
		p = mustPartition(t, l, "t", 0)
	}
	for _, s := range []struct {
		when    string
		do      func()
		stable  int64
		aborted []AbortedTransaction
	}{
		{"plain batch", func() { produce(t, p, "a", "b") }, 2, nil},
		{"1 begins", func() { produceBatch(t, p, txnBatch(t, 1, 0, 0, "c")) }, 2, nil},
		{"2 begins", func() { produceBatch(t, p, txnBatch(t, 2, 0, 0, "d", "e")) }, 2, nil},
		{"1 goes on", func() { produceBatch(t, p, txnBatch(t, 1, 0, 1, "f")) }, 2, nil},
		{"2 aborts", func() { mark(t, p, abortOf(2, 0)) }, 2, nil},
		{"1 aborts with a higher epoch", func() { mark(t, p, abortOf(1, 1)) }, 8, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"2 begins again", func() { produceBatch(t, p, txnBatch(t, 2, 0, 2, "g")) }, 8, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"2 commits", func() { mark(t, p, commitOf(2, 0)) }, 10, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"2 commits nothing", func() { mark(t, p, commitOf(2, 0)) }, 11, []AbortedTransaction{{1, 2}, {2, 3}}},
		{"1 begins in its new epoch", func() { produceBatch(t, p, txnBatch(t, 1, 1, 0, "h")) }, 11, []AbortedTransaction{{1, 2}, {2, 3}}},
	} {
		s.do()
		wantStable(t, s.when, p, s.stable, s.aborted...)
		restart()
		wantStable(t, s.when+", restarted", p, s.stable, s.aborted...)
	}
}

// TestMarkerHoldsStableOffset holds back the sync of a marker: what it commits is not visible before the marker is durable (I7), a
// transaction that begins meanwhile is not in the way of what came before, and watchers wake.
func TestMarkerHoldsStableOffset(t *testing.T) {
	gate := make(chan struct{})
	var armed atomic.Bool
	begun := make(chan struct{}, 100)
	f := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, logSuffix) && armed.Load() {
			begun <- struct{}{}
			<-gate
		}
		return nil
	}}
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produceBatch(t, p, txnBatch(t, 1, 0, 0, "a"))
	produceBatch(t, p, txnBatch(t, 2, 0, 0, "b"))
	armed.Store(true)
	if _, err := p.Append(newBatch(t, "plain"), AppendOptions{}); err != nil { // its sync is under way when the markers come
		t.Fatal(err)
	}
	<-begun
	w := NewWatcher()
	p.Watch(w)
	defer p.Unwatch(w)
	var last AppendResult
	for _, m := range []Marker{commitOf(1, 0), abortOf(2, 0)} {
		var err error
		if last, err = p.AppendMarker(m); err != nil {
			t.Fatal(err)
		}
	}
	wantStable(t, "before the sync", p, 0)
	gate <- struct{}{}
	<-w.C()
	<-begun // the next round: the one before is complete
	if p.HighWatermark() != 3 {
		t.Errorf("high watermark is %d, want 3", p.HighWatermark())
	}
	wantStable(t, "after a sync that does not cover the markers", p, 0)
	if _, err := p.Append(txnBatch(t, 3, 0, 0, "c"), AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	close(gate)
	if err := p.WaitDurable(t.Context(), last.LastOffset); err != nil {
		t.Fatal(err)
	}
	<-w.C()
	wantStable(t, "after the sync", p, 5, AbortedTransaction{2, 1})
}
