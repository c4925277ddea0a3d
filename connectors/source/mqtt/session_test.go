package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/sluice-data/sluice/connect"
)

// A broker that has lost a session has a new one, without subscriptions, from CONNECT
// on. When the connection or the task ends before they are there, the next makes them.
func TestSessionLostBeforeSubscribed(t *testing.T) {
	t.Parallel()
	for name, restarts := range map[string]bool{"the connection ends": false, "the task ends": true} {
		t.Run(name, func(t *testing.T) {
			known, cut := make(chan struct{}), make(chan struct{})
			b := startFakeBroker(t, func(n int, c *fakeConn) {
				switch c.connack(n == 3); n {
				case 1:
					c.suback(1)
					<-known
				case 2:
					c.next() // SUBSCRIBE, which the broker does not come to
					<-cut
				default:
					c.suback(1)
					c.publish(1, "after")
					c.drain()
				}
			})
			o := new(offsets)
			k := openTask(t, o, fast(b.uri(), optClientID, "id"))
			until := func(topics string) { // the offset has them
				for o.session().Topics != topics {
					k.readSome()
					k.commit()
				}
			}
			until("t/#")
			close(known)
			if restarts {
				until("")
				close(cut)
				k.close()
				k = openTask(t, o, fast(b.uri(), optClientID, "id"))
			} else {
				close(cut)
			}
			if got := k.read(1, true); got[0].value != "after" {
				t.Errorf("got %+v, want the message after it", got)
			}
		})
	}
}

// A task is killed after the broker has answered with a new session and before it has
// subscribed (MQTT 3.1.1): the next one finds the session, and subscribes.
func TestKilledBeforeSubscribed(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(n int, c *fakeConn) {
		switch n {
		case 1:
			c.welcome(false)
			c.publish(1, "a")
		case 2: // it is known to have the filters
			c.connack(true)
			c.publish(2, "b")
		case 3: // the session is lost
			c.connack(false)
		case 4: // and is there again, without filters
			c.connack(true)
			c.suback(1)
			c.publish(1, "c")
		case 5:
			c.connack(true)
			c.publish(2, "d")
		}
		if p := c.next(); p != nil && n != 3 {
			if _, acks := p.(*packets.PubackPacket); !acks {
				t.Errorf("connection %d: got %v, want no SUBSCRIBE", n, p)
			}
		}
		c.drain()
	})
	o := new(offsets)
	settings := fast(b.uri(), optClientID, "id", "max.retry.time.ms", "3600000")
	next := func(want string) {
		t.Helper()
		k := openTask(t, o, settings, announcing)
		var got []record
		for len(got) == 0 || o.session().Connecting || o.session().Topics == "" {
			got = append(got, k.readSome()...)
			k.commit()
		}
		if got[0].value != want {
			t.Errorf("got %+v, want %s", got, want)
		}
		k.close()
	}
	next("a")
	next("b")
	k := openTask(t, o, settings, announcing)
	for !o.session().Connecting {
		k.readSome()
		k.commit()
	}
	eventually(t, "the answer of the broker", func() bool { return k.log.count("no session") == 1 })
	k.close() // without a commit, as a kill leaves it
	next("c")
	next("d")
}

// A connection is announced once, to who would believe in what the session has, and waits until
// just that is durable.
func TestAnnounce(t *testing.T) {
	for name, s := range map[string]*session{
		"clean":      {clean: true, have: new(subscriptions)},
		"MQTT 5":     {quiet: true, have: new(subscriptions)},
		"no offset":  {},
		"it says so": {have: new(subscriptions), connecting: true},
	} {
		if err := s.announce(t.Context()); err != nil || s.unmarked {
			t.Errorf("%s: it is announced, %v", name, err)
		}
	}
	s := &session{have: new(subscriptions), changed: make(chan struct{}, 1)}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.announce(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the log has not stored it", err)
	}
	s.committed(6) // before it is marked
	b := connect.NewBatch(10, 1000)
	if !s.mark(b, 7) || !strings.Contains(string(b.Marks()[0].Offset), `"mqtt.connecting":true`) {
		t.Errorf("the mark is %s", s.offset)
	}
	s.committed(6)
	if err := s.announce(ended); err == nil {
		t.Error("it is taken for durable before it is")
	}
	s.committed(8)
	if err := s.announce(ended); err != nil {
		t.Errorf("got %v after it was durable", err)
	}
	s.subscribed()
	if s.mark(b, 9); strings.Contains(string(s.offset), "connecting") {
		t.Errorf("the mark after it has subscribed is %s", s.offset)
	}
}

// That a session was lost is not forgotten when the queue has no room for it.
func TestLostSessionIsTold(t *testing.T) {
	t.Parallel()
	s := newSource(Config{QueueSize: 1})
	s.log = slog.New(slog.DiscardHandler)
	s.session = &session{changed: make(chan struct{}, 1), have: &subscriptions{Topics: "t/#"}}
	s.receiver(nil).publish(&message{id: 1, qos: 2, payload: make([]byte, maxHeldBytes)})
	full := false
	s.receiver(func(error) { full = true }).connected(false)
	if !full || s.seen.inFlight.has(1) {
		t.Fatalf("no room %v, packet id 1 in use %v, want the first alone", full, s.seen.inFlight.has(1))
	}
	s.queue.take(nil, 1, 1)
	s.queue.committed.Store(1)
	s.queue.takeCommitted(make([]uncommitted, 0, 1))
	for range 2 { // the second finds nothing to tell
		s.receiver(nil).connected(true)
	}
	if got := s.queue.take(nil, 10, 2); len(got) != 1 || got[0].kind != lostSession {
		t.Errorf("got %+v, want the lost session alone", got)
	}
}

// A delivery of QoS 2 that is complete but for the last packet is not begun anew after a
// restart of the broker, which has saved how far it was.
func TestBrokerRestartQoS2(t *testing.T) { inBothVersions(t, testBrokerRestartQoS2) }

func testBrokerRestartQoS2(t *testing.T, version string) {
	m := startMosquitto(t, "persistence true", "persistence_location DIR/", "max_inflight_messages 1000")
	r := startRelay(t, m.addr())
	o := new(offsets)
	k := openTask(t, o, fast(r.uri(), optVersion, version, optClientID, "id", "mqtt.qos", "2"))
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 2, numbers(0, 100)...)
	k.read(100, false)
	k.commit()
	eventually(t, "releases", func() bool { return k.src.queue.unreadNow() == 100 })
	r.setSwallow(true)
	k.readEmpty()
	k.commit() // PUBCOMP, which gets lost
	if o.ids() != "" {
		t.Fatalf("packet ids %s are in the offset", o.ids())
	}
	m.stop()
	r.cut()
	r.setSwallow(false)
	m.start()
	k.connected(2)
	publish(t, publisher(t, m.uri()), "t/x", 2, "another")
	if got := k.read(1, true); len(got) != 1 || got[0].value != "another" {
		t.Errorf("got %v, want another alone", values(got))
	}
	k.settle()
	if n := k.log.count("session_present=true"); n != 1 {
		t.Errorf("the session was there %d times, want once:\n%s", n, k.log)
	}
}

// publish2 sends a message of QoS 2.
func (c *fakeConn) publish2(id uint16, payload string, dup bool) {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload, p.Dup = "t/x", 2, id, []byte(payload), dup
	p.Write(c)
}

// A packet id that the broker uses again as soon as it may is another message's, also
// when that has to be sent again (DUP), to the same task or to the next one.
func TestPacketIDUsedAgain(t *testing.T) {
	t.Parallel()
	for name, restarts := range map[string]bool{"the same task": false, "the next task": true} {
		t.Run(name, func(t *testing.T) {
			cut := make(chan struct{})
			b := startFakeBroker(t, func(n int, c *fakeConn) {
				c.welcome(n > 1)
				if n > 1 {
					c.publish2(7, "second", true)
					c.drain()
					return
				}
				c.publish2(7, "first", false)
				c.next() // PUBREC
				release := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
				release.MessageID = 7
				release.Write(c)
				if _, ok := c.next().(*packets.PubcompPacket); !ok {
					t.Error("no PUBCOMP")
				}
				c.publish2(7, "second", false)
				<-cut
			})
			o := new(offsets)
			k := openTask(t, o, fast(b.uri(), optClientID, "id", "mqtt.qos", "2"))
			got := k.read(1, true)
			for len(got) < 2 {
				k.commit() // of what came before it
				got = append(got, k.readSome()...)
			}
			close(cut)
			if restarts {
				k.close()
				k, got = openTask(t, o, fast(b.uri(), optClientID, "id", "mqtt.qos", "2")), got[:1]
				got = append(got, k.read(1, true)...)
			} else {
				k.connected(2)
				k.commit()
			}
			k.quiet(100 * time.Millisecond)
			if want := []string{"first", "second"}; !slices.Equal(values(got), want) || o.ids() != "7" {
				t.Errorf("got %v with the packet ids %q in the offset, want %v and 7", values(got), o.ids(), want)
			}
		})
	}
}

// What the offset says is subscribed to is left alone, but for shared subscriptions,
// which may be missing in the session: once in each start. In MQTT 5 all may be, each time.
func TestSessionChanges(t *testing.T) {
	const stored = `{"mqtt.topics":"a,$share/g/b,c","mqtt.qos":1}`
	cases := []struct {
		topics, qos, version string
		present              bool
		add, again, remove   []string
	}{
		{"a,$share/g/b,c", "1", "3", true, nil, []string{"$share/g/b"}, nil},
		{"a,$share/g/b,c", "1", "5", true, nil, []string{"a", "$share/g/b", "c"}, nil},
		{"a,d", "1", "3", true, []string{"d"}, nil, []string{"$share/g/b", "c"}},
		{"a,d", "1", "5", true, []string{"d"}, []string{"a"}, []string{"$share/g/b", "c"}},
		{"a,c", "2", "5", true, []string{"a", "c"}, nil, []string{"$share/g/b"}},
		{"a,d", "1", "5", false, []string{"a", "d"}, nil, nil},
	}
	for _, c := range cases {
		s, err := openSession(t.Context(), parse(t, fast("tcp://broker", optTopics, c.topics, "mqtt.qos", c.qos, optVersion, c.version)), "id",
			func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage(stored), nil })
		if err != nil {
			t.Fatal(err)
		}
		if add, again, remove := s.changes(c.present); !slices.Equal(add, c.add) || !slices.Equal(again, c.again) || !slices.Equal(remove, c.remove) {
			t.Errorf("%+v: got %q, %q and %q", c, add, again, remove)
		}
		s.subscribed()
		if add, again, remove := s.changes(true); len(add)+len(remove) > 0 || (len(again) > 0) != (c.version == "5") {
			t.Errorf("%+v: got %q, %q and %q after it", c, add, again, remove)
		}
		b := connect.NewBatch(10, 1000)
		changed := c.topics != "a,$share/g/b,c"
		if got, again := s.mark(b, 1), s.mark(b, 2); got != changed || again {
			t.Errorf("%s with QoS %s: got marks %v and %v, want %v once", c.topics, c.qos, got, again, changed)
		}
	}
}

// A broker that refuses a connection for a while has not lost the session: what came
// before comes again and is known.
func TestRefusalIsNoLostSession(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(n int, c *fakeConn) {
		switch n {
		case 1:
			c.welcome(false)
			c.publish2(7, "a", false)
			c.next() // PUBREC
		case 2:
			c.next()
			c.Write([]byte{typeConnack << 4, 2, 0, 3}) // unavailable
		default:
			c.connack(true)
			c.publish2(7, "a", true)
			c.publish2(8, "b", false)
			c.drain()
		}
	})
	k := openTask(t, nil, fast(b.uri(), optClientID, "id", "mqtt.qos", "2"))
	if got := append(k.read(1, true), k.read(1, true)...); got[1].value != "b" {
		t.Errorf("got %v, want a and b", values(got))
	}
	if n := k.src.numbers.gaps.Load(); n > 0 {
		t.Errorf("%d lost sessions are counted", n)
	}
}

// A task that knows of no session, because its offsets were deleted, has got messages of
// one that is gone at the next connection: their packet ids are free, too.
func TestSessionGoneWithoutOffset(t *testing.T) {
	s := newSource(Config{QueueSize: 10})
	s.session = &session{changed: make(chan struct{}, 1)}
	s.receiver(nil).publish(&message{id: 7, qos: 2})
	s.receiver(nil).connected(false)
	if got := s.queue.take(nil, 10, 1); len(got) != 2 || got[1].kind != newSession || s.seen.inFlight.has(7) {
		t.Errorf("got %+v, packet id 7 in use %v", got, s.seen.inFlight.has(7))
	}
}

// The release of a packet id that is not in use is answered: the broker has not heard
// the first answer.
func TestUnknownReleaseIsAnswered(t *testing.T) {
	s := newSource(Config{QueueSize: 10})
	s.receiver(nil).released(7)
	if got := s.queue.take(nil, 10, 1); len(got) != 1 || got[0].answer() != typePubcomp {
		t.Errorf("got %+v, want PUBCOMP", got)
	}
}
