package log

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// maxProblems is how many problems a report lists (I5).
const maxProblems = 1000

// Report is what [Check] found.
type Report struct {
	Topics, Partitions, Segments int
	Batches, Records, Bytes      int64
	// Problems is empty for a sound directory.
	Problems []Problem
	// Notes are what the next start repairs by itself, such as a torn end after a crash.
	Notes []Problem
}

// Problem is one finding.
type Problem struct {
	File     string
	Offset   int64 // -1 when it is not about one
	Position int64 // in bytes, -1 when it is not about one
	Reason   string
}

// String is one line for a person.
func (p Problem) String() string {
	return fmt.Sprintf("%s: position %d, offset %d: %s", p.File, p.Position, p.Offset, p.Reason)
}

// OK reports whether there are no problems.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Check reads the whole data directory, without changing it, and compares everything with everything: batch CRCs, offsets
// without gaps, segment names, indexes, transactions, producer snapshots, checkpoints and the catalogue. fs nil means the operating
// system's. The error is one of reading; damage is in the report. ErrLocked when a process has the log open: its files change while
// they are read.
func Check(dir string, fsys vfs.FS) (Report, error) {
	if fsys == nil {
		fsys = vfs.OS
	}
	unlock, err := lockForCheck(dir, fsys)
	if err != nil {
		return Report{}, err
	}
	defer unlock()
	c := &checker{fs: fsys, dir: dir}
	err = c.run()
	return c.r, err
}

// lockForCheck keeps others from opening the log. A directory that cannot be locked, such as a copy that may not be written, is
// taken as it is.
func lockForCheck(dir string, fsys vfs.FS) (unlock func(), err error) {
	unlock = func() {}
	if _, err := fsys.Stat(join(dir, lockFile)); err != nil {
		return unlock, nil
	}
	lock, err := fsys.Lock(join(dir, lockFile))
	switch {
	case errors.Is(err, vfs.ErrLocked):
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	case err != nil:
		return unlock, nil
	}
	return func() { _ = lock.Close() }, nil
}

// checker collects a report.
type checker struct {
	fs     vfs.FS
	dir    string
	r      Report
	points map[partitionKey]int64
	starts map[partitionKey]int64
	clean  map[partitionKey]int64
	holes  map[partitionKey]int64
}

func (c *checker) problem(file string, offset, position int64, format string, args ...any) {
	if len(c.r.Problems) < maxProblems {
		c.r.Problems = append(c.r.Problems, Problem{file, offset, position, fmt.Sprintf(format, args...)})
	}
}

func (c *checker) note(file string, offset, position int64, format string, args ...any) {
	if len(c.r.Notes) < maxProblems {
		c.r.Notes = append(c.r.Notes, Problem{file, offset, position, fmt.Sprintf(format, args...)})
	}
}

func (c *checker) run() error {
	if _, err := c.fs.ReadDir(c.dir); err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	var err error
	if c.points, err = readOffsets(c.fs, join(c.dir, recoveryPointFile)); err != nil {
		c.problem(join(c.dir, recoveryPointFile), -1, -1, "%v", err)
	}
	if c.starts, err = readOffsets(c.fs, join(c.dir, logStartFile)); err != nil {
		c.problem(join(c.dir, logStartFile), -1, -1, "%v", err)
	}
	if c.clean, err = readOffsets(c.fs, join(c.dir, cleanerFile)); err != nil {
		c.problem(join(c.dir, cleanerFile), -1, -1, "%v", err)
	}
	if c.holes, err = readOffsets(c.fs, join(c.dir, holesFile)); err != nil {
		c.problem(join(c.dir, holesFile), -1, -1, "%v", err)
	}
	b, err := readFile(c.fs, join(c.dir, catalogFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	body, err := decodeCatalog(b)
	if err != nil {
		c.problem(join(c.dir, catalogFile), -1, -1, "%v", err)
		return nil
	}
	for _, t := range body.Topics {
		c.r.Topics++
		id, err := parseTopicID(t.ID)
		if err != nil {
			c.problem(join(c.dir, catalogFile), -1, -1, "topic %s: %v", t.Name, err)
			continue
		}
		for i := range t.Partitions {
			if err := c.partition(partitionKey{t.Name, int32(i)}, id); err != nil {
				return fmt.Errorf("check %s-%d: %w", t.Name, i, err)
			}
		}
	}
	return nil
}

// partition checks one partition's directory.
func (c *checker) partition(key partitionKey, id topicID) error {
	c.r.Partitions++
	dir := join(c.dir, key.dirName())
	bases, err := listOffsets(c.fs, dir, logSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(bases) == 0 {
		if c.points[key] > c.starts[key] {
			c.problem(dir, c.starts[key], -1, "no segments, but offsets up to %d were durable", c.points[key])
		}
		return nil
	}
	if c.clean[key] > c.holes[key] { // of deleted topics one file may still have a line, the other not
		c.problem(join(c.dir, cleanerFile), c.clean[key], -1, "%s is clean up to there, but may have holes only up to %d", key.dirName(), c.holes[key])
	}
	c.metadata(dir, id)
	if left, err := c.leftovers(dir); err != nil || left {
		return err
	}
	pc := &partitionChecker{checker: c, dir: dir, start: max(c.starts[key], bases[0]), point: c.points[key], end: bases[0]}
	pc.holes = min(c.holes[key], bases[len(bases)-1]) // the active segment is never cleaned
	pc.producers.max = 1 << 30
	if err := pc.loadSnapshots(bases[0]); err != nil {
		return err
	}
	for i, base := range bases {
		if err := pc.segment(base, i == len(bases)-1); err != nil {
			return err
		}
	}
	pc.finish()
	return nil
}

// leftovers notes the cleaner's files of a run that a crash cut short. It returns true when a finished segment waits to be swapped in:
// some of those that it replaces may be gone then, so that the others say nothing before the next start.
func (c *checker) leftovers(dir string) (swap bool, err error) {
	infos, err := c.fs.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, info := range infos {
		if strings.HasSuffix(info.Name, cleanedSuffix) || strings.HasSuffix(info.Name, swapSuffix) {
			c.note(join(dir, info.Name), -1, -1, "compaction was cut short, the next start finishes or forgets it")
			swap = swap || strings.HasSuffix(info.Name, logSuffix+swapSuffix)
		}
	}
	return swap, nil
}

// metadata checks partition.metadata and the leader epochs.
func (c *checker) metadata(dir string, id topicID) {
	b, err := readFile(c.fs, join(dir, partitionFile))
	var got topicID
	if err == nil {
		got, err = decodePartitionMetadata(b)
	}
	if err == nil && got != id {
		err = fmt.Errorf("topic id is %s, want %s", got, id)
	}
	if err != nil {
		c.problem(join(dir, partitionFile), -1, -1, "%v", err)
	}
	if b, err = readFile(c.fs, join(dir, epochFile)); err == nil {
		_, err = decodeEpochs(b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.problem(join(dir, epochFile), -1, -1, "%v", err)
	}
}

// partitionChecker checks the segments of a partition in order.
type partitionChecker struct {
	*checker
	dir       string
	start     int64 // log start offset
	point     int64 // recovery point
	first     int64 // first offset that is there
	holes     int64 // there may be holes below
	end       int64 // offset after the last good batch
	bad       bool  // a segment could not be read to its end
	producers producers
	snapshots []checkedSnapshot // by offset
}

// checkedSnapshot is a producer snapshot that is compared when the scan comes to its offset.
type checkedSnapshot struct {
	offset int64
	file   string
	byID   map[int64]*producer
}

// loadSnapshots reads the producer snapshots.
func (c *partitionChecker) loadSnapshots(first int64) error {
	c.first = first
	offsets, err := listOffsets(c.fs, c.dir, snapshotSuffix)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		s := checkedSnapshot{offset: o, file: join(c.dir, offsetName(o, snapshotSuffix))}
		b, err := readFile(c.fs, s.file)
		if err == nil {
			s.byID, err = decodeSnapshot(b, o, 0)
		}
		if err != nil {
			c.problem(s.file, o, -1, "%v", err)
			continue
		}
		c.snapshots = append(c.snapshots, s)
	}
	return nil
}

// segment checks one segment and its indexes.
func (c *partitionChecker) segment(base int64, last bool) error {
	c.r.Segments++
	s := newSegment(c.dir, base)
	f, err := c.fs.OpenFile(s.log.path, vfs.ReadOnly)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	if base != c.end && !(last && size == 0) {
		c.problem(s.log.path, base, 0, "the segment before ends at offset %d", c.end)
		c.end = base
	}
	marks, err := c.indexes(s)
	if err != nil {
		return err
	}
	sc := newScanner(f, 0, size, true)
	for {
		at := sc.pos
		err := sc.next()
		if err == nil {
			err = follows(&sc.h, c.end, c.holes)
		}
		switch {
		case err == nil:
			c.batch(s, sc, at, marks)
		case err == io.EOF:
			marks.finish(c, s)
			return nil
		case errors.Is(err, batch.ErrCorrupt):
			return c.damaged(s, sc, at, last, err)
		default:
			return err
		}
	}
}

// batch takes a good batch into account.
func (c *partitionChecker) batch(s *segment, sc *scanner, at int64, marks *indexMarks) {
	h := &sc.h
	c.compareSnapshots(h.BaseOffset)
	c.r.Batches++
	c.r.Records += int64(h.Count)
	c.r.Bytes += int64(h.Size())
	marks.batch(c, s, h, at)
	if h.Control() {
		c.control(s, h, sc.b, at, marks)
	} else {
		c.data(s.log.path, h, at)
	}
	c.end = h.LastOffset() + 1
}

// damaged reports bytes that are no batch: a note for what a crash leaves, a problem otherwise.
func (c *partitionChecker) damaged(s *segment, sc *scanner, at int64, last bool, cause error) error {
	c.bad = true
	d, err := inspect(sc.f, at, sc.end, c.end, cause)
	if err != nil {
		return err
	}
	if last && d.torn && c.end >= c.point {
		c.note(s.log.path, c.end, at, "torn end of %d bytes: %s", sc.end-at, d.reason)
		return nil
	}
	c.problem(s.log.path, c.end, at, "%s", d.reason)
	return nil
}

// finish compares what is known at the end of the log.
func (c *partitionChecker) finish() {
	c.compareSnapshots(c.end)
	if c.end < c.point {
		c.problem(c.dir, c.end, -1, "the log ends at offset %d, but %d was durable", c.end, c.point)
	}
	if c.start > c.end {
		c.problem(c.dir, c.end, -1, "the log ends at offset %d, before the log start offset %d", c.end, c.start)
	}
	for _, s := range c.snapshots {
		c.note(s.file, s.offset, -1, "snapshot of an offset that is no batch boundary, or above the end")
	}
}

// compareSnapshots compares the snapshots up to an offset, where the next batch starts, with the producers as replayed up to it.
func (c *partitionChecker) compareSnapshots(offset int64) {
	for len(c.snapshots) > 0 && c.snapshots[0].offset <= offset {
		s := c.snapshots[0]
		c.snapshots = c.snapshots[1:]
		if s.offset < c.end { // it may lie in a hole in front of the next batch
			if s.offset >= c.first {
				c.problem(s.file, s.offset, -1, "snapshot of an offset inside a batch")
			}
			continue
		}
		for id, p := range s.byID {
			c.compareProducer(s, id, p)
		}
		c.compareOpen(s)
	}
}

// indexProblem reports a wrong index entry; those after the recovery point are rebuilt by the next start.
func (c *partitionChecker) indexProblem(file string, offset, position int64, format string, args ...any) {
	if offset >= c.point {
		c.note(file, offset, position, format, args...)
		return
	}
	c.problem(file, offset, position, format, args...)
}

// indexMarks are the entries of a segment's indexes that the scan has not come to yet.
type indexMarks struct {
	offsets []offsetEntry
	times   []timeEntry
	aborted []abortedEntry
	maxTime timeEntry
}

// indexes reads the indexes of a segment.
func (c *partitionChecker) indexes(s *segment) (*indexMarks, error) {
	m := &indexMarks{maxTime: timeEntry{timestamp: -1}}
	b, err := c.indexFile(s.offsets.path, offsetEntrySize)
	if err != nil {
		return nil, err
	}
	for ; len(b) >= offsetEntrySize; b = b[offsetEntrySize:] {
		m.offsets = append(m.offsets, decodeOffsetEntry(b, s.base))
	}
	if b, err = c.indexFile(s.times.path, timeEntrySize); err != nil {
		return nil, err
	}
	prev := int64(-1)
	for ; len(b) >= timeEntrySize; b = b[timeEntrySize:] {
		e := decodeTimeEntry(b, s.base)
		if e.timestamp <= prev {
			c.indexProblem(s.times.path, e.offset, -1, "time index entry %d does not rise", len(m.times))
		}
		prev = e.timestamp
		m.times = append(m.times, e)
	}
	return m, c.loadAborted(s, m)
}

func (c *partitionChecker) indexFile(name string, entrySize int) ([]byte, error) {
	b, err := readFile(c.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(b)%entrySize != 0 {
		c.problem(name, -1, int64(len(b)), "size is no multiple of %d", entrySize)
	}
	return b, err
}

// batch compares the entries that are about a batch.
func (m *indexMarks) batch(c *partitionChecker, s *segment, h *batch.Header, at int64) {
	if h.Count > 0 && h.MaxTimestamp > m.maxTime.timestamp {
		m.maxTime = timeEntry{h.MaxTimestamp, h.LastOffset()}
	}
	for len(m.offsets) > 0 && m.offsets[0].offset <= h.LastOffset() {
		if e := m.offsets[0]; e.offset != h.LastOffset() || e.position != at {
			c.indexProblem(s.offsets.path, e.offset, e.position, "index entry is not about a batch; the one at position %d ends at offset %d", at, h.LastOffset())
		}
		m.offsets = m.offsets[1:]
	}
	for len(m.times) > 0 && m.times[0].offset <= h.LastOffset() {
		if e := m.times[0]; e != m.maxTime {
			c.indexProblem(s.times.path, e.offset, -1, "time index says %d, the largest timestamp up to there is %d at offset %d", e.timestamp, m.maxTime.timestamp, m.maxTime.offset)
		}
		m.times = m.times[1:]
	}
}

// finish reports entries for batches that are not there.
func (m *indexMarks) finish(c *partitionChecker, s *segment) {
	if len(m.offsets) > 0 {
		c.indexProblem(s.offsets.path, m.offsets[0].offset, m.offsets[0].position, "%d index entries are beyond the end of the segment", len(m.offsets))
	}
	m.skipAborted(c, s, c.end)
	if len(m.aborted) > 0 {
		c.indexProblem(s.aborted.path, m.aborted[0].lastOffset, -1, "%d transaction index entries are beyond the end of the segment", len(m.aborted))
	}
	if len(m.times) > 0 {
		c.indexProblem(s.times.path, m.times[0].offset, -1, "%d time index entries are beyond the end of the segment", len(m.times))
	}
}
