package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is a compression type, numbered as in the batch attributes.
type Codec uint8

// The codecs of Kafka.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// String is the name in Kafka's configs.
func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// ErrTooLarge is returned when the decompressed records pass the limit of the [Decompressor] (I5).
var ErrTooLarge = errors.New("decompressed records are too large")

// xerial is the header of the framing that Java's snappy library puts around blocks: magic, version 1, compatible 1.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}

// Decompressor decompresses batches, one at a time, into a buffer that it keeps. Not for concurrent use.
type Decompressor struct {
	limit int // bytes
	buf   []byte
	gzip  *gzip.Reader
	lz4   *lz4.Reader
	zstd  *zstd.Decoder
}

// NewDecompressor returns a decompressor that refuses to produce more than limit bytes (I5).
func NewDecompressor(limit int) *Decompressor { return &Decompressor{limit: limit} }

// Decompress returns the decompressed records, valid until the next call. Errors match ErrCorrupt or ErrTooLarge.
func (d *Decompressor) Decompress(c Codec, src []byte) ([]byte, error) {
	var err error
	switch c {
	case None:
		return src, nil
	case Gzip:
		err = d.gunzip(src)
	case Snappy:
		err = d.unsnappy(src)
	case LZ4:
		err = d.unlz4(src)
	case Zstd:
		err = d.unzstd(src)
	default:
		err = fmt.Errorf("unknown codec")
	}
	if errors.Is(err, ErrTooLarge) {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, d.limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: decompress %s: %w", ErrCorrupt, c, err)
	}
	return d.buf, nil
}

func (d *Decompressor) gunzip(src []byte) error {
	if d.gzip == nil {
		d.gzip = new(gzip.Reader)
	}
	if err := d.gzip.Reset(bytes.NewReader(src)); err != nil {
		return err
	}
	return d.readAll(d.gzip)
}

func (d *Decompressor) unlz4(src []byte) error {
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(nil)
	}
	d.lz4.Reset(bytes.NewReader(src))
	return d.readAll(d.lz4)
}

// readAll reads r into buf, up to the limit.
func (d *Decompressor) readAll(r io.Reader) error {
	d.buf = d.buf[:0]
	for {
		if len(d.buf) > d.limit {
			return ErrTooLarge
		}
		if len(d.buf) == cap(d.buf) {
			d.buf = append(d.buf, 0)[:len(d.buf)]
		}
		n, err := r.Read(d.buf[len(d.buf):min(cap(d.buf), d.limit+1)])
		d.buf = d.buf[:len(d.buf)+n]
		if err == io.EOF {
			if len(d.buf) > d.limit {
				return ErrTooLarge
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (d *Decompressor) unzstd(src []byte) error {
	if d.zstd == nil {
		zd, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(d.limit)))
		if err != nil {
			return err
		}
		d.zstd = zd
	}
	var err error
	d.buf, err = d.zstd.DecodeAll(src, d.buf[:0])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) || len(d.buf) > d.limit {
		return ErrTooLarge
	}
	return err
}

// unsnappy takes plain snappy and xerial framing: header, then blocks of int32 length and snappy data.
func (d *Decompressor) unsnappy(src []byte) error {
	d.buf = d.buf[:0]
	if !bytes.HasPrefix(src, xerial[:8]) {
		return d.snappyBlock(src)
	}
	if len(src) < len(xerial) {
		return io.ErrUnexpectedEOF
	}
	src = src[len(xerial):]
	for len(src) > 0 {
		if len(src) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if n > int64(len(src)-4) {
			return io.ErrUnexpectedEOF
		}
		if err := d.snappyBlock(src[4 : 4+n]); err != nil {
			return err
		}
		src = src[4+n:]
	}
	return nil
}

// snappyBlock appends one decompressed block to buf.
func (d *Decompressor) snappyBlock(src []byte) error {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return err
	}
	if n > d.limit-len(d.buf) {
		return ErrTooLarge
	}
	// Snappy makes at most 64 bytes of 3: a longer claim is a lie, do not allocate for it.
	if n > 64*(len(src)+1) {
		return s2.ErrCorrupt
	}
	at := len(d.buf)
	d.buf = append(d.buf, make([]byte, n)...)
	out, err := s2.Decode(d.buf[at:at:at+n], src)
	if err != nil {
		return err
	}
	d.buf = append(d.buf[:at], out...)
	return nil
}

// ParseCodec returns the codec with a name of the config compression.type, where no compression is called uncompressed.
func ParseCodec(name string) (Codec, bool) {
	if name == "uncompressed" {
		return None, true
	}
	for c := Gzip; c <= Zstd; c++ {
		if c.String() == name {
			return c, true
		}
	}
	return None, false
}

// compressor compresses batches, one at a time, with encoders that it keeps. The zero value is ready. Not for concurrent use.
type compressor struct {
	gzip *gzip.Writer
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

// compress returns src compressed, appended to dst, as Kafka's producers do (snappy without framing, which every client reads).
func (z *compressor) compress(dst []byte, c Codec, src []byte) ([]byte, error) {
	w := bytes.NewBuffer(dst)
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		if z.gzip == nil {
			z.gzip = gzip.NewWriter(nil)
		}
		z.gzip.Reset(w)
		return finish(w, z.gzip, src)
	case Snappy:
		return append(dst, s2.EncodeSnappy(nil, src)...), nil
	case LZ4:
		if z.lz4 == nil {
			z.lz4 = lz4.NewWriter(nil)
			// As Java's producers: whoever reads a batch makes a buffer of the block size that it names.
			if err := z.lz4.Apply(lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
				return dst, err
			}
		}
		z.lz4.Reset(w)
		return finish(w, z.lz4, src)
	case Zstd:
		if z.zstd == nil {
			zw, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
			if err != nil {
				return dst, err
			}
			z.zstd = zw
		}
		z.zstd.Reset(w)
		return finish(w, z.zstd, src)
	}
	return dst, fmt.Errorf("compress: unknown %s", c)
}

// finish writes src through w, which writes to buf.
func finish(buf *bytes.Buffer, w io.WriteCloser, src []byte) ([]byte, error) {
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
