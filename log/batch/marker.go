package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Layout of the one record of a transaction marker (KIP-98). Later versions only add to the end.
//
//	key    version int16 (0), type int16
//	value  version int16 (0), coordinator epoch int32
const (
	markerKeySize   = 4
	markerValueSize = 6
	markerAbort     = 0
	markerCommit    = 1
)

// ErrNoMarker says that a control batch is about something else than the end of a transaction.
var ErrNoMarker = errors.New("control batch is no transaction marker")

// Marker is the control batch that ends the transaction of a producer in one partition (KIP-98).
type Marker struct {
	ProducerID       int64
	ProducerEpoch    int16
	CoordinatorEpoch int32
	Commit           bool // otherwise abort
}

// Build returns the control batch with base offset 0, appended to dst. timestamp is in ms.
func (m Marker) Build(dst []byte, timestamp int64) ([]byte, error) {
	key := make([]byte, markerKeySize)
	if m.Commit {
		key[markerKeySize-1] = markerCommit
	}
	value := binary.BigEndian.AppendUint32(make([]byte, 2, markerValueSize), uint32(m.CoordinatorEpoch))
	b := Builder{Idempotent: true, ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, BaseSequence: -1, Transactional: true, control: true}
	b.Append(timestamp, key, value)
	return b.Build(dst)
}

// ReadMarker reads the one valid control batch in b. ErrNoMarker for other control records, an error that matches ErrCorrupt
// for bytes that are none.
func ReadMarker(b []byte) (Marker, error) {
	h, err := Parse(b)
	if err != nil {
		return Marker{}, err
	}
	if h.Codec() != None {
		return Marker{}, fmt.Errorf("%w: compressed control batch", ErrCorrupt)
	}
	// Compaction leaves a control batch without a record for a producer whose transaction is gone.
	if !h.Control() || !h.Transactional() || h.ProducerID < 0 || h.Count == 0 {
		return Marker{}, ErrNoMarker
	}
	r, err := NewReader(b, nil)
	if err != nil {
		return Marker{}, err
	}
	if !r.Next() {
		return Marker{}, r.Err()
	}
	return h.marker(r.Record())
}

// marker reads the control record of a batch.
func (h *Header) marker(r *Record) (Marker, error) {
	be := binary.BigEndian
	if len(r.Key) < markerKeySize || int16(be.Uint16(r.Key)) < 0 {
		return Marker{}, fmt.Errorf("%w: key of control record", ErrCorrupt)
	}
	kind := be.Uint16(r.Key[2:])
	if kind != markerAbort && kind != markerCommit {
		return Marker{}, fmt.Errorf("%w: type %d", ErrNoMarker, kind)
	}
	if len(r.Value) < markerValueSize || int16(be.Uint16(r.Value)) < 0 {
		return Marker{}, fmt.Errorf("%w: value of transaction marker", ErrCorrupt)
	}
	return Marker{h.ProducerID, h.ProducerEpoch, int32(be.Uint32(r.Value[2:])), kind == markerCommit}, nil
}
