package s3

import "time"

// Limits of S3 for one object.
const (
	minPartBytes   = 5 << 20 // of every part but the last
	maxPartBytes   = 5 << 30
	partsPerStep   = 1000  // parts until their size doubles
	maxParts       = 9_500 // of 10,000: the rest is for a last record of 2 GiB
	maxObjectBytes = 5<<40 - 1<<32
)

// rotation decides when a file gets no more records. All rules are here.
type rotation struct {
	flushSize int
	maxAge    time.Duration // negative: no limit
}

func newRotation(c *Config) rotation { return rotation{c.flushSize, c.maxAge} }

// full tells after a record whether the file has to be rotated.
func (r rotation) full(f *file) bool {
	return f.records >= r.flushSize || len(f.up.parts) >= maxParts || f.bytes >= maxObjectBytes
}

// old tells whether the file's first record came maxAge ago. It is asked
// without records too: an idle file is rotated as well.
func (r rotation) old(f *file, now time.Time) bool {
	return r.maxAge >= 0 && now.Sub(f.opened) >= r.maxAge
}

// partBytes is the size of the part after n parts. It doubles every 1,000 parts,
// so that 10,000 make an object of any size that memory allows.
func (c *Config) partBytes(n int) int {
	return min(c.firstPartBytes()<<(n/partsPerStep), c.largestPartBytes(), maxPartBytes)
}
