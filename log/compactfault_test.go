package log

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// compactedConfig makes small segments that are due at once.
func compactedConfig() map[string]string {
	return map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "1024", "index.interval.bytes": "100", "min.cleanable.dirty.ratio": "0",
	}
}

// keyed makes a batch with records of keys and values; an empty value is a tombstone.
func keyed(t testing.TB, b batch.Builder, pairs ...string) []byte {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		var value []byte
		if pairs[i+1] != "" {
			value = []byte(pairs[i+1])
		}
		b.Append(testTime.UnixMilli(), []byte(pairs[i]), value)
	}
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// clientView is what readers of a partition get.
type clientView struct {
	records map[int64]string  // offset to key=value, uncommitted ones too
	latest  map[string]string // key to latest committed value; deleted ones are not there
	end     int64
}

// readView reads a whole partition as a client does: the aborted list tells which transactional batches to drop.
func readView(p *Partition) (clientView, error) {
	v := clientView{records: map[int64]string{}, latest: map[string]string{}}
	dec := batch.NewDecompressor(1 << 20)
	for offset := p.LogStartOffset(); offset < p.HighWatermark(); {
		v.end = p.HighWatermark()
		stable := p.LastStableOffset()
		b, err := p.Read(nil, offset, 700, v.end)
		if err != nil {
			return v, err
		}
		if len(b) == 0 {
			return v, fmt.Errorf("nothing at offset %d below the high watermark %d", offset, v.end)
		}
		aborted, err := p.AbortedTransactions(offset, stable)
		if err != nil {
			return v, err
		}
		if offset, err = v.take(b, offset, stable, aborted, dec); err != nil {
			return v, err
		}
	}
	return v, nil
}

// take goes through whole batches; it returns the offset after them.
func (v *clientView) take(b []byte, from, stable int64, aborted []AbortedTransaction, dec *batch.Decompressor) (int64, error) {
	dropping := map[int64]bool{}
	for len(b) > 0 {
		h, err := batch.Parse(b)
		if err != nil {
			return from, err
		}
		if h.LastOffset() < from {
			return from, fmt.Errorf("the batch at %d comes again after offset %d", h.BaseOffset, from)
		}
		for len(aborted) > 0 && aborted[0].FirstOffset <= h.LastOffset() {
			dropping[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		if h.Control() {
			delete(dropping, h.ProducerID)
		} else if err := v.takeRecords(b[:h.Size()], &h, h.LastOffset() >= stable || h.Transactional() && dropping[h.ProducerID], dec); err != nil {
			return from, err
		}
		from, b = h.LastOffset()+1, b[h.Size():]
	}
	return from, nil
}

func (v *clientView) takeRecords(b []byte, h *batch.Header, drop bool, dec *batch.Decompressor) error {
	r, err := batch.NewReader(b, dec)
	if err != nil {
		return err
	}
	for r.Next() {
		rec := r.Record()
		v.records[rec.Offset] = string(rec.Key) + "=" + string(rec.Value)
		switch {
		case drop:
		case rec.Value == nil:
			delete(v.latest, string(rec.Key))
		default:
			v.latest[string(rec.Key)] = string(rec.Value)
		}
	}
	return r.Err()
}

// wantSameData compares what readers got before a cleaning and get now: nothing new, nothing at another offset, and of every key the
// latest committed value.
func wantSameData(t *testing.T, where string, before, now clientView) {
	t.Helper()
	if now.end != before.end {
		t.Errorf("%s: high watermark is %d, was %d", where, now.end, before.end)
	}
	if !maps.Equal(now.latest, before.latest) {
		t.Errorf("%s: latest values are %v, were %v", where, now.latest, before.latest)
	}
	for offset, r := range now.records {
		if before.records[offset] != r {
			t.Errorf("%s: record at offset %d is %s, was %q", where, offset, r, before.records[offset])
		}
	}
}

// fillCompacted writes keys over and over, in transactions too, so that there is something to clean in several segments.
func fillCompacted(t *testing.T, p *Partition, rnd *rand.Rand, rounds int) {
	t.Helper()
	seq := map[int64]int32{}
	for p := range int64(4) {
		seq[p] = 0
	}
	next := func(id int64, txn bool) batch.Builder {
		b := batch.Builder{Codec: batch.Codec(rnd.IntN(5)), Idempotent: true, Transactional: txn, ProducerID: id, BaseSequence: seq[id]}
		seq[id] += 2
		return b
	}
	last := int64(-1)
	for i := range rounds {
		value := func() string {
			if rnd.IntN(8) == 0 {
				return ""
			}
			return fmt.Sprintf("%d-%s", i, strings.Repeat("x", rnd.IntN(100)))
		}
		key := func() string { return fmt.Sprintf("k%d", rnd.IntN(7)) }
		id := int64(rnd.IntN(4))
		r, err := p.Append(keyed(t, next(id, id > 1), key(), value(), key(), value()), AppendOptions{})
		if err == nil && id > 1 && rnd.IntN(2) == 0 {
			r, err = p.AppendMarker(Marker{ProducerID: id, Commit: rnd.IntN(2) == 0})
		}
		if err != nil {
			t.Fatal(err)
		}
		last = r.LastOffset
	}
	for id := range int64(4) {
		if id > 1 {
			r, err := p.AppendMarker(Marker{ProducerID: id})
			if err != nil {
				t.Fatal(err)
			}
			last = r.LastOffset
		}
	}
	if err := p.WaitDurable(t.Context(), last); err != nil {
		t.Fatal(err)
	}
}

// TestCompactPowerCut cuts the power before every file operation of two cleanings. Each time the next start finds the old segments or
// the new ones: readers get the same, and cleaning can go on (I7).
func TestCompactPowerCut(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			before, cuts := compactWithCuts(t, seed)
			if len(cuts) < 100 {
				t.Errorf("the power was cut %d times, want it more often", len(cuts))
			}
			for i := range cuts {
				c := &cuts[i]
				if c.verify(t, before); t.Failed() {
					return
				}
				c.fs = nil
			}
		})
	}
}

// compactCut is what a power cut leaves of a cleaning.
type compactCut struct {
	fs     *vfs.Mem
	during string
}

// compactWithCuts cleans twice and cuts the power before every operation of that. It returns what readers got before.
func compactWithCuts(t *testing.T, seed uint64) (clientView, []compactCut) {
	mem := vfs.NewMem()
	dice := rand.New(rand.NewPCG(seed, 2))
	var mu sync.Mutex // guards armed and cuts
	armed := false
	var cuts []compactCut
	inject := func(op vfs.Op, name string) error {
		switch op {
		case vfs.OpRead, vfs.OpStat, vfs.OpReadDir, vfs.OpOpen, vfs.OpLock:
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		times := 1
		if op == vfs.OpSyncDir { // names are few, and their order matters most
			times = 6
		}
		for range times {
			if keep := []float64{0, 0.3, 0.7, 1}[dice.IntN(4)]; armed {
				cuts = append(cuts, compactCut{mem.CrashClone(dice, keep), fmt.Sprintf("cut %d before %s %s, keeping %v", len(cuts), op, name, keep)})
			}
		}
		return nil
	}
	l := mustOpen(t, testConfig(&vfs.Fault{FS: mem, Inject: inject}))
	mustCreate(t, l, "t", 1, compactedConfig())
	p := mustPartition(t, l, "t", 0)
	fillCompacted(t, p, rand.New(rand.NewPCG(seed, 1)), 60)
	before, err := readView(p)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	armed = true
	mu.Unlock()
	l.cleaner.cycle(l)
	p.mu.Lock()
	p.producers.expire(testTime.UnixMilli()) // so that a second cleaning has something to do
	p.mu.Unlock()
	p.clean.Store(0)
	l.cleaner.cycle(l)
	mu.Lock()
	armed = false
	mu.Unlock()
	after, err := readView(p)
	if err != nil {
		t.Fatalf("after the cleaning: %v", err)
	}
	wantSameData(t, "after the cleaning", before, after)
	if len(after.records) >= len(before.records)*3/4 {
		t.Errorf("%d of %d records are left, want fewer", len(after.records), len(before.records))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
	return before, cuts
}

// verify opens what the cut left and cleans on.
func (c *compactCut) verify(t *testing.T, before clientView) {
	if r, err := Check("data", c.fs); err != nil || !r.OK() {
		t.Errorf("%s: Check: %v, %v", c.during, r.Problems, err)
	}
	l, err := Open(testConfig(c.fs))
	if err != nil {
		t.Fatalf("%s: open: %v", c.during, err)
	}
	p := mustPartition(t, l, "t", 0)
	for i, when := range []string{"", ", cleaned"} {
		now, err := readView(p)
		if err != nil {
			t.Fatalf("%s%s: %v", c.during, when, err)
		}
		wantSameData(t, c.during+when, before, now)
		if i == 0 {
			l.cleaner.cycle(l)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := Check("data", c.fs); err != nil || !r.OK() {
		t.Errorf("%s, cleaned: Check: %v, %v", c.during, r.Problems, err)
	}
	for _, name := range mustReadDir(t, c.fs, "data/t-0") {
		if strings.HasSuffix(name, cleanedSuffix) || strings.HasSuffix(name, swapSuffix) {
			t.Errorf("%s: %s is left", c.during, name)
		}
	}
}

func mustReadDir(t *testing.T, fsys vfs.FS, dir string) []string {
	t.Helper()
	infos, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}

// TestCompactWhileServing cleans again and again under appends and reads. A reader that goes through the log meets every offset at
// most once, in order, and of every key at least the last record that was there when it began.
func TestCompactWhileServing(t *testing.T) {
	cfg := testConfig(vfs.NewMem())
	cfg.MaxOpenFiles = 4
	l := mustOpen(t, cfg)
	mustCreate(t, l, "t", 1, compactedConfig())
	p := mustPartition(t, l, "t", 0)
	const keys, rounds = 20, 400
	var wg sync.WaitGroup
	var done atomic.Bool
	wg.Go(func() {
		defer done.Store(true)
		for i := range rounds {
			produceBatch(t, p, keyed(t, batch.Builder{Codec: batch.Codec(i % 5)}, fmt.Sprint(i%keys), fmt.Sprint(i)))
		}
	})
	wg.Go(func() {
		for !done.Load() {
			l.cleaner.cycle(l)
		}
	})
	for range 2 {
		wg.Go(func() {
			for !done.Load() {
				high := p.HighWatermark()
				v, err := readView(p)
				if err != nil {
					t.Error(err)
					return
				}
				// Offset i has value i of key i modulo keys: of each key the record that was the latest, or a later one.
				for i := max(0, high-keys); i < high; i++ {
					key := fmt.Sprint(i % keys)
					var got int64
					if _, err := fmt.Sscan(v.latest[key], &got); err != nil || got < i {
						t.Errorf("latest value of key %s is %q, it was %d before the read", key, v.latest[key], i)
					}
				}
				if _, _, err := p.MaxTimestamp(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	v, err := readView(p)
	if err != nil {
		t.Fatal(err)
	}
	for offset, r := range v.records {
		if want := fmt.Sprintf("%d=%d", offset%keys, offset); r != want {
			t.Errorf("record at offset %d is %s, want %s", offset, r, want)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, cfg.FS, "data")
}

// TestReaderInReplacedSegment has a reader stop in the middle of a segment while the segment is replaced, with hints and without.
func TestReaderInReplacedSegment(t *testing.T) {
	l := mustOpen(t, testConfig(vfs.NewMem()))
	mustCreate(t, l, "t", 1, compactedConfig())
	p := mustPartition(t, l, "t", 0)
	for i := range 30 {
		produceBatch(t, p, keyed(t, batch.Builder{}, fmt.Sprint("k", i%10), fmt.Sprint(i), fmt.Sprint("once", i), "1"))
	}
	var offsets []int64
	var buf []byte
	next := int64(0)
	for step := 0; next < p.HighWatermark(); step++ {
		if step == 3 || step == 9 {
			l.cleaner.cycle(l)
			produceBatch(t, p, keyed(t, batch.Builder{}, fmt.Sprint("k", step), "again"))
		}
		b, err := p.Read(buf[:0], next, 150, p.HighWatermark())
		if err != nil || len(b) == 0 {
			t.Fatalf("read at %d: %d bytes, %v", next, len(b), err)
		}
		v := clientView{records: map[int64]string{}, latest: map[string]string{}}
		if next, err = v.take(b, next, p.HighWatermark(), nil, batch.NewDecompressor(1<<20)); err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, slices.Sorted(maps.Keys(v.records))...)
	}
	seen := map[int64]bool{}
	for i, o := range offsets {
		if i > 0 && o <= offsets[i-1] {
			t.Errorf("offset %d comes after %d", o, offsets[i-1])
		}
		seen[o] = true
	}
	for o := int64(1); o < 60; o += 2 { // the records of keys that are there once
		if !seen[o] {
			t.Errorf("offset %d was not read", o)
		}
	}
}

// TestCompactFull has the disk fill up while a segment is cleaned: the old segments stay, and the next cycle does it (I7).
func TestCompactFull(t *testing.T) {
	for name, c := range map[string]struct {
		op     vfs.Op
		suffix string
	}{
		"create":     {vfs.OpCreate, logSuffix + cleanedSuffix},
		"write":      {vfs.OpWrite, logSuffix + cleanedSuffix},
		"index":      {vfs.OpWrite, indexSuffix + cleanedSuffix},
		"rename":     {vfs.OpRename, logSuffix + cleanedSuffix},
		"holes":      {vfs.OpWrite, holesFile + tempSuffix},
		"checkpoint": {vfs.OpWrite, cleanerFile + tempSuffix},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			f := newFaulty(mem, c.op, c.suffix, syscall.ENOSPC, false)
			l := mustOpen(t, testConfig(f))
			mustCreate(t, l, "t", 1, compactedConfig())
			p := mustPartition(t, l, "t", 0)
			fillCompacted(t, p, rand.New(rand.NewPCG(1, 1)), 60)
			before, err := readView(p)
			if err != nil {
				t.Fatal(err)
			}
			size := p.Size()
			f.on.Store(true)
			l.cleaner.cycle(l)
			if l.Err() != nil || p.Err() != nil || name != "checkpoint" && p.Size() != size {
				t.Errorf("after a full disk: log %v, partition %v, %d bytes of %d", l.Err(), p.Err(), p.Size(), size)
			}
			f.on.Store(false)
			l.cleaner.cycle(l)
			now, err := readView(p)
			if err != nil {
				t.Fatal(err)
			}
			wantSameData(t, "when there is room", before, now)
			if p.Size() >= size {
				t.Errorf("%d bytes are left of %d, want fewer", p.Size(), size)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, mem, "data")
		})
	}
}

// TestCompactSyncError has an fsync of the cleaner fail: nothing is acknowledged after it (I1).
func TestCompactSyncError(t *testing.T) {
	for name, c := range map[string]struct {
		op     vfs.Op
		suffix string
	}{
		"log":       {vfs.OpSync, logSuffix + cleanedSuffix},
		"index":     {vfs.OpSync, txnIndexSuffix + cleanedSuffix},
		"directory": {vfs.OpSyncDir, "t-0"},
		"swap":      {vfs.OpRename, logSuffix + swapSuffix},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			f := newFaulty(mem, c.op, c.suffix, syscall.EIO, true)
			l := mustOpen(t, testConfig(f))
			mustCreate(t, l, "t", 1, compactedConfig())
			p := mustPartition(t, l, "t", 0)
			fillCompacted(t, p, rand.New(rand.NewPCG(1, 1)), 60)
			before, err := readView(p)
			if err != nil {
				t.Fatal(err)
			}
			f.on.Store(true)
			l.cleaner.cycle(l)
			if !errors.Is(l.Err(), ErrFailed) || !errors.Is(l.Err(), syscall.EIO) {
				t.Errorf("log: %v, want ErrFailed and EIO", l.Err())
			}
			if _, err := p.Append(newBatch(t, "x"), AppendOptions{}); !errors.Is(err, ErrFailed) {
				t.Errorf("Append: %v, want ErrFailed", err)
			}
			_ = l.Close()
			l = mustOpen(t, testConfig(mem.CrashClone(rand.New(rand.NewPCG(0, 0)), 0.5)))
			now, err := readView(mustPartition(t, l, "t", 0))
			if err != nil {
				t.Fatal(err)
			}
			wantSameData(t, "after a restart", before, now)
		})
	}
}

// TestCompactDamage has a bit flipped in a closed segment: its partition goes offline before anything is replaced, the other one is
// cleaned.
func TestCompactDamage(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "t", 2, compactedConfig())
	good, bad := mustPartition(t, l, "t", 0), mustPartition(t, l, "t", 1)
	for _, p := range []*Partition{good, bad} {
		fillCompacted(t, p, rand.New(rand.NewPCG(1, 1)), 60)
	}
	files, size := mustReadDir(t, mem, bad.dir), good.Size()
	f, err := mem.OpenFile(bad.segments[1].log.path, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, 70); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, 70); err != nil {
		t.Fatal(err)
	}
	l.cleaner.cycle(l)
	var offline *OfflineError
	if !errors.As(bad.Err(), &offline) || offline.File != bad.segments[1].log.path || offline.Position != 0 {
		t.Errorf("damaged partition: %v", bad.Err())
	}
	if got := mustReadDir(t, mem, bad.dir); !slices.Equal(got, files) {
		t.Errorf("files of the damaged partition are %v, were %v", got, files)
	}
	if good.Err() != nil || good.Size() >= size {
		t.Errorf("the other partition: %v, %d bytes of %d", good.Err(), good.Size(), size)
	}
}

// TestHolesAreOnlyWhereCleaned cuts whole batches out of the files: a segment that was cleaned may have holes, but not miss its end,
// and one that was not cleaned may miss nothing.
func TestHolesAreOnlyWhereCleaned(t *testing.T) {
	for name, c := range map[string]struct {
		cleaned, end bool
		sound        bool
	}{
		"cleaned, middle":     {true, false, true},
		"cleaned, end":        {true, true, false},
		"not cleaned, middle": {false, false, false},
		"not cleaned, end":    {false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			l := mustOpen(t, testConfig(mem))
			mustCreate(t, l, "t", 1, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0"})
			p := mustPartition(t, l, "t", 0)
			for i := range 8 {
				produceBatch(t, p, keyed(t, batch.Builder{}, fmt.Sprint("k", i), "1"))
			}
			if c.cleaned {
				p.mu.Lock()
				_, err := p.roll()
				p.mu.Unlock()
				if err != nil {
					t.Fatal(err)
				}
				l.cleaner.cycle(l)
				produceBatch(t, p, keyed(t, batch.Builder{}, "last", "1"))
			}
			name, size := p.segments[0].log.path, p.segments[0].size.Load()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := readFile(mem, name)
			if err != nil {
				t.Fatal(err)
			}
			one := size / 8
			if c.end {
				b = b[:size-one]
			} else {
				b = append(b[:3*one:3*one], b[4*one:]...)
			}
			if err := writeFile(mem, name, b); err != nil {
				t.Fatal(err)
			}
			r, err := Check("data", mem)
			if err != nil || r.OK() != c.sound {
				t.Errorf("Check: %v, %v", r.Problems, err)
			}
			l = mustOpen(t, testConfig(mem))
			p = mustPartition(t, l, "t", 0)
			if _, err = readAll(p, 0, 200); err == nil {
				err = p.Err()
			}
			if c.sound != (err == nil) || err != nil && !errors.Is(err, ErrPartitionOffline) {
				t.Errorf("read: %v", err)
			}
		})
	}
}

// TestDeleteTopicWhileCleaning deletes a topic in the middle of a cleaning, and makes another one of its name: the cleaner touches
// nothing of that. The directory stays where it is until the cleaner has let go of it.
func TestDeleteTopicWhileCleaning(t *testing.T) {
	mem := vfs.NewMem()
	gate, reached, moved := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	var once sync.Once
	var armed atomic.Bool
	f := &vfs.Fault{FS: mem, Inject: func(op vfs.Op, name string) error {
		if op == vfs.OpWrite && strings.HasSuffix(name, logSuffix+cleanedSuffix) && armed.Load() {
			once.Do(func() { close(reached) })
			<-gate
		}
		if op == vfs.OpRename && name == "data/t-0" {
			moved <- struct{}{}
		}
		return nil
	}}
	l := mustOpen(t, testConfig(f))
	mustCreate(t, l, "t", 1, compactedConfig())
	p := mustPartition(t, l, "t", 0)
	fillCompacted(t, p, rand.New(rand.NewPCG(1, 1)), 60)
	armed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { l.cleaner.cycle(l) })
	<-reached
	deleted := make(chan error, 1)
	wg.Go(func() { deleted <- l.DeleteTopic("t") })
	select {
	case <-moved:
		t.Error("the directory is moved under the cleaner")
	case <-time.After(50 * time.Millisecond): // long enough for a deletion that does not wait
	}
	close(gate)
	wg.Wait()
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	mustCreate(t, l, "t", 1, compactedConfig())
	produce(t, mustPartition(t, l, "t", 0), "new")
	if got := mustReadDir(t, mem, "data/t-0"); len(got) != 3 {
		t.Errorf("files of the new topic: %v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem, "data")
}

// TestCleanerRuns has the cleaner find by itself what is due, and stop with the log.
func TestCleanerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(vfs.NewMem())
		start := time.Now()
		cfg.CompactionInterval, cfg.Now = 0, func() time.Time { return testTime.Add(time.Since(start)) }
		l := mustOpen(t, cfg)
		mustCreate(t, l, "t", 1, map[string]string{"cleanup.policy": "compact", "segment.ms": "60000"})
		p := mustPartition(t, l, "t", 0)
		for range 100 {
			produceBatch(t, p, keyed(t, batch.Builder{}, "k", strings.Repeat("x", 100)))
		}
		size := p.Size()
		<-time.After(59 * time.Second)
		synctest.Wait()
		if p.Size() != size {
			t.Errorf("%d bytes of %d are left before segment.ms", p.Size(), size)
		}
		<-time.After(16 * time.Second)
		synctest.Wait()
		if p.Size() > 300 {
			t.Errorf("%d bytes are left, want the last record", p.Size())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCompactedTopicStaysSmall writes one key until hundreds of times rollBytes went through: the default segment.bytes and
// segment.ms would keep all of it.
func TestCompactedTopicStaysSmall(t *testing.T) {
	cfg := testConfig(vfs.NewMem())
	cfg.CompactionBytesPerSecond = 1 << 40
	l := mustOpen(t, cfg)
	mustCreate(t, l, "t", 1, map[string]string{"cleanup.policy": "compact"})
	p := mustPartition(t, l, "t", 0)
	value := strings.Repeat("x", 100<<10)
	for i := range 120 {
		produceBatch(t, p, keyed(t, batch.Builder{}, fmt.Sprint(i%2), value))
		if i%10 == 0 {
			l.cleaner.cycle(l)
		}
	}
	if p.Size() > 3*rollBytes {
		t.Errorf("%d bytes for two live records", p.Size())
	}
}

// TestCleanerIsThrottled measures how long a cleaning takes, and closes the log in the middle of the next one.
func TestCleanerIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(vfs.NewMem())
		cfg.CompactionBytesPerSecond = throttleStep
		l := mustOpen(t, cfg)
		mustCreate(t, l, "t", 1, map[string]string{"cleanup.policy": "compact", "segment.bytes": fmt.Sprint(throttleStep)})
		p := mustPartition(t, l, "t", 0)
		fill := func() {
			for range 62 { // 6 segments to be read twice
				produceBatch(t, p, keyed(t, batch.Builder{}, "k", strings.Repeat("x", 100<<10)))
			}
		}
		fill()
		start := time.Now()
		l.cleaner.cycle(l)
		if d := time.Since(start); d < 11*time.Second || d > 15*time.Second {
			t.Errorf("reading 6 MiB twice at 1 MiB/s took %v", d)
		}
		fill()
		size := p.Size()
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.cleaner.cycle(l)
		}()
		<-time.After(3 * time.Second)
		start = time.Now()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		<-done
		if d := time.Since(start); d > 0 || p.Size() != size {
			t.Errorf("the cleaning ended %v after Close, %d bytes of %d are left", d, p.Size(), size)
		}
		wantSound(t, cfg.FS, "data")
	})
}

// TestCleanerCheckpoints loses or damages what the cleaner has written down: nothing is taken for damage, and what was clean is
// cleaned again. A new topic of a deleted one's name inherits nothing.
func TestCleanerCheckpoints(t *testing.T) {
	for _, name := range []string{holesFile, cleanerFile} {
		for _, content := range []string{"", "0\n1\nt 0 x\n"} {
			mem := vfs.NewMem()
			l := mustOpen(t, testConfig(mem))
			mustCreate(t, l, "t", 1, compactedConfig())
			fillCompacted(t, mustPartition(t, l, "t", 0), rand.New(rand.NewPCG(1, 1)), 60)
			before, err := readView(mustPartition(t, l, "t", 0))
			if err != nil {
				t.Fatal(err)
			}
			l.cleaner.cycle(l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if content == "" {
				err = mem.Remove("data/" + name)
			} else {
				err = writeFile(mem, "data/"+name, []byte(content))
			}
			if err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, testConfig(mem))
			p := mustPartition(t, l, "t", 0)
			l.cleaner.cycle(l)
			now, err := readView(p)
			if err != nil {
				t.Fatalf("%s %q: %v", name, content, err)
			}
			wantSameData(t, name, before, now)
			if p.holes.Load() > p.segments[len(p.segments)-1].base {
				t.Errorf("%s %q: holes up to %d, the active segment starts at %d", name, content, p.holes.Load(), p.segments[len(p.segments)-1].base)
			}
			if err := l.DeleteTopic("t"); err != nil {
				t.Fatal(err)
			}
			mustCreate(t, l, "t", 1, nil)
			for _, name := range []string{holesFile, cleanerFile} {
				if b, err := readFile(mem, "data/"+name); err != nil || string(b) != "0\n0\n" {
					t.Errorf("%s of the new topic: %q, %v", name, b, err)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, mem, "data")
		}
	}
}
