package mqtt

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	paho5 "github.com/eclipse/paho.golang/paho"
	"github.com/sluice-data/sluice/connect"
)

// Properties of a real MQTT 5 client reach the record's headers, through a real
// broker.
func TestPropertiesThroughBroker(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	k := openTask(t, nil, fast(m.uri(), optVersion, "5"))
	k.connected(1)
	conn, err := net.Dial("tcp", m.addr())
	if err != nil {
		t.Fatal(err)
	}
	p := paho5.NewClient(paho5.ClientConfig{Conn: conn})
	if _, err := p.Connect(t.Context(), &paho5.Connect{ClientID: "five", CleanStart: true, KeepAlive: 30}); err != nil {
		t.Fatal(err)
	}
	defer p.Disconnect(&paho5.Disconnect{})
	_, err = p.Publish(t.Context(), &paho5.Publish{Topic: "t/x", QoS: 1, Payload: []byte("v"), Properties: &paho5.PublishProperties{
		ContentType: "text/plain", ResponseTopic: "answers", CorrelationData: []byte{1, 0xff},
		User: paho5.UserProperties{{Key: "trace", Value: "a"}, {Key: "trace", Value: "b"}}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := timeout(t)
	defer cancel()
	for k.batch.Len() == 0 {
		k.batch.Reset()
		if err := k.src.Read(ctx, k.batch); err != nil {
			t.Fatal(err)
		}
	}
	got := make(map[string]string)
	for _, h := range k.batch.Records()[0].Headers {
		switch h.Schema.Type() {
		case connect.String:
			got[h.Key] += h.Value.Text()
		case connect.Bytes:
			got[h.Key] += string(h.Value.Bytes())
		}
	}
	for key, want := range map[string]string{headerContentType: "text/plain", headerResponseTopic: "answers",
		headerCorrelationData: "\x01\xff", "mqtt.user.trace": "ab"} {
		if got[key] != want {
			t.Errorf("header %s: got %q, want %q", key, got[key], want)
		}
	}
}

// The receive maximum is the broker's window.
func TestReceiveMaximum(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t, "max_inflight_messages 1000")
	k := openTask(t, nil, fast(m.uri(), optVersion, "5", "mqtt.receive.maximum", "7"))
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 1, numbers(0, 100)...)
	got := k.read(7, false)
	ctx, cancel := context.WithTimeout(t.Context(), quietTime)
	defer cancel()
	if more, err := k.readBatch(ctx); err == nil && len(more) > 0 {
		t.Errorf("%d messages came beyond the receive maximum", len(more))
	}
	k.commit()
	if got = append(got, k.read(93, true)...); len(missing(got, numbers(0, 100))) > 0 {
		t.Errorf("missing: %v", missing(got, numbers(0, 100)))
	}
}

// Refusals of MQTT 5 say what to change; what may pass is tried again.
func TestRefusals5(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		connack []byte
		option  string // "" for trying again
	}{
		"3.1.1 only":     {[]byte{0x20, 2, 0, 1}, optVersion},
		"version":        {[]byte{0x20, 3, 0, 0x84, 0}, optVersion},
		"client id":      {[]byte{0x20, 3, 0, 0x85, 0}, optClientID},
		"credentials":    {[]byte{0x20, 3, 0, 0x86, 0}, optUsername},
		"not authorized": {[]byte{0x20, 3, 0, 0x87, 0}, optUsername},
		"busy":           {[]byte{0x20, 3, 0, 0x89, 0}, ""},
		"with a reason":  {[]byte{0x20, 8, 0, 0x97, 5, 0x1f, 0, 2, 'n', 'o'}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := startFakeBroker(t, func(_ int, conn *fakeConn) {
				buf := make([]byte, 1024)
				if _, err := conn.Read(buf); err == nil {
					conn.Write(c.connack)
				}
			})
			k := openTask(t, nil, fast(b.uri(), optVersion, "5"))
			if c.option == "" {
				eventually(t, "a second attempt", func() bool { return k.log.count("reason code 0x") == 1 && k.log.count("level=ERROR") == 0 })
				return
			}
			var refused *connect.ConfigError
			if err := k.fails(); !errors.As(err, &refused) || refused.Option != c.option {
				t.Errorf("got %v, want an error of %s", err, c.option)
			}
		})
	}
}

// The reason that a broker ends the connection for is in the log.
func TestDisconnectReason(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(_ int, conn *fakeConn) {
		buf := make([]byte, 1024)
		conn.Read(buf) // CONNECT
		conn.Write([]byte{0x20, 3, 0, 0, 0})
		conn.Read(buf) // SUBSCRIBE, whose packet id follows the header
		conn.Write([]byte{0x90, 4, buf[2], buf[3], 0, 1, 0xe0, 2, 0x8e, 0})
		conn.Read(buf)
	})
	k := openTask(t, nil, fast(b.uri(), optVersion, "5"))
	eventually(t, "the reason", func() bool { return strings.Contains(k.log.String(), "session taken over") })
}

// Keystores of Java's keytool serve as they do in Confluent's connector.
func TestKeystores(t *testing.T) {
	const stores = "../../../engine/clientconfig/testdata/"
	for _, kind := range []string{"jks", "p12"} {
		c := parse(t, fast("ssl://broker", optTrustStore, stores+"trust."+kind, "mqtt.ssl.trust.store.password", "changeit",
			optKeyStore, stores+"key."+kind, "mqtt.ssl.key.store.password", "changeit", "mqtt.ssl.key.password", "keypass"))
		cfg, errs := c.loadTLS()
		if len(errs) > 0 || cfg.RootCAs == nil || len(cfg.Certificates) != 1 {
			t.Errorf("%s: got %v, %v", kind, cfg, errs)
		}
	}
}

// The session that a connection finds may be another one than that of the offset, when the
// broker has lost that and the task that saw it was killed before it could subscribe, or when
// the broker has gone back to an older state. To subscribe again to what a session has brings nothing retained.
func TestEachConnectionSubscribes(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	settings := fast(m.uri(), optVersion, "5", optClientID, "id", "mqtt.qos", "1")
	o := new(offsets)
	pub := publisher(t, m.uri())
	if token := pub.Publish("t/x", 1, true, "kept"); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	starts := func(payload string, want ...string) {
		t.Helper()
		k := openTask(t, o, settings)
		k.connected(1)
		publish(t, pub, "t/x", 1, payload)
		if got := values(k.read(len(want), true)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		k.close()
	}
	starts("first", "kept", "first")
	starts("second", "second")

	replaceSession(t, m)
	starts("third", "kept", "third")

	k := openTask(t, o, settings)
	k.connected(1)
	replaceSession(t, m)
	k.connected(2)
	publish(t, pub, "t/x", 1, "fourth")
	if got := values(k.read(2, true)); !slices.Equal(got, []string{"kept", "fourth"}) {
		t.Errorf("got %q, want what is retained and the fourth", got)
	}
}

// replaceSession makes a new session of the client "id" without filters.
func replaceSession(t *testing.T, m *mosquitto) {
	t.Helper()
	conn, err := net.Dial("tcp", m.addr())
	if err != nil {
		t.Fatal(err)
	}
	p := paho5.NewClient(paho5.ClientConfig{Conn: conn})
	expiry := uint32(3600)
	if _, err := p.Connect(t.Context(), &paho5.Connect{ClientID: "id", CleanStart: true, KeepAlive: 30, Properties: &paho5.ConnectProperties{SessionExpiryInterval: &expiry}}); err != nil {
		t.Fatal(err)
	}
	p.Disconnect(&paho5.Disconnect{}) // fails when the task has taken the session back already
}

// A broker that keeps the session for a shorter time than it is asked to says so in
// CONNACK, and the log does: once for each such time.
func TestSessionExpiryIsCut(t *testing.T) {
	lines := new(logLines)
	s := newSource(Config{SessionExpiry: 4294967295})
	s.log = slog.New(slog.NewTextHandler(lines, nil))
	w := watch{source: s, expiry: -1}
	for _, c := range []struct {
		seconds int64
		fewer   bool
		want    int
	}{{0, false, 0}, {4294967295, true, 0}, {7200, true, 1}, {7200, true, 1}, {0, true, 2}} {
		if w.kept(c.seconds, c.fewer); lines.count("shorter time than "+optSessionExpiry) != c.want {
			t.Errorf("after %+v: %s", c, lines)
		}
	}
}

// What CONNACK says of the session's time is known.
func TestSessionExpiryOfConnack(t *testing.T) {
	b := startFakeBroker(t, func(_ int, conn *fakeConn) {
		buf := make([]byte, 1024)
		conn.Read(buf)                                               // CONNECT
		conn.Write([]byte{0x20, 8, 0, 0, 5, 0x11, 0, 0, 0x1c, 0x20}) // CONNACK
		conn.Read(buf)                                               // DISCONNECT
	})
	c := parse(t, fast(b.uri(), optVersion, "5"))
	conn, _, err := connectPaho5(t.Context(), clientOptions{config: c, server: c.servers[0], clientID: "id", pingTimeout: pingTimeout, taker: noTaker{}})
	if err != nil {
		t.Fatal(err)
	}
	if seconds, fewer := conn.keptFor(); seconds != 7200 || !fewer {
		t.Errorf("got %d seconds, %v, want 7200", seconds, fewer)
	}
	conn.close()
}
