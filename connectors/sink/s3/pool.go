package s3

// firstBufferBytes is the size of a file's first buffer: small, since there may be ten thousand files.
const firstBufferBytes = 4 << 10

// pool hands out the buffers of a sink and keeps those that come back. It counts
// all of them against maxBytes (I5) but does not refuse: whoever takes a buffer
// asks fits first and waits, see Sink.room. The caller's goroutine owns it.
type pool struct {
	maxBytes  int
	heldBytes int // handed out and free
	freeBytes int
	idleBytes int // the least freeBytes since the last trim
	peakBytes int // the most heldBytes ever
	free      map[int][][]byte
}

func newPool(maxBytes int64) *pool {
	return &pool{maxBytes: int(maxBytes), free: make(map[int][][]byte)}
}

// fits tells whether n bytes more can be handed out.
func (p *pool) fits(n int) bool { return p.heldBytes-p.freeBytes+n <= p.maxBytes }

// get returns an empty buffer with a capacity of exactly size.
func (p *pool) get(size int) []byte {
	if len(p.free[size]) > 0 {
		return p.take(size)
	}
	for c := range p.free {
		for p.heldBytes+size > p.maxBytes && len(p.free[c]) > 0 {
			p.drop(c)
		}
	}
	p.heldBytes += size
	p.peakBytes = max(p.peakBytes, p.heldBytes)
	return makePiece(size)
}

// put takes a buffer back.
func (p *pool) put(b []byte) {
	if cap(b) == 0 {
		return
	}
	p.free[cap(b)] = append(p.free[cap(b)], b[:0])
	p.freeBytes += cap(b)
	if p.heldBytes > p.maxBytes {
		p.drop(cap(b))
	}
}

// grow returns a buffer with the content of b and room for n bytes more, or as
// many as limit leaves, and takes b back.
func (p *pool) grow(b []byte, n, limit int) []byte {
	next := append(p.get(bufferBytes(len(b)+n, limit)), b...)
	p.put(b)
	return next
}

// trim gives the memory back that nobody has needed since the last trim.
func (p *pool) trim() {
	for c := range p.free {
		for p.idleBytes >= c && len(p.free[c]) > 0 {
			p.idleBytes -= c
			p.drop(c)
		}
	}
	p.idleBytes = p.freeBytes
}

// drop gives the memory of a free buffer back.
func (p *pool) drop(size int) {
	dropPiece(p.take(size))
	p.heldBytes -= size
}

// close drops all free buffers.
func (p *pool) close() {
	for c := range p.free {
		for len(p.free[c]) > 0 {
			p.drop(c)
		}
	}
}

// take removes a free buffer from its list.
func (p *pool) take(size int) []byte {
	list := p.free[size]
	b := list[len(list)-1]
	list[len(list)-1] = nil
	p.free[size] = list[:len(list)-1]
	p.freeBytes -= size
	p.idleBytes = min(p.idleBytes, p.freeBytes)
	return b
}

// bufferBytes is the size of a buffer for n bytes: 4 KiB doubled as often as
// needed, limit at most.
func bufferBytes(n, limit int) int {
	size := firstBufferBytes
	for size < n && size < limit {
		size *= 2
	}
	return min(size, limit)
}
