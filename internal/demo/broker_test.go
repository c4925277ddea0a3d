package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// startBroker serves a broker on a free port until the test ends.
func startBroker(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- NewBroker(slog.New(slog.DiscardHandler)).Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

type client struct {
	mqtt.Client
	got            chan mqtt.Message
	sessionPresent bool
	lost           chan struct{}
}

// connect connects a client that acknowledges by hand.
func connect(t *testing.T, addr, id string, clean bool) *client {
	t.Helper()
	c := &client{got: make(chan mqtt.Message, 1000), lost: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetCleanSession(clean).
		SetAutoReconnect(false).SetAutoAckDisabled(true).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { c.got <- m }).
		SetConnectionLostHandler(func(mqtt.Client, error) { close(c.lost) })
	c.Client = mqtt.NewClient(o)
	token := c.Connect().(*mqtt.ConnectToken)
	wait(t, token)
	c.sessionPresent = token.SessionPresent()
	t.Cleanup(func() { c.Disconnect(10) })
	return c
}

func wait(t *testing.T, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) {
		t.Fatal("no answer")
	}
	if token.Error() != nil {
		t.Fatal(token.Error())
	}
}

func (c *client) receive(t *testing.T) mqtt.Message {
	t.Helper()
	select {
	case m := <-c.got:
		return m
	case <-time.After(patience):
		t.Fatal("no message")
		return nil
	}
}

func TestBrokerKeepsUnacknowledged(t *testing.T) {
	addr := startBroker(t)
	pub := connect(t, addr, "pub", true)
	sub := connect(t, addr, "sub", false)
	if sub.sessionPresent {
		t.Error("session present on the first connection")
	}
	wait(t, sub.Subscribe("a/+", 1, nil))
	for i := range 3 {
		wait(t, pub.Publish("a/b", 1, false, fmt.Sprint(i)))
	}
	for range 3 {
		sub.receive(t)
	}
	sub.Disconnect(10)
	wait(t, pub.Publish("a/b", 1, false, "3"))

	sub = connect(t, addr, "sub", false)
	if !sub.sessionPresent {
		t.Error("no session present on the second connection")
	}
	for i := range 4 {
		m := sub.receive(t)
		if got, want := string(m.Payload()), fmt.Sprint(i); got != want || i < 3 && !m.Duplicate() {
			t.Errorf("got %s duplicate %v, want %s", got, m.Duplicate(), want)
		}
		m.Ack()
	}
}

func TestBrokerWindow(t *testing.T) {
	addr := startBroker(t)
	pub := connect(t, addr, "pub", true)
	sub := connect(t, addr, "sub", false)
	wait(t, sub.Subscribe("#", 1, nil))
	for i := range 3 * maxUnacked {
		wait(t, pub.Publish("x", 1, false, fmt.Sprint(i)))
	}
	held := make([]mqtt.Message, maxUnacked)
	for i := range held {
		held[i] = sub.receive(t)
	}
	wait(t, sub.Subscribe("other", 1, nil)) // its answer comes after what was sent
	if len(sub.got) > 0 {
		t.Errorf("%d messages beyond the window", len(sub.got))
	}
	for _, m := range held {
		m.Ack()
	}
	for i := maxUnacked; i < 3*maxUnacked; i++ {
		m := sub.receive(t)
		if got, want := string(m.Payload()), fmt.Sprint(i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		m.Ack()
	}
}

func TestBrokerTakeover(t *testing.T) {
	addr := startBroker(t)
	first := connect(t, addr, "same", false)
	wait(t, first.Subscribe("t", 1, nil))
	second := connect(t, addr, "same", false)
	select {
	case <-first.lost:
	case <-time.After(patience):
		t.Fatal("the first connection was not closed")
	}
	wait(t, second.Publish("t", 1, false, "x"))
	second.receive(t).Ack()
}

// TestBrokerGarbage wants every kind of nonsense to end its own connection only.
func TestBrokerGarbage(t *testing.T) {
	addr := startBroker(t)
	hello := "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"
	for name, text := range map[string]string{
		"nonsense":         strings.Repeat("GET / HTTP/1.1\r\n", 100),
		"huge length":      "\x10\xff\xff\xff\x7f",
		"endless length":   "\x10\xff\xff\xff\xff\xff",
		"no CONNECT":       "\xc0\x00",
		"short body":       "\x10\x02\x00\x04",
		"QoS 2":            hello + "\x34\x05\x00\x01t\x00\x01",
		"short SUBSCRIBE":  hello + "\x82\x05\x00\x01\x00\x09t",
		"reserved":         hello + "\xf0\x00",
		"CONNECT twice":    hello + hello,
		"wrong level":      "\x10\x0d\x00\x04MQTT\x09\x02\x00\x3c\x00\x01x",
		"publish too long": hello + "\x30\x81\x80\x80\x01",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
			t.Errorf("%s: the connection stays open: %v", name, err)
		}
		conn.Close()
	}
	sub := connect(t, addr, "after", true)
	wait(t, sub.Subscribe("t", 1, nil))
}

func isReset(err error) bool {
	ne, ok := err.(net.Error)
	return ok && !ne.Timeout()
}

func TestMatches(t *testing.T) {
	tests := []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a", false}, {"a", "a/b", false},
		{"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/b/c", false}, {"+/b", "a/b", true},
		{"#", "a/b", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "b", false},
		{"#", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"+", "", true}, {"/+", "/a", true},
	}
	for _, tt := range tests {
		if got := matches(tt.filter, tt.topic); got != tt.want {
			t.Errorf("matches(%q, %q) = %v, want %v", tt.filter, tt.topic, got, tt.want)
		}
	}
}

func TestSessionIsBounded(t *testing.T) {
	s := newSession()
	s.subscribe([]string{"#"}, []byte{1})
	for range maxQueued + 10 {
		s.offer(message{topic: "t", qos: 1})
	}
	if len(s.queue) != maxQueued {
		t.Errorf("queue holds %d, want %d", len(s.queue), maxQueued)
	}
	for range maxControlQueued {
		s.answer(nil)
	}
	if s.answer(nil) {
		t.Error("answers are queued without limit")
	}
}

func TestDevices(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("publish", func(t *testing.T) {
		addr := startBroker(t)
		sub := connect(t, addr, "sub", true)
		wait(t, sub.Subscribe("readings", 1, nil))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() {
			done <- Devices{Broker: addr, Topic: "readings", Count: 3, Interval: 10 * time.Millisecond}.Run(ctx)
		}()
		seen := map[string]bool{}
		for len(seen) < 9 {
			m := sub.receive(t)
			seen[string(m.Payload())] = true
			m.Ack()
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		}
	}
}

func TestDevicesWithoutBroker(t *testing.T) {
	err := Devices{Broker: "127.0.0.1:1", Topic: "t", Count: 2, Interval: time.Second}.Run(t.Context())
	if err == nil {
		t.Error("no error without a broker")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"))
	f.Add([]byte("\x32\x06\x00\x01t\x00\x01x"))
	f.Add([]byte("\x82\x06\x00\x01\x00\x01t\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := NewBroker(slog.New(slog.DiscardHandler))
		s := newSession()
		r := newReader(data)
		for range 100 {
			p, err := readPacket(r)
			if err != nil {
				return
			}
			if _, err := b.handle(s, p); err != nil {
				return
			}
		}
	})
}

func newReader(data []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(data)) }
