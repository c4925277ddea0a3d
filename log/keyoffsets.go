package log

import (
	"crypto/sha256"
	"encoding/binary"
)

// keyHash stands for a key. Two keys with the same one would be taken for one, and the older record be lost: so it is 128 bits of a
// hash for which nobody can find two such keys.
type keyHash [16]byte

// keySlot is an entry of keyOffsets.
type keySlot struct {
	hash keyHash
	next int64 // offset + 1; 0 means that the slot is free
}

// keySlotSize is the size of a keySlot in bytes.
const keySlotSize = 24

// minKeySlots is the first size of a table.
const minKeySlots = 1 << 10

// keyOffsets is the latest offset of every key of a part of a log. It is a hash table with linear probing, and doubles until it has
// as many slots as the limit allows (I5).
type keyOffsets struct {
	slots []keySlot // a power of two
	keys  int
	limit int   // slots
	end   int64 // every record of the part below this offset is in the table
}

// newKeyOffsets makes a table of at most maxBytes, but not less than its first size.
func newKeyOffsets(maxBytes int) *keyOffsets {
	limit := minKeySlots
	for limit*2*keySlotSize <= maxBytes {
		limit *= 2
	}
	return &keyOffsets{slots: make([]keySlot, minKeySlots), limit: limit}
}

func hashKey(key []byte) keyHash {
	sum := sha256.Sum256(key)
	return keyHash(sum[:])
}

// slot returns where the hash is or would be put.
func (m *keyOffsets) slot(h keyHash) *keySlot {
	mask := uint64(len(m.slots) - 1)
	for i := binary.LittleEndian.Uint64(h[:]); ; i++ {
		if s := &m.slots[i&mask]; s.next == 0 || s.hash == h {
			return s
		}
	}
}

// put notes that the latest record of a key is at an offset. It returns false when there is no room for another key.
func (m *keyOffsets) put(key []byte, offset int64) bool {
	h := hashKey(key)
	s := m.slot(h)
	if s.next == 0 {
		if m.keys >= len(m.slots)/4*3 {
			if len(m.slots) >= m.limit {
				return false
			}
			m.grow()
			s = m.slot(h)
		}
		m.keys++
		s.hash = h
	}
	s.next = offset + 1
	return true
}

func (m *keyOffsets) grow() {
	old := m.slots
	m.slots = make([]keySlot, 2*len(old))
	for i := range old {
		if old[i].next != 0 {
			*m.slot(old[i].hash) = old[i]
		}
	}
}

// latest is the offset of the latest record of a key, -1 when there is none in the table.
func (m *keyOffsets) latest(key []byte) int64 { return m.slot(hashKey(key)).next - 1 }
