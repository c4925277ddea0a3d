package e2e

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	garbageConns = 4000
	maxGrowthMB  = 64
)

// TestGarbage sends nonsense to the Kafka and REST ports, as random as a
// fuzzer's but close enough to the protocols to get past their first check. The
// process stays alive and its memory flat (I5).
func TestGarbage(t *testing.T) {
	s := startSluice(t, nil)
	flood := func(seed uint64, n int) {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(w)))
				for i := range n / 8 {
					if i%2 == 0 {
						throw(s.Kafka, kafkaGarbage(r))
					} else {
						throw(s.REST, restGarbage(r))
					}
				}
			})
		}
		wg.Wait()
	}
	flood(1, garbageConns/4) // pools and caches fill up
	before := s.residentMB(t)
	flood(2, garbageConns)
	after := s.residentMB(t)
	t.Logf("%d MB resident before, %d MB after %d connections of garbage", before, after, garbageConns)
	if after > before+maxGrowthMB {
		t.Errorf("memory grew from %d to %d MB", before, after)
	}
	if !s.running() {
		t.Fatal("the process died")
	}
	if err := s.health(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(s.out.String(), "\n"); n > 2*garbageConns {
		t.Errorf("%d log lines", n)
	}
	s.stop(t)
}

// throw sends bytes and reads what comes back, both for a short time.
func throw(addr string, garbage []byte) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return // too many at once is an answer too
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	conn.Write(garbage)
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, io.LimitReader(conn, 1<<20))
}

// kafkaGarbage is some frames: random, or with a plausible header before random
// bytes, with lengths that are right, wrong or huge.
func kafkaGarbage(r *rand.Rand) []byte {
	var out []byte
	for range 1 + r.IntN(4) {
		body := randomBytes(r, r.IntN(300))
		if r.IntN(3) > 0 {
			head := binary.BigEndian.AppendUint16(nil, uint16(r.IntN(80)))
			head = binary.BigEndian.AppendUint16(head, uint16(r.IntN(18)))
			head = binary.BigEndian.AppendUint32(head, r.Uint32())
			head = append(head, 0, 1, 'x', 0)
			body = append(head, body...)
		}
		length := uint32(len(body))
		switch r.IntN(8) {
		case 0:
			length = r.Uint32()
		case 1:
			length = 100 << 20
		}
		out = append(binary.BigEndian.AppendUint32(out, length), body...)
	}
	return out
}

// restGarbage is HTTP with random parts, or no HTTP at all.
func restGarbage(r *rand.Rand) []byte {
	paths := []string{"/", "/connectors", "/connectors/%ff%00/config", "/connectors/x/status", "/connector-plugins/x/config/validate", "/" + strings.Repeat("a/", 500)}
	bodies := []string{
		`{"name":"x","config":` + strings.Repeat(`{"a":`, 2000), strings.Repeat("[", 5000), `{"name":1e999,"config":{"a":[1]}}`,
		`{"name":"\ud800","config":{"connector.class":null}}`, string(randomBytes(r, 2000)), "",
	}
	if r.IntN(4) == 0 {
		return randomBytes(r, 500)
	}
	method := []string{"GET", "POST", "PUT", "DELETE", "PATCH", string(randomBytes(r, 5))}[r.IntN(6)]
	return []byte(method + " " + paths[r.IntN(len(paths))] + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n" + bodies[r.IntN(len(bodies))])
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
