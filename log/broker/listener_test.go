package broker

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// memListener is a listener whose connections stay in memory, so that it works in
// a synctest bubble.
type memListener struct {
	s     *server
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// listen serves l until the test ends.
func (s *server) listen(l Listener) *memListener {
	s.t.Helper()
	ln := &memListener{s: s, conns: make(chan net.Conn), done: make(chan struct{})}
	served := make(chan error, 1)
	b := s.Broker
	go func() { served <- b.ServeListener(context.Background(), ln, l) }()
	s.t.Cleanup(func() {
		b.Close()
		if err := <-served; err != nil {
			s.t.Error(err)
		}
	})
	return ln
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr{} }

// dial fits kgo.Dialer.
func (l *memListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := newPipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memListener) raw() rawConn {
	l.s.t.Helper()
	nc, err := l.dial(l.s.t.Context(), "", "")
	if err != nil {
		l.s.t.Fatal(err)
	}
	l.s.t.Cleanup(func() { nc.Close() })
	return rawConn{l.s.t, nc}
}

// client is a kgo client of this listener.
func (l *memListener) client(opts ...kgo.Opt) *kgo.Client {
	l.s.t.Helper()
	return l.s.client(append([]kgo.Opt{kgo.Dialer(l.dial)}, opts...)...)
}

// admin is a kadm client of this listener.
func (l *memListener) admin(opts ...kgo.Opt) *kadm.Client { return kadm.NewClient(l.client(opts...)) }

// answers reports whether the broker serves the connection.
func (c rawConn) answers() bool {
	c.SetDeadline(time.Now().Add(patience))
	q := kmsg.NewPtrMetadataRequest()
	frame := requestFrame(q, q.AppendTo(nil))
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		return false
	}
	_, err := c.receive()
	return err == nil
}

// Clients are told the address of the listener that they came by.
func TestAdvertisedAddressOfTheListener(t *testing.T) {
	s := newServer(t)
	inside, outside := s.listen(Listener{Name: "INSIDE"}), s.listen(Listener{Name: "OUTSIDE", AdvertisedAddr: "broker.example.com:19092"})
	for _, tt := range []struct {
		ln   *memListener
		host string
		port int32
	}{{inside, "127.0.0.1", 9092}, {outside, "broker.example.com", 19092}} {
		c := tt.ln.raw()
		meta := ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest()).Brokers[0]
		if meta.Host != tt.host || meta.Port != tt.port {
			t.Errorf("Metadata: %s:%d, want %s:%d", meta.Host, meta.Port, tt.host, tt.port)
		}
		find := ask[*kmsg.FindCoordinatorResponse](c, kmsg.NewPtrFindCoordinatorRequest())
		if find.Host != tt.host || find.Port != tt.port {
			t.Errorf("FindCoordinator: %s:%d, want %s:%d", find.Host, find.Port, tt.host, tt.port)
		}
		cluster := ask[*kmsg.DescribeClusterResponse](c, kmsg.NewPtrDescribeClusterRequest()).Brokers[0]
		if cluster.Host != tt.host || cluster.Port != tt.port {
			t.Errorf("DescribeCluster: %s:%d, want %s:%d", cluster.Host, cluster.Port, tt.host, tt.port)
		}
	}
}

func TestListenerErrors(t *testing.T) {
	s := startServer(t, t.TempDir(), vfs.OS, func(c *Config) { c.Security = nil })
	for name, l := range map[string]Listener{
		"no port":         {AdvertisedAddr: "host"},
		"bad port":        {AdvertisedAddr: "host:99999"},
		"mechanism":       {Mechanisms: []string{"GSSAPI"}},
		"SCRAM, no store": {Mechanisms: []string{"SCRAM-SHA-256"}},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ServeListener(t.Context(), ln, l); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Limits of a listener and of an address refuse connections of clients only.
func TestConnectionLimits(t *testing.T) {
	s := startServer(t, t.TempDir(), vfs.OS, func(c *Config) {
		c.MaxConnectionsPerIP = 3
		c.MaxConnectionsPerIPOverrides = map[string]int{"10.0.0.1": 0}
	})
	small, large := s.listen(Listener{Name: "SMALL", MaxConnections: 1}), s.listen(Listener{Name: "LARGE"})
	served := func(c rawConn) rawConn {
		t.Helper()
		if !c.answers() {
			t.Fatal("connection refused")
		}
		return c
	}
	served(small.raw())
	small.raw().closed() // the listener's limit
	served(large.raw())
	served(large.raw())
	large.raw().closed() // the address's
	served(s.raw())
	if got, _ := s.exceeded(&conn{listener: &listener{}, host: "10.0.0.1", b: s.Broker}); got != "max.connections.per.ip" {
		t.Errorf("an address with the limit 0: exceeds %q", got)
	}
}
