package s3

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/flate"
)

// blockBytes is how much of a file is compressed at a time.
const blockBytes = 256 << 10

// gzipHeader starts a member (RFC 1952): deflate, no name, no time, unknown
// system.
var gzipHeader = [10]byte{0x1f, 0x8b, 8, 9: 255}

// gzipState is what a compressed file needs between blocks. A compressor takes
// a megabyte, so files do not have one each: the sink's only deflater works on
// blocks of one file after another, and the file's blocks make one gzip member,
// as readers expect that stop after the first.
type gzipState struct {
	block   []byte // not compressed yet; from the pool
	crc     uint32 // of what is compressed
	size    uint32 // of what is compressed, modulo 2^32
	started bool
}

// deflater compresses blocks. Its memory is used again.
type deflater struct {
	w   *flate.Writer
	out bytes.Buffer
}

func newDeflater(level int) (*deflater, error) {
	d := new(deflater)
	w, err := flate.NewWriter(&d.out, level)
	if err != nil {
		return nil, err
	}
	d.w = w
	return d, nil
}

// deflate compresses the state's block, and ends the member after the last. The
// result is the deflater's until the next call.
func (d *deflater) deflate(g *gzipState, last bool) []byte {
	d.out.Reset()
	if !g.started {
		g.started = true
		d.out.Write(gzipHeader[:])
	}
	d.w.Reset(&d.out)
	// Writes to a bytes.Buffer do not fail, so neither do these.
	_, _ = d.w.Write(g.block)
	g.crc = crc32.Update(g.crc, crc32.IEEETable, g.block)
	g.size += uint32(len(g.block))
	g.block = g.block[:0]
	if !last {
		_ = d.w.Flush()
		return d.out.Bytes()
	}
	_ = d.w.Close()
	var foot [8]byte
	binary.LittleEndian.PutUint32(foot[:4], g.crc)
	binary.LittleEndian.PutUint32(foot[4:], g.size)
	d.out.Write(foot[:])
	return d.out.Bytes()
}
