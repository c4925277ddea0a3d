package mqtt

import (
	"slices"
	"testing"
	"time"
)

// exact reads what comes until nothing is missing, and fails for what comes twice.
type exact struct {
	t    *testing.T
	left map[string]bool
	seen map[string]bool
}

func newExact(t *testing.T, want []string) *exact {
	e := &exact{t: t, left: make(map[string]bool), seen: make(map[string]bool)}
	for _, w := range want {
		e.left[w] = true
	}
	return e
}

func (e *exact) take(rs []record) {
	e.t.Helper()
	for _, r := range rs {
		if e.seen[r.value] {
			e.t.Fatalf("%s became a record twice (packet id %d, dup %v)", r.value, r.id, r.dup)
		}
		e.seen[r.value] = true
		delete(e.left, r.value)
	}
}

// What was committed never comes again, what was not comes exactly once: QoS 2,
// killed between any two steps of a delivery.
func TestKillMatrixQoS2(t *testing.T) { inBothVersions(t, testKillMatrixQoS2) }

func testKillMatrixQoS2(t *testing.T, version string) {
	// written are the messages that are in the log when the task dies.
	cases := []struct {
		name    string
		die     func(k *task, r *relay)
		written bool
	}{
		{"before read", func(k *task, _ *relay) {
			eventually(t, "arrival", func() bool { return k.src.queue.waiting() == 3 })
		}, false},
		{"after read, before commit", func(k *task, _ *relay) { k.read(3, false) }, false},
		{"after commit, before PUBREC is sent", func(k *task, r *relay) {
			k.read(3, false)
			r.setSwallow(true)
			k.commit()
		}, true},
		{"after PUBREC, before the release is read", func(k *task, _ *relay) {
			k.read(3, true)
			eventually(t, "release", func() bool { return k.src.queue.waiting() == 3 })
		}, true},
		{"after the release is committed, before PUBCOMP is sent", func(k *task, r *relay) {
			k.read(3, true)
			eventually(t, "release", func() bool { return k.src.queue.waiting() == 3 })
			k.readEmpty()
			r.setSwallow(true)
			k.commit()
		}, true},
		{"after PUBCOMP", func(k *task, _ *relay) {
			k.read(3, true)
			k.settle()
		}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := startMosquitto(t)
			r := startRelay(t, m.addr())
			o := new(offsets)
			settings := []string{optVersion, version, optClientID, "id", "mqtt.qos", "2"}
			k := openTask(t, o, fast(r.uri(), append(settings, "max.retry.time.ms", "3600000")...))
			k.connected(1)
			p := publisher(t, m.uri())
			publish(t, p, "t/x", 2, "a", "b", "c")
			c.die(k, r)
			r.cut()
			k.close()

			r.setSwallow(false)
			again := openTask(t, o, fast(r.uri(), settings...))
			again.connected(1)
			publish(t, p, "t/x", 2, numbers(0, 50)...)
			want := numbers(0, 50)
			if !c.written {
				want = append([]string{"a", "b", "c"}, want...)
			}
			got := again.read(len(want), true)
			if !slices.Equal(values(got), want) {
				t.Errorf("got %v, want %v", values(got), want)
			}
			again.settle()
		})
	}
}

// A connection that breaks at any point loses nothing and doubles nothing, in one
// run and over restarts of the task.
func TestCutsUnderLoadQoS2(t *testing.T) { inBothVersions(t, testCutsUnderLoadQoS2) }

func testCutsUnderLoadQoS2(t *testing.T, version string) {
	m := startMosquitto(t, "max_inflight_messages 100")
	r := startRelay(t, m.addr())
	o := new(offsets)
	settings := fast(r.uri(), optVersion, version, optClientID, "id", "mqtt.qos", "2", "max.retry.time.ms", "20")
	k := openTask(t, o, settings)
	k.connected(1)
	want := numbers(0, 10_000)
	e := newExact(t, want)
	p := publisher(t, m.uri())
	done := make(chan struct{})
	go func() {
		defer close(done)
		publish(t, p, "t/x", 2, want...)
	}()
	next, faults := 500, 0
	for len(e.left) > 0 {
		got := k.readSome()
		// A task that dies here has read what no transaction has.
		if len(e.seen)+len(got) > next && faults < 16 {
			next += 500
			if faults++; faults%2 == 0 {
				r.cut()
				k.close()
				k = openTask(t, o, settings)
				continue
			}
			r.cut()
		}
		k.commit()
		e.take(got)
	}
	<-done
	k.settle()
	if faults < 10 {
		t.Errorf("only %d faults: too few for a test", faults)
	}
	if n := k.src.numbers.suppressed.Load(); n > 0 {
		t.Logf("%d duplicates suppressed by the last task", n)
	}
}

// A session is lost, and the task that has seen it is killed before its offset says
// so. Of the new session the next task knows nothing, so a message of it, which comes
// with the DUP flag and a packet id that the old one had in use, is told by its content.
func TestKilledBeforeLostSessionIsDurable(t *testing.T) {
	inBothVersions(t, testKilledBeforeLostSessionIsDurable)
}

func testKilledBeforeLostSessionIsDurable(t *testing.T, version string) {
	m := startMosquitto(t)
	o := new(offsets)
	settings := fast(m.uri(), optVersion, version, optClientID, "id", "mqtt.qos", "2")
	k := openTask(t, o, settings)
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 2, "old")
	k.read(1, true)
	if k.close(); o.ids() != "1" {
		t.Fatalf("packet ids %q are in the offset, want 1", o.ids())
	}
	m.stop() // Mosquitto forgets everything
	m.start()
	k = openTask(t, o, settings)
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 2, "new")
	if got := k.read(1, false); got[0].id != 1 {
		t.Fatalf("the packet id of %+v is not that of the old message", got[0])
	}
	k.close() // without a commit, as a kill leaves it
	k = openTask(t, o, settings)
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 2, "next")
	got := k.read(2, true)
	if !slices.Equal(values(got), []string{"new", "next"}) || !got[0].dup {
		t.Errorf("got %+v, want the new message as a duplicate and the next", got)
	}
	k.settle()
}

// Mosquitto sets the DUP flag when it sends again what has no PUBREC: on the next
// connection, and when it has been restarted itself.
func TestMosquittoSetsDup(t *testing.T) { inBothVersions(t, testMosquittoSetsDup) }

func testMosquittoSetsDup(t *testing.T, version string) {
	m := startMosquitto(t, "persistence true", "persistence_location DIR/")
	settings := fast(m.uri(), optVersion, version, optClientID, "id", "mqtt.qos", "2")
	o := new(offsets)
	k := openTask(t, o, settings)
	k.connected(1)
	k.readSome() // that the session has the filters
	k.commit()
	publish(t, publisher(t, m.uri()), "t/x", 2, "a")
	got := k.read(1, false)
	for _, restart := range []bool{false, true} {
		k.close()
		if restart {
			m.stop()
			m.start()
		}
		k = openTask(t, o, settings)
		got = append(got, k.read(1, false)...)
	}
	if got[0].dup || !got[1].dup || !got[2].dup {
		t.Errorf("DUP is %v, %v after a new connection, %v after a restart of the broker, want false, true, true", got[0].dup, got[1].dup, got[2].dup)
	}
}

// A message that comes again in MQTT 5 has the time left in its properties, and is the same.
func TestMessageSum(t *testing.T) {
	a := message{topic: "t/x", payload: []byte("1"), properties: []byte{5, 2, 0, 0, 0, 9}}
	b := message{topic: "t/x", payload: []byte("1"), properties: []byte{5, 2, 0, 0, 0, 8}, duplicate: true}
	if a.sum() != b.sum() {
		t.Error("a message that comes again has another sum")
	}
	for _, other := range []message{{topic: "t/x", payload: []byte("2")}, {topic: "t/y", payload: []byte("1")}, {topic: "t/", payload: []byte("x1")}} {
		if other.sum() == a.sum() {
			t.Errorf("%s with %s has the sum of t/x with 1", other.topic, other.payload)
		}
	}
}

// A message with the DUP flag is no duplicate when its packet id is free, and one
// without the flag is new even if the id is in use, as is one of another content.
func TestDupAloneSaysNothing(t *testing.T) {
	s := newSource(Config{QueueSize: 10})
	r := s.receiver(nil)
	r.publish(&message{id: 1, qos: 2, duplicate: true, payload: []byte("first seen as a duplicate")})
	r.publish(&message{id: 1, qos: 2, duplicate: true, payload: []byte("first seen as a duplicate")})
	r.publish(&message{id: 1, qos: 2, payload: []byte("another")})
	r.publish(&message{id: 1, qos: 2, payload: []byte("another")})
	r.publish(&message{id: 1, qos: 2, duplicate: true, payload: []byte("of another session")})
	r.released(1)
	r.publish(&message{id: 1, qos: 2, duplicate: true, payload: []byte("after the release")})
	var got []string
	for _, m := range s.queue.take(nil, 10, 1) {
		if m.kind == newMessage {
			got = append(got, string(m.payload))
		}
	}
	if want := []string{"first seen as a duplicate", "another", "another", "of another session", "after the release"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What found no room in the queue has not been seen.
func TestOverflowIsNotSeen(t *testing.T) {
	t.Parallel()
	s := newSource(Config{QueueSize: 1, FullTimeout: 0})
	r := s.receiver(func(error) {})
	r.publish(&message{id: 1, qos: 2, payload: make([]byte, maxHeldBytes)})
	r.publish(&message{id: 2, qos: 2, payload: []byte("no room")})
	if !s.seen.inFlight.has(1) || s.seen.inFlight.has(2) {
		t.Errorf("seen: 1 %v, 2 %v, want the first alone", s.seen.inFlight.has(1), s.seen.inFlight.has(2))
	}
}

// A session that is gone takes its packet ids along, and says so once.
func TestSessionGoneQoS2(t *testing.T) { inBothVersions(t, testSessionGoneQoS2) }

func testSessionGoneQoS2(t *testing.T, version string) {
	m := startMosquitto(t)
	o := new(offsets)
	settings := fast(m.uri(), optVersion, version, optClientID, "id", "mqtt.qos", "2", "mqtt.gap.topic", "gaps")
	k := openTask(t, o, settings)
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 2, "a", "b")
	k.read(2, true)
	eventually(t, "release", func() bool { return k.src.queue.waiting() == 2 })
	k.close()
	m.stop() // Mosquitto forgets everything
	m.start()
	k = openTask(t, o, settings)
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 2, "c")
	got := k.read(2, true)
	if got[0].topic != "gaps" || got[1].value != "c" {
		t.Errorf("got %+v, want the event of a gap and c", got)
	}
	k.settle() // the packet ids of the old session are free
	if n := k.src.numbers.gaps.Load(); n != 1 || k.log.count("no session") != 1 {
		t.Errorf("%d gaps counted, want one; log:\n%s", n, k.log)
	}
}

// readEmpty reads batches without records.
func (k *task) readEmpty() {
	k.t.Helper()
	for k.src.queue.unreadNow() > 0 {
		if got := k.readSome(); len(got) > 0 {
			k.t.Fatalf("got %d records, want none", len(got))
		}
	}
}

// readSome reads one batch, which may be without records.
func (k *task) readSome() []record {
	k.t.Helper()
	deadline := time.AfterFunc(patience, func() { k.t.Logf("stuck; log:\n%s", k.log) })
	defer deadline.Stop()
	ctx, cancel := timeout(k.t)
	defer cancel()
	got, err := k.readBatch(ctx)
	if err != nil {
		k.t.Fatalf("read: %v\n%s", err, k.log)
	}
	return got
}
