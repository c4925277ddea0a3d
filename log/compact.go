package log

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/sluice-data/sluice/log/batch"
)

// pass is one way of the cleaner through a partition.
type pass struct {
	*cleaner
	p    *Partition
	c    *TopicConfig
	now  int64 // ms
	keys *keyOffsets
	last map[int64]lastBatch // of each active producer
	txns *cleanedTxns

	dec      *batch.Decompressor // these three end with the pass: they may be megabytes
	rewriter batch.Rewriter
	kept     []batch.Record // of the batch at hand
}

// lastBatch tells the batch of a producer that stays, if empty, for its sequence number and epoch.
type lastBatch struct {
	offset int64 // of its last record; none when the producer has only written markers in its epoch, which stay instead
	epoch  int16
}

func (l lastBatch) is(h *batch.Header) bool {
	if l.offset == none {
		return h.Control() && h.ProducerEpoch == l.epoch
	}
	return h.LastOffset() == l.offset
}

// clean removes the records of the partition that a later one of the same key has replaced, as far as the keys fit into memory. The
// next pass goes on from there.
func (c *cleaner) clean(d *dirt) error {
	if err := c.cleanSegments(d); err != nil {
		return err
	}
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	if d.p.Err() != nil {
		return nil
	}
	return d.p.deleteBelow(d.p.LogStartOffset()) // what could not be deleted meanwhile
}

func (c *cleaner) cleanSegments(d *dirt) error {
	p := d.p
	p.cleaning.Lock()
	defer p.cleaning.Unlock()
	if err := d.stillThere(); err != nil {
		return err
	}
	n := &pass{
		cleaner: c, p: p, c: p.topic.config.Load(), now: p.log.cfg.Now().UnixMilli(), last: p.lastOfProducers(),
		keys: newKeyOffsets(p.log.cfg.CompactionMemory), dec: batch.NewDecompressor(p.log.cfg.MaxDecompressed),
	}
	if err := n.readKeys(d); err != nil {
		return err
	}
	if n.keys.end <= d.from {
		return nil
	}
	if err := p.allowHoles(d.upTo); err != nil {
		return err
	}
	n.txns = newCleanedTxns(p)
	for _, g := range groups(d, n.keys.end, n.c) {
		if err := n.cleanGroup(&g); err != nil {
			return err
		}
	}
	p.clean.Store(n.keys.end)
	return p.log.writeCleaned()
}

// stillThere returns errGone when retention has deleted some of the segments, which it does from the front.
func (d *dirt) stillThere() error {
	segments, err := d.p.readable()
	if err == nil && (len(segments) == 0 || segments[0] != d.segments[0]) {
		err = errGone
	}
	return err
}

// allowHoles notes, durably and before there is one, that the cleaner may leave holes below an offset.
func (p *Partition) allowHoles(upTo int64) error {
	old := p.holes.Load()
	if upTo <= old {
		return nil
	}
	p.holes.Store(upTo)
	err := p.log.writeHoles()
	if err != nil {
		p.holes.Store(old)
	}
	return err
}

// lastOfProducers returns the last batch of every producer that is remembered.
func (p *Partition) lastOfProducers() map[int64]lastBatch {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := make(map[int64]lastBatch, len(p.producers.byID))
	for id, pr := range p.producers.byID {
		m[id] = lastBatch{pr.newest().lastOffset, pr.epoch}
	}
	return m
}

// walk calls f for every batch of a closed segment; end is the offset where the next segment starts. Every byte is checked: damage
// takes the partition offline before anything is replaced by a copy of it.
func (n *pass) walk(s *segment, end int64, f func(sc *scanner) error) error {
	p := n.p
	file, err := p.log.files.acquire(&s.log, 0)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer p.log.files.release(&s.log)
	sc := newScanner(file, 0, s.size.Load(), true)
	next := s.base
	for {
		at := sc.pos
		err := sc.next()
		if err == io.EOF && next == end {
			return nil
		}
		if err == io.EOF {
			err = fmt.Errorf("%w: the segment ends at offset %d, the next one starts at %d", batch.ErrCorrupt, next, end)
		} else if err == nil {
			err = p.follows(&sc.h, next)
		}
		if errors.Is(err, batch.ErrCorrupt) {
			return p.quarantine(s.log.path, damage{position: at, offset: next, reason: err.Error()})
		}
		if err != nil {
			return err
		}
		next = sc.h.LastOffset() + 1
		if err := n.pause(len(sc.b)); err != nil {
			return err
		}
		if err := f(sc); err != nil {
			return err
		}
	}
}

// pause lets others have the disk, and notices when the cleaning has to end.
func (n *pass) pause(bytes int) error {
	if n.p.Err() != nil || n.p.log.Err() != nil {
		return errInterrupted
	}
	return n.throttle.take(bytes, n.stop)
}

// errKeysFull ends the reading of keys.
var errKeysFull = errors.New("no room for more keys")

// readKeys reads the keys of the dirty segments, until there is no room for more.
func (n *pass) readKeys(d *dirt) error {
	n.keys.end = d.from
	n.txns = newCleanedTxns(n.p)
	for i, s := range d.segments {
		end := d.endOf(i)
		if end <= d.from {
			continue
		}
		if err := n.txns.enter(s, end); err != nil {
			return err
		}
		err := n.walk(s, end, func(sc *scanner) error {
			return n.readBatchKeys(sc, d.from)
		})
		if errors.Is(err, errKeysFull) {
			return nil
		}
		if err != nil {
			return err
		}
		n.keys.end = end
	}
	return nil
}

// endOf is the offset where the segment after the i-th one starts.
func (d *dirt) endOf(i int) int64 {
	if i+1 < len(d.segments) {
		return d.segments[i+1].base
	}
	return d.upTo
}

// readBatchKeys notes the keys of one batch, from an offset on. Those of an aborted transaction replace nothing.
func (n *pass) readBatchKeys(sc *scanner, from int64) error {
	h := &sc.h
	if h.Control() {
		if m, err := batch.ReadMarker(sc.b); err == nil {
			n.txns.marker(h, &m)
		}
	} else if aborted := n.txns.data(h); !aborted && h.Count > 0 && h.LastOffset() >= from {
		if err := n.putKeys(sc.b, from); err != nil {
			return err
		}
	}
	n.keys.end = max(n.keys.end, h.LastOffset()+1)
	return nil
}

// putKeys notes the keys of the records of a batch.
func (n *pass) putKeys(b []byte, from int64) error {
	r, err := batch.NewReader(b, n.dec)
	if err != nil {
		return nil // filterRecords keeps it whole
	}
	for r.Next() {
		rec := r.Record()
		if rec.Key != nil && rec.Offset >= from && !n.keys.put(rec.Key, rec.Offset) {
			n.keys.end = rec.Offset
			return errKeysFull
		}
	}
	return nil
}

// group is segments that are cleaned into one.
type group struct {
	segments []*segment
	end      int64 // offset where the segment after them starts
}

// groups puts the segments with offsets below upTo together, so that what is left of small ones does not stay in as many files. What a
// group could leave at most fits into one segment.
func groups(d *dirt, upTo int64, c *TopicConfig) []group {
	var gs []group
	var size, entries, times int64
	for i, s := range d.segments {
		if s.base >= upTo {
			break
		}
		ssize, sentries, stimes := s.size.Load(), s.offsets.entries()*offsetEntrySize, s.times.entries()*timeEntrySize
		if g := len(gs) - 1; g >= 0 && size+ssize <= c.SegmentBytes && entries+sentries <= c.SegmentIndexBytes &&
			times+stimes <= c.SegmentIndexBytes && d.endOf(i)-1-gs[g].segments[0].base <= maxRelativeOffset {
			gs[g].segments, gs[g].end = append(gs[g].segments, s), d.endOf(i)
			size, entries, times = size+ssize, entries+sentries, times+stimes
			continue
		}
		gs = append(gs, group{[]*segment{s}, d.endOf(i)})
		size, entries, times = ssize, sentries, stimes
	}
	return gs
}

// cleanGroup writes a group's segment anew and puts it in the place of the old ones.
func (n *pass) cleanGroup(g *group) error {
	w, err := n.p.newCleaned(g.segments[0].base, n.c.IndexInterval)
	if err != nil {
		return err
	}
	defer w.close()
	for i, s := range g.segments {
		end, last := g.end, i == len(g.segments)-1
		if !last {
			end = g.segments[i+1].base
		}
		if err := n.txns.enter(s, end); err != nil {
			return errors.Join(err, w.discard())
		}
		err := n.walk(s, end, func(sc *scanner) error {
			b, err := n.filter(w, &sc.h, sc.b, last && sc.pos == sc.end)
			if err != nil || len(b) == 0 {
				return err
			}
			w.batch = b
			if err := n.pause(len(b)); err != nil {
				return err
			}
			return w.append(b)
		})
		if err != nil {
			return errors.Join(err, w.discard())
		}
	}
	if err := w.finish(); err != nil {
		return errors.Join(err, w.discard())
	}
	return n.p.swap(g, w)
}

// filter returns what is left of a batch, which may be nothing. The last batch of a group stays even when it is empty: it says where
// the segment ends, so that a segment that lost its end is told from one that was cleaned.
func (n *pass) filter(w *cleanedSegment, h *batch.Header, b []byte, last bool) (out []byte, err error) {
	w.batch = w.batch[:0]
	switch {
	case h.Control():
		out, err = n.filterControl(w, h, b)
	case n.txns.data(h): // aborted: nothing is left
	default:
		out, err = n.filterRecords(w.batch, h, b)
	}
	if err != nil || len(out) > 0 {
		return out, err
	}
	if at, active := n.last[h.ProducerID]; last || active && at.is(h) {
		return batch.AppendEmpty(w.batch, *h), nil
	}
	return nil, nil
}

// filterControl is filter for a control batch. A marker is needed as long as there is data of its transaction, for readers of
// uncommitted data too; then it goes like a tombstone. That this pass has just removed the data does not count: a reader may still
// have it, and needs the entry of the transaction index.
func (n *pass) filterControl(w *cleanedSegment, h *batch.Header, b []byte) ([]byte, error) {
	m, err := batch.ReadMarker(b)
	if err != nil && h.Count == 0 {
		return nil, nil
	}
	if err != nil { // about something else
		return append(w.batch, b...), nil
	}
	dataLeft, entry := n.txns.marker(h, &m)
	switch {
	case dataLeft:
		if entry != nil {
			w.s.aborted.pending = appendAbortedEntry(w.s.aborted.pending, *entry)
		}
		return append(w.batch, b...), nil
	case !h.DeleteHorizon():
		return n.rewrite(w.batch, h, b, n.deleteHorizon())
	case n.now >= h.BaseTimestamp:
		return nil, nil
	}
	return append(w.batch, b...), nil
}

// rewrite appends to dst the batch with all its records and a delete horizon.
func (n *pass) rewrite(dst []byte, h *batch.Header, b []byte, horizon int64) ([]byte, error) {
	r, err := batch.NewReader(b, n.dec)
	if err != nil {
		return nil, err
	}
	n.kept = n.kept[:0]
	for r.Next() {
		n.kept = append(n.kept, *r.Record())
	}
	if r.Err() != nil {
		return nil, r.Err()
	}
	return n.rewriter.Rewrite(dst, *h, n.kept, horizon)
}

// filterRecords appends to dst the batch with the records that stay, nothing when there are none. Records that cannot be read,
// although their batch is as it was sent, stay.
func (n *pass) filterRecords(dst []byte, h *batch.Header, b []byte) ([]byte, error) {
	if h.Count == 0 {
		return nil, nil
	}
	r, err := batch.NewReader(b, n.dec)
	if err != nil {
		return append(dst, b...), nil
	}
	n.kept = n.kept[:0]
	tombstones := false
	for r.Next() {
		if rec := r.Record(); n.keeps(h, rec) {
			n.kept = append(n.kept, *rec)
			tombstones = tombstones || rec.Value == nil
		}
	}
	if r.Err() != nil {
		return append(dst, b...), nil
	}
	horizon := int64(-1)
	if tombstones && !h.DeleteHorizon() && h.LastOffset() < n.keys.end {
		horizon = n.deleteHorizon()
	}
	switch {
	case len(n.kept) == 0:
		return nil, nil
	case len(n.kept) == int(h.Count) && horizon < 0:
		return append(dst, b...), nil
	}
	return n.rewriter.Rewrite(dst, *h, n.kept, horizon)
}

// deleteHorizon is the time in ms after which the tombstones may go that this pass is the first to meet (KIP-534).
func (n *pass) deleteHorizon() int64 {
	if n.c.DeleteRetentionMs > math.MaxInt64-n.now {
		return math.MaxInt64
	}
	return n.now + n.c.DeleteRetentionMs
}

// keeps reports whether a record stays: those whose keys are not known yet, and the latest of a key, unless it is a tombstone whose
// time is over. Records without a key, from before the topic was a compacted one, have nothing that could replace them: they go.
func (n *pass) keeps(h *batch.Header, r *batch.Record) bool {
	switch {
	case r.Offset >= n.keys.end:
		return true
	case r.Key == nil || r.Offset < n.keys.latest(r.Key):
		return false
	}
	return r.Value != nil || !h.DeleteHorizon() || n.now < h.BaseTimestamp
}
