// Package chunks reads bytes that are in several pieces of memory.
package chunks

import (
	"errors"
	"io"
)

// Reader reads Chunks one after the other, as often as it is sent back. More may be added at the end.
type Reader struct {
	Chunks [][]byte
	i, at  int // the next byte is Chunks[i][at]
}

var errSeek = errors.New("seek beyond the pieces of memory")

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for r.i < len(r.Chunks) && r.at == len(r.Chunks[r.i]) {
		r.i, r.at = r.i+1, 0
	}
	if r.i == len(r.Chunks) {
		return 0, io.EOF
	}
	n := copy(p, r.Chunks[r.i][r.at:])
	r.at += n
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *Reader) WriteTo(w io.Writer) (written int64, err error) {
	for ; r.i < len(r.Chunks); r.i, r.at = r.i+1, 0 {
		n, err := w.Write(r.Chunks[r.i][r.at:])
		r.at += n
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	size, position := int64(0), int64(r.at)
	for i, c := range r.Chunks {
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
	for r.i < len(r.Chunks) && r.at > len(r.Chunks[r.i]) {
		r.i, r.at = r.i+1, r.at-len(r.Chunks[r.i])
	}
	return offset, nil
}
