package postgres

import (
	"context"
	"slices"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// rowCursor walks over the rows that a pieceReader has, one row behind: whether a
// row is its table's last shows when the next one comes.
type rowCursor struct {
	chunk *chunk
	block *rowBlock
	forms []bool

	next, held heldRow
	last       *table // the table of the row that was handed over last
}

// heldRow is a row that was not handed over yet. Its columns are its block's memory.
type heldRow struct {
	cols  pgoutput.Tuple
	chunk *chunk // nil: there is none
	block *rowBlock
	ends  bool // its relation has no more rows
}

// fill hands rows over. It tells whether they were the last.
func (s *snapshotter) fill(ctx context.Context, b *connect.Batch) (done bool, err error) {
	c := &s.cursor
	for !b.Full() {
		if c.block == nil || c.block.empty() {
			ok, err := s.nextBlock(ctx, b)
			if err != nil || !ok {
				return false, err
			}
			if c.chunk == nil {
				return true, s.handOver(b, nil)
			}
		}
		c.next.cols = c.block.take(c.next.cols[:0], c.forms)
		c.next.chunk, c.next.block, c.next.ends = c.chunk, c.block, false
		if err := s.handOver(b, c.chunk.rel.table); err != nil {
			return false, err
		}
		c.next, c.held = c.held, c.next
	}
	return false, nil
}

// nextBlock moves on to the next block in order, and tells whether there is one or
// the end was reached, which is a chunk of nil. It waits only while the batch is
// empty.
func (s *snapshotter) nextBlock(ctx context.Context, b *connect.Batch) (bool, error) {
	c := &s.cursor
	for {
		if c.chunk == nil {
			select {
			case c.chunk = <-s.reader.order:
			default:
				if b.Len() > 0 {
					return false, nil
				}
				select {
				case c.chunk = <-s.reader.order:
				case <-ctx.Done():
					return false, ctx.Err()
				}
			}
			if c.chunk == nil {
				return true, nil
			}
			c.forms = c.chunk.rel.binaryForms()
		}
		block, ok, waited := c.receive(ctx, b.Len() == 0)
		switch {
		case !waited:
			return false, ctx.Err()
		case ok:
			s.leave(c.block)
			c.block = block
			return true, nil
		case c.chunk.err != nil:
			return false, c.chunk.err
		}
		s.leave(c.block)
		s.ended(b, c.chunk)
		c.block, c.chunk = nil, nil
	}
}

// ended notes the end of a piece: a relation is done when its last row is handed
// over.
func (s *snapshotter) ended(b *connect.Batch, chunk *chunk) {
	h := &s.cursor.held
	switch {
	case !chunk.last:
	case h.chunk != nil && h.chunk.rel == chunk.rel:
		h.ends = true
	default:
		s.done(b, chunk.rel)
	}
}

// done notes that a relation is done.
func (s *snapshotter) done(b *connect.Batch, r *relation) {
	s.state.Done.add(r.oid)
	if s.state.Relation == r.oid {
		s.state.Relation, s.state.Page, s.state.Tuple = 0, 0, 0
	}
	if r.lastOfTable {
		s.notices.tableScanned(b, s.state, r.table, s.progress.tableDone(r.table))
	}
}

// receive takes a block of the chunk. ok is false when there are no more, waited
// when there is none yet.
func (c *rowCursor) receive(ctx context.Context, wait bool) (block *rowBlock, ok, waited bool) {
	select {
	case block, ok = <-c.chunk.blocks:
		c.chunk.took(block)
		return block, ok, true
	default:
	}
	if !wait {
		return nil, false, false
	}
	select {
	case block, ok = <-c.chunk.blocks:
		c.chunk.took(block)
		return block, ok, true
	case <-ctx.Done():
		return nil, false, false
	}
}

// leave gives a block back, unless the held row is in it.
func (s *snapshotter) leave(block *rowBlock) {
	if block != nil && s.cursor.held.block != block {
		s.reader.recycle(block)
	}
}

// handOver appends the held row, when the table of the row after it is known; nil:
// there is none.
func (s *snapshotter) handOver(b *connect.Batch, next *table) error {
	c := &s.cursor
	h := &c.held
	if h.chunk == nil {
		return nil
	}
	rel := h.chunk.rel
	o := origin{snapshot: s.marker(rel.table, next), lsn: s.state.LSN, txID: uint32(s.state.seen.xmax) - 1, micros: s.state.Micros}
	cols := h.cols
	if rel.paged {
		cols = cols[1:]
	}
	if err := s.emitter.read(b, rel.table, &o, cols); err != nil {
		return err
	}
	if rel.paged && !h.chunk.again {
		at := parseTID(h.cols[0].Data)
		s.state.Relation, s.state.Page, s.state.Tuple = rel.oid, at.page, at.tuple
	}
	s.state.Rows++
	s.progress.row(s, rel)
	c.last = rel.table
	if h.ends {
		s.done(b, rel)
	}
	if h.block != c.block {
		s.reader.recycle(h.block)
	}
	h.chunk, h.block = nil, nil
	return nil
}

// marker says where in the snapshot a row is. Exactly one row is the first and one
// the last, whatever tables are empty; the last wins for a single row.
func (s *snapshotter) marker(t, next *table) snapshotMarker {
	switch {
	case next == nil:
		return snapshotLast
	case s.state.Rows == 0:
		return snapshotFirst
	case t != next:
		return snapshotLastOfTable
	case t != s.cursor.last && !s.begun(t):
		return snapshotFirstOfTable
	}
	return snapshotTrue
}

// begun tells whether rows of the table were handed over before the snapshot was
// resumed.
func (s *snapshotter) begun(t *table) bool { return slices.Contains(s.progress.begun, t.oid) }
