package log

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sort"
	"strings"
	"sync"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// checkpoints are the offset checkpoint files of the data directory.
type checkpoints struct {
	points map[partitionKey]int64 // recovery points
	starts map[partitionKey]int64 // log start offsets
	clean  map[partitionKey]int64 // first dirty offsets
	holes  map[partitionKey]int64 // offsets below which compaction may have left holes

	holesLost bool // holes could not be read
}

// readCheckpoints reads the files. Of those that only save work, one that is not readable is reported and counts as lost; clean says
// whether the recovery points are there.
func (l *Log) readCheckpoints() (c checkpoints, clean bool, err error) {
	clean = true
	if c.points, err = readOffsets(l.fs, join(l.cfg.Dir, recoveryPointFile)); err != nil {
		l.cfg.Logger.Warn("recovery points are not readable, scanning everything", "err", err)
		clean, l.stale = false, true
	}
	if c.clean, err = readOffsets(l.fs, join(l.cfg.Dir, cleanerFile)); err != nil {
		l.cfg.Logger.Warn("cleaner offsets are not readable, compacting everything again", "err", err)
		l.stale = true
	}
	if c.starts, err = readOffsets(l.fs, join(l.cfg.Dir, logStartFile)); err != nil {
		return c, false, fmt.Errorf("%w; restore the file, or delete it to see deleted records again", err)
	}
	if c.holes, err = readOffsets(l.fs, join(l.cfg.Dir, holesFile)); err != nil {
		l.cfg.Logger.Warn("offsets of holes are not readable, taking all older segments for compacted ones", "err", err)
		c.holesLost, l.stale = true, true
	}
	return c, clean, nil
}

// of returns what the files say about one partition.
func (c *checkpoints) of(key partitionKey) partitionOffsets {
	o := partitionOffsets{point: c.points[key], start: c.starts[key], clean: c.clean[key], holes: c.holes[key]}
	o.holes = max(o.holes, o.clean)
	if c.holesLost {
		o.holes = math.MaxInt64
	}
	return o
}

// partitionOffsets are the checkpoints of one partition.
type partitionOffsets struct{ point, start, clean, holes int64 }

// recover opens every partition, several at a time. clean says that the last process closed the log in order.
func (l *Log) recover(clean bool) error {
	c, readable, err := l.readCheckpoints()
	if err != nil {
		return err
	}
	clean = clean && readable
	for _, m := range []map[partitionKey]int64{c.points, c.starts, c.clean, c.holes} {
		l.stale = l.stale || l.hasStale(m)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards errs
	var errs []error
	slots := make(chan struct{}, l.cfg.RecoveryParallelism)
	l.eachPartition(func(p *Partition) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			key := partitionKey{p.topic.name, p.index}
			if err := p.recover(c.of(key), clean); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("recover %s: %w", key.dirName(), err))
			}
		})
	})
	wg.Wait()
	return errors.Join(errs...)
}

// hasStale reports whether a checkpoint is about a partition that does not exist.
func (l *Log) hasStale(offsets map[partitionKey]int64) bool {
	for key := range offsets {
		if t := l.topics[key.topic]; t == nil || int(key.partition) >= t.Partitions() {
			return true
		}
	}
	return false
}

// recover opens one partition. Everything below the recovery point was durable when it was written down. Damage makes the partition
// go offline and is no error; an error is one of the file system.
func (p *Partition) recover(o partitionOffsets, clean bool) error {
	point, start := o.point, o.start
	// Kept even when the partition goes offline: forgotten, they would make damage look like a torn end next time.
	p.recovery.offset = point
	p.logStart.Store(start)
	p.clean.Store(o.clean)
	p.holes.Store(o.holes)
	bases, err := p.cleanFiles()
	if errors.Is(err, fs.ErrNotExist) {
		return p.recoverMissing(point, start)
	}
	if err != nil || p.Err() != nil {
		return err
	}
	if p.made, err = p.checkMetadata(len(bases) > 0); err != nil || p.Err() != nil {
		return err
	}
	if len(bases) == 0 {
		return p.recoverMissing(point, start)
	}
	if bases, err = p.dropDeleted(bases, start); err != nil {
		return err
	}
	for _, base := range bases {
		s := newSegment(p.dir, base)
		if err := p.openSegment(s); err != nil {
			return err
		}
		p.segments = append(p.segments, s)
	}
	p.logStart.Store(max(start, bases[0]))
	// The active segment is never cleaned.
	p.holes.Store(min(o.holes, bases[len(bases)-1]))
	return p.replay(point, clean)
}

// recoverMissing handles a partition without segments: it never had a record, or somebody deleted its files.
func (p *Partition) recoverMissing(point, start int64) error {
	if point > start {
		_ = p.quarantine(p.dir, damage{position: -1, offset: start, reason: fmt.Sprintf("segments are missing, offsets up to %d were durable", point)})
		return nil
	}
	p.clean.Store(0)
	p.holes.Store(0)
	p.setEnd(start)
	return nil
}

// setEnd sets end, high watermark and last stable offset of a partition that is being opened.
func (p *Partition) setEnd(end int64) {
	p.end.Store(end)
	p.durable.Store(end)
	p.stable.Store(p.producers.lastStable(end))
}

// cleanFiles finishes what the cleaner had begun, deletes temporary files and lists the bases of the segments.
func (p *Partition) cleanFiles() ([]int64, error) {
	infos, err := p.log.fs.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	swapped, err := p.finishSwaps(infos)
	if err != nil || p.Err() != nil {
		return nil, err
	}
	if swapped {
		if infos, err = p.log.fs.ReadDir(p.dir); err != nil {
			return nil, err
		}
	}
	var bases []int64
	for _, info := range infos { // sorted by name, so by offset
		if strings.HasSuffix(info.Name, tempSuffix) {
			if err := p.log.fs.Remove(join(p.dir, info.Name)); err != nil {
				return nil, err
			}
		}
		if base, ok := parseOffsetName(info.Name, logSuffix); ok {
			bases = append(bases, base)
		}
	}
	return bases, p.dropOrphans(infos, bases)
}

// checkMetadata compares the topic id and reads the leader epochs. It returns whether the directory is complete.
func (p *Partition) checkMetadata(hasSegments bool) (bool, error) {
	b, err := readFile(p.log.fs, join(p.dir, partitionFile))
	if errors.Is(err, fs.ErrNotExist) && !hasSegments {
		return false, nil // a crash while the directory was made
	}
	var id topicID
	if err == nil {
		id, err = decodePartitionMetadata(b)
	}
	if err == nil && id != p.topic.id {
		err = fmt.Errorf("topic id is %s, want %s", id, p.topic.id)
	}
	if err != nil {
		_ = p.quarantine(join(p.dir, partitionFile), damage{position: -1, offset: -1, reason: err.Error()})
		return false, nil
	}
	b, err = readFile(p.log.fs, join(p.dir, epochFile))
	if err == nil {
		p.epochs, err = decodeEpochs(b)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		_ = p.quarantine(join(p.dir, epochFile), damage{position: -1, offset: -1, reason: err.Error()})
	}
	return true, nil
}

// dropDeleted deletes the segments that lie wholly below the log start offset: a crash cut their deletion short.
func (p *Partition) dropDeleted(bases []int64, start int64) ([]int64, error) {
	for len(bases) > 1 && bases[1] <= start {
		if err := p.dropSegment(newSegment(p.dir, bases[0])); err != nil {
			return nil, err
		}
		bases = bases[1:]
	}
	return bases, nil
}

// openSegment reads the sizes of a segment's files.
func (p *Partition) openSegment(s *segment) error {
	info, err := p.log.fs.Stat(s.log.path)
	if err != nil {
		return err
	}
	s.size.Store(info.Size)
	if err := s.offsets.load(p.log.fs); err != nil {
		return err
	}
	if err := s.times.load(p.log.fs); err != nil {
		return err
	}
	return s.aborted.load(p.log.fs)
}

// replay scans from the recovery point, or from the newest usable producer snapshot if that is older, to the end.
func (p *Partition) replay(point int64, clean bool) error {
	snapshot, err := p.loadSnapshot()
	if err != nil {
		return err
	}
	if err := p.repairAborted(snapshot); err != nil || p.Err() != nil {
		return err
	}
	from := max(min(point, snapshot), p.segments[0].base)
	first := len(p.segments) - 1
	for first > 0 && p.segments[first].base > from {
		first--
	}
	r := replayer{p: p, from: from, point: point, snapshot: snapshot, clean: clean, end: p.segments[first].base}
	for i := first; i < len(p.segments); i++ {
		last := i == len(p.segments)-1
		if done, err := r.segment(p.segments[i], last); err != nil || !done {
			return err
		}
	}
	if r.end < point || p.logStart.Load() > r.end {
		s := p.active()
		_ = p.quarantine(s.log.path, damage{position: s.size.Load(), offset: r.end,
			reason: fmt.Sprintf("the log ends at offset %d, but %d was durable", r.end, max(point, p.logStart.Load()))})
		return nil
	}
	if !clean {
		// What a killed process left in the page cache is good but not durable, and readers are about to see it (I7).
		if err := p.settle(); err != nil {
			return err
		}
	}
	p.setEnd(r.end)
	if r.end > point {
		p.recovery.appended = p.active().size.Load() // more than the tail is; the next checkpoint corrects it
	}
	return p.dropSnapshotsAbove(r.end)
}

// settle makes the active segment and the names in the directory durable.
func (p *Partition) settle() error {
	if err := p.syncLog(p.active()); err != nil {
		return err
	}
	return syncDir(p.log.fs, p.dir)
}

// loadSnapshot loads the newest producer snapshot that is whole, and returns its offset: 0 when there is none.
func (p *Partition) loadSnapshot() (int64, error) {
	offsets, err := listOffsets(p.log.fs, p.dir, snapshotSuffix)
	if err != nil {
		return 0, err
	}
	for i := len(offsets) - 1; i >= 0; i-- {
		name := join(p.dir, offsetName(offsets[i], snapshotSuffix))
		b, err := readFile(p.log.fs, name)
		if err != nil {
			return 0, err
		}
		byID, err := decodeSnapshot(b, offsets[i], p.log.cfg.Now().UnixMilli())
		if err == nil {
			p.producers.load(byID)
			return offsets[i], nil
		}
		p.log.cfg.Logger.Warn("producer snapshot is not usable, replaying from an older one", "file", name, "err", err)
	}
	return 0, nil
}

// dropSnapshotsAbove deletes producer snapshots that know more than the log.
func (p *Partition) dropSnapshotsAbove(end int64) error {
	offsets, err := listOffsets(p.log.fs, p.dir, snapshotSuffix)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		if o > end {
			if err := p.log.fs.Remove(join(p.dir, offsetName(o, snapshotSuffix))); err != nil {
				return err
			}
		}
	}
	return nil
}

// replayer rebuilds indexes and producer state from the batches after the recovery point.
type replayer struct {
	p        *Partition
	from     int64 // offset where the scan starts
	point    int64 // recovery point: everything below was durable
	snapshot int64 // producer state is known up to here
	clean    bool
	end      int64 // offset after the last good batch
}

// segment replays one segment. It returns false when the partition went offline.
func (r *replayer) segment(s *segment, last bool) (bool, error) {
	p := r.p
	pos, err := r.prepare(s)
	if err != nil {
		return false, err
	}
	f, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return false, err
	}
	defer p.log.files.release(&s.log)
	if pos == 0 && s.base != r.end {
		return false, r.offline(s, damage{position: 0, offset: r.end, reason: fmt.Sprintf("segment starts at offset %d, the one before ends at %d", s.base, r.end)})
	}
	sc := newScanner(f, pos, s.size.Load(), true)
	interval := p.topic.config.Load().IndexInterval
	for {
		at := sc.pos
		err := sc.next()
		if err == nil && pos > 0 && at == pos {
			r.end = sc.h.BaseOffset // the index pointed here
		}
		if err == nil {
			err = p.follows(&sc.h, r.end)
		}
		switch {
		case err == nil:
			r.take(s, &sc.h, sc.b, at, interval)
		case err == io.EOF:
			s.maxLoaded = true
			return true, r.finish(s, last)
		case errors.Is(err, batch.ErrCorrupt):
			return r.damaged(s, last, sc, at, err)
		default:
			return false, err
		}
	}
}

// take notes a good batch.
func (r *replayer) take(s *segment, h *batch.Header, b []byte, at, interval int64) {
	if s.firstAppend == 0 {
		s.firstAppend = max(h.MaxTimestamp, 1)
	}
	s.note(h, at, interval)
	if h.BaseOffset >= r.snapshot {
		r.p.noteAborted(s, r.p.takeReplayed(&r.p.producers, h, b))
	}
	r.end = h.LastOffset() + 1
}

// finish ends the replay of a segment. The index of an older one is completed as roll did.
func (r *replayer) finish(s *segment, last bool) error {
	if last {
		return nil
	}
	s.noteTime()
	return r.p.log.ioError(r.p.seal(s))
}

// damaged handles bytes at a position that are no batch.
func (r *replayer) damaged(s *segment, last bool, sc *scanner, at int64, cause error) (bool, error) {
	d, err := inspect(sc.f, at, sc.end, r.end, cause)
	if err != nil {
		return false, err
	}
	if !last || !d.torn || r.clean || r.end < r.point {
		return false, r.offline(s, d)
	}
	s.maxLoaded = true
	r.p.log.cfg.Logger.Info("cut off the torn end of a segment", keyTopic, r.p.topic.name, keyPartition, r.p.index,
		"file", s.log.path, keyOffset, r.end, "bytes", sc.end-at)
	f, err := r.p.log.files.acquire(&s.log, 0)
	if err != nil {
		return false, err
	}
	defer r.p.log.files.release(&s.log)
	if err := f.Truncate(at); err != nil {
		return false, fmt.Errorf("truncate segment: %w", err)
	}
	s.size.Store(at)
	// Synced now: sectors of the old end must not come back under later batches.
	return true, r.p.log.ioError(syncFile(f))
}

func (r *replayer) offline(s *segment, d damage) error {
	_ = r.p.quarantine(s.log.path, d)
	return nil
}

// prepare cuts the indexes of a segment to what was durable and returns the position from which to scan.
func (r *replayer) prepare(s *segment) (int64, error) {
	p := r.p
	if err := r.keepAborted(s); err != nil {
		return 0, err
	}
	keep := r.trusted(s)
	if keep > 0 {
		pos, err := r.keepIndex(s, keep)
		if err != nil || pos > 0 {
			return pos, err
		}
	}
	s.lastTime, s.maxTime = -1, timeEntry{timestamp: -1, offset: s.base}
	if err := s.offsets.truncate(p.log.files, 0); err != nil {
		return 0, err
	}
	if err := s.times.truncate(p.log.files, 0); err != nil {
		return 0, err
	}
	return 0, nil
}

// trusted is the number of offset index entries that were durable at the recovery point: they rise, and stay below it.
func (r *replayer) trusted(s *segment) int {
	b, err := s.offsets.readAll(r.p.log.files)
	if err != nil {
		return 0 // rebuilt
	}
	n, prev := 0, offsetEntry{offset: s.base - 1, position: 0}
	for ; (n+1)*offsetEntrySize <= len(b); n++ {
		e := decodeOffsetEntry(b[n*offsetEntrySize:], s.base)
		if e.offset >= r.from || e.offset <= prev.offset || e.position <= prev.position || e.position >= s.size.Load() {
			break
		}
		prev = e
	}
	return n
}

// keepIndex keeps the first entries of the offset index and the time index up to the batch of the last of them. It returns
// the position of that batch, or 0 when the indexes do not fit the log and have to be rebuilt.
func (r *replayer) keepIndex(s *segment, entries int) (int64, error) {
	files := r.p.log.files
	b, err := s.offsets.readAll(files)
	if err != nil {
		return 0, nil
	}
	e := decodeOffsetEntry(b[(entries-1)*offsetEntrySize:], s.base)
	f, err := files.acquire(&s.log, 0)
	if err != nil {
		return 0, err
	}
	defer files.release(&s.log)
	sc := newScanner(f, e.position, s.size.Load(), true)
	if err := sc.next(); err != nil || sc.h.LastOffset() != e.offset {
		return 0, nil // damage here is found by the scan from the start
	}
	tb, err := s.times.readAll(files)
	if err != nil {
		return 0, nil
	}
	n, max := 0, timeEntry{timestamp: -1, offset: s.base - 1}
	for ; (n+1)*timeEntrySize <= len(tb); n++ {
		te := decodeTimeEntry(tb[n*timeEntrySize:], s.base)
		if te.offset >= sc.h.BaseOffset || te.offset <= max.offset || te.timestamp <= max.timestamp {
			break
		}
		max = te
	}
	if n > 0 && !timeEntryHolds(f, b[:entries*offsetEntrySize], s, max) {
		return 0, nil
	}
	s.maxTime, s.lastTime = max, max.timestamp
	// The entry of the batch where the scan starts is not made again.
	if err := s.offsets.truncate(files, int64(entries*offsetEntrySize)); err != nil {
		return 0, err
	}
	s.sinceEntry = 0
	return e.position, s.times.truncate(files, int64(n*timeEntrySize))
}

// timeEntryHolds reports whether a time index entry is about a batch of the log. Entries of a sector that was lost are zero, and
// none after them rises: so the last one that rises tells about all.
func timeEntryHolds(f io.ReaderAt, offsets []byte, s *segment, e timeEntry) bool {
	n := len(offsets) / offsetEntrySize
	i := sort.Search(n, func(i int) bool { return decodeOffsetEntry(offsets[i*offsetEntrySize:], s.base).offset > e.offset })
	pos := int64(0)
	if i > 0 {
		pos = decodeOffsetEntry(offsets[(i-1)*offsetEntrySize:], s.base).position
	}
	sc := newScanner(f, pos, s.size.Load(), false)
	for sc.next() == nil && sc.h.LastOffset() <= e.offset {
		if sc.h.LastOffset() == e.offset {
			return sc.h.MaxTimestamp == e.timestamp
		}
	}
	return false
}

// dropOrphans deletes index files without a segment.
func (p *Partition) dropOrphans(infos []vfs.Info, bases []int64) error {
	has := map[int64]bool{}
	for _, b := range bases {
		has[b] = true
	}
	for _, info := range infos {
		for _, suffix := range []string{indexSuffix, timeIndexSuffix, txnIndexSuffix} {
			if base, ok := parseOffsetName(info.Name, suffix); ok && !has[base] {
				if err := p.log.fs.Remove(join(p.dir, info.Name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
