package s3

import (
	"time"

	"github.com/sluice-data/sluice/connect"
)

// partition is what the sink keeps for a topic-partition.
type partition struct {
	connect.TopicPartition
	next     int64   // the offset after the last record taken; -1: unknown, as are the next two
	durable  int64   // every record before it is in a complete object, or left out
	reported int64   // what is committed as far as we know
	open     *file   // gets the next record; nil before it
	rotated  []*file // in order; those that were offered come first
	saved    string  // the state that is committed; "" without one
	offer    *offer  // what the last Prepare returned; nil: nothing
	// failed are records of the batch that a Write could not end with: the same
	// Write comes again and has to name them too.
	failed []connect.RecordError
}

func newPartition(tp connect.TopicPartition, start int64) *partition {
	return &partition{TopicPartition: tp, next: start, durable: start, reported: start}
}

// advance moves durable over the complete files at the head of rotated, never
// past an incomplete one (I2, I3).
func (p *partition) advance() {
	for len(p.rotated) > 0 && p.rotated[0].complete {
		p.durable = p.rotated[0].end
		p.rotated[0] = nil
		p.rotated = p.rotated[1:]
	}
	if len(p.rotated) == 0 && p.open == nil {
		p.durable = p.next // records left out leave nothing to wait for
	}
}

// files returns all files that are not complete.
func (p *partition) files() []*file {
	files := append([]*file(nil), p.rotated...)
	if p.open != nil {
		files = append(files, p.open)
	}
	return files
}

// file is one object in the making. The caller's goroutine owns it.
type file struct {
	up      *upload
	end     int64 // the offset after its last record; set by rotate
	records int
	bytes   int64     // without compression
	opened  time.Time // when the first record came
	buf     []byte    // the next part; from the pool
	gz      gzipState

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
func (f *file) held() int { return cap(f.buf) + cap(f.gz.block) }

// growth is how many bytes of the pool it takes for n bytes more in the file.
func (c *Config) growth(f *file, n int) int {
	limit := c.partBytes(len(f.up.parts))
	if !c.gzip() {
		return growth(f.buf, n, limit)
	}
	need := growth(f.gz.block, n, blockBytes)
	if len(f.gz.block)+n >= blockBytes {
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

// add appends a line to the file.
func (s *Sink) add(f *file, line []byte) {
	f.records++
	f.bytes += int64(len(line))
	if !s.config.gzip() {
		s.fill(f, line)
		return
	}
	for len(line) > 0 {
		if len(f.gz.block) == blockBytes {
			s.fill(f, s.deflater.deflate(&f.gz, false))
		}
		if len(f.gz.block) == cap(f.gz.block) {
			f.gz.block = s.pool.grow(f.gz.block, len(line), blockBytes)
		}
		line = move(&f.gz.block, line)
	}
}

// fill appends bytes of the object, which send the parts that they make full.
func (s *Sink) fill(f *file, p []byte) {
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
