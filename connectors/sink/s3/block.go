package s3

import "slices"

// block has the rows of a file that are not sealed yet, in pieces from the pool: one that doubles up to chunkBytes, then further ones of that size. A row is
// never divided, so a piece may have room left.
type block struct {
	pieces [][]byte
	n      int // bytes in them
	held   int // bytes of the pool
	rows   int
}

// room is how long a row may be that fits as it is.
func (b *block) room() int {
	if len(b.pieces) == 0 {
		return 0
	}
	last := b.pieces[len(b.pieces)-1]
	return cap(last) - len(last)
}

// doubles tells whether a row of n bytes for which there is no room goes to one larger piece with the rest.
func (b *block) doubles(n int) bool {
	return len(b.pieces) == 0 || len(b.pieces) == 1 && b.held < chunkBytes && b.n+n <= chunkBytes
}

// growth is how many bytes of the pool a row of n bytes takes in a block of limit bytes.
func (b *block) growth(n, limit int) int {
	switch {
	case n <= b.room():
		return 0
	case b.doubles(n):
		return bufferBytes(b.n+n, max(b.n+n, min(limit, chunkBytes)))
	}
	return max(n, chunkBytes)
}

// addRow appends a row to a block of limit bytes.
func (p *pool) addRow(b *block, row []byte, limit int) {
	switch size := b.growth(len(row), limit); {
	case size == 0:
	case len(b.pieces) == 1 && b.doubles(len(row)):
		b.pieces[0] = p.grow(b.pieces[0], len(row), size)
		b.held = size
	default:
		b.pieces = append(b.pieces, p.get(size))
		b.held += size
	}
	last := &b.pieces[len(b.pieces)-1]
	*last = append(*last, row...)
	b.n += len(row)
	b.rows++
}

// freePiece takes a piece of a block back.
func (p *pool) freePiece(b *block, piece []byte) {
	i := slices.IndexFunc(b.pieces, func(have []byte) bool { return &have[:1][0] == &piece[:1][0] })
	b.pieces = slices.Delete(b.pieces, i, i+1)
	b.held -= cap(piece)
	p.put(piece)
}

// restart leaves a block empty, with a piece for the rows to come if there is one.
func (p *pool) restart(b *block) {
	if len(b.pieces) == 0 {
		*b = block{}
		return
	}
	first := b.pieces[0]
	b.pieces = b.pieces[1:]
	p.releaseBlock(b)
	*b = block{pieces: [][]byte{first[:0]}, held: cap(first)}
}

// releaseBlock takes the pieces of a block back and leaves it empty.
func (p *pool) releaseBlock(b *block) {
	for _, piece := range b.pieces {
		p.put(piece)
	}
	*b = block{}
}
