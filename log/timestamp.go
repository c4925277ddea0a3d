package log

import (
	"errors"
	"fmt"
	"io"

	"github.com/sluice-data/sluice/log/batch"
)

// OffsetForTime returns the first record below the high watermark whose timestamp in ms is ts or later; -1, -1 when there
// is none.
func (p *Partition) OffsetForTime(ts int64) (offset, timestamp int64, err error) {
	for {
		if offset, timestamp, err = p.offsetForTime(ts); !errors.Is(err, errGone) {
			return offset, timestamp, err
		}
		p.awaitSwap()
	}
}

func (p *Partition) offsetForTime(ts int64) (offset, timestamp int64, err error) {
	segments, err := p.readable()
	if err != nil {
		return -1, -1, err
	}
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].base <= p.LogStartOffset() {
			continue
		}
		max, err := p.maxTime(s)
		if err != nil {
			return -1, -1, err
		}
		if max.timestamp < ts {
			continue
		}
		if offset, timestamp, err = p.searchTime(s, ts); err != nil || offset >= 0 {
			return offset, timestamp, err
		}
	}
	return -1, -1, nil
}

// MaxTimestamp returns the first record with the largest timestamp below the high watermark (KIP-734); -1, -1 when there
// is none.
func (p *Partition) MaxTimestamp() (offset, timestamp int64, err error) {
	for {
		best, err := p.bestTime()
		if err == nil && best < 0 {
			return -1, -1, nil
		}
		if err == nil {
			return p.OffsetForTime(best)
		}
		if !errors.Is(err, errGone) {
			return -1, -1, err
		}
		p.awaitSwap()
	}
}

// bestTime is the largest timestamp below the high watermark, -1 when there is none.
func (p *Partition) bestTime() (int64, error) {
	segments, err := p.readable()
	if err != nil {
		return -1, err
	}
	best := timeEntry{timestamp: -1, offset: -1}
	for _, s := range segments {
		e, err := p.maxTime(s)
		if err == nil && e.timestamp > best.timestamp && (e.offset >= p.HighWatermark() || e.offset < p.LogStartOffset()) {
			e, err = p.scanMaxTime(s) // the cached one is not visible
		}
		if err != nil {
			return -1, err
		}
		if e.timestamp > best.timestamp {
			best = e
		}
	}
	return best.timestamp, nil
}

// readable returns the segments, or why they cannot be read.
func (p *Partition) readable() ([]*segment, error) {
	p.state.RLock()
	defer p.state.RUnlock()
	return p.segments, p.err
}

// maxTime is the largest timestamp in a segment. That of an older segment is the last entry of its time index, as roll wrote it.
func (p *Partition) maxTime(s *segment) (timeEntry, error) {
	p.state.RLock()
	e, loaded, v := s.maxTime, s.maxLoaded, s.times.view()
	p.state.RUnlock()
	if loaded {
		return e, nil
	}
	b, err := v.search(p.log.files, func([]byte) bool { return false })
	if err == nil && b != nil {
		e = decodeTimeEntry(b, s.base)
	} else if e, err = p.scanMaxTime(s); err != nil {
		return e, err
	}
	p.state.Lock()
	s.maxTime, s.maxLoaded = e, true
	p.state.Unlock()
	return e, nil
}

// scanMaxTime finds the largest batch timestamp of the visible part of a segment without the index.
func (p *Partition) scanMaxTime(s *segment) (timeEntry, error) {
	e := timeEntry{timestamp: -1, offset: s.base}
	err := p.scanSegment(s, 0, func(h *batch.Header, _ []byte) (bool, error) {
		if h.LastOffset() >= p.LogStartOffset() && h.Count > 0 && h.MaxTimestamp > e.timestamp {
			e = timeEntry{h.MaxTimestamp, h.LastOffset()}
		}
		return true, nil
	})
	return e, err
}

// searchTime looks for the first record with the timestamp in one segment.
func (p *Partition) searchTime(s *segment, ts int64) (offset, timestamp int64, err error) {
	from, err := p.lookupTime(s, ts)
	if err != nil {
		return -1, -1, err
	}
	pos, err := p.lookup(s, from)
	if err != nil {
		return -1, -1, err
	}
	offset, timestamp = -1, -1
	err = p.log.codecs.with(func(c *batch.Recompressor) error {
		return p.scanSegment(s, pos, func(h *batch.Header, b []byte) (bool, error) {
			if h.MaxTimestamp < ts || h.LastOffset() < p.LogStartOffset() {
				return true, nil
			}
			r, err := batch.NewReader(b, c.Decompressor())
			if err != nil {
				return false, err
			}
			for r.Next() {
				if rec := r.Record(); rec.Timestamp >= ts && rec.Offset >= p.LogStartOffset() {
					offset, timestamp = rec.Offset, rec.Timestamp
					return false, nil
				}
			}
			return true, r.Err()
		})
	})
	return offset, timestamp, err
}

// scanSegment calls f for every batch below the high watermark from a position on, until it returns false.
func (p *Partition) scanSegment(s *segment, pos int64, f func(h *batch.Header, b []byte) (bool, error)) error {
	file, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer p.log.files.release(&s.log)
	sc := newScanner(file, pos, s.size.Load(), false)
	for {
		at := sc.pos
		err := sc.next()
		if err == io.EOF {
			return nil
		}
		if errors.Is(err, batch.ErrCorrupt) {
			return p.readError(s, p.LogStartOffset(), &damageError{damage{position: at, offset: -1, reason: err.Error()}})
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.log.path, err)
		}
		if sc.h.LastOffset() >= p.HighWatermark() {
			return nil
		}
		if more, err := f(&sc.h, sc.b); err != nil || !more {
			return err
		}
	}
}
