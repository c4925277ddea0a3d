package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/flate"

	"github.com/sluice-data/sluice/connect"
)

// gzipBlockBytes is how much of a file is compressed at a time.
const gzipBlockBytes = 256 << 10

// gzipHeader starts a member (RFC 1952): deflate, no name, no time, unknown
// system.
var gzipHeader = [10]byte{0x1f, 0x8b, 8, 9: 255}

// Gzip compresses the objects of a format that needs no sealing. A compressor takes a megabyte, so files do not have one each: the
// only one works on blocks of one file after another, and the blocks of a file make one gzip member, as readers expect that stop after
// the first.
type Gzip struct {
	lines Format
	w     *flate.Writer
	out   bytes.Buffer
}

// NewGzip compresses lines at a level from -1 to 9.
func NewGzip(lines Format, level int) (*Gzip, error) {
	g := &Gzip{lines: lines}
	var err error
	if g.w, err = flate.NewWriter(&g.out, level); err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	return g, nil
}

// Extension is that of the lines and .gz.
func (g *Gzip) Extension() string { return g.lines.Extension() + ".gz" }

// NewWriter returns the state of a file.
func (g *Gzip) NewWriter(r *connect.Record) (Writer, error) {
	lines, err := g.lines.NewWriter(r)
	return &gzipWriter{lines: lines, gzip: g}, err
}

// gzipWriter is what a compressed file needs between blocks.
type gzipWriter struct {
	lines   Writer
	gzip    *Gzip
	crc     uint32 // of what is compressed
	size    uint32 // of what is compressed, modulo 2^32
	started bool
}

func (w *gzipWriter) Append(block []byte, r *connect.Record) ([]byte, error) {
	return w.lines.Append(block, r)
}

func (*gzipWriter) BlockBytes() int { return gzipBlockBytes }

// Seal compresses the block, and ends the member after the last.
func (w *gzipWriter) Seal(block []byte, _ int, last bool) ([]byte, error) {
	z, out := w.gzip.w, &w.gzip.out
	out.Reset()
	if !w.started {
		w.started = true
		out.Write(gzipHeader[:])
	}
	z.Reset(out)
	// Writes to a bytes.Buffer do not fail, so neither do these.
	_, _ = z.Write(block)
	w.crc = crc32.Update(w.crc, crc32.IEEETable, block)
	w.size += uint32(len(block))
	if !last {
		_ = z.Flush()
		return out.Bytes(), nil
	}
	_ = z.Close()
	var foot [8]byte
	binary.LittleEndian.PutUint32(foot[:4], w.crc)
	binary.LittleEndian.PutUint32(foot[4:], w.size)
	out.Write(foot[:])
	return out.Bytes(), nil
}
