package connectjsonschema

import (
	"math/bits"
	"unicode/utf16"

	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// javaHash is what a java.util.HashMap places a string by.
func javaHash(s string) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(unit)
	}
	return h ^ h>>16
}

// defaultCapacity is that of a HashMap that is made without one.
const defaultCapacity = 16

// hashOrder returns members in the order in which a HashMap of a first capacity, a power of two, has them that got them in theirs.
func hashOrder(members []jsonschema.Member, capacity int) []jsonschema.Member {
	for len(members) > capacity*3/4 {
		capacity *= 2
	}
	buckets := make([][]jsonschema.Member, capacity)
	for _, m := range members {
		b := javaHash(m.Name) & uint32(capacity-1)
		buckets[b] = append(buckets[b], m)
	}
	ordered := make([]jsonschema.Member, 0, len(members))
	for _, b := range buckets {
		ordered = append(ordered, b...)
	}
	return ordered
}

// copyOrder is the order in a HashMap that was made of another one.
func copyOrder(members []jsonschema.Member) []jsonschema.Member {
	return hashOrder(members, powerOfTwo(int(float32(len(members))/0.75+1)))
}

func powerOfTwo(n int) int { return 1 << bits.Len(uint(max(n, 1)-1)) }
