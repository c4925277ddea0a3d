package mqtt

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"
)

// ledger has the packet ids of QoS 2 that are in use, and the sums of their messages.
// Its zero value is empty.
type ledger struct {
	ids  packetIDs
	sums map[uint16]uint32 // without those of ids that an older version has noted
}

func (l *ledger) has(id uint16) bool { return l.ids.has(id) }
func (l *ledger) empty() bool        { return l.ids == (packetIDs{}) }

func (l *ledger) add(id uint16, sum uint32) {
	l.ids.add(id)
	if l.sums == nil {
		l.sums = make(map[uint16]uint32)
	}
	l.sums[id] = sum
}

func (l *ledger) remove(id uint16) {
	l.ids.remove(id)
	delete(l.sums, id)
}

// hasMessage tells whether a message of this packet id and sum was noted.
func (l *ledger) hasMessage(id uint16, sum uint32) bool {
	noted, known := l.sums[id]
	return l.ids.has(id) && (!known || noted == sum)
}

func (l *ledger) clone() ledger { return ledger{l.ids, maps.Clone(l.sums)} }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum tells messages apart that have the same packet id: the CRC-32C of topic and
// payload, which stay as they are when a message is sent again. It is never 0.
func (m *message) sum() uint32 {
	topic := unsafe.Slice(unsafe.StringData(m.topic), len(m.topic))
	return max(1, crc32.Update(crc32.Update(uint32(len(topic)), castagnoli, topic), castagnoli, m.payload))
}

// appendSums writes the sums in the order of their ids, in base64: 4 bytes each, 0 for
// one that is not known.
func (l *ledger) appendSums(dst []byte) []byte {
	var sums []byte
	for id := l.ids.next(0); id <= maxWindow; id = l.ids.next(id + 1) {
		sums = binary.BigEndian.AppendUint32(sums, l.sums[uint16(id)])
	}
	return base64.RawStdEncoding.AppendEncode(dst, sums)
}

// parseLedger reads packet ids and what appendSums wrote, "" from an older version.
func parseLedger(ids, sums string) (l ledger, err error) {
	if l.ids, err = parsePacketIDs(ids); err != nil || sums == "" {
		return l, err
	}
	p, err := base64.RawStdEncoding.DecodeString(sums)
	if err != nil {
		return l, fmt.Errorf("the sums of the messages in flight: %w", err)
	}
	for id := l.ids.next(0); id <= maxWindow; id = l.ids.next(id + 1) {
		if len(p) < 4 {
			return l, fmt.Errorf("packet id %d has no sum", id)
		}
		if sum := binary.BigEndian.Uint32(p); sum != 0 {
			l.add(uint16(id), sum)
		}
		p = p[4:]
	}
	if len(p) > 0 {
		return l, fmt.Errorf("there are %d bytes of sums more than packet ids", len(p))
	}
	return l, nil
}

// packetIDs is a set of packet ids.
type packetIDs [1024]uint64

func (s *packetIDs) has(id uint16) bool { return s[id>>6]&(1<<(id&63)) != 0 }
func (s *packetIDs) add(id uint16)      { s[id>>6] |= 1 << (id & 63) }
func (s *packetIDs) remove(id uint16)   { s[id>>6] &^= 1 << (id & 63) }

// append writes the ids in order as ranges: 1-20,25.
func (s *packetIDs) append(dst []byte) []byte {
	first := len(dst)
	for id := s.next(0); id <= maxWindow; {
		end := s.end(id)
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(id), 10)
		if end-1 > id {
			dst = strconv.AppendInt(append(dst, '-'), int64(end-1), 10)
		}
		id = s.next(end)
	}
	return dst
}

// next returns the first id from one on, more than maxWindow if there is none.
func (s *packetIDs) next(id int) int {
	for id <= maxWindow {
		if w := s[id>>6] >> (id & 63); w != 0 {
			return id + bits.TrailingZeros64(w)
		}
		id = (id | 63) + 1
	}
	return id
}

// end returns the first id from one on that is not in the set.
func (s *packetIDs) end(id int) int {
	for id <= maxWindow && s.has(uint16(id)) {
		id++
	}
	return id
}

// parsePacketIDs reads what append wrote, or somebody in its place.
func parsePacketIDs(text string) (s packetIDs, err error) {
	if text == "" {
		return s, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		a, b, isRange := strings.Cut(part, "-")
		if !isRange {
			b = a
		}
		first, err1 := strconv.ParseUint(a, 10, 16)
		last, err2 := strconv.ParseUint(b, 10, 16)
		if err1 != nil || err2 != nil || first == 0 || last < first {
			return s, fmt.Errorf("%q is not a packet id or a range of them", part)
		}
		for id := first; id <= last; id++ {
			s.add(uint16(id))
		}
	}
	return s, nil
}
