package log

import (
	"reflect"
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
