package batch

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Rewriter writes what compaction leaves of a batch. The zero value is ready; it keeps its buffers. Not for concurrent use.
type Rewriter struct {
	records    []byte
	compressor compressor
}

// Rewrite appends to dst the batch with this header as it is with only the given records of it, in order and at least one. Offsets,
// sequence numbers, producer and codec stay, so that the offsets and sequence numbers of the records that are gone stay taken.
//
// A horizon in ms of 0 or more becomes the delete horizon (KIP-534): the time after which tombstones and transaction markers of the
// batch may go. It takes the place of the base timestamp; the records keep their times.
func (w *Rewriter) Rewrite(dst []byte, h Header, records []Record, horizonMs int64) ([]byte, error) {
	if horizonMs >= 0 {
		h.Attributes |= deleteHorizonBit
		h.BaseTimestamp = horizonMs
	}
	h.Count = int32(len(records))
	latest := int64(math.MinInt64)
	w.records = w.records[:0]
	for i := range records {
		w.record(&records[i], h.BaseTimestamp)
		latest = max(latest, records[i].Timestamp)
	}
	if !h.LogAppendTime() {
		h.MaxTimestamp = latest
	}
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	dst, err := w.compressor.compress(dst, h.Codec(), w.records)
	if err != nil {
		return dst[:start], fmt.Errorf("rewrite batch: %w", err)
	}
	if len(dst)-start > math.MaxInt32 {
		return dst[:start], fmt.Errorf("rewrite batch: %d bytes", len(dst)-start)
	}
	h.put(dst[start:])
	return dst, nil
}

// record appends one record whose timestamp is relative to base.
func (w *Rewriter) record(r *Record, base int64) {
	var delta [binary.MaxVarintLen64]byte
	n := binary.PutVarint(delta[:], r.Timestamp-base)
	w.records = binary.AppendVarint(w.records, int64(1+n+len(r.tail)))
	w.records = append(w.records, r.attributes)
	w.records = append(w.records, delta[:n]...)
	w.records = append(w.records, r.tail...)
}

// AppendEmpty appends to dst the batch with this header without its records, as Kafka's cleaner leaves it: it still says which
// offsets and sequence numbers are taken and who its producer was.
func AppendEmpty(dst []byte, h Header) []byte {
	h.Attributes &^= codecMask | deleteHorizonBit
	h.BaseTimestamp, h.Count = -1, 0
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	h.put(dst[start:])
	return dst
}
