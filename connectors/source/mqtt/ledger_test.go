package mqtt

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Mosquitto, up to 2.1 at least, publishes a message again that it has released, when it
// could not send PUBREL between two lost connections. It is no second record, and what comes
// after it is one, also for a task that is killed anywhere in between.
func TestMosquittoPublishesReleasedAgain(t *testing.T) {
	inBothVersions(t, testMosquittoPublishesReleasedAgain)
}

func testMosquittoPublishesReleasedAgain(t *testing.T, version string) {
	m := startMosquitto(t)
	r := startRelay(t, m.addr())
	o := new(offsets)
	settings := fast(r.uri(), optVersion, version, optClientID, "id", "mqtt.qos", "2", "max.retry.time.ms", "3600000")
	k := openTask(t, o, settings)
	k.connected(1)
	p := publisher(t, m.uri())
	publish(t, p, "t/x", 2, numbers(0, 200)...)
	k.read(200, true)
	k.settle()
	for n := 200; o.session().Released == nil; n++ { // until it is seen to count
		publish(t, p, "t/x", 2, fmt.Sprint(n))
		k.read(1, true)
		k.settle()
	}
	publish(t, p, "t/x", 2, "a", "b", "c")
	k.read(3, false)
	k.commit()
	eventually(t, "releases", func() bool { return k.src.queue.unreadNow() == 3 })
	r.setSwallow(true)
	k.readEmpty()
	k.commit() // PUBCOMP, which gets lost
	r.cut()
	k.close()
	r.setSwallow(false)

	for _, step := range []string{"before read", "after the commit", "after the release"} {
		connectAndVanish(t, m, "id") // CONNACK is the last that the broker can send
		connectAndVanish(t, m, "id")
		k = openTask(t, o, settings)
		k.connected(1)
		eventually(t, "arrival", func() bool { return k.src.queue.waiting() == 3 })
		if n := k.src.numbers.suppressed.Load(); n == 0 && step == "before read" {
			t.Log("this Mosquitto publishes nothing again that it has released")
			k.close()
			break
		} else if n != 3 {
			t.Fatalf("%s: %d duplicates are suppressed, want 3", step, n)
		}
		if step != "before read" {
			k.readEmpty()
			k.commit() // PUBREC
			eventually(t, "releases", func() bool { return k.src.queue.unreadNow() == 3 })
		}
		if step == "after the release" {
			r.setSwallow(true)
			k.readEmpty()
			k.commit() // PUBCOMP
		}
		r.cut()
		k.close()
		r.setSwallow(false)
	}

	k = openTask(t, o, settings)
	k.connected(1)
	publish(t, p, "t/x", 2, numbers(1000, 1050)...)
	if got := k.read(50, true); !slices.Equal(values(got), numbers(1000, 1050)) {
		t.Errorf("got %v, want 1000 to 1049", values(got))
	}
	k.settle()
	if left := o.released(); strings.ContainsAny(left, ",") {
		t.Errorf("packet ids %s count as released, want the last ones alone", left)
	}
}

// connectAndVanish connects as a client does that is killed before it has read anything,
// and waits until the broker has noticed.
func connectAndVanish(t *testing.T, m *mosquitto, clientID string) {
	t.Helper()
	line := fmt.Sprintf(" as %s (", clientID)
	before := m.log.count(line)
	m.cmd.Process.Signal(syscall.SIGSTOP) // so that the client is gone when it is heard
	conn, err := net.Dial("tcp", m.addr())
	if err != nil {
		t.Fatal(err)
	}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.ClientIdentifier, hello.Keepalive = "MQTT", 4, clientID, 60
	if err := hello.Write(conn); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	m.cmd.Process.Signal(syscall.SIGCONT)
	eventually(t, "the broker's session", func() bool { return m.log.count(line) > before })
}

// steps is a ledger that a test leads through what a broker does.
type steps struct {
	ledger
	t *testing.T
}

// arrives takes a message of QoS 2 and tells whether it is a new one, as the receiver does.
func (l *steps) arrives(id uint16, payload string, duplicate bool) (isNew bool) {
	m := &message{qos: 2, id: id, topic: "t/x", payload: []byte(payload), duplicate: duplicate, generation: l.generation}
	if duplicate && l.has(m) {
		m.kind = seenMessage
	}
	l.take(m)
	return m.kind == newMessage
}

func (l *steps) released2(ids ...uint16) {
	for _, id := range ids {
		l.take(&message{kind: release, qos: 2, id: id, generation: l.generation})
	}
}

// delivers takes whole deliveries one after the other.
func (l *steps) delivers(from, to uint16) {
	for id := from; id <= to; id++ {
		l.arrives(id, "old", false)
		l.released2(id)
	}
}

// restart stores the ledger and begins a new connection with what is read.
func (l *steps) restart() {
	l.t.Helper()
	l.ledger = stored(l.t, &l.ledger)
	l.on(1)
}

func stored(t *testing.T, l *ledger) ledger {
	t.Helper()
	text := fmt.Sprintf("{%s}", strings.TrimPrefix(string(l.append(nil)), ","))
	var s storedLedger
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	again, err := s.ledger()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return again
}

func (l *steps) want(inFlight, released string) {
	l.t.Helper()
	if got := string(l.inFlight.append(nil)); got != inFlight {
		l.t.Errorf("%q are in flight, want %q", got, inFlight)
	}
	if got := string(l.released.append(nil)); got != released {
		l.t.Errorf("%q are released, want %q", got, released)
	}
}

func newSteps(t *testing.T) *steps {
	l := &steps{t: t}
	l.on(1)
	return l
}

// A released message is kept until the broker releases one that it sent for the first time
// after that, on the same connection.
func TestReleasedUntilSettled(t *testing.T) {
	l := newSteps(t)
	l.arrives(1, "a", false)
	l.arrives(2, "b", false)
	l.released2(1)
	l.want("2", "1")
	l.released2(2) // it was sent before the release of 1
	l.want("", "1-2")
	l.arrives(3, "c", false)
	l.want("3", "1-2")
	l.on(2)
	l.arrives(3, "c", true)
	l.released2(3) // it has come on two connections
	l.want("", "1-3")
	l.arrives(4, "d", true)
	l.released2(4) // it was sent before
	l.want("", "1-4")
	l.arrives(5, "e", false)
	l.arrives(6, "f", false)
	l.released2(2, 5)
	l.want("6", "5")
	l.released2(6)
	l.want("", "5-6")
}

// What a broker that counts sends again after the release is no new message, in its place.
func TestReleasedIsKnownAgain(t *testing.T) {
	begin := func() *steps {
		l := newSteps(t)
		l.delivers(1, 100)
		for id := uint16(101); id <= 110; id++ {
			l.arrives(id, fmt.Sprint(id), false)
		}
		l.released2(101, 102, 103, 104, 105)
		l.want("106-110", "101-105")
		l.restart()
		l.want("106-110", "101-105")
		return l
	}

	l := begin()
	l.released2(101, 102)
	for id := uint16(103); id <= 110; id++ {
		if l.arrives(id, fmt.Sprint(id), true) {
			t.Errorf("packet id %d is taken for a new message", id)
		}
	}
	l.want("103-110", "101-102")
	l.restart()
	if l.arrives(103, "103", true) {
		t.Error("what came after its release is forgotten")
	}
	l.released2(103)
	l.arrives(111, "111", false)
	l.released2(111)
	l.want("104-110", "111")

	if l := begin(); !l.arrives(103, "another", true) {
		t.Error("another message is taken for the released one with its packet id")
	}
	if l := begin(); l.arrives(106, "106", true) || !l.arrives(104, "104", true) {
		t.Error("a message that comes after a later one is taken for the released one")
	}
	if l := begin(); l.arrives(110, "110", true) || !l.arrives(111, "111", false) || !l.arrives(105, "105", true) {
		t.Error("a message that comes after a new one is taken for the released one")
	}
	l = begin()
	l.take(&message{qos: 1, id: 103, generation: 1})
	if l.on(2); !l.arrives(103, "103", true) {
		t.Error("a packet id that a message of QoS 1 had is still that of the released one")
	}
	l = begin()
	l.take(&message{kind: seenMessage, qos: 2, id: 103, generation: 1}) // mqtt.retained leaves it out
	if l.on(2); !l.arrives(103, "103", true) {
		t.Error("a packet id that a message had that becomes no record is still that of the released one")
	}
	l = begin()
	l.take(&message{kind: newSession, qos: 2, generation: 1})
	if !l.arrives(103, "103", true) || !l.arrives(106, "106", true) || l.countsUp {
		t.Error("a new session has messages of the old one")
	}
}

// Packet ids begin again at 1 after 65535.
func TestReleasedOverTheEnd(t *testing.T) {
	l := newSteps(t)
	ids := []uint16{65533, 65534, 65535, 1, 2}
	for _, id := range ids {
		l.arrives(id, fmt.Sprint(id), false)
	}
	l.released2(ids...)
	l.restart()
	for _, id := range ids {
		if l.arrives(id, fmt.Sprint(id), true) {
			t.Errorf("packet id %d is taken for a new message", id)
		}
	}
}

// A broker that takes the lowest free packet id, of which no number of messages and no
// window make one that counts: its message with the DUP flag is never the released one.
func TestLowestFreePacketID(t *testing.T) {
	for _, window := range []int{1, 10, 100, 5000} {
		for _, qos1 := range []int{0, 1, 9} { // to one of QoS 2
			l := newSteps(t)
			random := rand.New(rand.NewPCG(uint64(window), uint64(qos1)))
			var used packetIDs // by the broker
			var open []message
			for range 20_000 {
				if len(open) < window && random.IntN(2) == 0 {
					m := message{id: uint16(used.end(1)), qos: 2, payload: []byte("on"), generation: 1}
					if random.IntN(qos1+1) > 0 {
						m.qos = 1
					}
					used.add(m.id)
					open = append(open, m)
					l.take(&m)
				} else if len(open) > 0 { // answers are in the order of arrival
					if open[0].qos == 2 {
						l.released2(open[0].id)
					}
					used.remove(open[0].id)
					open = open[1:]
				}
			}
			l.restart()
			if l.countsUp || l.released != (packetIDs{}) {
				t.Errorf("window %d, %d of QoS 1: it is taken for one that counts", window, qos1)
			}
			l.arrives(1, "on", false)
			l.released2(1)
			l.restart()
			if !l.arrives(1, "on", true) {
				t.Errorf("window %d, %d of QoS 1: a new message is taken for the released one", window, qos1)
			}
		}
	}
}

// Messages of QoS 1 have packet ids from the same numbers, and are not in the ledger: those of
// the last two rounds may all be under way.
func TestPacketIDsOfQoS1(t *testing.T) {
	l := newSteps(t)
	id := uint16(0)
	next := func(n int) {
		for range n {
			id++
			l.take(&message{qos: 1, id: id, generation: 1})
		}
		id++
		l.arrives(id, "a", false)
		l.released2(id)
	}
	next(400)
	next(0)
	if l.countsUp {
		t.Errorf("packet id %d is taken for a proof that the broker counts, with 400 messages of QoS 1 before it", id)
	}
	next(10)
	next(10)
	if !l.countsUp {
		t.Errorf("packet id %d is no proof, when the 400 messages have been answered", id)
	}
}

// However often a broker releases messages without new ones, what is kept is bounded.
func TestReleasesAreBounded(t *testing.T) {
	l := newSteps(t)
	for n := range 3 * maxWindow {
		id := uint16(n%maxWindow + 1)
		l.arrives(id, fmt.Sprint(n), true)
		l.released2(id)
	}
	if n, m := l.releases.len(), l.messages.n; n > maxWindow || m > maxWindow {
		t.Errorf("%d releases and %d messages are kept", n, m)
	}
	pages := 0
	for l.take(&message{kind: newSession, generation: 1}); pages < 1000; pages++ {
		l.arrives(uint16(256*pages+1), "a", false)
		l.released2(uint16(256*pages + 1))
	}
	n := 0
	for _, page := range l.messages.pages {
		if page != nil {
			n++
		}
	}
	if n > 3 {
		t.Errorf("%d pages are kept for two messages", n)
	}
}

// An offset of an older version has no sums: there the flag has to do.
func TestLedgerOfOlderVersion(t *testing.T) {
	s := storedLedger{InFlight: "3-4"}
	l, err := s.ledger()
	if err != nil {
		t.Fatal(err)
	}
	dup := func(id uint16, payload string) *message {
		return &message{qos: 2, id: id, payload: []byte(payload), duplicate: true}
	}
	if !l.has(dup(3, "any")) || l.has(dup(5, "any")) {
		t.Error("packet id 3 is to stand for any message and 5 for none")
	}
	l.take(dup(4, "a"))
	if l.has(dup(4, "b")) {
		t.Error("packet id 4 stands for any message")
	}
	l.take(&message{kind: release, id: 3})
	if l.inFlight.has(3) || l.released.has(3) {
		t.Error("a released message of which nothing is known is kept")
	}
}

func TestLedgerInOffset(t *testing.T) {
	l := ledger{countsUp: true}
	for id := range 200 {
		l.note(uint16(65535-id), noted{sum: uint32(id + 1)})
	}
	for id := range 50 {
		l.release(uint16(65535 - 2*id))
	}
	l.inFlight.add(7) // without a sum
	again := stored(t, &l)
	sums := func(l *ledger) map[uint16]uint32 {
		out := make(map[uint16]uint32)
		for id := range maxWindow + 1 {
			if n := l.messages.get(uint16(id)); n.sum != 0 {
				out[uint16(id)] = n.sum
			}
		}
		return out
	}
	if again.inFlight != l.inFlight || again.released != l.released || !maps.Equal(sums(&again), sums(&l)) || !again.countsUp {
		t.Errorf("%s is read as %s", l.append(nil), again.append(nil))
	}
	if again = stored(t, &ledger{countsUp: true}); !again.countsUp {
		t.Error("that the broker counts is not stored when nothing is released")
	}
}

func TestLedgerThatIsNotValid(t *testing.T) {
	ids := func(s string) *string { return &s }
	for _, s := range []storedLedger{
		{InFlight: "1-2", Sums: "AAAAAQ"},
		{InFlight: "1", Sums: "AAAAAQAAAAI"},
		{InFlight: "1", Sums: "?"},
		{InFlight: "1", Sums: "AA"},
		{InFlight: "2-1"},
		{Released: ids("0")},
		{Released: ids("1-2"), ReleasedSums: "AAAAAQ"},
		{InFlight: "1", Sums: "AAAAAQ", Released: ids("1"), ReleasedSums: "AAAAAQ"},
	} {
		if _, err := s.ledger(); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

func TestPacketIDs(t *testing.T) {
	for _, text := range []string{"", "1", "1-2", "63-65", "1-20,25,64,127-129,65535", "1-65535"} {
		s, err := parsePacketIDs(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(s.append(nil)); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	for _, text := range []string{"0", "2-1", "65536", "1,", "a", "-1", "1--2"} {
		if _, err := parsePacketIDs(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	var s packetIDs
	s.add(65535)
	s.add(1)
	s.remove(1)
	if got := string(s.append(nil)); got != "65535" {
		t.Errorf("got %q", got)
	}
}

func FuzzPacketIDs(f *testing.F) {
	f.Add("1-20,25")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parsePacketIDs(text)
		if err != nil {
			return
		}
		again, err := parsePacketIDs(string(s.append(nil)))
		if err != nil || again != s {
			t.Fatalf("%q is read as %q", text, s.append(nil))
		}
	})
}
