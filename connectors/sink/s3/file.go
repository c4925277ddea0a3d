package s3

import (
	"cmp"

	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

// file is one object in the making. The caller's goroutine owns it.
type file struct {
	key     string
	group   *group        // nil for a restored file
	up      *upload       // nil before the first record is in
	writer  format.Writer // nil for a restored file
	block   block
	buf     buffer // the next part
	records int
	first   int64 // offset of a record in it
	last    int64
	bytes   int64 // without compression
	written int64 // of the object

	steps    int  // ops on their way
	failed   bool // a step has failed: not all of it is on the server
	offered  bool // Prepare has returned it: it may be committed
	showing  bool // the op that makes the object visible is on its way
	complete bool
}

// sent tells whether all parts of a rotated file are on the server. One of which a step has failed never is (I3); it fails the sink.
func (f *file) sent() bool { return f.steps == 0 && f.buf.n == 0 && !f.failed }

// busy tells whether ops of the file are on their way.
func (f *file) busy() bool { return f.steps > 0 }

// appearing tells whether the object may become visible at any time.
func (f *file) appearing() bool { return f.showing && !f.complete && f.busy() }

// held is what the file has of the pool.
func (f *file) held() int { return f.buf.capacity() + f.block.held }

// growth is how many bytes of the pool it takes for n bytes more in the file.
func (c *Config) growth(f *file, n int) int {
	limit, blockBytes := c.partBytes(len(f.up.parts)), f.writer.BlockBytes()
	if blockBytes == 0 {
		return f.buf.growth(n, limit)
	}
	need := f.block.growth(n, blockBytes)
	if f.block.n+n >= blockBytes {
		need += f.buf.growth(max(n, blockBytes), limit)
	}
	return need
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
	if f.block.n > 0 && f.block.n+len(line) > blockBytes {
		s.seal(f, false)
	}
	s.pool.addRow(&f.block, line, blockBytes)
}

// seal makes bytes of the object of the file's block.
func (s *Sink) seal(f *file, last bool) {
	before := f.written
	if err := f.writer.Seal(filling{s, f}, f.block.pieces, f.block.rows, last); err != nil {
		f.failed = true
		s.err = cmp.Or(s.err, s.store.named(f.up.key, err))
	}
	s.packing.note(f.block.n, int(f.written-before))
	if last {
		s.pool.releaseBlock(&f.block)
	} else {
		s.pool.restart(&f.block)
	}
}

// filling takes what sealing a file makes.
type filling struct {
	sink *Sink
	file *file
}

func (w filling) Write(p []byte) (int, error) {
	w.sink.fill(w.file, p)
	return len(p), nil
}

// Free implements format.Output.
func (w filling) Free(piece []byte) { w.sink.pool.freePiece(&w.file.block, piece) }

// fill appends bytes of the object, which send the parts that they make full.
func (s *Sink) fill(f *file, p []byte) {
	f.written += int64(len(p))
	for len(p) > 0 {
		if f.buf.room() == 0 {
			limit := s.config.partBytes(len(f.up.parts))
			if f.buf.n >= limit {
				s.sendPart(f)
			}
			s.pool.extend(&f.buf, len(p), limit)
		}
		p = f.buf.move(p)
	}
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
		return f.written + int64(f.block.n)
	}
	return f.written + int64(float64(f.block.n)*p.out/p.in)
}
