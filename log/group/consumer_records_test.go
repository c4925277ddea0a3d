package group

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// sampleChanges has every kind of record with every field set.
func sampleChanges() []change {
	a := assignment{}
	a.add(topicID{1}, 0, 7)
	a.add(topicID{1}, 2, 8)
	return []change{
		epochChange{&groupEpoch{5, 0x0102030405060708}},
		targetsEpoch{epoch: 4, timeMs: 99},
		infoChange{"m", &memberInfo{
			instanceID: kmsg.StringPtr("i"), rackID: kmsg.StringPtr("r"), clientID: "c", clientHost: "/h",
			topics: []string{"t"}, regex: "x.*", rebalanceTimeoutMs: 1000, assignor: "range",
			classic: &classicUse{30000, []protocol{{"range", []byte{0, 1}}}},
		}},
		infoChange{"m", &memberInfo{clientID: "c", rebalanceTimeoutMs: -1}},
		targetChange{"m", a},
		currentChange{"m", &currentAssignment{5, 4, memberUnrevoked, a, assignment{{2}: {1: 3}}}},
		regexChange{"x.*", &resolvedRegex{[]string{"xy"}, 1, 2}},
		epochChange{}, infoChange{member: "m"}, targetChange{member: "m"}, currentChange{member: "m"}, regexChange{pattern: "x.*"},
	}
}

// The bytes are those of Kafka's schemas, taken apart by field.
func TestConsumerRecordBytes(t *testing.T) {
	topic1, topic2 := "01"+strings.Repeat("00", 15), "02"+strings.Repeat("00", 15)
	partitions := topic1 + "03 00000000 00000002" // two, and their number plus one
	epochs := "01 00 09 03 00000007 00000008"     // one tag, number 0, 9 bytes: an epoch for each
	want := []struct{ key, value string }{
		{"0003 0001 67", "0000 00000005 01 00 08 0102030405060708"},
		{"0006 0001 67", "0000 00000004 01 00 08 0000000000000063"},
		{"0005 0001 67 0001 6d", "0000 02 69 02 72 02 63 03 2f68 02 02 74 04 782e2a 000003e8 06 72616e6765" +
			"01 00 11 01 00007530 02 06 72616e6765 03 0001 00 00"},
		{"0005 0001 67 0001 6d", "0000 00 00 02 63 01 01 01 ffffffff 00 00"},
		{"0007 0001 67 0001 6d", "0000 02" + partitions + "00 00"},
		{"0008 0001 67 0001 6d", "0000 00000005 00000004 01 02" + partitions + epochs +
			"02" + topic2 + "02 00000001 01 00 05 02 00000003 00"},
		{"0010 0001 67 0003 782e2a", "0000 02 03 7879 0000000000000001 0000000000000002 00"},
	}
	for i, c := range sampleChanges() {
		r := c.record("g")
		if i >= len(want) { // a tombstone
			if r.value != nil {
				t.Errorf("%T: value %x, want none", c, r.value)
			}
			continue
		}
		if got := hex.EncodeToString(r.key); got != strings.ReplaceAll(want[i].key, " ", "") {
			t.Errorf("%T: key %s, want %s", c, got, want[i].key)
		}
		if got := hex.EncodeToString(r.value); got != strings.ReplaceAll(want[i].value, " ", "") {
			t.Errorf("%T: value\n%s, want\n%s", c, got, strings.ReplaceAll(want[i].value, " ", ""))
		}
	}
	if r := (targetsEpoch{remove: true}).record("g"); r.value != nil {
		t.Errorf("removed target epoch has the value %x", r.value)
	}
}

func TestConsumerRecordRoundTrip(t *testing.T) {
	for _, c := range sampleChanges() {
		r := c.record("g")
		group, got, err := decodeChange(r.key, r.value)
		if err != nil || group != "g" || !bytes.Equal(got.record("g").value, r.value) {
			t.Errorf("%T: read back %+v of group %q, %v", c, got, group, err)
		}
		for n := range len(r.value) {
			if _, _, err := decodeChange(r.key, r.value[:n]); err == nil && n > 0 {
				t.Errorf("%T: accepted %d of %d bytes", c, n, len(r.value))
			}
		}
		for n := range len(r.key) {
			if _, _, err := decodeChange(r.key[:n], r.value); err == nil {
				t.Errorf("%T: accepted %d of %d bytes of the key", c, n, len(r.key))
			}
		}
	}
	r := sampleChanges()[0].record("g")
	r.value[1] = 1
	if _, _, err := decodeChange(r.key, r.value); err == nil {
		t.Error("accepted a value of another version")
	}
}

// Every change can be taken back.
func TestChangesUndo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		g := newConsumerGroup()
		for range rng.IntN(10) {
			randomChange(rng).apply(g)
		}
		before := dumped(g)
		var undo []change
		for range 1 + rng.IntN(5) {
			undo = append(undo, removalOrder(g, randomChange(rng))...)
		}
		for i := range undo {
			undo[len(undo)-1-i].apply(g)
		}
		if after := dumped(g); after != before {
			t.Fatalf("after %d changes were taken back:\n%swas\n%s", len(undo), after, before)
		}
	}
}

// removalOrder applies a change, a removal of a member after that of what it has.
func removalOrder(g *consumerGroup, c change) (undo []change) {
	if i, ok := c.(infoChange); ok && i.v == nil {
		undo = append(undo, currentChange{member: i.member}.apply(g), targetChange{member: i.member}.apply(g))
	}
	return append(undo, c.apply(g))
}

func dumped(g *consumerGroup) string {
	var out strings.Builder
	g.dump(&out)
	return out.String()
}

func randomChange(rng *rand.Rand) change {
	samples := sampleChanges()
	c := samples[rng.IntN(len(samples))]
	switch c := c.(type) {
	case currentChange:
		c.member = string(rune('a' + rng.IntN(3)))
		if c.v != nil {
			own := assignment{}
			own.add(topicID{byte(c.member[0])}, rng.Int32N(3), 1) // nobody else's
			c.v = &currentAssignment{rng.Int32N(9), 0, memberStable, own, nil}
		}
		return c
	case infoChange:
		c.member = string(rune('a' + rng.IntN(3)))
		if c.v != nil {
			v := *c.v
			v.instanceID = nil
			c.v = &v
		}
		return c
	}
	return c
}

// FuzzConsumerRecord reads arbitrary records of consumer groups. What is accepted
// is written as it was understood.
func FuzzConsumerRecord(f *testing.F) {
	for _, c := range sampleChanges() {
		r := c.record("g")
		f.Add(r.key, r.value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		group, c, err := decodeChange(key, value)
		if err != nil || c == nil {
			return
		}
		r := c.record(group)
		again, d, err := decodeChange(r.key, r.value)
		if err != nil || again != group || !reflect.DeepEqual(c.record(group), d.record(again)) {
			t.Errorf("%+v of %q read back as %+v of %q, %v", c, group, d, again, err)
		}
		c.apply(newConsumerGroup())
	})
}
