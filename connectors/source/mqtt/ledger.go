package mqtt

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

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
