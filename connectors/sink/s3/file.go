package s3

import (
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

// file is one object in the making. The caller's goroutine owns it.
type file struct {
	key     string
	up      *upload       // nil before the first record is in
	writer  format.Writer // nil for a restored file
	block   []byte        // records that are not sealed yet; from the pool
	rows    int           // in block
	buf     []byte        // the next part; from the pool
	records int
	first   int64 // offset of a record in it
	last    int64
	bytes   int64 // without compression
	written int64 // of the object

	steps    int  // ops on their way
	offered  bool // Prepare has returned it: it may be committed
	showing  bool // the op that makes the object visible is on its way
	complete bool
}

// sent tells whether all parts of a rotated file are on the server. One that could
// not be sent fails the sink.
func (f *file) sent() bool { return f.steps == 0 && len(f.buf) == 0 }

// busy tells whether ops of the file are on their way.
func (f *file) busy() bool { return f.steps > 0 }

// appearing tells whether the object may become visible at any time.
func (f *file) appearing() bool { return f.showing && !f.complete && f.busy() }

// held is what the file has of the pool.
func (f *file) held() int { return cap(f.buf) + cap(f.block) }

// growth is how many bytes of the pool it takes for n bytes more in the file.
func (c *Config) growth(f *file, n int) int {
	limit, blockBytes := c.partBytes(len(f.up.parts)), f.writer.BlockBytes()
	if blockBytes == 0 {
		return growth(f.buf, n, limit)
	}
	need := growth(f.block, n, max(blockBytes, n))
	if len(f.block)+n >= blockBytes {
		need += growth(f.buf, max(n, blockBytes), limit)
	}
	return need
}

func growth(b []byte, n, limit int) int {
	switch {
	case n <= cap(b)-len(b):
		return 0
	case n > limit:
		return min(n, 2*limit) // its parts leave as they fill
	default:
		return bufferBytes(len(b)+n, limit)
	}
}

// add appends a record's bytes to the file.
func (s *Sink) add(f *file, line []byte) {
	f.records++
	f.bytes += int64(len(line))
	blockBytes := f.writer.BlockBytes()
	if blockBytes == 0 {
		s.fill(f, line)
		return
	}
	if len(f.block) > 0 && len(f.block)+len(line) > blockBytes {
		s.seal(f, false)
	}
	if cap(f.block)-len(f.block) < len(line) {
		f.block = s.pool.grow(f.block, len(line), max(blockBytes, len(line)))
	}
	f.block = append(f.block, line...)
	f.rows++
}

// seal makes bytes of the object of the file's block.
func (s *Sink) seal(f *file, last bool) {
	out, err := f.writer.Seal(f.block, f.rows, last)
	if err != nil && s.err == nil {
		s.err = s.store.named(f.up.key, err)
	}
	s.packing.note(len(f.block), len(out))
	s.fill(f, out)
	f.block, f.rows = f.block[:0], 0
	if last {
		s.pool.put(f.block)
		f.block = nil
	}
}

// fill appends bytes of the object, which send the parts that they make full.
func (s *Sink) fill(f *file, p []byte) {
	f.written += int64(len(p))
	for len(p) > 0 {
		if len(f.buf) == cap(f.buf) {
			limit := s.config.partBytes(len(f.up.parts))
			if len(f.buf) >= limit {
				s.sendPart(f)
			}
			f.buf = s.pool.grow(f.buf, len(p), limit)
		}
		p = move(&f.buf, p)
	}
}

// move appends as much of p to the buffer as there is room for and returns the
// rest.
func move(buf *[]byte, p []byte) []byte {
	n := min(cap(*buf)-len(*buf), len(p))
	*buf = append(*buf, p[:n]...)
	return p[n:]
}

// packing estimates what blocks become when they are sealed, so that files can be rotated by the size of their objects.
type packing struct{ in, out float64 }

// note takes one block into account; older ones fade.
func (p *packing) note(in, out int) {
	const kept = 0.75
	p.in, p.out = p.in*kept+float64(in), p.out*kept+float64(out)
}

// size estimates the object of a file.
func (p *packing) size(f *file) int64 {
	if p.in == 0 {
		return f.written + int64(len(f.block))
	}
	return f.written + int64(float64(len(f.block))*p.out/p.in)
}
