package s3

// chunkBytes is how large the pieces of a buffer become.
const chunkBytes = 1 << 20

// buffer has bytes of an object, the next part of it, in pieces from the pool: one that doubles up to chunkBytes, then further ones of that size. So large files are
// not copied as they grow, and every file can use the pieces that another has given back.
type buffer struct {
	chunks [][]byte // all but the last have chunkBytes and are full
	n      int      // bytes in them
}

// capacity is what the buffer has of the pool.
func (b *buffer) capacity() int { return b.n + b.room() }

// small tells whether the buffer has one piece at most, which doubles.
func (b *buffer) small() bool {
	return len(b.chunks) == 0 || len(b.chunks) == 1 && cap(b.chunks[0]) < chunkBytes
}

// room is how many bytes more it can have as it is.
func (b *buffer) room() int {
	if len(b.chunks) == 0 {
		return 0
	}
	last := b.chunks[len(b.chunks)-1]
	return cap(last) - len(last)
}

// move appends as much of p as there is room for and returns the rest.
func (b *buffer) move(p []byte) []byte {
	last := &b.chunks[len(b.chunks)-1]
	n := min(cap(*last)-len(*last), len(p))
	*last = append(*last, p[:n]...)
	b.n += n
	return p[n:]
}

// growth is how many bytes of the pool it takes for n bytes more, in parts of limit bytes.
func (b *buffer) growth(n, limit int) int {
	room := b.room()
	switch {
	case n <= room:
		return 0
	case n > limit:
		return min(n, 2*limit) // its parts leave as they fill
	case b.small() && b.n+n <= min(limit, chunkBytes):
		return bufferBytes(b.n+n, min(limit, chunkBytes))
	case b.small():
		return roundUp(b.n+n, chunkBytes)
	}
	return roundUp(n-room, chunkBytes)
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// extend makes room in a full buffer for some of n bytes more, for limit bytes in all at most.
func (p *pool) extend(b *buffer, n, limit int) {
	if !b.small() {
		b.chunks = append(b.chunks, p.get(min(chunkBytes, limit-b.n)))
		return
	}
	var old []byte
	if len(b.chunks) > 0 {
		old = b.chunks[0]
	}
	b.chunks = append(b.chunks[:0], p.grow(old, n, min(limit, chunkBytes)))
}

// release takes the pieces of a buffer back and leaves it empty.
func (p *pool) release(b *buffer) {
	for _, c := range b.chunks {
		p.put(c)
	}
	*b = buffer{}
}
