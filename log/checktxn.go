package log

import (
	"errors"

	"github.com/sluice-data/sluice/log/batch"
)

// data replays a batch of data.
func (c *partitionChecker) data(file string, h *batch.Header, at int64) {
	switch dup, err := c.producers.check(h, false); {
	case dup != nil:
		c.problem(file, h.BaseOffset, at, "producer %d epoch %d sequence %d is in the log twice", h.ProducerID, h.ProducerEpoch, h.BaseSequence)
	case errors.Is(err, ErrInvalidTxnState):
		c.problem(file, h.BaseOffset, at, "producer %d epoch %d: %v", h.ProducerID, h.ProducerEpoch, err)
	case err != nil && c.begins(h): // a marker came first, the data in front of it is gone
	case err != nil && c.producers.byID[h.ProducerID].newest().lastOffset < c.holes: // compaction has removed what was between
	case err != nil: // allowed when the producer had expired in between
		c.note(file, h.BaseOffset, at, "producer %d epoch %d sequence %d: %v", h.ProducerID, h.ProducerEpoch, h.BaseSequence, err)
	}
	c.producers.add(h, 0)
}

// begins reports whether a batch is the first one of its producer's epoch that is left.
func (c *partitionChecker) begins(h *batch.Header) bool {
	p := c.producers.byID[h.ProducerID]
	return p.epoch == h.ProducerEpoch && p.n == 0
}

// control replays a control batch and compares what the transaction index says of it.
func (c *partitionChecker) control(s *segment, h *batch.Header, b []byte, at int64, marks *indexMarks) {
	m, err := batch.ReadMarker(b)
	if errors.Is(err, batch.ErrNoMarker) {
		return
	}
	if err != nil {
		c.problem(s.log.path, h.BaseOffset, at, "%v", err)
		return
	}
	if err := c.producers.checkMarker(&m); err != nil {
		c.problem(s.log.path, h.BaseOffset, at, "marker of producer %d epoch %d: %v", m.ProducerID, m.ProducerEpoch, err)
	}
	want := abortedEntry{producerID: m.ProducerID, lastOffset: h.BaseOffset}
	want.firstOffset = c.producers.end(h, &m, 0)
	want.lastStable = c.producers.lastStable(h.BaseOffset + 1)
	marks.marker(c, s, m.Commit, want)
}

// marker compares the entry of a transaction that ends at want.lastOffset.
func (m *indexMarks) marker(c *partitionChecker, s *segment, commit bool, want abortedEntry) {
	m.skipAborted(c, s, want.lastOffset)
	var got *abortedEntry
	if len(m.aborted) > 0 && m.aborted[0].lastOffset == want.lastOffset {
		got, m.aborted = &m.aborted[0], m.aborted[1:]
	}
	switch {
	case got == nil && (commit || want.firstOffset == none):
	case got == nil:
		c.indexProblem(s.aborted.path, want.lastOffset, -1, "aborted transaction of producer %d from offset %d is missing", want.producerID, want.firstOffset)
	case commit:
		c.indexProblem(s.aborted.path, want.lastOffset, -1, "transaction of producer %d is committed, not aborted", want.producerID)
	case !c.sameAborted(*got, want):
		c.indexProblem(s.aborted.path, want.lastOffset, -1, "transaction index says %+v, the log %+v", *got, want)
	}
}

// known is the offset from which on everything is there that ever was.
func (c *partitionChecker) known() int64 { return max(c.first, c.holes) }

// sameAborted compares an entry with the log. Of what began before the first segment the log does not know, nor of what was cleaned.
func (c *partitionChecker) sameAborted(got, want abortedEntry) bool {
	if got.firstOffset < c.known() {
		want.firstOffset = got.firstOffset
	}
	if got.lastStable < c.known() {
		want.lastStable = got.lastStable
	}
	return got == want
}

// skipAborted reports entries without a marker below an offset.
func (m *indexMarks) skipAborted(c *partitionChecker, s *segment, offset int64) {
	for len(m.aborted) > 0 && m.aborted[0].lastOffset < offset {
		c.indexProblem(s.aborted.path, m.aborted[0].lastOffset, -1, "transaction index is about an offset without a marker")
		m.aborted = m.aborted[1:]
	}
}

// loadAborted reads the transaction index of a segment.
func (c *partitionChecker) loadAborted(s *segment, m *indexMarks) error {
	b, err := c.indexFile(s.aborted.path, abortedEntrySize)
	if err != nil {
		return err
	}
	prev := s.base - 1
	for ; len(b) >= abortedEntrySize; b = b[abortedEntrySize:] {
		e, err := decodeAbortedEntry(b)
		if err != nil {
			c.indexProblem(s.aborted.path, max(prev, c.end), -1, "entry %d: %v", len(m.aborted), err)
			return nil
		}
		if e.lastOffset <= prev {
			c.indexProblem(s.aborted.path, e.lastOffset, -1, "transaction index entry %d does not rise", len(m.aborted))
		}
		prev = e.lastOffset
		m.aborted = append(m.aborted, e)
	}
	return nil
}

// compareProducer compares one producer of a snapshot with the log; what retention and compaction have deleted cannot be compared.
func (c *partitionChecker) compareProducer(s checkedSnapshot, id int64, p *producer) {
	got := c.producers.byID[id]
	for i := int8(1); i <= p.n; i++ {
		want := p.window[p.n-i]
		if want.lastOffset-int64(want.offsetDelta) < c.known() {
			break
		}
		if got == nil || got.epoch != p.epoch || i > got.n || got.window[got.n-i] != want {
			c.problem(s.file, want.lastOffset, -1, "producer %d: the batch that ends at this offset is not in the log like that", id)
			return
		}
	}
	if p.txnFirst >= c.known() && (got == nil || got.txnFirst != p.txnFirst) {
		c.problem(s.file, p.txnFirst, -1, "producer %d: no open transaction begins at this offset", id)
	}
}

// compareOpen reports transactions that are open in the log, but not in a snapshot. Producers may be missing there because they have
// expired, but not with an open transaction.
func (c *partitionChecker) compareOpen(s checkedSnapshot) {
	for id, got := range c.producers.byID {
		if p := s.byID[id]; got.txnFirst >= 0 && (p == nil || p.txnFirst < 0) {
			c.problem(s.file, got.txnFirst, -1, "producer %d: the open transaction from this offset on is missing", id)
		}
	}
}
