package rest_test

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

// garbage writes random bytes on a connection, sometimes after the beginning of a
// request, and reads what comes back.
func garbage(t *testing.T, srv *httptest.Server, rnd *rand.Rand) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	p := make([]byte, rnd.IntN(4096))
	for i := range p {
		p[i] = byte(rnd.Uint32())
	}
	if rnd.IntN(2) == 0 {
		p = append([]byte("POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"), p...)
	}
	_, _ = conn.Write(append(p, "\r\n\r\n"...))
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}
