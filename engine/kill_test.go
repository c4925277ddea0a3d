package engine_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/vfs"
)

var errKilled = errors.New("the process was killed")

// errNoDial has a network's type: a client that does not know it as one tries again at once, and virtual time stands still.
var errNoDial = &net.OpError{Op: "dial", Net: "tcp", Err: errKilled}

// mortal is a worker's way to the cluster, which is cut after a number of
// requests: to the cluster that is what kill -9 of the worker is.
type mortal struct {
	dial  func(context.Context, string, string) (net.Conn, error)
	armed atomic.Bool
	left  atomic.Int64

	mu    sync.Mutex // guards the fields below
	dead  bool
	conns []net.Conn
}

// kill cuts the connections.
func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	for _, c := range m.conns {
		_ = c.Close()
	}
	m.conns = nil
}

func (m *mortal) killed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *mortal) connect(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := m.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		_ = c.Close()
		return nil, errNoDial
	}
	m.conns = append(m.conns, c)
	return mortalConn{c, m}, nil
}

type mortalConn struct {
	net.Conn
	m *mortal
}

func (c mortalConn) Write(p []byte) (int, error) {
	if c.m.armed.Load() && c.m.left.Add(-1) < 0 {
		c.m.kill()
		return 0, errKilled
	}
	return c.Conn.Write(p)
}

// killable returns an embedded log in memory, and the way of a worker that can be
// killed to it.
func killable(t *testing.T, after int64) (*enginetest.Cluster, *enginetest.Cluster, *mortal) {
	t.Helper()
	c, _ := embeddedOn(t, vfs.NewMem(), "/data")
	m := &mortal{dial: c.Dial}
	m.left.Store(after)
	return c, &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(m.connect)}}, m
}

// committedValues returns the values of a topic that a read_committed reader gets.
func committedValues(t *testing.T, c *enginetest.Cluster, topic string) []string {
	t.Helper()
	const end = "the end"
	enginetest.Produce(t, c, &kgo.Record{Topic: topic, Value: []byte(end)})
	client := enginetest.Client(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), enginetest.Patience)
	defer cancel()
	var values []string
	for {
		for _, r := range client.PollFetches(ctx).Records() {
			if string(r.Value) == end {
				return values
			}
			values = append(values, string(r.Value))
		}
		if ctx.Err() != nil {
			t.Fatalf("topic %s: read_committed readers get %d records and then wait", topic, len(values))
		}
	}
}
