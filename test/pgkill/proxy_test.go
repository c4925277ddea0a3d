package pgkill

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// A proxy stands between the server and PostgreSQL, so that connections can be cut.
type proxy struct {
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func startProxy(t *testing.T, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), conns: make(map[net.Conn]bool)}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) accept() {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", p.to)
		if err != nil {
			from.Close()
			continue
		}
		p.mu.Lock()
		p.conns[from], p.conns[to] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(from, to) })
		p.wg.Go(func() { p.copy(to, from) })
	}
}

// copy passes bytes on until either side is closed, and closes both.
func (p *proxy) copy(from, to net.Conn) {
	io.Copy(to, from) // the end of a connection is no error here
	from.Close()
	to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
	delete(p.conns, to)
}

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}
