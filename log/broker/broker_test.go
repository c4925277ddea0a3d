package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/security"
	"github.com/sluice-data/sluice/log/txn"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// server is a broker with its log and coordinator, for tests.
type server struct {
	*Broker
	t      testing.TB
	dir    string
	fs     vfs.FS
	log    *log.Log
	groups *group.Coordinator
	store  *security.Store
	txns   *txn.Coordinator
	change func(*Config)

	running atomic.Pointer[Broker] // the broker, as clients see it
}

// startServer serves a directory; change may be nil. It stops with the test.
func startServer(t testing.TB, dir string, fs vfs.FS, change func(*Config)) *server {
	t.Helper()
	s := &server{t: t, dir: dir, fs: fs, change: change}
	s.start()
	t.Cleanup(s.stop)
	return s
}

// newServer serves an empty directory on disk.
func newServer(t testing.TB) *server { return startServer(t, t.TempDir(), vfs.OS, nil) }

func (s *server) start() {
	s.t.Helper()
	logger := slog.New(slog.NewTextHandler(s.t.Output(), nil))
	var err error
	if s.log, err = log.Open(log.Config{Dir: s.dir, FS: s.fs, Logger: logger}); err != nil {
		s.t.Fatal(err)
	}
	s.groups, err = group.Open(group.Config{Log: s.log, Logger: logger, Partitions: 5, InitialRebalanceDelay: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.store, err = security.Open(s.dir, s.fs); err != nil {
		s.t.Fatal(err)
	}
	s.txns, err = txn.Open(txn.Config{
		Log: s.log, EndOffsets: s.groups.EndTransaction, Dir: s.dir, FS: s.fs, Logger: logger, Partitions: 5,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := Config{Log: s.log, Groups: s.groups, Txns: s.txns, Dir: s.dir, Logger: logger, Security: s.store}
	if s.change != nil {
		s.change(&cfg)
	}
	if s.Broker, err = New(cfg); err != nil {
		s.t.Fatal(err)
	}
	s.running.Store(s.Broker)
}

// stop ends the server as sluice does: clients first, the log last. A second
// call does nothing.
func (s *server) stop() {
	if s.Broker == nil {
		return
	}
	if err := s.Broker.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.txns.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.groups.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.log.Close(); err != nil {
		s.t.Error(err)
	}
	s.Broker = nil
	s.running.Store(nil)
}

func (s *server) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// dial connects to the broker that runs now, so that clients survive a restart.
func (s *server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	b := s.running.Load()
	if b == nil {
		return nil, net.ErrClosed
	}
	return b.DialContext(ctx, network, addr)
}

// client is a kgo client in this process.
func (s *server) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers("sluice:9092"),
		kgo.Dialer(s.dial),
		kgo.MetadataMinAge(10 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

func (s *server) createTopic(name string, partitions int32, configs map[string]*string) {
	s.t.Helper()
	adm := kadm.NewClient(s.client())
	if _, err := adm.CreateTopic(s.ctx(), partitions, 1, configs, name); err != nil {
		s.t.Fatalf("create topic %s: %v", name, err)
	}
}

// ctx ends with the test or after a minute.
func (s *server) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	s.t.Cleanup(cancel)
	return ctx
}

// consume returns n records of a topic from its start.
func consume(t testing.TB, ctx context.Context, cl *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	var records []*kgo.Record
	for len(records) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// rawConn speaks the protocol byte by byte.
type rawConn struct {
	t testing.TB
	net.Conn
}

func (s *server) raw() rawConn {
	s.t.Helper()
	nc, err := s.DialContext(s.t.Context(), "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nc.Close() })
	return rawConn{s.t, nc}
}

// send writes a frame.
func (c rawConn) send(frame []byte) {
	c.t.Helper()
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// receive reads a frame and returns what follows the correlation id.
func (c rawConn) receive() (body []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	if id := binary.BigEndian.Uint32(head[4:]); id != 42 {
		return nil, fmt.Errorf("correlation id %d, want 42", id)
	}
	body = make([]byte, binary.BigEndian.Uint32(head[:])-4)
	_, err = io.ReadFull(c, body)
	return body, err
}

// ask sends a request and reads its answer.
func ask[R kmsg.Response](c rawConn, q kmsg.Request) R {
	c.t.Helper()
	c.send(requestFrame(q, q.AppendTo(nil)))
	body, err := c.receive()
	if err != nil {
		c.t.Fatalf("%s v%d: %v", kmsg.NameForKey(q.Key()), q.GetVersion(), err)
	}
	resp := q.ResponseKind()
	if resp.IsFlexible() && q.Key() != int16(kmsg.ApiVersions) {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		c.t.Fatalf("read %s v%d: %v", kmsg.NameForKey(q.Key()), q.GetVersion(), err)
	}
	return resp.(R)
}

// closed waits until the broker has closed the connection without an answer.
func (c rawConn) closed() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		c.t.Errorf("Read = %d, %v, want the connection closed", n, err)
	}
}
