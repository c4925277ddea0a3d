package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// HeaderSize is the length in bytes of a batch header, and so of the smallest batch.
const HeaderSize = 61

// overhead is the part of a batch that its length field does not count: base offset and the length itself.
const overhead = 12

// Byte positions of the header fields.
const (
	posBaseOffset      = 0
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57
)

// Attribute bits (KIP-98, KIP-534).
const (
	codecMask        = 0x07
	logAppendTimeBit = 0x08
	transactionalBit = 0x10
	controlBit       = 0x20
	deleteHorizonBit = 0x40
	magicV2          = 2
	minBatchLength   = HeaderSize - overhead
)

// ErrCorrupt is wrapped by every error about bytes that are not a valid batch.
var ErrCorrupt = errors.New("corrupt batch")

// ErrShort says that the bytes end before the batch does. It matches ErrCorrupt too.
var ErrShort = fmt.Errorf("%w: ends early", ErrCorrupt)

// ErrChecksum says that the CRC is wrong: the bytes changed on their way. It matches ErrCorrupt too.
var ErrChecksum = fmt.Errorf("%w", ErrCorrupt)

// ErrMagic says that the batch is in the message format v0 or v1, which is not supported. It matches ErrCorrupt too.
var ErrMagic = fmt.Errorf("%w: only message format v2 is supported", ErrCorrupt)

// Header is the fixed part of a record batch v2.
type Header struct {
	BaseOffset      int64
	Length          int32 // bytes after the length field
	LeaderEpoch     int32
	CRC             uint32
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64 // ms
	MaxTimestamp    int64 // ms
	ProducerID      int64 // -1 when not idempotent
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32 // records
}

// Parse reads the header at the start of b. It checks what can be checked without the records: length, magic, counts.
// Not the CRC; see [Validate]. It returns ErrShort, ErrMagic or another error that matches ErrCorrupt.
func Parse(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrShort
	}
	be := binary.BigEndian
	h := Header{
		BaseOffset:      int64(be.Uint64(b[posBaseOffset:])),
		Length:          int32(be.Uint32(b[posLength:])),
		LeaderEpoch:     int32(be.Uint32(b[posLeaderEpoch:])),
		CRC:             be.Uint32(b[posCRC:]),
		Attributes:      int16(be.Uint16(b[posAttributes:])),
		LastOffsetDelta: int32(be.Uint32(b[posLastOffsetDelta:])),
		BaseTimestamp:   int64(be.Uint64(b[posBaseTimestamp:])),
		MaxTimestamp:    int64(be.Uint64(b[posMaxTimestamp:])),
		ProducerID:      int64(be.Uint64(b[posProducerID:])),
		ProducerEpoch:   int16(be.Uint16(b[posProducerEpoch:])),
		BaseSequence:    int32(be.Uint32(b[posBaseSequence:])),
		Count:           int32(be.Uint32(b[posCount:])),
	}
	if b[posMagic] != magicV2 {
		return h, ErrMagic
	}
	return h, h.check()
}

// put writes the header in front of the records of the one batch in out, whose length and CRC it takes.
func (h *Header) put(out []byte) {
	be := binary.BigEndian
	be.PutUint64(out[posBaseOffset:], uint64(h.BaseOffset))
	be.PutUint32(out[posLength:], uint32(len(out)-overhead))
	be.PutUint32(out[posLeaderEpoch:], uint32(h.LeaderEpoch))
	out[posMagic] = magicV2
	be.PutUint16(out[posAttributes:], uint16(h.Attributes))
	be.PutUint32(out[posLastOffsetDelta:], uint32(h.LastOffsetDelta))
	be.PutUint64(out[posBaseTimestamp:], uint64(h.BaseTimestamp))
	be.PutUint64(out[posMaxTimestamp:], uint64(h.MaxTimestamp))
	be.PutUint64(out[posProducerID:], uint64(h.ProducerID))
	be.PutUint16(out[posProducerEpoch:], uint16(h.ProducerEpoch))
	be.PutUint32(out[posBaseSequence:], uint32(h.BaseSequence))
	be.PutUint32(out[posCount:], uint32(h.Count))
	be.PutUint32(out[posCRC:], Checksum(out))
}

// check tests the fields against each other.
func (h *Header) check() error {
	switch {
	case h.Length < minBatchLength || h.Length > math.MaxInt32-overhead:
		return fmt.Errorf("%w: length %d", ErrCorrupt, h.Length)
	case h.BaseOffset < 0 || h.BaseOffset > math.MaxInt64-int64(math.MaxInt32)-1:
		return fmt.Errorf("%w: base offset %d", ErrCorrupt, h.BaseOffset)
	case h.Count < 0 || h.LastOffsetDelta < 0:
		return fmt.Errorf("%w: %d records, last offset delta %d", ErrCorrupt, h.Count, h.LastOffsetDelta)
	case h.Attributes&codecMask > int16(Zstd):
		return fmt.Errorf("%w: unknown compression codec %d", ErrCorrupt, h.Attributes&codecMask)
	case h.ProducerID < -1 || (h.ProducerID >= 0 && h.ProducerEpoch < 0):
		return fmt.Errorf("%w: producer id %d epoch %d", ErrCorrupt, h.ProducerID, h.ProducerEpoch)
	}
	return nil
}

// Validate checks that b is exactly one batch with the right CRC and returns its header.
func Validate(b []byte) (Header, error) {
	h, err := Parse(b)
	if err != nil {
		return h, err
	}
	if h.Size() != len(b) {
		return h, fmt.Errorf("%w: its length says %d bytes, got %d", ErrCorrupt, h.Size(), len(b))
	}
	if got := Checksum(b); got != h.CRC {
		return h, fmt.Errorf("%w: CRC is %08x, want %08x", ErrChecksum, got, h.CRC)
	}
	return h, nil
}

// Checksum is the CRC-32C over attributes to end of the one batch in b. Base offset and leader epoch are outside it,
// so that a broker can set them without touching the rest.
func Checksum(b []byte) uint32 {
	return crc32.Checksum(b[posAttributes:], crc32.MakeTable(crc32.Castagnoli))
}

// SetOffset patches the base offset and the leader epoch of the batch at the start of b.
func SetOffset(b []byte, baseOffset int64, leaderEpoch int32) {
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(baseOffset))
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(leaderEpoch))
}

// SetLogAppendTime patches the one batch in b to carry the broker's time in ms for all records (KIP-32), and its CRC.
func SetLogAppendTime(b []byte, ms int64) {
	be := binary.BigEndian
	be.PutUint16(b[posAttributes:], be.Uint16(b[posAttributes:])|logAppendTimeBit)
	be.PutUint64(b[posMaxTimestamp:], uint64(ms))
	be.PutUint32(b[posCRC:], Checksum(b))
}

// Size is the length of the whole batch in bytes.
func (h *Header) Size() int { return int(h.Length) + overhead }

// LastOffset is the offset of the last record.
func (h *Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// LastSequence is the sequence number of the last record; it wraps from 2^31-1 to 0. -1 without a sequence.
func (h *Header) LastSequence() int32 {
	if h.BaseSequence < 0 {
		return -1
	}
	return int32((int64(h.BaseSequence) + int64(h.LastOffsetDelta)) & math.MaxInt32)
}

// Codec is the compression of the records.
func (h *Header) Codec() Codec { return Codec(h.Attributes & codecMask) }

// LogAppendTime reports whether MaxTimestamp is the broker's time and counts for every record.
func (h *Header) LogAppendTime() bool { return h.Attributes&logAppendTimeBit != 0 }

// Transactional reports whether the batch belongs to a transaction (KIP-98).
func (h *Header) Transactional() bool { return h.Attributes&transactionalBit != 0 }

// Control reports whether the batch holds a control record, such as a transaction marker (KIP-98).
func (h *Header) Control() bool { return h.Attributes&controlBit != 0 }

// DeleteHorizon reports whether BaseTimestamp is the time in ms after which tombstones may go (KIP-534).
func (h *Header) DeleteHorizon() bool { return h.Attributes&deleteHorizonBit != 0 }
