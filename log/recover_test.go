package log

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
)

// written is a log with two partitions as a kill leaves it: t-0 has n batches with one record of 100 bytes each.
func written(t *testing.T, n int, overrides map[string]string) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 2, overrides)
	for i := range n {
		produceBatch(t, mustPartition(t, l, "t", 0), seqBatch(t, 1, 0, int32(i), fmt.Sprintf("%0100d", i)))
	}
	produce(t, mustPartition(t, l, "t", 1), "other")
	return mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)
}

const batchBytes = 171 // of a batch of written

// change edits a file.
func change(t *testing.T, fsys vfs.FS, name string, edit func([]byte) []byte) {
	t.Helper()
	b, err := readFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(fsys, name, edit(b)); err != nil {
		t.Fatal(err)
	}
}

func logName(base int64) string { return filepath.Join("data", "t-0", offsetName(base, logSuffix)) }

// TestTornTail cuts the last batch at every byte, and pads it with zeros to a sector: the rest is served.
func TestTornTail(t *testing.T) {
	mem := written(t, 3, nil)
	for cut := 1; cut < batchBytes; cut++ {
		for _, zeros := range []bool{false, true} {
			if zeros && cut == batchBytes-1 {
				continue // the last byte is zero
			}
			fsys := mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0)
			change(t, fsys, logName(0), func(b []byte) []byte {
				torn := b[: 2*batchBytes+cut : 2*batchBytes+cut]
				if zeros {
					torn = append(torn, make([]byte, 2*sector)...)
				}
				return torn
			})
			l := mustOpen(t, testConfig(fsys))
			p := mustPartition(t, l, "t", 0)
			if p.Err() != nil || p.EndOffset() != 2 {
				t.Fatalf("cut %d, zeros %t: end offset is %d, want 2; %v", cut, zeros, p.EndOffset(), p.Err())
			}
			if r := produceBatch(t, p, seqBatch(t, 1, 0, 2, "again")); r.BaseOffset != 2 {
				t.Fatalf("cut %d: next offset is %d, want 2", cut, r.BaseOffset)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, fsys, "data")
		}
	}
}

// TestLostSectorInTheMiddle zeroes the sectors of an unsynced batch although the ones after it arrived: a torn write too.
func TestLostSectorInTheMiddle(t *testing.T) {
	fsys := written(t, 20, nil)
	change(t, fsys, logName(0), func(b []byte) []byte {
		clear(b[2*sector : 3*sector])
		return b
	})
	p := mustPartition(t, mustOpen(t, testConfig(fsys)), "t", 0)
	if want := int64(2 * sector / batchBytes); p.Err() != nil || p.EndOffset() != want {
		t.Errorf("end offset is %d, want %d; %v", p.EndOffset(), want, p.Err())
	}
}

// TestCorruption flips a bit in the middle: the partition is offline and names file and offset, others are served, and no
// file changes.
func TestCorruption(t *testing.T) {
	segments := map[string]string{"segment.bytes": "1024"}
	for name, c := range map[string]struct {
		base, position, offset int64
	}{
		"newest segment": {10, 30, 10},
		"older segment":  {5, 2*batchBytes + 100, 7},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := written(t, 14, segments)
			change(t, fsys, logName(c.base), func(b []byte) []byte {
				b[c.position] ^= 4
				return b
			})
			if err := fsys.RemoveAll(filepath.Join("data", recoveryPointFile)); err != nil { // scan everything
				t.Fatal(err)
			}
			before, _ := readFile(fsys, logName(c.base))
			for range 2 { // the verdict does not change with the next start
				l := mustOpen(t, testConfig(fsys))
				p := mustPartition(t, l, "t", 0)
				var off *OfflineError
				if !errors.As(p.Err(), &off) || !errors.Is(p.Err(), ErrPartitionOffline) {
					t.Fatalf("partition: %v, want offline", p.Err())
				}
				if off.File != logName(c.base) || off.Offset != c.offset || off.Position != c.position/batchBytes*batchBytes {
					t.Errorf("got %+v", off)
				}
				if _, err := p.Append(newBatch(t, "x"), AppendOptions{}); !errors.Is(err, ErrPartitionOffline) {
					t.Errorf("Append: %v", err)
				}
				if _, err := p.Read(nil, 0, 100, 100); !errors.Is(err, ErrPartitionOffline) {
					t.Errorf("Read: %v", err)
				}
				if err := p.WaitDurable(t.Context(), 1000); !errors.Is(err, ErrPartitionOffline) {
					t.Errorf("WaitDurable: %v", err)
				}
				produce(t, mustPartition(t, l, "t", 1), "served")
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if after, _ := readFile(fsys, logName(c.base)); string(after) != string(before) {
				t.Error("the damaged file was changed")
			}
			r, err := Check("data", fsys)
			if err != nil || r.OK() || !strings.Contains(r.Problems[0].String(), logName(c.base)) {
				t.Errorf("Check: %v, %v", r.Problems, err)
			}
		})
	}
}

// TestCorruptionBelowRecoveryPoint is found when it is read, not served, and takes only that partition offline.
func TestCorruptionBelowRecoveryPoint(t *testing.T) {
	fsys := written(t, 14, map[string]string{"segment.bytes": "1024"})
	if err := mustOpen(t, testConfig(fsys)).Close(); err != nil { // moves the recovery point to the end
		t.Fatal(err)
	}
	change(t, fsys, logName(0), func(b []byte) []byte {
		b[batchBytes+80] ^= 1
		return b
	})
	l := mustOpen(t, testConfig(fsys))
	p := mustPartition(t, l, "t", 0)
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	_, err := readAll(p, 0, 1000)
	var off *OfflineError
	if !errors.As(err, &off) || off.File != logName(0) || off.Offset != 1 || off.Position != batchBytes {
		t.Errorf("read: %v", err)
	}
	produce(t, mustPartition(t, l, "t", 1), "served")
}

// TestMissingSegments deletes the newest segment, and all: that is no empty partition.
func TestMissingSegments(t *testing.T) {
	for _, bases := range [][]int64{{10}, {0, 5, 10}} {
		fsys := written(t, 14, map[string]string{"segment.bytes": "1024"})
		if err := mustOpen(t, testConfig(fsys)).Close(); err != nil {
			t.Fatal(err)
		}
		for _, base := range bases {
			if err := fsys.Remove(logName(base)); err != nil {
				t.Fatal(err)
			}
		}
		l := mustOpen(t, testConfig(fsys))
		if err := mustPartition(t, l, "t", 0).Err(); !errors.Is(err, ErrPartitionOffline) {
			t.Errorf("without segments %v: %v, want offline", bases, err)
		}
	}
}

// TestIndexesAreRebuilt damages or deletes every index: reads do not notice.
func TestIndexesAreRebuilt(t *testing.T) {
	small := map[string]string{"segment.bytes": "4000", "index.interval.bytes": "200"}
	for _, clean := range []bool{false, true} {
		for name, edit := range map[string]func([]byte) []byte{
			"empty":   func([]byte) []byte { return nil },
			"zeros":   func(b []byte) []byte { clear(b); return b },
			"garbage": func(b []byte) []byte { return []byte(strings.Repeat("garbage!", len(b)/8)) },
			"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		} {
			t.Run(fmt.Sprintf("%s, clean shutdown %t", name, clean), func(t *testing.T) {
				fsys := written(t, 100, small)
				if clean {
					if err := mustOpen(t, testConfig(fsys)).Close(); err != nil {
						t.Fatal(err)
					}
				}
				infos, err := fsys.ReadDir("data/t-0")
				if err != nil {
					t.Fatal(err)
				}
				for _, info := range infos {
					if strings.HasSuffix(info.Name, indexSuffix) || strings.HasSuffix(info.Name, timeIndexSuffix) {
						change(t, fsys, filepath.Join("data", "t-0", info.Name), edit)
					}
				}
				p := mustPartition(t, mustOpen(t, testConfig(fsys)), "t", 0)
				for _, offset := range []int64{0, 1, 17, 50, 98, 99} {
					rs, err := readAll(p, offset, 300)
					if err != nil || int64(len(rs)) != 100-offset || rs[0].value != fmt.Sprintf("%0100d", offset) {
						t.Fatalf("from %d: %d records, %v", offset, len(rs), err)
					}
				}
			})
		}
	}
}

// TestRecoveryReadsTheTail measures what a start after a kill reads: not more than what came after the recovery point.
func TestRecoveryReadsTheTail(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	value := strings.Repeat("x", 10_000)
	for range 1000 {
		if _, err := p.Append(newBatch(t, value), AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.checkpoint(true); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		produce(t, p, value)
	}
	var reads atomic.Int64
	f := &vfs.Fault{FS: mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0), Inject: func(op vfs.Op, name string) error {
		if op == vfs.OpRead && strings.HasSuffix(name, logSuffix) {
			reads.Add(1)
		}
		return nil
	}}
	l = mustOpen(t, testConfig(f))
	if end := mustPartition(t, l, "t", 0).EndOffset(); end != 1010 {
		t.Errorf("end offset is %d, want 1010", end)
	}
	if n := reads.Load() * scanBuffer; n > 4*scanBuffer {
		t.Errorf("read up to %d bytes of a log of 10 MB whose tail has 100 kB", n)
	}
}

// TestTopicTwice deletes a topic and creates it again: nothing of the first comes back.
func TestTopicTwice(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	first := mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	produce(t, p, "old")
	w := NewWatcher()
	p.Watch(w)
	if err := l.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	<-w.C()
	if _, err := p.Append(newBatch(t, "x"), AppendOptions{}); !errors.Is(err, ErrPartitionDeleted) {
		t.Errorf("Append to a deleted topic: %v", err)
	}
	if _, err := p.Read(nil, 0, 10, 10); !errors.Is(err, ErrPartitionDeleted) {
		t.Errorf("Read of a deleted topic: %v", err)
	}
	second := mustCreate(t, l, "t", 1, nil)
	if first.ID() == second.ID() {
		t.Error("the new topic has the id of the old one")
	}
	if _, ok := l.TopicByID(first.ID()); ok {
		t.Error("the old id is still there")
	}
	if r := produce(t, mustPartition(t, l, "t", 0), "new"); r.BaseOffset != 0 {
		t.Errorf("first offset is %d, want 0", r.BaseOffset)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
}
