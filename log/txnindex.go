package log

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Layout of an entry of a .txnindex file, which lists the aborted transactions whose markers are in the segment, in the order of those:
//
//	 0 version             int16  0
//	 2 producer id         int64
//	10 first offset        int64  of the transaction's first batch, in this segment or an older one
//	18 last offset         int64  of the marker
//	26 last stable offset  int64  when the marker was the end of the log
const (
	abortedEntrySize = 34
	abortedVersion   = 0
)

// errAborted is wrapped by every error about bytes that are no entry of a transaction index.
var errAborted = errors.New("corrupt transaction index")

// abortedEntry is an aborted transaction.
type abortedEntry struct {
	producerID  int64
	firstOffset int64
	lastOffset  int64
	lastStable  int64 // every transaction that ended later began at or above it
}

func appendAbortedEntry(dst []byte, e abortedEntry) []byte {
	be := binary.BigEndian
	dst = be.AppendUint16(dst, abortedVersion)
	dst = be.AppendUint64(dst, uint64(e.producerID))
	dst = be.AppendUint64(dst, uint64(e.firstOffset))
	dst = be.AppendUint64(dst, uint64(e.lastOffset))
	return be.AppendUint64(dst, uint64(e.lastStable))
}

// abortedLastOffset is the field by which the entries are sorted.
func abortedLastOffset(b []byte) int64 { return int64(binary.BigEndian.Uint64(b[18:])) }

// decodeAbortedEntry reads an entry and checks its fields against each other.
func decodeAbortedEntry(b []byte) (abortedEntry, error) {
	be := binary.BigEndian
	if v := be.Uint16(b); v != abortedVersion {
		return abortedEntry{}, fmt.Errorf("%w: version %d", errAborted, v)
	}
	e := abortedEntry{int64(be.Uint64(b[2:])), int64(be.Uint64(b[10:])), abortedLastOffset(b), int64(be.Uint64(b[26:]))}
	if e.producerID < 0 || e.firstOffset < 0 || e.lastOffset <= e.firstOffset || e.lastStable < 0 || e.lastStable > e.lastOffset+1 {
		return e, fmt.Errorf("%w: producer %d, offsets %d to %d, last stable offset %d", errAborted, e.producerID, e.firstOffset, e.lastOffset, e.lastStable)
	}
	return e, nil
}
