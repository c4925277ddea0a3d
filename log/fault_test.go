package log

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
)

// faulty is a file system whose fault can be switched on for files with a suffix.
type faulty struct {
	vfs.Fault
	op     vfs.Op
	suffix string
	err    error
	on     atomic.Bool
	once   bool
}

func newFaulty(mem *vfs.Mem, op vfs.Op, suffix string, err error, once bool) *faulty {
	f := &faulty{op: op, suffix: suffix, err: err, once: once}
	f.FS = mem
	f.Inject = func(op vfs.Op, name string) error {
		if op != f.op || !strings.HasSuffix(name, f.suffix) || !f.on.Load() {
			return nil
		}
		if f.once {
			f.on.Store(false)
		}
		return f.err
	}
	return f
}

// TestSyncErrorOnce has one fdatasync fail: nothing is acknowledged from then on, although the next one would succeed (I1).
func TestSyncErrorOnce(t *testing.T) {
	mem := vfs.NewMem()
	f := newFaulty(mem, vfs.OpSync, logSuffix, syscall.EIO, true)
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 2, nil)
	p, other := mustPartition(t, l, "t", 0), mustPartition(t, l, "t", 1)
	produce(t, p, "before")
	produce(t, other, "before")
	f.on.Store(true)
	r, err := p.Append(newBatch(t, "lost"), AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitDurable(t.Context(), r.LastOffset); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("WaitDurable: %v, want ErrFailed and EIO", err)
	}
	<-l.Failed()
	if !errors.Is(l.Err(), ErrFailed) {
		t.Errorf("Err: %v", l.Err())
	}
	if _, err := other.Append(newBatch(t, "after"), AppendOptions{}); !errors.Is(err, ErrFailed) {
		t.Errorf("Append after the failure: %v, want ErrFailed", err)
	}
	if _, err := l.CreateTopic("u", 1, nil); !errors.Is(err, ErrFailed) {
		t.Errorf("CreateTopic after the failure: %v, want ErrFailed", err)
	}
	if err := p.WaitDurable(t.Context(), r.LastOffset); !errors.Is(err, ErrFailed) {
		t.Errorf("second WaitDurable: %v, want ErrFailed", err)
	}
	if p.HighWatermark() != 1 {
		t.Errorf("high watermark is %d, want 1", p.HighWatermark())
	}
	if err := l.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close: %v, want ErrFailed", err)
	}
	l = mustOpen(t, testConfig(mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)))
	if got := mustPartition(t, l, "t", 0).EndOffset(); got != 1 {
		t.Errorf("end offset after a restart is %d, want 1", got)
	}
}

// TestFull fills the disk in several ways: ErrFull, no trace, and appends go on when there is room.
func TestFull(t *testing.T) {
	for name, c := range map[string]struct {
		op     vfs.Op
		suffix string
		err    error
	}{
		"write":       {vfs.OpWrite, logSuffix, syscall.ENOSPC},
		"short write": {vfs.OpWrite, logSuffix, &vfs.ShortWrite{N: 70, Err: syscall.ENOSPC}},
		"quota":       {vfs.OpWrite, logSuffix, syscall.EDQUOT},
		"roll":        {vfs.OpCreate, logSuffix, syscall.ENOSPC},
		"snapshot":    {vfs.OpWrite, snapshotSuffix + tempSuffix, syscall.ENOSPC},
		"index":       {vfs.OpWrite, indexSuffix, syscall.ENOSPC},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			f := newFaulty(mem, c.op, c.suffix, c.err, false)
			l := mustOpen(t, testConfig(f))
			mustCreate(t, l, "t", 1, map[string]string{"segment.bytes": "1024", "index.interval.bytes": "100"})
			p := mustPartition(t, l, "t", 0)
			for i := range 5 {
				produceBatch(t, p, seqBatch(t, 1, 0, int32(i), strings.Repeat("x", 100)))
			}
			f.on.Store(true)
			var full error
			n := p.EndOffset()
			for i := n; full == nil && i < n+20; i++ { // until the fault is met
				var r AppendResult
				if r, full = p.Append(seqBatch(t, 1, 0, int32(i), strings.Repeat("y", 100)), AppendOptions{}); full == nil {
					if err := p.WaitDurable(t.Context(), r.LastOffset); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !errors.Is(full, ErrFull) {
				t.Fatalf("Append on a full disk: %v, want ErrFull", full)
			}
			end := p.EndOffset()
			if rs, err := readAll(p, 0, 1000); err != nil || int64(len(rs)) != end {
				t.Errorf("reads while full: %d records, %v", len(rs), err)
			}
			f.on.Store(false)
			if r := produceBatch(t, p, seqBatch(t, 1, 0, int32(end), "room")); r.BaseOffset != end || r.Duplicate {
				t.Errorf("append after there is room: %+v, want offset %d", r, end)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, mem, "data")
		})
	}
}

// TestWriteError is an error of write that is not about space: the log fails.
func TestWriteError(t *testing.T) {
	f := newFaulty(vfs.NewMem(), vfs.OpWrite, logSuffix, &vfs.ShortWrite{N: 10, Err: syscall.EIO}, true)
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	f.on.Store(true)
	if _, err := p.Append(newBatch(t, "x"), AppendOptions{}); !errors.Is(err, ErrFailed) {
		t.Errorf("Append: %v, want ErrFailed", err)
	}
	<-l.Failed()
}

// TestNothingAckedBeforeSync holds back fdatasync and looks at what is visible meanwhile (I1, I7).
func TestNothingAckedBeforeSync(t *testing.T) {
	gate := make(chan struct{})
	var armed atomic.Bool
	f := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, logSuffix) && armed.Load() {
			<-gate
		}
		return nil
	}}
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produce(t, p, "first")
	armed.Store(true)
	w := NewWatcher()
	p.Watch(w)
	defer p.Unwatch(w)
	r, err := p.Append(newBatch(t, "second"), AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	p.OnDurable(r.LastOffset, func(err error) { done <- err })
	if p.HighWatermark() != 1 || p.EndOffset() != 2 {
		t.Errorf("high watermark %d, end %d; want 1, 2", p.HighWatermark(), p.EndOffset())
	}
	if b, err := p.Read(nil, 1, 1000, 2); len(b) > 0 || err != nil {
		t.Errorf("read of what is not durable: %d bytes, %v", len(b), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.WaitDurable(ctx, r.LastOffset); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitDurable: %v, want canceled", err)
	}
	select {
	case err := <-done:
		t.Errorf("acknowledged before the sync: %v", err)
	case <-w.C():
		t.Error("watcher woke before the sync")
	default:
	}
	close(gate)
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-w.C()
	if b, err := p.Read(nil, 1, 1000, 2); len(b) == 0 || err != nil {
		t.Errorf("read after the sync: %d bytes, %v", len(b), err)
	}
}

// TestGroupCommit counts syncs: appends that come during a round share the next one.
func TestGroupCommit(t *testing.T) {
	var syncs atomic.Int64
	gate := make(chan struct{}, 1)
	f := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, logSuffix) {
			syncs.Add(1)
			<-gate
		}
		return nil
	}}
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	done := make(chan error, 100)
	for i := range 100 {
		r, err := p.Append(newBatch(t, fmt.Sprint(i)), AppendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p.OnDurable(r.LastOffset, func(err error) { done <- err })
	}
	close(gate)
	for range 100 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := syncs.Load(); n > 2 {
		t.Errorf("100 appends took %d syncs, want at most 2", n)
	}
}

// TestServedIsDurableAfterKill kills a process between write and fdatasync: what the page cache kept is served by the next
// one only after a sync of its own, so that a power cut later cannot take it back from readers (I7).
func TestServedIsDurableAfterKill(t *testing.T) {
	mem := vfs.NewMem()
	f := newFaulty(mem, vfs.OpSync, logSuffix, syscall.EIO, true)
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produce(t, p, "a")
	f.on.Store(true)
	if _, err := p.Append(newBatch(t, "b"), AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	<-l.Failed() // like a kill: nothing is synced any more
	_ = l.Close()
	l = mustOpen(t, testConfig(mem))
	served := mustPartition(t, l, "t", 0).HighWatermark()
	if served != 2 {
		t.Errorf("high watermark after the kill is %d, want 2", served)
	}
	l = mustOpen(t, testConfig(mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)))
	if got := mustPartition(t, l, "t", 0).HighWatermark(); got != served {
		t.Errorf("high watermark after the power cut is %d, but %d was served", got, served)
	}
}

// TestMarkerFull fills the disk when a transaction is to end: the marker may be tried again, and the last stable offset stays until
// one is durable.
func TestMarkerFull(t *testing.T) {
	for name, c := range map[string]struct {
		op     vfs.Op
		suffix string
		err    error
	}{
		"write":       {vfs.OpWrite, logSuffix, syscall.ENOSPC},
		"short write": {vfs.OpWrite, logSuffix, &vfs.ShortWrite{N: 70, Err: syscall.ENOSPC}},
		"roll":        {vfs.OpCreate, logSuffix, syscall.ENOSPC},
		"snapshot":    {vfs.OpWrite, snapshotSuffix + tempSuffix, syscall.ENOSPC},
		"index":       {vfs.OpCreate, txnIndexSuffix, syscall.EDQUOT},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			f := newFaulty(mem, c.op, c.suffix, c.err, false)
			l := mustOpen(t, testConfig(f))
			mustCreate(t, l, "t", 1, map[string]string{"segment.bytes": "1024"})
			p := mustPartition(t, l, "t", 0)
			var aborted []AbortedTransaction
			var full error
			for seq := int32(0); full == nil && seq < 100; seq++ {
				first := produceBatch(t, p, txnBatch(t, 1, 0, seq, strings.Repeat("x", 50+7*int(seq)))).BaseOffset
				wantStable(t, "open", p, first, aborted...)
				f.on.Store(true)
				var r AppendResult
				if r, full = p.AppendMarker(abortOf(1, 0)); full == nil { // the fault is not met yet
					if err := p.WaitDurable(t.Context(), r.LastOffset); err != nil {
						t.Fatal(err)
					}
					f.on.Store(false)
					aborted = append(aborted, AbortedTransaction{1, first})
					continue
				}
				wantStable(t, "full", p, first, aborted...)
				if rs, err := readAll(p, 0, 1000); err != nil || int64(len(rs)) != first+1 {
					t.Errorf("reads while full: %d records, %v", len(rs), err)
				}
				f.on.Store(false)
				mark(t, p, abortOf(1, 0))
				aborted = append(aborted, AbortedTransaction{1, first})
			}
			if !errors.Is(full, ErrFull) {
				t.Fatalf("AppendMarker on a full disk: %v, want ErrFull", full)
			}
			wantStable(t, "room", p, p.EndOffset(), aborted...)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, mem, "data")
			p = mustPartition(t, mustOpen(t, testConfig(mem)), "t", 0)
			wantStable(t, "restarted", p, p.EndOffset(), aborted...)
		})
	}
}

// TestMarkerSyncError has the sync of a marker fail: it is not acknowledged, the transaction does not become visible, and nothing can be
// tried again in this process (I1).
func TestMarkerSyncError(t *testing.T) {
	mem := vfs.NewMem()
	f := newFaulty(mem, vfs.OpSync, logSuffix, syscall.EIO, true)
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produceBatch(t, p, txnBatch(t, 1, 0, 0, "a"))
	f.on.Store(true)
	r, err := p.AppendMarker(commitOf(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitDurable(t.Context(), r.LastOffset); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("WaitDurable: %v, want ErrFailed and EIO", err)
	}
	<-l.Failed() // the process exits by this
	if _, err := p.AppendMarker(commitOf(1, 0)); !errors.Is(err, ErrFailed) {
		t.Errorf("AppendMarker after the failure: %v, want ErrFailed", err)
	}
	wantStable(t, "failed", p, 0)
	if err := l.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close: %v, want ErrFailed", err)
	}
	p = mustPartition(t, mustOpen(t, testConfig(mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0))), "t", 0)
	wantStable(t, "restarted without the marker", p, 0)
	mark(t, p, commitOf(1, 0))
	wantStable(t, "tried again", p, 2)
}
