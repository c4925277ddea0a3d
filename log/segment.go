package log

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/log/batch"
)

// segment is a .log file and its indexes.
type segment struct {
	base    int64
	log     handle
	offsets index
	times   index
	aborted index        // .txnindex, there from the first aborted transaction on
	size    atomic.Int64 // bytes of good batches in the .log file

	abortedNamed atomic.Bool // the name of the .txnindex is durable
	syncing      sync.Mutex  // serialises the syncs of the .log file

	// The fields below belong to the partition's mu.

	maxLoaded   bool      // maxTime is known
	maxTime     timeEntry // largest batch timestamp and the last offset of its batch
	lastTime    int64     // timestamp of the last time index entry
	firstAppend int64     // ms, when the first batch came; 0 while empty
	firstTime   int64     // ms, largest timestamp of the first batch; 0 while not known, -1 for none. Guarded by state
	sinceEntry  int64     // bytes of log since the last index entry
}

func newSegment(dir string, base int64) *segment {
	path := func(suffix string) string { return filepath.Join(dir, offsetName(base, suffix)) }
	return &segment{
		base:     base,
		log:      handle{path: path(logSuffix)},
		offsets:  index{handle: handle{path: path(indexSuffix)}, entrySize: offsetEntrySize},
		times:    index{handle: handle{path: path(timeIndexSuffix)}, entrySize: timeEntrySize},
		aborted:  index{handle: handle{path: path(txnIndexSuffix)}, entrySize: abortedEntrySize},
		maxTime:  timeEntry{timestamp: -1, offset: base},
		lastTime: -1,
	}
}

// note takes a batch at pos into the indexes, as Kafka does: an entry in front of the batch that comes after more than
// interval bytes without one. The caller holds mu and the state lock.
func (s *segment) note(h *batch.Header, pos, interval int64) {
	if h.Count > 0 && h.MaxTimestamp > s.maxTime.timestamp { // the time of a batch that compaction has emptied is that of no record
		s.maxTime = timeEntry{h.MaxTimestamp, h.LastOffset()}
	}
	if s.sinceEntry > interval {
		s.offsets.pending = appendOffsetEntry(s.offsets.pending, s.base, offsetEntry{h.LastOffset(), pos})
		s.noteTime()
		s.sinceEntry = 0
	}
	s.sinceEntry += int64(h.Size())
}

// noteTime adds a time index entry when the largest timestamp has risen since the last one.
func (s *segment) noteTime() {
	if s.maxTime.timestamp > s.lastTime {
		s.times.pending = appendTimeEntry(s.times.pending, s.base, s.maxTime)
		s.lastTime = s.maxTime.timestamp
	}
}

// fits reports whether a batch may go into the segment under this configuration.
func (s *segment) fits(c *TopicConfig, h *batch.Header, nowMs int64) bool {
	size := s.size.Load()
	switch {
	case size == 0:
		return true
	case size+int64(h.Size()) > c.SegmentBytes, h.LastOffset()-s.base > maxRelativeOffset:
		return false
	case s.firstAppend > 0 && nowMs-s.firstAppend >= c.SegmentMs:
		return false
	}
	return (s.offsets.entries()+1)*offsetEntrySize <= c.SegmentIndexBytes
}

// maxRelativeOffset is the largest that Kafka accepts in an index.
const maxRelativeOffset = 1<<31 - 1

// flushIndexes writes the collected index entries to their files, without a sync.
func (p *Partition) flushIndexes(s *segment) error {
	publish := func(change func()) {
		p.state.Lock()
		defer p.state.Unlock()
		change()
	}
	if err := s.offsets.flush(p.log.files, publish); err != nil {
		return err
	}
	if err := s.times.flush(p.log.files, publish); err != nil {
		return err
	}
	return s.aborted.flush(p.log.files, publish)
}

// syncIndexes makes the written index entries durable.
func (p *Partition) syncIndexes(s *segment) error {
	if err := s.offsets.sync(p.log.files); err != nil {
		return err
	}
	if err := s.times.sync(p.log.files); err != nil || s.aborted.flushed == 0 {
		return err
	}
	if err := s.aborted.sync(p.log.files); err != nil || s.abortedNamed.Load() {
		return err
	}
	// A snapshot that is written next may survive a power cut that takes a name which was made before it.
	if err := syncDir(p.log.fs, p.dir); err != nil {
		return err
	}
	s.abortedNamed.Store(true)
	return nil
}

// syncLog makes the .log file durable. Linux reports a write-back error to one fsync of a descriptor only, so the syncs of a
// file come one after the other and the log has failed before the next one returns (I1).
func (p *Partition) syncLog(s *segment) error {
	f, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer p.log.files.release(&s.log)
	s.syncing.Lock()
	defer s.syncing.Unlock()
	start := time.Now()
	if err := syncFile(f); err != nil {
		p.log.fail(err)
		return err
	}
	p.log.stats.SyncTime.Observe(time.Since(start))
	return nil
}

// lookup returns a position in the segment that is at or before the batch with the offset.
func (p *Partition) lookup(s *segment, offset int64) (int64, error) {
	p.state.RLock()
	v := s.offsets.view()
	p.state.RUnlock()
	e, err := v.search(p.log.files, func(b []byte) bool { return decodeOffsetEntry(b, s.base).offset > offset })
	if err != nil || e == nil {
		return 0, err
	}
	return decodeOffsetEntry(e, s.base).position, nil
}

// lookupTime returns an offset that is at or before the first record with a timestamp of at least ts.
func (p *Partition) lookupTime(s *segment, ts int64) (int64, error) {
	p.state.RLock()
	v := s.times.view()
	p.state.RUnlock()
	e, err := v.search(p.log.files, func(b []byte) bool { return decodeTimeEntry(b, s.base).timestamp >= ts })
	if err != nil || e == nil {
		return s.base, err
	}
	return decodeTimeEntry(e, s.base).offset, nil
}

// dropSegment closes and deletes the files of a segment. What cannot be deleted now is below the log start offset and
// goes when the log is opened next.
func (p *Partition) dropSegment(s *segment) error {
	for _, h := range s.handles() {
		p.log.files.drop(h)
	}
	err := p.log.fs.Remove(s.log.path)
	for _, h := range s.handles()[1:] {
		_ = p.log.fs.Remove(h.path) // missing when nothing was indexed; an orphan is deleted on open
	}
	return err
}

// indexes lists the indexes of a segment.
func (s *segment) indexes() []*index { return []*index{&s.offsets, &s.times, &s.aborted} }

// handles lists the files of a segment, the .log first.
func (s *segment) handles() []*handle {
	return []*handle{&s.log, &s.offsets.handle, &s.times.handle, &s.aborted.handle}
}
