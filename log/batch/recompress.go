package batch

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Recompressor gives batches another codec. Not for concurrent use.
type Recompressor struct {
	dec *Decompressor
	enc compressor
}

// NewRecompressor returns one that refuses batches with more than limit bytes of records (I5).
func NewRecompressor(limit int) *Recompressor { return &Recompressor{dec: NewDecompressor(limit)} }

// Decompressor returns its decompressor, which is free between two calls of Recompress.
func (r *Recompressor) Decompressor() *Decompressor { return r.dec }

// Trim gives buffers back that a large batch has left.
func (r *Recompressor) Trim() {
	const keep = 1 << 20
	if cap(r.dec.buf) > keep {
		r.dec.buf = nil
	}
}

// Recompress appends to dst the one valid batch in b with another codec. Records and header stay as they are but for codec,
// length and CRC. It checks that the records are as many and as long as the header says. Errors match ErrCorrupt or ErrTooLarge.
func (r *Recompressor) Recompress(dst, b []byte, codec Codec) ([]byte, error) {
	h, err := Parse(b)
	if err != nil {
		return dst, err
	}
	if len(b) != h.Size() {
		return dst, ErrShort
	}
	records, err := r.dec.Decompress(h.Codec(), b[HeaderSize:])
	if err != nil {
		return dst, err
	}
	if err := countRecords(records, h.Count); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(dst, b[:HeaderSize]...)
	if dst, err = r.enc.compress(dst, codec, records); err != nil {
		return dst, fmt.Errorf("compress batch: %w", err)
	}
	out := dst[start:]
	if len(out) > math.MaxInt32 {
		return dst, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(out))
	}
	binary.BigEndian.PutUint32(out[posLength:], uint32(len(out)-overhead))
	binary.BigEndian.PutUint16(out[posAttributes:], uint16(h.Attributes&^codecMask)|uint16(codec))
	binary.BigEndian.PutUint32(out[posCRC:], Checksum(out))
	return dst, nil
}
