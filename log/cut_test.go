package log

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
)

// TestCutAtEveryStep cuts the power before every single file operation of transactions that run over segments, checkpoints and a
// restart, several times each: what is there afterwards has the aborted transactions and the last stable offset that follow
// from it, and what was durable is there (I1, I7).
func TestCutAtEveryStep(t *testing.T) {
	steps := cutAt(t, -1)
	if steps < 100 {
		t.Fatalf("%d file operations, want more", steps)
	}
	for step := range steps {
		cutAt(t, step)
		if t.Failed() {
			return
		}
	}
}

// cutAt runs the transactions, looks at what a power cut before the given operation leaves, and returns how many there were.
func cutAt(t *testing.T, step int) (steps int) {
	mem := vfs.NewMem()
	var mu sync.Mutex // guards steps
	var running atomic.Pointer[Log]
	cut := func(op vfs.Op, name string) error {
		switch op {
		case vfs.OpRead, vfs.OpStat, vfs.OpReadDir, vfs.OpOpen, vfs.OpLock:
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if steps == step {
			durable := int64(0)
			if l := running.Load(); l != nil {
				for _, topic := range l.Topics() {
					p, _ := topic.Partition(0)
					durable = p.HighWatermark()
				}
			}
			for seed := range uint64(12) {
				left := mem.CrashClone(rand.New(rand.NewPCG(seed, uint64(step))), float64(seed%4)/3)
				verifyCut(t, fmt.Sprintf("cut %d before %s of %s, seed %d", step, op, name, seed), left, durable)
			}
		}
		steps++
		return nil
	}
	cfg := testConfig(&vfs.Fault{FS: mem, Inject: cut})
	l := mustOpen(t, cfg)
	running.Store(l)
	mustCreate(t, l, "t", 1, map[string]string{"segment.bytes": "1024"})
	p := mustPartition(t, l, "t", 0)
	for i := range 6 {
		id := int64(i % 2)
		produceBatch(t, p, txnBatch(t, id, int16(i), 0, strings.Repeat("x", 100)))
		produceBatch(t, p, txnBatch(t, 2, 0, int32(i), strings.Repeat("y", 60*i)))
		mark(t, p, Marker{ProducerID: id, ProducerEpoch: int16(i + 1), Commit: i == 3})
		switch i {
		case 1, 4:
			if err := l.checkpoint(true); err != nil {
				t.Fatal(err)
			}
		case 2:
			mark(t, p, abortOf(2, 0))
		case 3:
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, cfg)
			running.Store(l)
			p = mustPartition(t, l, "t", 0)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// verifyCut opens what is left and compares it with what follows from its batches.
func verifyCut(t *testing.T, where string, left *vfs.Mem, durable int64) {
	l, err := Open(testConfig(left))
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	for _, topic := range l.Topics() {
		p, _ := topic.Partition(0)
		if p.Err() != nil || p.EndOffset() < durable {
			t.Errorf("%s: the log ends at offset %d, %d were durable; %v", where, p.EndOffset(), durable, p.Err())
		}
		mp := newModelPartition(false)
		rs, err := readAll(p, 0, 5000)
		if err != nil {
			t.Errorf("%s: %v", where, err)
		}
		for _, r := range rs {
			if mp.placed[r.offset], err = r.modelBatch(); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
		(&crashRun{t: t}).verifyStable(where, p, mp, mp.placed)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	wantSound(t, left, "data")
}
