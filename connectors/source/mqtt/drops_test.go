package mqtt

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

const dropsTopic = "$SYS/broker/publish/messages/dropped"

// What the broker drops while the connector is away, because its session is full,
// is counted, logged and, if wanted, a record, in the right number.
func TestBrokerDrops(t *testing.T) { inBothVersions(t, testBrokerDrops) }

func testBrokerDrops(t *testing.T, version string) {
	m := startMosquitto(t, "max_queued_messages 10", "sys_interval 1")
	o := new(offsets)
	settings := fast(m.uri(), optVersion, version, optDropsTopic, dropsTopic, "mqtt.gap.topic", "gaps")
	k := openTask(t, o, settings)
	k.connected(1)
	eventually(t, "a first value", func() bool {
		wantOnce(t, k.readUntilQuiet(), nil) // it becomes no record
		return strings.Contains(o.only(), `"mqtt.broker.drops":`)
	})
	if n := k.src.numbers.brokerDrops.Load(); n != 0 {
		t.Errorf("%d drops are counted by the first value, which only is where to count from", n)
	}
	k.close()
	publish(t, publisher(t, m.uri()), "t/x", 1, numbers(0, 100)...)

	k = openTask(t, o, settings)
	k.connected(1)
	var got []record
	eventually(t, "the drops", func() bool {
		got = append(got, k.readUntilQuiet()...)
		return k.src.numbers.brokerDrops.Load() > 0
	})
	events := slices.DeleteFunc(slices.Clone(got), func(r record) bool { return r.topic != "gaps" })
	arrived, dropped := len(got)-len(events), int(k.src.numbers.brokerDrops.Load())
	if arrived+dropped != 100 || dropped == 0 {
		t.Errorf("%d messages arrived and %d are said to be dropped, want 100 together", arrived, dropped)
	}
	if len(events) != 1 || !strings.HasPrefix(events[0].value, `{"event":"broker.dropped","mqtt.client.id":"conn-0","dropped":`) {
		t.Errorf("got events %+v, want one of the drops", events)
	}
	if n := k.log.count("level=WARN msg=\"mqtt broker has dropped messages"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, k.log)
	}
}

// only returns the only offset.
func (o *offsets) only() (text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, text = range o.stored {
	}
	return text
}

// Who asks for the counter in mqtt.topics gets it as records, too.
func TestBrokerDropsAsRecords(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t, "sys_interval 1")
	k := openTask(t, nil, fast(m.uri(), optTopics, "$SYS/broker/publish/messages/#", optDropsTopic, dropsTopic))
	var got []record
	eventually(t, "the counter as a record", func() bool {
		got = append(got, k.readUntilQuiet()...)
		return slices.ContainsFunc(got, func(r record) bool { return r.key == dropsTopic })
	})
	if k.src.session.brokerDrops < 0 {
		t.Error("the counter is not heeded")
	}
}

// A broker that does not allow its counter to be read, or ends the connection for
// it, delivers messages all the same.
func TestBrokerDropsRefused(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*fakeConn){
		"refused":    func(c *fakeConn) { c.suback(subscribeRefused) },
		"hung up on": func(c *fakeConn) { c.next() },
		"silence":    func(c *fakeConn) { c.next(); c.drain() },
	} {
		t.Run(name, func(t *testing.T) {
			b := startFakeBroker(t, func(n int, c *fakeConn) {
				c.welcome(false)
				if n == 1 {
					refuse(c)
					if name != "refused" {
						return
					}
				}
				c.publish(1, "good")
				for p := c.next(); p != nil; p = c.next() {
					if _, again := p.(*packets.SubscribePacket); again {
						t.Error("it asks again")
					}
				}
			})
			k := openTask(t, nil, fast(b.uri(), optDropsTopic, dropsTopic, "mqtt.connect.timeout.seconds", "1"))
			if got := k.read(1, false); got[0].value != "good" {
				t.Errorf("got %+v", got[0])
			}
			k.connected(1)
			if n := k.log.count("does not let its counter of dropped messages be read"); n != 1 {
				t.Errorf("%d log lines, want one:\n%s", n, k.log)
			}
		})
	}
}

// Only the first task counts, or a sum over tasks would count twice; what is turned
// off is unsubscribed.
func TestBrokerDropsSubscription(t *testing.T) {
	c := parse(t, fast("tcp://broker", optDropsTopic, dropsTopic))
	o := new(offsets)
	s, err := openSession(t.Context(), c, "id", o.get)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.dropsToAdd(false); got != "" {
		t.Errorf("got %q without being asked to count", got)
	}
	s.want.Drops = dropsTopic
	if got := s.dropsToAdd(false); got != dropsTopic {
		t.Errorf("got %q, want the counter", got)
	}
	s.subscribed()
	if got := s.dropsToAdd(true); got != "" {
		t.Errorf("it is subscribed to again: %q", got)
	}
	s.want.Drops = ""
	if _, _, remove := s.changes(true); !slices.Equal(remove, []string{dropsTopic}) {
		t.Errorf("got %q to unsubscribe, want the counter", remove)
	}
	s.want.Topics += "," + dropsTopic
	if _, _, remove := s.changes(true); len(remove) > 0 {
		t.Errorf("got %q to unsubscribe, which mqtt.topics asks for", remove)
	}
}

// A counter that is smaller than before has started anew.
func TestBrokerDropsCounter(t *testing.T) {
	s := newSource(*parse(t, fast("tcp://broker", optDropsTopic, dropsTopic)))
	s.session, s.records = &session{brokerDrops: -1}, maker(t)
	s.brokerDropLog.log = slog.New(slog.DiscardHandler)
	for _, step := range []struct{ value, want int64 }{{100, 0}, {100, 0}, {107, 7}, {3, 10}, {0, 10}, {5, 15}} {
		s.brokerDropped(nil, &message{count: step.value})
		if got := s.numbers.brokerDrops.Load(); got != step.want {
			t.Errorf("after the value %d: got %d drops, want %d", step.value, got, step.want)
		}
	}
}
