package mqtt

import (
	"fmt"
	"testing"
)

// BenchmarkLedger is what the two ledgers and the offset cost a message of QoS 2, with so many
// under way and an offset after every 256th.
func BenchmarkLedger(b *testing.B) {
	for _, window := range []int{20, 1000, 20_000} {
		b.Run(fmt.Sprint(window), func(b *testing.B) {
			b.ReportAllocs()
			var seen, underWay ledger
			var offset []byte
			m := message{qos: 2, topic: "t/x", payload: make([]byte, 200)}
			r := message{qos: 2, kind: release}
			n := 0
			for b.Loop() {
				m.id = uint16(n%maxWindow + 1)
				seen.take(&m)
				underWay.take(&m)
				if n >= window {
					r.id = uint16((n-window)%maxWindow + 1)
					seen.take(&r)
					underWay.take(&r)
				}
				if n++; n%256 == 0 {
					offset = underWay.append(offset[:0])
				}
			}
		})
	}
}
