package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Layout of a producer snapshot. Kafka's version 1 is the head; Kafka's reader takes the CRC over the whole file and
// ignores what follows the entries, which is where the windows are kept.
//
//	 0 version       int16   1
//	 2 CRC-32C       uint32  of everything after it
//	 6 entry count   int32
//	10 entries, 46 bytes each, sorted by producer id:
//	   producer id int64, epoch int16, last sequence int32, last offset int64, offset delta int32 (-1, -1 and 0 without a
//	   batch), timestamp ms int64 of the last batch or marker, coordinator epoch int32 (-1), first offset of the open
//	   transaction int64 (-1)
//	   "SLW2"
//	   for each entry: count int8 (0 to 5), then the batches of its window, oldest first, 24 bytes each:
//	   last sequence int32, last offset int64, offset delta int32, timestamp ms int64
const (
	snapshotVersion   = 1
	snapshotHead      = 10
	snapshotEntrySize = 46
	windowEntrySize   = 24
	windowMagic       = "SLW2"
)

// errSnapshot is wrapped by every error about bytes that are no snapshot.
var errSnapshot = errors.New("corrupt producer snapshot")

// encode writes a snapshot.
func (ps *producers) encode() []byte {
	be := binary.BigEndian
	ids := ps.ids()
	b := make([]byte, snapshotHead, snapshotHead+len(ids)*(snapshotEntrySize+1+producerWindow*windowEntrySize)+len(windowMagic))
	be.PutUint16(b, snapshotVersion)
	be.PutUint32(b[6:], uint32(len(ids)))
	for _, id := range ids {
		p := ps.byID[id]
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(p.epoch))
		b = appendWindowEntry(b, p.newest())
		b = be.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = be.AppendUint64(b, uint64(p.txnFirst))
	}
	b = append(b, windowMagic...)
	for _, id := range ids {
		p := ps.byID[id]
		b = append(b, byte(p.n))
		for _, e := range p.window[:p.n] {
			b = appendWindowEntry(b, e)
		}
	}
	be.PutUint32(b[2:], crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// newest is what Kafka keeps of a window.
func (p *producer) newest() producerBatch {
	e := producerBatch{lastSequence: -1, lastOffset: none}
	if p.n > 0 {
		e = p.window[p.n-1]
	}
	e.timestamp = p.timestamp
	return e
}

func appendWindowEntry(b []byte, e producerBatch) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, uint32(e.lastSequence))
	b = be.AppendUint64(b, uint64(e.lastOffset))
	b = be.AppendUint32(b, uint32(e.offsetDelta))
	return be.AppendUint64(b, uint64(e.timestamp))
}

func decodeWindowEntry(b []byte) producerBatch {
	be := binary.BigEndian
	return producerBatch{
		lastSequence: int32(be.Uint32(b)),
		lastOffset:   int64(be.Uint64(b[4:])),
		offsetDelta:  int32(be.Uint32(b[12:])),
		timestamp:    int64(be.Uint64(b[16:])),
	}
}

// decodeSnapshot reads a snapshot, ours or Kafka's own (then every window has one batch). touchedMs becomes the time of the
// last write: how long a producer was idle before a restart is not known by the server's clock. offset is that of the snapshot,
// which cannot know of anything beyond.
func decodeSnapshot(b []byte, offset, touchedMs int64) (map[int64]*producer, error) {
	be := binary.BigEndian
	if len(b) < snapshotHead || be.Uint16(b) != snapshotVersion {
		return nil, fmt.Errorf("%w: no version 1", errSnapshot)
	}
	if got := crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)); got != be.Uint32(b[2:]) {
		return nil, fmt.Errorf("%w: CRC is %08x, want %08x", errSnapshot, got, be.Uint32(b[2:]))
	}
	count := int64(int32(be.Uint32(b[6:])))
	b = b[snapshotHead:]
	if count < 0 || count*snapshotEntrySize > int64(len(b)) {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", errSnapshot, count, len(b))
	}
	byID := make(map[int64]*producer, count)
	order := make([]*producer, 0, count)
	for range count {
		p := newProducer(int16(be.Uint16(b[8:])))
		e := decodeWindowEntry(b[10:])
		if e.lastOffset >= 0 {
			p.add(e)
		}
		p.timestamp, p.touched = e.timestamp, touchedMs
		p.coordinatorEpoch, p.txnFirst = int32(be.Uint32(b[34:])), max(int64(be.Uint64(b[38:])), none)
		byID[int64(be.Uint64(b))] = p
		order = append(order, p)
		b = b[snapshotEntrySize:]
	}
	if len(b) > 0 {
		if err := decodeWindows(b, order); err != nil {
			return nil, err
		}
	}
	for _, p := range order {
		if p.newest().lastOffset >= offset || p.txnFirst >= offset {
			return nil, fmt.Errorf("%w: offsets beyond its own", errSnapshot)
		}
	}
	return byID, nil
}

// decodeWindows reads the windows, which Kafka's snapshots do not have.
func decodeWindows(b []byte, order []*producer) error {
	if len(b) < len(windowMagic) || string(b[:len(windowMagic)]) != windowMagic {
		return fmt.Errorf("%w: unknown extension", errSnapshot)
	}
	b = b[len(windowMagic):]
	for _, p := range order {
		if len(b) == 0 || int(b[0]) > producerWindow || len(b) < 1+int(b[0])*windowEntrySize {
			return fmt.Errorf("%w: window", errSnapshot)
		}
		n := int(b[0])
		b = b[1:]
		p.n, p.window = 0, [producerWindow]producerBatch{}
		for range n {
			p.add(decodeWindowEntry(b))
			b = b[windowEntrySize:]
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errSnapshot, len(b))
	}
	return nil
}
