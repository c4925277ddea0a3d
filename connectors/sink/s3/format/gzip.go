package format

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

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
}

// NewGzip compresses lines at a level from -1 to 9.
func NewGzip(lines Format, level int) (*Gzip, error) {
	g := &Gzip{lines: lines}
	var err error
	if g.w, err = flate.NewWriter(io.Discard, level); err != nil {
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
func (w *gzipWriter) Seal(out Output, block [][]byte, _ int, last bool) error {
	if !w.started {
		w.started = true
		if _, err := out.Write(gzipHeader[:]); err != nil {
			return err
		}
	}
	z := w.gzip.w
	z.Reset(out)
	for _, piece := range block {
		if _, err := z.Write(piece); err != nil {
			return err
		}
		w.crc = crc32.Update(w.crc, crc32.IEEETable, piece)
		w.size += uint32(len(piece))
	}
	if !last {
		return z.Flush()
	}
	if err := z.Close(); err != nil {
		return err
	}
	foot := binary.LittleEndian.AppendUint32(nil, w.crc)
	_, err := out.Write(binary.LittleEndian.AppendUint32(foot, w.size))
	return err
}
