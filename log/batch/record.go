package batch

import (
	"encoding/binary"
	"fmt"
)

// MaxRecordHeaders is how many headers one record may have (I5).
const MaxRecordHeaders = 1 << 16

// Record is one record. Key, Value and headers point into the batch (or the decompressed records) and are valid as long as those.
type Record struct {
	Offset    int64
	Timestamp int64  // ms
	Key       []byte // nil is null
	Value     []byte // nil is null

	headers     []byte
	headerCount int
	attributes  byte
	tail        []byte // the encoded fields after the timestamp
}

// RecordHeader is one header of a record.
type RecordHeader struct {
	Key   []byte
	Value []byte // nil is null
}

// Headers returns the record's headers, appended to dst. They were checked when the record was read.
func (r *Record) Headers(dst []RecordHeader) []RecordHeader {
	d := decoder{b: r.headers}
	for range r.headerCount {
		k := d.bytes(d.varint())
		dst = append(dst, RecordHeader{Key: k, Value: d.bytes(d.varint())})
	}
	return dst
}

// HeaderCount is the number of headers.
func (r *Record) HeaderCount() int { return r.headerCount }

// Reader iterates over the records of one batch without copying.
//
//	for rd.Next() { use(rd.Record()) }
//	if err := rd.Err(); err != nil { ... }
type Reader struct {
	h    Header
	d    decoder
	rec  Record
	left int32
	err  error
}

// NewReader reads the records of the one valid batch in b. A compressed batch is decompressed by dec, whose buffer the
// records then point into; dec may be nil for batches without a codec.
func NewReader(b []byte, dec *Decompressor) (*Reader, error) {
	h, err := Parse(b)
	if err != nil {
		return nil, err
	}
	if len(b) < h.Size() {
		return nil, ErrShort
	}
	records := b[HeaderSize:h.Size()]
	if h.Codec() != None {
		if dec == nil {
			return nil, fmt.Errorf("read %s batch: no decompressor", h.Codec())
		}
		if records, err = dec.Decompress(h.Codec(), records); err != nil {
			return nil, err
		}
	}
	return &Reader{h: h, d: decoder{b: records}, left: h.Count}, nil
}

// Next reads the next record. It returns false at the end and on an error.
func (r *Reader) Next() bool {
	if r.err != nil {
		return false
	}
	if r.left == 0 {
		if len(r.d.b) > 0 {
			r.err = fmt.Errorf("%w: %d bytes after the last record", ErrCorrupt, len(r.d.b))
		}
		return false
	}
	r.left--
	if r.err = r.next(); r.err != nil {
		r.err = fmt.Errorf("record %d: %w", r.h.Count-r.left-1, r.err)
	}
	return r.err == nil
}

// Record is the record that Next has read, valid until the next call.
func (r *Reader) Record() *Record { return &r.rec }

// Err is the error that ended the iteration, if any. It matches ErrCorrupt.
func (r *Reader) Err() error { return r.err }

func (r *Reader) next() error {
	body := r.d.bytes(r.d.varint())
	if r.d.bad || body == nil {
		return fmt.Errorf("%w: record length", ErrCorrupt)
	}
	d := decoder{b: body}
	attributes := d.take(1) // unused in v2
	if attributes == nil {
		return fmt.Errorf("%w: empty record", ErrCorrupt)
	}
	tsDelta := d.varint()
	tail := d.b
	offsetDelta := d.varint()
	r.rec = Record{
		attributes: attributes[0], tail: tail,
		Offset:    r.h.BaseOffset + offsetDelta,
		Timestamp: r.h.BaseTimestamp + tsDelta,
		Key:       d.bytes(d.varint()),
		Value:     d.bytes(d.varint()),
	}
	if r.h.LogAppendTime() {
		r.rec.Timestamp = r.h.MaxTimestamp
	}
	if offsetDelta < 0 || offsetDelta > int64(r.h.LastOffsetDelta) {
		return fmt.Errorf("%w: offset delta %d, the last is %d", ErrCorrupt, offsetDelta, r.h.LastOffsetDelta)
	}
	return r.scanHeaders(&d)
}

// scanHeaders checks the headers and keeps their bytes.
func (r *Reader) scanHeaders(d *decoder) error {
	count := d.varint()
	if count < 0 || count > MaxRecordHeaders {
		return fmt.Errorf("%w: %d headers", ErrCorrupt, count)
	}
	r.rec.headers, r.rec.headerCount = d.b, int(count)
	for range count {
		if n := d.varint(); n < 0 || d.bytes(n) == nil {
			return fmt.Errorf("%w: header key", ErrCorrupt)
		}
		d.bytes(d.varint())
	}
	if d.bad || len(d.b) > 0 {
		return fmt.Errorf("%w: record fields and length disagree", ErrCorrupt)
	}
	return nil
}

// CountRecords checks that the records of a batch are as many and as long as the header says. It looks only at the length of
// each. A batch with a codec needs the decompressor.
func CountRecords(b []byte, dec *Decompressor) error {
	r, err := NewReader(b, dec)
	if err != nil {
		return err
	}
	return countRecords(r.d.b, r.h.Count)
}

// countRecords checks that b is so many records by their lengths.
func countRecords(b []byte, count int32) error {
	for i := range count {
		n, w := binary.Varint(b)
		if w <= 0 || n < 0 || n > int64(len(b)-w) {
			return fmt.Errorf("%w: length of record %d", ErrCorrupt, i)
		}
		b = b[w+int(n):]
	}
	if len(b) > 0 {
		return fmt.Errorf("%w: %d bytes after the last record", ErrCorrupt, len(b))
	}
	return nil
}

// decoder cuts fields off the front of b. bad is set by the first that does not fit; then everything reads as empty.
type decoder struct {
	b   []byte
	bad bool
}

// varint reads a zigzag varint of at most 64 bits.
func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// bytes cuts off n bytes; nil for -1 (null).
func (d *decoder) bytes(n int64) []byte {
	if n == -1 {
		return nil
	}
	return d.take(n)
}

func (d *decoder) take(n int64) []byte {
	if d.bad || n < 0 || n > int64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}
