package log

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// How a cleaned segment takes the place of those that it was made of, so that a power cut at any point leaves either:
//
//  1. All its files are written as <base>.<suffix>.cleaned and synced. The next start deletes such files.
//  2. The indexes become .swap, then, when that is durable, the .log does. From then on it counts: the next start does what is left
//     to do, [Partition.finishSwaps].
//  3. The segments that it replaces are deleted, all but the files of the first, whose names it takes: the indexes first and, when
//     all that is durable, the .log. There is always a file for each index, so that a missing one is one that has its name already.

// cleanedSuffixes are the files of a cleaned segment beside the .log.
var cleanedSuffixes = []string{indexSuffix, timeIndexSuffix, txnIndexSuffix}

// syncEvery is after how many bytes a cleaned segment is synced, so that the disk is not flooded at its end and appends wait.
const syncEvery = 8 << 20

// cleanedSegment is a segment that the cleaner writes.
type cleanedSegment struct {
	p        *Partition
	s        *segment // with the names of .cleaned files; nobody else knows it
	f        vfs.File
	interval int64  // index.interval.bytes
	batch    []byte // buffer of the batch at hand
	buf      []byte // not written yet
	unsynced int64
}

// newCleaned creates the files of a cleaned segment.
func (p *Partition) newCleaned(base, interval int64) (*cleanedSegment, error) {
	s := newSegment(p.dir, base)
	w := &cleanedSegment{p: p, s: s, interval: interval}
	for _, h := range s.handles() {
		h.path += cleanedSuffix
	}
	f, err := p.log.files.acquire(&s.log, vfs.Create|vfs.Truncate)
	if err != nil {
		return nil, fmt.Errorf("create cleaned segment: %w", err)
	}
	w.f = f
	for _, x := range s.indexes() {
		if err := x.truncate(p.log.files, 0); err != nil {
			w.close()
			return nil, errors.Join(err, w.discard())
		}
	}
	return w, nil
}

// append writes one batch.
func (w *cleanedSegment) append(b []byte) error {
	h, err := batch.Parse(b)
	if err != nil {
		return fmt.Errorf("clean segment: %w", err)
	}
	pos := w.s.size.Load()
	if pos+int64(len(b)) > math.MaxInt32 {
		return fmt.Errorf("clean segment: more than %d bytes are left of %s", math.MaxInt32, w.s.log.path)
	}
	w.s.note(&h, pos, w.interval)
	w.s.size.Store(pos + int64(len(b)))
	if w.buf = append(w.buf, b...); len(w.buf) >= scanBuffer {
		return w.flush()
	}
	return nil
}

// flush writes what is collected.
func (w *cleanedSegment) flush() error {
	if _, err := w.f.WriteAt(w.buf, w.s.size.Load()-int64(len(w.buf))); err != nil {
		return fmt.Errorf("write cleaned segment: %w", err)
	}
	w.unsynced += int64(len(w.buf))
	w.buf = w.buf[:0]
	for _, x := range w.s.indexes() {
		if err := x.flush(w.p.log.files, func(change func()) { change() }); err != nil {
			return err
		}
	}
	if w.unsynced < syncEvery {
		return nil
	}
	w.unsynced = 0
	return syncFile(w.f)
}

// finish makes all files durable.
func (w *cleanedSegment) finish() error {
	w.s.noteTime()
	if err := w.flush(); err != nil {
		return err
	}
	if err := syncFile(w.f); err != nil {
		return fmt.Errorf("sync cleaned segment: %w", err)
	}
	for _, x := range w.s.indexes() {
		if err := x.sync(w.p.log.files); err != nil {
			return err
		}
	}
	return nil
}

// close ends the use of the files; nobody opens them again by the names that they have now.
func (w *cleanedSegment) close() {
	w.p.log.files.release(&w.s.log)
	for _, h := range w.s.handles() {
		w.p.log.files.drop(h)
	}
}

// discard deletes the files of a segment that was not finished, to make room at once. What cannot be deleted goes at the next start.
func (w *cleanedSegment) discard() error {
	var errs []error
	for _, h := range w.s.handles() {
		if err := w.p.log.fs.Remove(h.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// segment is the finished segment under its final names.
func (w *cleanedSegment) segment() *segment {
	s := newSegment(w.p.dir, w.s.base)
	s.size.Store(w.s.size.Load())
	s.offsets.flushed, s.times.flushed, s.aborted.flushed = w.s.offsets.flushed, w.s.times.flushed, w.s.aborted.flushed
	s.maxLoaded, s.maxTime, s.lastTime = true, w.s.maxTime, w.s.lastTime
	return s
}

// swap puts a finished segment in the place of a group. Readers that hold an old segment keep its open file, or look again.
func (p *Partition) swap(g *group, w *cleanedSegment) error {
	if p.Err() != nil || p.log.Err() != nil {
		return errors.Join(errInterrupted, w.discard())
	}
	if err := p.commitSwap(w.s.base); err != nil {
		return err
	}
	// Held open, so that the space is not given back while mu is held: that takes long for large files.
	for _, s := range g.segments {
		if _, err := p.log.files.acquire(&s.log, 0); err == nil {
			defer p.log.files.release(&s.log)
		}
	}
	before := int64(0)
	for _, s := range g.segments {
		before += s.size.Load()
	}
	if err := p.replace(g, w); err != nil {
		p.log.fail(fmt.Errorf("swap segments of %s, the next start will do it: %w", p.dir, err))
		return p.log.Err()
	}
	p.log.cfg.Logger.Info("compacted segments", keyTopic, p.topic.name, keyPartition, p.index, keyOffset, w.s.base,
		"segments", len(g.segments), "bytes_before", before, "bytes_after", w.s.size.Load())
	return nil
}

// commitSwap takes step 2.
func (p *Partition) commitSwap(base int64) error {
	rename := func(suffix string) error {
		name := join(p.dir, offsetName(base, suffix))
		return p.log.fs.Rename(name+cleanedSuffix, name+swapSuffix)
	}
	for _, suffix := range cleanedSuffixes {
		if err := rename(suffix); err != nil {
			return fmt.Errorf("swap segment: %w", err)
		}
	}
	if err := syncDir(p.log.fs, p.dir); err != nil {
		return err
	}
	if err := rename(logSuffix); err != nil {
		return fmt.Errorf("swap segment: %w", err)
	}
	return syncDir(p.log.fs, p.dir)
}

// replace takes step 3, on disk and in memory.
func (p *Partition) replace(g *group, w *cleanedSegment) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range g.segments {
		for _, h := range s.handles() {
			p.log.files.drop(h)
		}
	}
	bases := make([]int64, 0, len(g.segments))
	for _, s := range g.segments[1:] {
		bases = append(bases, s.base)
	}
	if err := p.takeNames(w.s.base, bases); err != nil {
		return err
	}
	i := slices.Index(p.segments, g.segments[0])
	p.state.Lock()
	p.segments = slices.Concat(p.segments[:i], []*segment{w.segment()}, p.segments[i+len(g.segments):]) // readers may hold the old slice
	p.state.Unlock()
	p.hints.Lock()
	p.hintAt = [len(p.hintAt)]hint{}
	p.hints.Unlock()
	return nil
}

// takeNames deletes the replaced segments and gives the .swap files their names.
func (p *Partition) takeNames(base int64, replaced []int64) error {
	fsys := p.log.fs
	for _, old := range replaced {
		for _, suffix := range append([]string{logSuffix}, cleanedSuffixes...) {
			if err := fsys.Remove(join(p.dir, offsetName(old, suffix))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	for _, suffix := range cleanedSuffixes {
		name := join(p.dir, offsetName(base, suffix))
		if err := fsys.Rename(name+swapSuffix, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := syncDir(fsys, p.dir); err != nil {
		return err
	}
	name := join(p.dir, offsetName(base, logSuffix))
	if err := fsys.Rename(name+swapSuffix, name); err != nil {
		return err
	}
	return syncDir(fsys, p.dir)
}

// finishSwaps deletes the cleaner's files that do not count yet and takes step 3 for those that do. It returns whether the directory
// changed. A swapped segment that is damaged takes the partition offline, because those it replaces may be gone.
func (p *Partition) finishSwaps(infos []vfs.Info) (bool, error) {
	changed := false
	swapped := map[int64]bool{}
	for _, info := range infos {
		if base, ok := parseOffsetName(info.Name, logSuffix+swapSuffix); ok {
			swapped[base] = true
		}
	}
	for base := range swapped {
		end, d, err := p.swapEnd(base)
		if err != nil {
			return changed, err
		}
		if d != nil {
			_ = p.quarantine(join(p.dir, offsetName(base, logSuffix)+swapSuffix), *d)
			return changed, nil
		}
		var replaced []int64
		for _, info := range infos {
			if old, ok := parseOffsetName(info.Name, logSuffix); ok && old > base && old < end {
				replaced = append(replaced, old)
			}
		}
		if err := p.takeNames(base, replaced); err != nil {
			return changed, err
		}
		changed = true
	}
	for _, info := range infos {
		base, isSwap := swapBase(info.Name)
		if strings.HasSuffix(info.Name, cleanedSuffix) || isSwap && !swapped[base] {
			if err := p.log.fs.Remove(join(p.dir, info.Name)); err != nil {
				return changed, err
			}
			changed = true
		}
	}
	return changed, nil
}

// swapBase returns the base offset of an index that is to be swapped in.
func swapBase(name string) (int64, bool) {
	for _, suffix := range cleanedSuffixes {
		if base, ok := parseOffsetName(name, suffix+swapSuffix); ok {
			return base, true
		}
	}
	return 0, false
}

// swapEnd returns the offset after the last batch of a swapped segment, or what is wrong with it.
func (p *Partition) swapEnd(base int64) (int64, *damage, error) {
	f, err := p.log.fs.OpenFile(join(p.dir, offsetName(base, logSuffix)+swapSuffix), vfs.ReadOnly)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, nil, err
	}
	end := base
	for sc := newScanner(f, 0, size, true); ; {
		err := sc.next()
		switch {
		case err == io.EOF:
			return end, nil, nil
		case err == nil && sc.h.BaseOffset < end:
			err = fmt.Errorf("%w: base offset is %d, want at least %d", batch.ErrCorrupt, sc.h.BaseOffset, end)
		}
		if errors.Is(err, batch.ErrCorrupt) {
			return end, &damage{position: sc.pos, offset: end, reason: err.Error()}, nil
		}
		if err != nil {
			return end, nil, err
		}
		end = sc.h.LastOffset() + 1
	}
}
