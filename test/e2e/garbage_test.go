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

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	garbageConns = 8000
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

// kafkaGarbage is some frames: random bytes, or a request of some key and version
// with a few bytes changed, under lengths that are right, wrong or huge.
func kafkaGarbage(r *rand.Rand) []byte {
	var out []byte
	for range 1 + r.IntN(4) {
		body := randomBytes(r, r.IntN(300))
		if r.IntN(4) > 0 {
			body = brokenRequest(r)
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

func brokenRequest(r *rand.Rand) []byte {
	req := kmsg.RequestForKey(int16(r.IntN(48)))
	if req == nil {
		return nil
	}
	req.SetVersion(int16(r.IntN(int(req.MaxVersion()) + 1)))
	switch req := req.(type) { // as far as a decoder can go wrong in depth
	case *kmsg.ProduceRequest:
		partition := kmsg.ProduceRequestTopicPartition{Records: randomBytes(r, 200)}
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{partition}}}
	case *kmsg.FetchRequest:
		req.MaxBytes, req.Topics = -1, []kmsg.FetchRequestTopic{{Topic: "t", Partitions: make([]kmsg.FetchRequestTopicPartition, 50)}}
	case *kmsg.JoinGroupRequest:
		req.Group, req.Protocols = "g", make([]kmsg.JoinGroupRequestProtocol, 50)
	}
	body := kmsg.NewRequestFormatter(kmsg.FormatterClientID("e2e")).AppendRequest(nil, req, r.Int32())[4:]
	for range r.IntN(4) {
		if at := 4 + r.IntN(len(body)); at < len(body) {
			body[at] = byte(r.Uint32())
		}
	}
	return body
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
