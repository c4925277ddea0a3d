package log

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
)

// volumeRig is a log whose rounds always have all of its partitions: a gate holds the first sync of a round until every
// partition was appended to.
type volumeRig struct {
	mem        *vfs.Mem
	log        *Log
	partitions []*Partition
	volumeErr  atomic.Pointer[error] // of the next Volume.Sync
	thenErr    atomic.Pointer[error] // of every File.Sync after that
	fileErr    atomic.Pointer[error] // of every File.Sync from now on
	volumes    atomic.Int64          // calls of Volume.Sync
	gate       sync.RWMutex
}

func newVolumeRig(t *testing.T, partitions int) *volumeRig {
	r := &volumeRig{mem: vfs.NewMem()}
	cfg := testConfig(&vfs.Fault{FS: r.mem, Inject: r.inject})
	cfg.SyncVolumeAt = 2
	r.log = mustOpen(t, cfg)
	mustCreate(t, r.log, "t", partitions, nil)
	for i := range partitions {
		r.partitions = append(r.partitions, mustPartition(t, r.log, "t", int32(i)))
	}
	r.produceAll(t, "first") // creates the files
	return r
}

func (r *volumeRig) inject(op vfs.Op, name string) error {
	switch {
	case op == vfs.OpSyncAll:
		r.volumes.Add(1)
		r.gate.RLock()
		defer r.gate.RUnlock()
		if err := r.volumeErr.Swap(nil); err != nil {
			r.fileErr.Store(r.thenErr.Load())
			return *err
		}
	case op == vfs.OpSync && strings.HasSuffix(name, logSuffix):
		r.gate.RLock()
		defer r.gate.RUnlock()
		if err := r.fileErr.Load(); err != nil {
			return *err
		}
	}
	return nil
}

// produceAll appends to every partition while nothing can be synced, then waits for all.
func (r *volumeRig) produceAll(t *testing.T, value string) (firstErr error) {
	t.Helper()
	var last []int64
	r.gate.Lock()
	for _, p := range r.partitions {
		res, err := p.Append(newBatch(t, value), AppendOptions{})
		if err != nil {
			r.gate.Unlock()
			t.Fatal(err)
		}
		last = append(last, res.LastOffset)
	}
	r.gate.Unlock()
	for i, p := range r.partitions {
		if err := p.WaitDurable(t.Context(), last[i]); err != nil && firstErr == nil {
			firstErr = err
		}
	}
	return firstErr
}

func TestManyFilesAreSyncedAsOneVolume(t *testing.T) {
	r := newVolumeRig(t, 20)
	for i := range 10 {
		if err := r.produceAll(t, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if r.volumes.Load() == 0 {
		t.Fatal("the volume was never synced")
	}
	after := mustOpen(t, testConfig(r.mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)))
	for i := range r.partitions {
		if got := mustPartition(t, after, "t", int32(i)).EndOffset(); got != 11 {
			t.Errorf("partition %d: end offset after a power cut is %d, want 11: what was acknowledged is lost", i, got)
		}
	}
}

// A write-back error of the volume may be about a file of another program: our own files decide.
func TestVolumeErrorIsDecidedFileByFile(t *testing.T) {
	r := newVolumeRig(t, 20)
	eio := error(syscall.EIO)
	r.volumeErr.Store(&eio)
	rounds := int64(1)
	for ; r.volumeErr.Load() != nil; rounds++ {
		if err := r.produceAll(t, "v"); err != nil {
			t.Fatalf("round %d: %v", rounds, err)
		}
	}
	after := mustOpen(t, testConfig(r.mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)))
	for i := range r.partitions {
		if got := mustPartition(t, after, "t", int32(i)).EndOffset(); got != rounds {
			t.Errorf("partition %d: end offset after a power cut is %d, want %d: what was acknowledged is lost", i, got, rounds)
		}
	}
	if err := r.log.Err(); err != nil {
		t.Errorf("the log has failed: %v", err)
	}
}

func TestVolumeErrorOfOurFilesFailsTheLog(t *testing.T) {
	r := newVolumeRig(t, 20)
	eio := error(syscall.EIO)
	r.thenErr.Store(&eio)
	r.volumeErr.Store(&eio)
	var err error
	for err == nil && r.volumeErr.Load() != nil {
		err = r.produceAll(t, "v")
	}
	if err == nil {
		t.Fatal("a round whose files could not be synced was acknowledged (I1)")
	}
	<-r.log.Failed()
}

func TestVolumeIsUsedWhereItPays(t *testing.T) {
	v := volume{Volume: struct{ vfs.Volume }{}, atLeast: 8}
	if v.pays(7) {
		t.Error("7 files are below the least number of 8")
	}
	trial := func(file, whole time.Duration) {
		v.rounds = 0
		for range 2 * trialRounds {
			if v.pays(100) {
				v.noteWhole(whole)
			} else {
				v.noteFiles(100*file, 100)
			}
		}
	}
	trial(0, time.Hour)
	v.file = 100 * time.Microsecond
	trial(100*time.Microsecond, time.Millisecond)
	if v.pays(9) {
		t.Error("1 ms for the volume is chosen over 0.9 ms for 9 files")
	}
	if !v.pays(11) {
		t.Error("1 ms for the volume is not chosen over 1.1 ms for 11 files")
	}
	for range 8 {
		v.noteWhole(time.Second) // somebody else writes
	}
	if v.pays(100) {
		t.Error("a volume that became slow is still synced")
	}
	tried := 0
	for range trialEvery {
		if v.pays(100) {
			tried++
			v.noteWhole(time.Second)
		}
	}
	if tried != trialRounds {
		t.Errorf("the slower way was tried %d times in %d rounds, want %d", tried, trialEvery, trialRounds)
	}
}
