package log

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/sluice-data/sluice/log/batch"
)

// hint remembers where a read ended, so that the next one needs no index.
type hint struct {
	segment  *segment
	offset   int64
	position int64
}

// Read appends whole batches to dst, from the one that contains offset on, as long as they end below upTo (and below the
// high watermark, I7) and are not more than maxBytes in all; the first one may be larger (KIP-74). It returns dst unchanged
// when there is nothing to read yet. Where compaction has removed the records at offset, it goes on with the next batch. It reads from
// one segment at most. Every batch is checked against its CRC: damage
// takes the partition offline and is never served.
//
// Errors: ErrOffsetOutOfRange below the log start offset or above the end, ErrPartitionOffline (*OfflineError),
// ErrPartitionDeleted, ErrClosed.
func (p *Partition) Read(dst []byte, offset int64, maxBytes int, upTo int64) ([]byte, error) {
	upTo = min(upTo, p.HighWatermark())
	for {
		s, err := p.segmentAt(offset)
		if err != nil {
			return dst, err
		}
		if offset >= upTo || s == nil {
			return dst, nil
		}
		out, err := p.readSegment(s, dst, offset, maxBytes, upTo)
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, errGone) {
			return dst, p.readError(s, offset, err)
		}
		p.awaitSwap()
	}
}

// awaitSwap returns after what made a segment go: its deletion, or the cleaner that puts another one in its place. Then the partition
// has the segments to look at.
func (p *Partition) awaitSwap() {
	p.mu.Lock()
	defer p.mu.Unlock()
}

// segmentAt returns the segment that holds the offset, nil when there is none yet.
func (p *Partition) segmentAt(offset int64) (*segment, error) {
	p.state.RLock()
	defer p.state.RUnlock()
	segments, err := p.segmentsFrom(offset)
	if err != nil || len(segments) == 0 {
		return nil, err
	}
	return segments[0], nil
}

// segmentsFrom lists the segments from the one on that holds the offset; none when there is none yet. The caller holds state.
func (p *Partition) segmentsFrom(offset int64) ([]*segment, error) {
	if p.err != nil {
		return nil, p.err
	}
	if offset < p.logStart.Load() || offset > p.end.Load() {
		return nil, fmt.Errorf("%w: %d is not in %d to %d", ErrOffsetOutOfRange, offset, p.logStart.Load(), p.end.Load())
	}
	i := sort.Search(len(p.segments), func(i int) bool { return p.segments[i].base > offset })
	if i == 0 {
		return nil, nil
	}
	return p.segments[i-1:], nil
}

// readError explains an error of a read: the files may have been deleted meanwhile.
func (p *Partition) readError(s *segment, offset int64, err error) error {
	if _, gone := p.segmentAt(offset); gone != nil {
		return gone
	}
	var d *damageError
	if errors.As(err, &d) {
		return p.quarantine(cmp.Or(d.file, s.log.path), d.damage)
	}
	return fmt.Errorf("read %s: %w", s.log.path, err)
}

// damageError carries what is wrong with a segment to where the partition is taken offline.
type damageError struct{ damage }

func (e *damageError) Error() string { return e.reason }

// readSegment reads from one segment.
func (p *Partition) readSegment(s *segment, dst []byte, offset int64, maxBytes int, upTo int64) ([]byte, error) {
	f, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return nil, err
	}
	defer p.log.files.release(&s.log)
	pos, exact, err := p.position(s, offset)
	if err == nil {
		var out []byte
		if out, err = p.readAt(f, s, dst, pos, exact, offset, maxBytes, upTo); err == nil {
			return out, nil
		}
	}
	// The index may be wrong instead of the log: look for the batch from the start.
	if pos, err = p.scanTo(f, s, offset); err != nil {
		return nil, err
	}
	return p.readAt(f, s, dst, pos, true, offset, maxBytes, upTo)
}

// position returns where to start reading; exact says that the batch with the offset is right there.
func (p *Partition) position(s *segment, offset int64) (pos int64, exact bool, err error) {
	if offset == s.base {
		return 0, true, nil
	}
	p.hints.Lock()
	for _, h := range p.hintAt {
		if h.segment == s && h.offset == offset {
			p.hints.Unlock()
			return h.position, true, nil
		}
	}
	p.hints.Unlock()
	pos, err = p.lookup(s, offset)
	return pos, false, err
}

func (p *Partition) remember(h hint) {
	p.hints.Lock()
	defer p.hints.Unlock()
	for i := range p.hintAt {
		if p.hintAt[i].segment == h.segment && p.hintAt[i].offset == h.offset {
			return
		}
	}
	p.hintAt[p.hintN%len(p.hintAt)] = h
	p.hintN++
}

// scanTo finds the batch that contains the offset without the index.
func (p *Partition) scanTo(f io.ReaderAt, s *segment, offset int64) (int64, error) {
	sc := newScanner(f, 0, s.size.Load(), false)
	end := s.base
	for {
		at := sc.pos
		err := sc.next()
		if err == nil {
			err = p.follows(&sc.h, end)
		}
		if err == io.EOF || errors.Is(err, batch.ErrCorrupt) {
			return 0, &damageError{damage{position: at, offset: end, reason: err.Error()}}
		}
		if err != nil {
			return 0, err
		}
		if end = sc.h.LastOffset() + 1; end > offset {
			return at, nil
		}
	}
}

// readAt reads batches from a position on, drops those before the offset and cuts the rest to whole batches.
func (p *Partition) readAt(f io.ReaderAt, s *segment, dst []byte, pos int64, exact bool, offset int64, maxBytes int, upTo int64) ([]byte, error) {
	want := int64(max(maxBytes, batch.HeaderSize))
	if !exact {
		want += p.topic.config.Load().IndexInterval
	}
	start := len(dst)
	for {
		have := min(want, s.size.Load()-pos)
		if have < batch.HeaderSize {
			return nil, &damageError{damage{position: pos, offset: offset, reason: "the segment ends before the offset"}}
		}
		dst = slices.Grow(dst[:start], int(have))[:start+int(have)]
		if n, err := f.ReadAt(dst[start:], pos); err != nil && (err != io.EOF || int64(n) < have) {
			return nil, err
		}
		c, err := p.cut(dst[start:], exact || pos == 0, offset, maxBytes, upTo)
		if err != nil {
			return nil, &damageError{damage{position: pos + int64(c.to), offset: c.next, reason: err.Error()}}
		}
		if c.need > 0 {
			pos, want, exact = pos+int64(c.from), int64(c.need), true
			continue
		}
		p.remember(hint{s, c.next, pos + int64(c.to)})
		copy(dst[start:], dst[start+c.from:start+c.to])
		return dst[:start+c.to-c.from], nil
	}
}

// cutting is the part of a buffer that a read returns.
type cutting struct {
	from, to int   // byte positions
	next     int64 // the offset after the part, or of the bytes that are wrong
	need     int   // bytes to read from position from on, when the first batch is not complete
}

// follows returns an error unless a batch may come where the offset next is expected: it has that offset, or the cleaner may have
// removed what was there. What is not cleaned has no holes.
func (p *Partition) follows(h *batch.Header, next int64) error {
	return follows(h, next, p.holes.Load())
}

func follows(h *batch.Header, next, holes int64) error {
	if h.BaseOffset == next || h.BaseOffset > next && h.BaseOffset < holes {
		return nil
	}
	return fmt.Errorf("%w: base offset is %d, want %d", batch.ErrCorrupt, h.BaseOffset, next)
}

// cut finds the batches in b from the one that contains offset on, that end below upTo, up to maxBytes. sure says that nothing of
// that can be before b; otherwise an index said so, which a batch beyond offset would prove wrong.
func (p *Partition) cut(b []byte, sure bool, offset int64, maxBytes int, upTo int64) (cutting, error) {
	c := cutting{next: offset}
	for found := false; ; {
		h, err := batch.Parse(b[c.to:])
		if errors.Is(err, batch.ErrShort) {
			if !found {
				c.from, c.need = c.to, max(maxBytes, batch.HeaderSize)
			}
			return c, nil
		}
		if err == nil && (found || h.BaseOffset > offset) {
			err = p.follows(&h, c.next)
		}
		if err == nil && h.BaseOffset > offset && !sure {
			err = fmt.Errorf("%w: base offset is %d, beyond the one looked for", batch.ErrCorrupt, h.BaseOffset)
		}
		switch {
		case err != nil:
			if found && h.BaseOffset >= upTo {
				return c, nil // bytes that are being written
			}
			return c, err
		case h.LastOffset() < offset:
			sure = true
			c.to += h.Size()
			c.from = c.to
			if c.to > len(b) {
				c.need = max(maxBytes, batch.HeaderSize)
				return c, nil
			}
			continue
		case h.LastOffset() >= upTo, found && c.to+h.Size()-c.from > maxBytes:
			return c, nil
		case c.to+h.Size() > len(b):
			if !found {
				c.need = h.Size()
			}
			return c, nil
		}
		if _, err := batch.Validate(b[c.to : c.to+h.Size()]); err != nil {
			return c, err
		}
		found, sure = true, true
		c.to += h.Size()
		c.next = h.LastOffset() + 1
	}
}
