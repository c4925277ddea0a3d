package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// Sizes of what is read ahead. A connection may be ahead by blocksAhead blocks in
// each of the pieces that it has read, and there are at most twice as many pieces
// in work as connections (I5). A row that is larger has a block of its own, and of large
// rows as many wait as take no more memory than those blocks, or one.
const (
	blockBytes  = 64 << 10
	blocksAhead = 16
	bytesAhead  = blocksAhead * blockBytes
)

// chunk is a piece being read.
type chunk struct {
	piece
	blocks chan *rowBlock // closed when all are there, or err is set
	err    error

	waiting atomic.Int64  // bytes in blocks
	taken   chan struct{} // capacity 1: there are fewer
}

func newChunk(p piece) *chunk {
	return &chunk{piece: p, blocks: make(chan *rowBlock, blocksAhead), taken: make(chan struct{}, 1)}
}

// put hands a block over, once there is room for it.
func (c *chunk) put(ctx context.Context, b *rowBlock) error {
	size := int64(len(b.data))
	for n := c.waiting.Load(); n > 0 && n+size > bytesAhead; n = c.waiting.Load() {
		select {
		case <-c.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.waiting.Add(size)
	select {
	case c.blocks <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// took notes that a block was taken out of blocks.
func (c *chunk) took(b *rowBlock) {
	if b != nil {
		c.waiting.Add(-int64(len(b.data)))
		notify(c.taken)
	}
}

// errChanged says that a table is not any more what the plan was made for. A new
// snapshot and a new plan go on.
var errChanged = errors.New("a table was changed or dropped while the snapshot read it")

// pieceReader reads pieces with several connections and hands their rows over in
// order. Its connections see one snapshot, which the caller keeps.
type pieceReader struct {
	connect func(ctx context.Context) (*pgconn.PgConn, error) // in a transaction of the snapshot

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	order   chan *chunk // as they are to be handed over; closed after the last
	work    chan *chunk
	free    chan *rowBlock
}

// start begins to read.
func (r *pieceReader) start(plan *snapshotPlan, connections int) {
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.order = make(chan *chunk, connections)
	r.work = make(chan *chunk)
	r.free = make(chan *rowBlock, 2*connections*blocksAhead)
	r.running.Go(func() { r.dispatch(plan) })
	for range connections {
		r.running.Go(r.run)
	}
}

// stop ends all connections and waits for them.
func (r *pieceReader) stop() {
	if r.cancel != nil {
		r.cancel()
		r.running.Wait()
	}
}

// dispatch deals the pieces out, those that have nothing to be read aside.
func (r *pieceReader) dispatch(plan *snapshotPlan) {
	defer close(r.work)
	defer close(r.order)
	plan.pieces(func(p piece) bool {
		c := newChunk(p)
		select {
		case r.order <- c:
		case <-r.ctx.Done():
			return false
		}
		if p.rel.paged && p.rel.pages == 0 {
			close(c.blocks)
			return true
		}
		select {
		case r.work <- c:
			return true
		case <-r.ctx.Done():
			return false
		}
	})
}

// run is one connection: it takes the next piece that nobody has.
func (r *pieceReader) run() {
	var conn *pgconn.PgConn
	defer func() {
		if conn != nil {
			closeConn(conn)
		}
	}()
	locked := uint32(0)
	for c := range r.work {
		if conn == nil {
			conn, c.err = r.connect(r.ctx)
		}
		if c.err == nil && c.rel.oid != locked {
			c.err = lockRelation(r.ctx, conn, c.rel)
			locked = c.rel.oid
		}
		if c.err == nil {
			c.err = r.read(conn, c)
		}
		failed := c.err != nil
		close(c.blocks)
		if failed {
			return // whoever reads in order gets there and stops
		}
	}
}

// lockRelation keeps a table from being changed until the transaction ends, and
// makes sure that it was not since the snapshot: to older snapshots a table that
// was rewritten looks empty.
func lockRelation(ctx context.Context, conn *pgconn.PgConn, r *relation) error {
	if r.file == 0 || r.override != "" {
		return nil
	}
	sql := fmt.Sprintf("LOCK TABLE ONLY %s IN ACCESS SHARE MODE; SELECT pg_relation_filenode(%d)", quoteTable(r.name.schema, r.name.name), r.oid)
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return changedError(err)
	}
	rows := results[len(results)-1].Rows
	if len(rows) != 1 || string(rows[0][0]) != strconv.FormatUint(uint64(r.file), 10) {
		return errChanged
	}
	return nil
}

// changedError tells errors that come from a table's change from others.
func changedError(err error) error {
	const stateUndefinedColumn = "42703"
	switch sqlState(err) {
	case stateUndefinedTable, stateUndefinedColumn:
		return errChanged
	}
	return err
}

func (r *pieceReader) read(conn *pgconn.PgConn, c *chunk) error {
	s := &copySplitter{columns: len(c.rel.binaryForms()), size: blockBytes, block: r.newBlock()}
	s.full = func(b *rowBlock) (*rowBlock, error) {
		if err := c.put(r.ctx, b); err != nil {
			return nil, err
		}
		return r.newBlock(), nil
	}
	_, err := conn.CopyTo(r.ctx, s, c.sql())
	if err == nil {
		err = s.finish()
	}
	if err = changedError(err); err != nil {
		return err
	}
	r.recycle(s.block)
	return nil
}

func (r *pieceReader) newBlock() *rowBlock {
	select {
	case b := <-r.free:
		return b
	default:
		return &rowBlock{data: make([]byte, 0, blockBytes)}
	}
}

// recycle takes a block back. Large ones are dropped.
func (r *pieceReader) recycle(b *rowBlock) {
	if b == nil || cap(b.data) > 2*blockBytes {
		return
	}
	b.reset()
	select {
	case r.free <- b:
	default:
	}
}
