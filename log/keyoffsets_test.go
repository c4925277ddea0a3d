package log

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestKeyOffsets compares the table with a map, up to its limit and beyond.
func TestKeyOffsets(t *testing.T) {
	for _, maxBytes := range []int{0, 100_000, 2 << 20} {
		m := newKeyOffsets(maxBytes)
		want := map[string]int64{}
		rnd := rand.New(rand.NewPCG(1, uint64(maxBytes)))
		full := 0
		for offset := range int64(60_000) {
			key := fmt.Sprint(rnd.IntN(50_000))
			_, known := want[key]
			switch ok := m.put([]byte(key), offset); {
			case ok:
				want[key] = offset
			case known:
				t.Fatalf("%d bytes: no room for a key that is there", maxBytes)
			default:
				full++
			}
		}
		for key, offset := range want {
			if got := m.latest([]byte(key)); got != offset {
				t.Fatalf("%d bytes: latest offset of %s is %d, want %d", maxBytes, key, got, offset)
			}
		}
		if got := m.latest([]byte("none")); got != -1 {
			t.Errorf("latest offset of an unknown key is %d", got)
		}
		if size := len(m.slots) * keySlotSize; size > max(maxBytes, minKeySlots*keySlotSize) || len(want) != m.keys {
			t.Errorf("%d bytes: the table has %d bytes and %d keys, want %d", maxBytes, size, m.keys, len(want))
		}
		if (full > 0) != (maxBytes < 2<<20) {
			t.Errorf("%d bytes: full %d times with %d keys", maxBytes, full, len(want))
		}
	}
}
