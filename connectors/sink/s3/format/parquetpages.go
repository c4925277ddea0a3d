package format

import (
	"io"

	"github.com/sluice-data/sluice/connectors/sink/s3/chunks"
)

const (
	ownPageBytes = 64 << 10 // of a piece for pages that come before a piece of the block has been read
	maxOwnPages  = 16       // such pieces that are kept
)

// pagePool has the compressed pages of a row group until its last column is complete: in the file the pages of a column stand together. It is the pool of the library's
// writers, but all their buffers are in the same memory, one page after the other: where rows of the block were that are columns already.
type pagePool struct {
	current []byte   // where the next page goes
	room    [][]byte // pieces of the block that nobody reads any more
	own     [][]byte // for pages that come before
	used    int      // of own
	free    []*pageBuffer
}

// add gives memory to pages that come.
func (p *pagePool) add(piece []byte) { p.room = append(p.room, piece[:0]) }

// place makes room in current.
func (p *pagePool) place() {
	switch n := len(p.room); {
	case len(p.current) < cap(p.current):
	case n > 0:
		p.current, p.room = p.room[n-1], p.room[:n-1]
	default:
		if p.used == len(p.own) {
			p.own = append(p.own, make([]byte, 0, ownPageBytes))
		}
		p.current = p.own[p.used]
		p.used++
	}
}

// takeRoom returns the memory that was given and that no page needed. Pages that come after it do not get it.
func (p *pagePool) takeRoom() [][]byte {
	room := p.room
	p.room = nil
	return room
}

// reset forgets all pages and the memory that was given.
func (p *pagePool) reset() {
	p.current, p.room, p.used = nil, nil, 0
	if len(p.own) > maxOwnPages {
		clear(p.own[maxOwnPages:])
		p.own = p.own[:maxOwnPages]
	}
}

// GetBuffer implements parquet.BufferPool. A pool belongs to one goroutine, as the format does.
func (p *pagePool) GetBuffer() io.ReadWriteSeeker {
	n := len(p.free)
	if n == 0 {
		return &pageBuffer{pool: p}
	}
	b := p.free[n-1]
	p.free = p.free[:n-1]
	return b
}

// PutBuffer implements parquet.BufferPool.
func (p *pagePool) PutBuffer(rw io.ReadWriteSeeker) {
	b := rw.(*pageBuffer)
	clear(b.Chunks)
	b.Reader = chunks.Reader{Chunks: b.Chunks[:0]}
	p.free = append(p.free, b)
}

// pageBuffer has the pages of a column. They are written, and then read from the start once.
type pageBuffer struct {
	pool *pagePool
	chunks.Reader
}

func (b *pageBuffer) Write(page []byte) (int, error) {
	n := len(page)
	for len(page) > 0 {
		b.pool.place()
		to := &b.pool.current
		from := len(*to)
		fits := min(cap(*to)-from, len(page))
		*to = append(*to, page[:fits]...)
		b.Chunks = append(b.Chunks, (*to)[from:])
		page = page[fits:]
	}
	return n, nil
}
