package batch

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Builder makes one batch. The zero value is ready; Reset starts the next one and keeps the buffers.
type Builder struct {
	// Codec compresses the records.
	Codec Codec
	// ProducerID, ProducerEpoch and BaseSequence are used when Idempotent.
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Idempotent    bool
	// Transactional makes the batch part of the producer's transaction; it needs Idempotent.
	Transactional bool

	control    bool // of Marker
	records    []byte
	scratch    []byte
	count      int32
	baseTime   int64
	maxTime    int64
	compressor compressor
}

// Reset forgets the records. The exported fields stay.
func (b *Builder) Reset() { b.records, b.count = b.records[:0], 0 }

// Count is the number of records appended.
func (b *Builder) Count() int { return int(b.count) }

// Append adds a record. Nil key or value is null. timestamp is in ms.
func (b *Builder) Append(timestamp int64, key, value []byte, headers ...RecordHeader) {
	if b.count == 0 {
		b.baseTime, b.maxTime = timestamp, timestamp
	}
	b.maxTime = max(b.maxTime, timestamp)
	r := append(b.scratch[:0], 0) // attributes
	r = binary.AppendVarint(r, timestamp-b.baseTime)
	r = binary.AppendVarint(r, int64(b.count))
	r = appendBytes(r, key)
	r = appendBytes(r, value)
	r = binary.AppendVarint(r, int64(len(headers)))
	for _, h := range headers {
		r = binary.AppendVarint(r, int64(len(h.Key)))
		r = append(r, h.Key...)
		r = appendBytes(r, h.Value)
	}
	b.scratch = r
	b.records = binary.AppendVarint(b.records, int64(len(r)))
	b.records = append(b.records, r...)
	b.count++
}

// appendBytes appends a length and bytes, -1 for nil.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

// Build returns the batch with base offset 0 and leader epoch -1, as a producer sends it, appended to dst.
func (b *Builder) Build(dst []byte) ([]byte, error) {
	if b.count == 0 {
		return dst, fmt.Errorf("build batch: no records")
	}
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	dst, err := b.compressor.compress(dst, b.Codec, b.records)
	if err != nil {
		return dst, fmt.Errorf("build batch: %w", err)
	}
	if len(dst)-start > math.MaxInt32 {
		return dst, fmt.Errorf("build batch: %d bytes", len(dst)-start)
	}
	b.header(dst[start:])
	return dst, nil
}

// header fills the first HeaderSize bytes of a batch whose records are in place.
func (b *Builder) header(out []byte) {
	h := Header{
		LeaderEpoch: -1, Attributes: b.attributes(), LastOffsetDelta: b.count - 1, BaseTimestamp: b.baseTime, MaxTimestamp: b.maxTime,
		ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Count: b.count,
	}
	if b.Idempotent {
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = b.ProducerID, b.ProducerEpoch, b.BaseSequence
	}
	h.put(out)
}

func (b *Builder) attributes() int16 {
	a := int16(b.Codec)
	if b.Transactional {
		a |= transactionalBit
	}
	if b.control {
		a |= controlBit
	}
	return a
}
