package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/loopback"
)

const patience = 2 * time.Minute

// TestMain lets four tests run at a time where there are fewer cores, unless -parallel says
// otherwise: they wait for a broker most of the time.
func TestMain(m *testing.M) {
	if runtime.GOMAXPROCS(0) < 4 {
		if err := flag.Set("test.parallel", "4"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// quietTime is how long nothing should happen.
const quietTime = 200 * time.Millisecond

// inBothVersions runs a test with MQTT 3.1.1 and 5, at the same time as others: most of
// it is waiting for a broker.
func inBothVersions(t *testing.T, test func(t *testing.T, version string)) {
	t.Parallel()
	for _, version := range []string{"3", "5"} {
		t.Run("mqtt"+version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

// aloneInBothVersions is for a test that looks at all goroutines of the process.
func aloneInBothVersions(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{"3", "5"} {
		t.Run("mqtt"+version, func(t *testing.T) { test(t, version) })
	}
}

// eventually polls a condition until it holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
}

// freePort returns a loopback port that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	port, err := loopback.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// mosquitto is a real broker.
type mosquitto struct {
	t    testing.TB
	conf string
	port int
	cmd  *exec.Cmd
	log  logLines
}

// startMosquitto starts a broker with a listener on a free port and further
// lines of its config file; DIR in them stands for a directory of its own.
func startMosquitto(t testing.TB, lines ...string) *mosquitto {
	t.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
			t.Fatal("mosquitto is not installed: apt-get install mosquitto")
		}
	}
	dir := t.TempDir()
	m := &mosquitto{t: t, port: freePort(t), conf: filepath.Join(dir, "mosquitto.conf")}
	conf := fmt.Sprintf("user root\nset_tcp_nodelay true\nmax_queued_messages 0\nlog_dest stderr\nlistener %d 127.0.0.1\n%s\n",
		m.port, strings.Join(lines, "\n"))
	if !strings.Contains(conf, "allow_anonymous") {
		conf += "allow_anonymous true\n"
	}
	if err := os.WriteFile(m.conf, []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command("/usr/sbin/mosquitto", "-c", m.conf)
	m.cmd.Stderr = &m.log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		if m.refusesPing() {
			return
		}
		if time.Now().After(deadline) {
			m.cmd.Process.Kill()
			m.cmd.Wait()
			m.t.Fatalf("mosquitto does not listen: %s", &m.log)
		}
		runtime.Gosched()
	}
}

// refusesPing tells whether the broker hangs up on who begins with PINGREQ. Then it is
// in its main loop: before, it listens already and a SIGTERM is lost on it.
func (m *mosquitto) refusesPing() bool {
	conn, err := net.Dial("tcp", m.addr())
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write(bytes.Repeat([]byte{typePingreq << 4, 0}, 8)) // more than the header of a TLS record
	_, err = conn.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// stop ends the broker in good order: it saves its state if it is persistent.
func (m *mosquitto) stop() { m.signal(syscall.SIGTERM) }

func (m *mosquitto) signal(s os.Signal) {
	if m.cmd != nil {
		m.cmd.Process.Signal(s)
		m.cmd.Wait()
		m.cmd = nil
	}
}

func (m *mosquitto) addr() string { return fmt.Sprintf("127.0.0.1:%d", m.port) }
func (m *mosquitto) uri() string  { return "tcp://" + m.addr() }

// publisher returns a client to publish with.
func publisher(t testing.TB, uri string) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(uri).SetClientID("publisher").SetAutoReconnect(false))
	if token := c.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("connect publisher: %v", token.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

// publish sends payloads and waits until the broker has taken them.
func publish(t testing.TB, c paho.Client, topic string, qos byte, payloads ...string) {
	t.Helper()
	window := 500
	if qos == 2 { // what the broker lets a publisher have in flight
		window = 10
	}
	var tokens []paho.Token
	wait := func() {
		t.Helper()
		for _, token := range tokens {
			if !token.WaitTimeout(patience) || token.Error() != nil {
				t.Fatalf("publish: %v", token.Error())
			}
		}
		tokens = tokens[:0]
	}
	for _, p := range payloads {
		if tokens = append(tokens, c.Publish(topic, qos, false, p)); len(tokens) == window {
			wait()
		}
	}
	wait()
}

// flood publishes payloads with QoS 1 as fast as the broker takes them, without a client
// that keeps an account of each, and tells when the broker has taken all.
func flood(t *testing.T, addr, topic string, payloads []string) <-chan error {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	var out bytes.Buffer
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.ClientIdentifier, hello.CleanSession = "MQTT", 4, "flood", true
	hello.Write(&out)
	for i, text := range payloads {
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.TopicName, p.Qos, p.MessageID, p.Payload = topic, 1, uint16(i%maxWindow+1), []byte(text)
		p.Write(&out)
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, conn, int64(4+4*len(payloads))) // CONNACK and PUBACKs
		done <- err
	}()
	go conn.Write(out.Bytes()) // an error is the reader's too
	return done
}

// numbers returns the texts of from..to-1.
func numbers(from, to int) []string {
	out := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// logLines collects log lines.
type logLines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logLines) count(part string) int { return strings.Count(l.String(), part) }

// offsets stands in for the offset topic.
type offsets struct {
	mu     sync.Mutex // guards stored
	stored map[string]string
}

func (o *offsets) get(_ context.Context, partition json.RawMessage) (json.RawMessage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v, ok := o.stored[string(partition)]; ok {
		return json.RawMessage(v), nil
	}
	return nil, nil
}

func (o *offsets) put(m connect.Mark) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stored == nil {
		o.stored = make(map[string]string)
	}
	o.stored[string(m.Partition)] = string(m.Offset)
}

// session returns the only offset.
func (o *offsets) session() (s storedSession) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, text := range o.stored {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			s.InFlight = err.Error()
		}
	}
	return s
}

// ids returns the packet ids in the only offset.
func (o *offsets) ids() string { return o.session().InFlight }

// released returns those that the broker may not know of.
func (o *offsets) released() string {
	if r := o.session().Released; r != nil {
		return *r
	}
	return ""
}

func timeout(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), patience)
}

// record is a copy of a record that outlives its batch.
type record struct {
	topic, key, value string
	id, qos           int64
	retained, dup     bool
	timestamp         int64
}

// task is a source with a caller that does what the engine does.
type task struct {
	t       testing.TB
	src     *Source
	log     *logLines
	offsets *offsets
	batch   *connect.Batch
	marks   []connect.Mark // read and not committed
	closed  bool
}

func parse(t testing.TB, settings map[string]string) *Config {
	t.Helper()
	var d connect.Def
	c := Spec.New().(*Config)
	c.Define(&d)
	if err := connect.Err(d.Parse(settings)); err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Validate() {
		t.Fatal(err)
	}
	return c
}

// fast are settings for tests: no waiting for a reconnect.
func fast(uri string, settings ...string) map[string]string {
	m := map[string]string{optServerURI: uri, optTopics: "t/#", "kafka.topic": "k", "max.retry.time.ms": "50",
		"mqtt.connect.timeout.seconds": "5", optDropsTopic: ""}
	for i := 0; i < len(settings); i += 2 {
		m[settings[i]] = settings[i+1]
	}
	return m
}

// openTask opens a source. o may be nil, or the offsets of an earlier one. It does not announce its
// connections in the offset, so that a test need not read before there is one, unless announcing is given.
func openTask(t testing.TB, o *offsets, settings map[string]string, change ...func(*Source)) *task {
	t.Helper()
	if o == nil {
		o = new(offsets)
	}
	k := &task{t: t, src: parse(t, settings).Source().(*Source), log: new(logLines), offsets: o,
		batch: connect.NewBatch(10_000, 8<<20)}
	k.src.announce = nil
	for _, f := range change {
		f(k.src)
	}
	sc := connect.SourceContext{Connector: "conn", Logger: slog.New(slog.NewTextHandler(k.log, nil)), Offset: o.get}
	if err := k.src.Open(t.Context(), sc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	return k
}

func announcing(s *Source) { s.announce = s.announceConnect }

// connected waits for the nth connection.
func (k *task) connected(n int) {
	k.t.Helper()
	eventually(testingT(k.t), fmt.Sprintf("connection %d", n), func() bool { return k.log.count("mqtt connected") >= n })
}

func testingT(t testing.TB) *testing.T { return t.(*testing.T) }

// readBatch reads one batch and returns its records.
func (k *task) readBatch(ctx context.Context) ([]record, error) {
	k.batch.Reset()
	if err := k.src.Read(ctx, k.batch); err != nil {
		return nil, err
	}
	for _, m := range k.batch.Marks() {
		m.Partition, m.Offset = bytes.Clone(m.Partition), bytes.Clone(m.Offset)
		k.marks = append(k.marks, m)
	}
	out := make([]record, 0, k.batch.Len())
	for _, r := range k.batch.Records() {
		out = append(out, copyRecord(&r))
	}
	return out, nil
}

func copyRecord(r *connect.Record) record {
	c := record{topic: r.Topic, timestamp: r.Timestamp}
	if r.Key.Type() == connect.String {
		c.key = strings.Clone(r.Key.Text())
	}
	switch r.Value.Type() {
	case connect.Bytes:
		c.value = string(r.Value.Bytes())
	case connect.String:
		c.value = strings.Clone(r.Value.Text())
	}
	if len(r.Headers) >= 4 {
		c.id, c.qos = r.Headers[0].Value.Int(), r.Headers[1].Value.Int()
		c.retained, c.dup = r.Headers[2].Value.Boolean(), r.Headers[3].Value.Boolean()
	}
	return c
}

// read reads at least n records, committing each batch or nothing.
func (k *task) read(n int, commit bool) []record {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	var out []record
	for len(out) < n {
		batch, err := k.readBatch(ctx)
		if err != nil {
			k.t.Fatalf("read after %d of %d records: %v\n%s", len(out), n, err, k.log)
		}
		if out = append(out, batch...); commit {
			k.commit()
		}
	}
	return out
}

// fails reads until an error other than the context's.
func (k *task) fails() error {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	for {
		if _, err := k.readBatch(ctx); ctx.Err() != nil {
			k.t.Fatalf("no error; log: %s", k.log)
		} else if err != nil {
			return err
		}
	}
}

// quiet checks that no record comes for a while.
func (k *task) quiet(d time.Duration) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), d)
	defer cancel()
	for {
		batch, err := k.readBatch(ctx)
		if err != nil {
			return
		}
		if len(batch) > 0 {
			k.t.Fatalf("got %d records, the first %+v, want none", len(batch), batch[0])
		}
	}
}

// settle reads and commits until nothing is left to acknowledge and no packet id is in use.
func (k *task) settle() {
	k.t.Helper()
	eventually(testingT(k.t), "empty queue", func() bool {
		ctx, cancel := context.WithTimeout(k.t.Context(), 10*time.Millisecond)
		defer cancel()
		if got, err := k.readBatch(ctx); err == nil && len(got) > 0 {
			k.t.Errorf("got %d records more", len(got))
		}
		k.commit()
		return k.src.queue.waiting() == 0 && k.offsets.ids() == "" // releases of QoS 2 may be on their way
	})
}

// commit does what the engine does when everything read is durable.
func (k *task) commit() {
	for _, m := range k.marks {
		if m.Partition != nil {
			k.offsets.put(m)
		}
		k.src.Commit(m)
	}
	k.marks = k.marks[:0]
}

func (k *task) close() {
	k.t.Helper()
	if k.closed {
		return
	}
	k.closed = true
	if err := k.src.Close(); err != nil {
		k.t.Error(err)
	}
}

func values(rs []record) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.value
	}
	return out
}

// missing returns those of want that no record has as its value.
func missing(rs []record, want []string) []string {
	left := make(map[string]bool, len(want))
	for _, w := range want {
		left[w] = true
	}
	for _, r := range rs {
		delete(left, r.value)
	}
	return slices.Sorted(maps.Keys(left))
}

// noLeaks checks that no goroutine of this package's code or of paho is left.
func noLeaks(t *testing.T) {
	t.Helper()
	var left string
	eventuallyNone := func() bool {
		buf := make([]byte, 1<<20)
		left = ""
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if (strings.Contains(g, "paho.mqtt") || strings.Contains(g, "source/mqtt.(*")) && !strings.Contains(g, "testing.tRunner") {
				left = g
			}
		}
		return left == ""
	}
	deadline := time.Now().Add(patience)
	for !eventuallyNone() {
		if time.Now().After(deadline) {
			t.Fatalf("a goroutine is left:\n%s", left)
		}
		runtime.Gosched()
	}
}

// relay is a TCP proxy that can swallow and cut what it carries.
type relay struct {
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	swallow bool
	conns   []net.Conn
}

func startRelay(t *testing.T, target string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln, target: target}
	r.wg.Go(r.accept)
	t.Cleanup(func() {
		ln.Close()
		r.cut()
		r.wg.Wait()
	})
	return r
}

func (r *relay) uri() string { return "tcp://" + r.ln.Addr().String() }

func (r *relay) accept() {
	for {
		near, err := r.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			near.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, near, far)
		r.mu.Unlock()
		r.wg.Go(func() { r.carry(near, far) })
		r.wg.Go(func() { r.carry(far, near) })
	}
}

func (r *relay) carry(from, to net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		swallow := r.swallow
		r.mu.Unlock()
		if n > 0 && !swallow {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// setSwallow makes the relay read and forget everything: a half-open connection.
func (r *relay) setSwallow(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swallow = on
}

// cut breaks all connections, as the death of a process does.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	r.conns = nil
}

var _ io.Writer = (*logLines)(nil)

// waiting returns the number of messages that are not committed yet.
func (q *queue) waiting() int {
	n, _, _ := q.held()
	return n
}

// unreadNow returns the number of messages that are not read yet.
func (q *queue) unreadNow() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unread.len()
}
