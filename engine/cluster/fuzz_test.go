package cluster

import (
	"testing"
	"time"
)

func seeds(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff})
	full := assignment{version: version2, leader: "a", leaderURL: "http://a/", offset: 7, work: []TaskID{{"c", connectorTask}, {"c", 0}},
		revoked: []TaskID{{"d", 1}}, delay: time.Second}
	f.Add(full.encode())
	f.Add((&subscription{version: version2, url: "http://a/", offset: 7, current: &full}).encode())
	f.Add((&subscription{version: version1, url: "u", offset: -1}).encode())
	f.Add([]byte("\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff")) // an array without its elements
}

// What can be read is written and read as the same again, and takes memory in
// proportion to its bytes (I5).
func FuzzAssignment(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAssignment(b)
		if err != nil {
			return
		}
		if n := len(a.work) + len(a.revoked); n > len(b)/4 {
			t.Fatalf("%d items from %d bytes", n, len(b))
		}
		if a.version > version2 {
			a.version = version2
		}
		again, err := decodeAssignment(a.encode())
		if a.version == 0 {
			a.revoked, a.delay = nil, 0
		}
		if err != nil || !sameAssignment(again, a) {
			t.Fatalf("read %+v, written and read again %+v, %v", a, again, err)
		}
	})
}

func FuzzSubscription(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSubscription(b)
		if err != nil {
			return
		}
		again, err := decodeSubscription(s.encode())
		if s.version == 0 {
			s.current = nil
		}
		if err != nil || again.url != s.url || again.offset != s.offset || (again.current == nil) != (s.current == nil) {
			t.Fatalf("read %+v, written and read again %+v, %v", s, again, err)
		}
	})
}
