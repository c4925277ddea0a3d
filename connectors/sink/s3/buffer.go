package s3

import (
	"errors"
	"io"
)

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

// chunkReader reads pieces one after the other, as often as it is sent back.
type chunkReader struct {
	chunks [][]byte
	i, at  int // the next byte is chunks[i][at]
}

var errSeek = errors.New("seek beyond the body of a request")

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	for r.i < len(r.chunks) && r.at == len(r.chunks[r.i]) {
		r.i, r.at = r.i+1, 0
	}
	if r.i == len(r.chunks) {
		return 0, io.EOF
	}
	n := copy(p, r.chunks[r.i][r.at:])
	r.at += n
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *chunkReader) WriteTo(w io.Writer) (written int64, err error) {
	for ; r.i < len(r.chunks); r.i, r.at = r.i+1, 0 {
		n, err := w.Write(r.chunks[r.i][r.at:])
		r.at += n
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Seek implements io.Seeker.
func (r *chunkReader) Seek(offset int64, whence int) (int64, error) {
	size, position := int64(0), int64(r.at)
	for i, c := range r.chunks {
		if i < r.i {
			position += int64(len(c))
		}
		size += int64(len(c))
	}
	switch whence {
	case io.SeekCurrent:
		offset += position
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 || offset > size {
		return 0, errSeek
	}
	r.i, r.at = 0, int(offset)
	for r.i < len(r.chunks) && r.at > len(r.chunks[r.i]) {
		r.i, r.at = r.i+1, r.at-len(r.chunks[r.i])
	}
	return offset, nil
}
