package mqtt

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRecord(t *testing.T) { inBothVersions(t, testRecord) }

func testRecord(t *testing.T, version string) {
	m := startMosquitto(t)
	k := openTask(t, nil, fast(m.uri(), optVersion, version))
	k.connected(1)
	p := publisher(t, m.uri())
	before := time.Now().UnixMilli()
	publish(t, p, "t/a", 1, "payload")
	publish(t, p, "t/b", 0, "")
	publish(t, p, "t/c", 2, "two")
	got := k.read(3, true)
	for i := range got {
		if ts := got[i].timestamp; ts < before || ts > time.Now().UnixMilli() {
			t.Errorf("record %d: timestamp %d is not that of its arrival", i, ts)
		}
		got[i].timestamp = 0
	}
	want := []record{
		{topic: "k", key: "t/a", value: "payload", id: 1, qos: 1},
		{topic: "k", key: "t/b", value: "", id: 0, qos: 0},
		{topic: "k", key: "t/c", value: "two", id: 2, qos: 1}, // never above mqtt.qos
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// What was not committed comes again, what was committed does not.
func TestKillMatrix(t *testing.T) { inBothVersions(t, testKillMatrix) }

func testKillMatrix(t *testing.T, version string) {
	cases := []struct {
		name string
		die  func(k *task, r *relay)
		want bool // the messages come again
	}{
		{"before read", func(k *task, r *relay) {
			eventually(t, "arrival", func() bool { return k.src.queue.waiting() == 3 })
			r.cut()
		}, true},
		{"after read, before commit", func(k *task, r *relay) {
			k.read(3, false)
			r.cut()
		}, true},
		{"after commit, before the ack is sent", func(k *task, r *relay) {
			k.read(3, false)
			r.setSwallow(true)
			k.commit()
			r.cut()
		}, true},
		{"after ack", func(k *task, _ *relay) {
			k.read(3, true)
			k.close() // sends what is committed
		}, false},
		{"graceful, not committed", func(k *task, _ *relay) {
			k.read(3, false)
			k.close()
		}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := startMosquitto(t)
			r := startRelay(t, m.addr())
			o := new(offsets)
			k := openTask(t, o, fast(r.uri(), optVersion, version, optClientID, "id", "max.retry.time.ms", "3600000"))
			k.connected(1)
			publish(t, publisher(t, m.uri()), "t/x", 1, "a", "b", "c")
			c.die(k, r)
			k.close()

			again := openTask(t, o, fast(m.uri(), optVersion, version, optClientID, "id"))
			if !c.want {
				again.quiet(300 * time.Millisecond)
				return
			}
			got := again.read(3, true)
			if want := []string{"a", "b", "c"}; !slices.Equal(values(got), want) {
				t.Errorf("got %v, want %v", values(got), want)
			}
			if !got[0].dup {
				t.Error("a message that comes again has no DUP flag")
			}
		})
	}
}

// Nothing that the broker keeps is lost when it is restarted.
func TestBrokerRestartWithPersistence(t *testing.T) {
	inBothVersions(t, testBrokerRestartWithPersistence)
}

func testBrokerRestartWithPersistence(t *testing.T, version string) {
	m := startMosquitto(t, "persistence true", "persistence_location DIR/", "max_inflight_messages 1000")
	k := openTask(t, nil, fast(m.uri(), optVersion, version))
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 1, numbers(0, 100)...)
	got := k.read(50, false)
	m.stop()
	m.start()
	k.connected(2)
	publish(t, publisher(t, m.uri()), "t/x", 1, numbers(100, 200)...)
	k.commit() // for the first connection: void
	got = append(got, k.read(200-len(got), true)...)
	for left := missing(got, numbers(0, 200)); len(left) > 0; left = missing(got, numbers(0, 200)) {
		got = append(got, k.read(1, true)...)
	}
	if k.log.count("session_present=true") != 1 || k.log.count("no session") != 0 {
		t.Errorf("the second connection should have found the session; log:\n%s", k.log)
	}
}

// A broker that forgets makes the connector subscribe again and say that
// messages may be lost.
func TestBrokerRestartWithoutPersistence(t *testing.T) {
	inBothVersions(t, testBrokerRestartWithoutPersistence)
}

func testBrokerRestartWithoutPersistence(t *testing.T, version string) {
	m := startMosquitto(t)
	k := openTask(t, nil, fast(m.uri(), optVersion, version))
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 1, "a")
	k.read(1, true)
	m.signal(syscall.SIGKILL)
	m.start()
	k.connected(2)
	publish(t, publisher(t, m.uri()), "t/x", 1, "b")
	if got := values(k.read(1, true)); !slices.Equal(got, []string{"b"}) {
		t.Errorf("got %v, want b", got)
	}
	for text, want := range map[string]int{"level=WARN msg=\"mqtt broker has no session": 1, "mqtt connection lost": 1} {
		if got := k.log.count(text); got != want {
			t.Errorf("%d log lines with %q, want %d:\n%s", got, text, want, k.log)
		}
	}
}

// The loss of a session is noticed over a restart of the connector too.
func TestSessionGoneAfterRestart(t *testing.T) { inBothVersions(t, testSessionGoneAfterRestart) }

func testSessionGoneAfterRestart(t *testing.T, version string) {
	m := startMosquitto(t)
	o := new(offsets)
	k := openTask(t, o, fast(m.uri(), optVersion, version))
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 1, "a")
	k.read(1, true)
	k.close()
	m.stop()
	m.start()
	k = openTask(t, o, fast(m.uri(), optVersion, version))
	k.connected(1)
	if k.log.count("no session") != 1 {
		t.Errorf("want a warning:\n%s", k.log)
	}
}

// The smallest windows keep flowing, because Read never waits for more.
func TestWindow(t *testing.T) { inBothVersions(t, testWindow) }

func testWindow(t *testing.T, version string) {
	for _, window := range []string{"1", "20"} {
		t.Run(window, func(t *testing.T) {
			m := startMosquitto(t, "max_inflight_messages "+window)
			k := openTask(t, nil, fast(m.uri(), optVersion, version))
			k.connected(1)
			want := numbers(0, 2000)
			publish(t, publisher(t, m.uri()), "t/x", 1, want...)
			if got := values(k.read(len(want), true)); !slices.Equal(got, want) {
				t.Errorf("the records differ from what was published, or in their order")
			}
		})
	}
}

func TestPacketIDWrap(t *testing.T) { inBothVersions(t, testPacketIDWrap) }

func testPacketIDWrap(t *testing.T, version string) {
	m := startMosquitto(t)
	k := openTask(t, nil, fast(m.uri(), optVersion, version))
	k.connected(1)
	want := numbers(0, 70_000)
	flooded := flood(t, m.addr(), "t/x", want)
	got := k.read(len(want), true)
	if err := <-flooded; err != nil {
		t.Errorf("publish: %v", err)
	}
	if !slices.Equal(values(got), want) {
		t.Error("the records differ from what was published, or in their order")
	}
	if id := got[65_535].id; id != 1 {
		t.Errorf("packet id after the wrap: got %d, want 1", id)
	}
}

func TestOverlappingFilters(t *testing.T) { inBothVersions(t, testOverlappingFilters) }

func testOverlappingFilters(t *testing.T, version string) {
	m := startMosquitto(t)
	k := openTask(t, nil, fast(m.uri(), optVersion, version, optTopics, "t/#,t/+,t/x"))
	k.connected(1)
	publish(t, publisher(t, m.uri()), "t/x", 1, "a", "b")
	if got, want := values(k.read(2, true)), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	k.quiet(200 * time.Millisecond)
}

// Of filters that overlap without one having all of the other, a message that
// matches both comes once or twice, as the broker likes, and the log says so before.
func TestPartialOverlap(t *testing.T) { inBothVersions(t, testPartialOverlap) }

func testPartialOverlap(t *testing.T, version string) {
	m := startMosquitto(t)
	k := openTask(t, nil, fast(m.uri(), optVersion, version, optTopics, "a/+/c,a/b/+"))
	k.connected(1)
	publish(t, publisher(t, m.uri()), "a/b/c", 1, "x")
	publish(t, publisher(t, m.uri()), "a/b/d", 1, "y")
	got := readAll(t, 2, k)[0]
	t.Logf("Mosquitto sends %d copies", len(got)-1)
	if left := missing(got, []string{"x", "y"}); len(left) > 0 || len(got) > 3 {
		t.Errorf("got %v", values(got))
	}
	if k.log.count("mqtt.topics overlap") != 1 || k.log.count("a/+/c and a/b/+") != 1 {
		t.Errorf("no warning:\n%s", k.log)
	}
}

func TestQoS(t *testing.T) { inBothVersions(t, testQoS) }

func testQoS(t *testing.T, version string) {
	for _, qos := range []byte{0, 2} {
		t.Run(string('0'+rune(qos)), func(t *testing.T) {
			m := startMosquitto(t)
			k := openTask(t, nil, fast(m.uri(), optVersion, version, "mqtt.qos", string('0'+rune(qos))))
			k.connected(1)
			want := numbers(0, 500)
			publish(t, publisher(t, m.uri()), "t/x", qos, want...)
			got := k.read(len(want), true)
			if !slices.Equal(values(got), want) || got[0].qos != int64(qos) {
				t.Errorf("got %d records of QoS %d, the first %+v", len(got), qos, got[0])
			}
			k.settle()
		})
	}
}

// Retained messages come once, not with every start; deleting the offsets brings
// them again.
func TestRetained(t *testing.T) { inBothVersions(t, testRetained) }

func testRetained(t *testing.T, version string) {
	m := startMosquitto(t)
	p := publisher(t, m.uri())
	p.Publish("t/r", 1, true, "kept").Wait()
	o := new(offsets)
	k := openTask(t, o, fast(m.uri(), optVersion, version))
	if got := k.read(1, true); !got[0].retained || got[0].value != "kept" {
		t.Errorf("got %+v, want the retained message", got[0])
	}
	k.connected(1)
	k.quiet(100 * time.Millisecond)
	k.commit()
	k.close()
	k = openTask(t, o, fast(m.uri(), optVersion, version))
	k.connected(1)
	k.quiet(200 * time.Millisecond)
	k.close()
	k = openTask(t, nil, fast(m.uri(), optVersion, version))
	if got := k.read(1, true); !got[0].retained {
		t.Errorf("got %+v, want the retained message again", got[0])
	}
}

// What is removed from mqtt.topics is unsubscribed from the session.
func TestFiltersChange(t *testing.T) { inBothVersions(t, testFiltersChange) }

func testFiltersChange(t *testing.T, version string) {
	m := startMosquitto(t)
	o := new(offsets)
	open := func(topics string) *task {
		k := openTask(t, o, fast(m.uri(), optVersion, version, optTopics, topics))
		k.connected(1)
		k.quiet(100 * time.Millisecond)
		k.commit()
		return k
	}
	open("t/a,t/b").close()
	k := open("t/b,t/c")
	p := publisher(t, m.uri())
	publish(t, p, "t/a", 1, "a")
	publish(t, p, "t/b", 1, "b")
	publish(t, p, "t/c", 1, "c")
	if got, want := values(k.read(2, true)), []string{"b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	k.quiet(100 * time.Millisecond)
}

// Two clients with one id take the connection from each other, at a bounded rate.
func TestTakeoverIsNotHot(t *testing.T) { inBothVersions(t, testTakeoverIsNotHot) }

func testTakeoverIsNotHot(t *testing.T, version string) {
	m := startMosquitto(t)
	settings := fast(m.uri(), optVersion, version, optClientID, "same", "max.retry.time.ms", "2000")
	a, b := openTask(t, nil, settings), openTask(t, nil, settings)
	eventually(t, "suspicion", func() bool {
		return a.log.count("does another client use")+b.log.count("does another client use") > 0
	})
	// Three short connections of one of them: fewer than this many of both, where a
	// loop without backoff makes hundreds.
	if n := a.log.count("mqtt connected") + b.log.count("mqtt connected"); n > 12 {
		t.Errorf("%d connections, want at most 12", n)
	}
}

func TestHalfOpen(t *testing.T) { inBothVersions(t, testHalfOpen) }

func testHalfOpen(t *testing.T, version string) {
	m := startMosquitto(t)
	r := startRelay(t, m.addr())
	k := openTask(t, nil, fast(r.uri(), optVersion, version, "mqtt.keepalive.interval.seconds", "1", "mqtt.connect.timeout.seconds", "1"),
		func(s *Source) { s.pingTimeout = time.Second })
	k.connected(1)
	r.setSwallow(true)
	eventually(t, "notice", func() bool { return k.log.count("mqtt connection lost") > 0 })
	r.setSwallow(false)
	k.connected(2)
	publish(t, publisher(t, m.uri()), "t/x", 1, "a")
	k.read(1, true)
}

func TestBadCredentials(t *testing.T) { inBothVersions(t, testBadCredentials) }

func testBadCredentials(t *testing.T, version string) {
	m := startMosquitto(t, "allow_anonymous false")
	settings := fast(m.uri(), optVersion, version, optUsername, "u", optPassword, "hunter2")
	for name, err := range map[string]error{
		"Read": openTask(t, nil, settings).fails(),
		"Ping": parse(t, settings).Ping(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "mqtt.username: tcp://127.0.0.1:") ||
			!strings.Contains(err.Error(), optPassword) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error that names both options and no secret", name, err)
		}
	}
}

// A broker may come later than its connector.
func TestBrokerComesLater(t *testing.T) { inBothVersions(t, testBrokerComesLater) }

func testBrokerComesLater(t *testing.T, version string) {
	m := startMosquitto(t)
	m.stop()
	settings := fast(m.uri(), optVersion, version)
	k := openTask(t, nil, settings)
	eventually(t, "warning", func() bool { return k.log.count("mqtt broker cannot be used") == 1 })
	if err := parse(t, settings).Ping(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "mqtt.server.uri: no broker answers") {
		t.Errorf("Ping: got %v, want an error that names mqtt.server.uri", err)
	}
	k.quiet(300 * time.Millisecond) // several attempts
	m.start()
	k.connected(1)
	if n := k.log.count("level=WARN"); n != 1 {
		t.Errorf("%d warnings, want one for all attempts:\n%s", n, k.log)
	}
	if err := parse(t, settings).Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

// The second server is used when the first does not answer.
func TestSeveralServers(t *testing.T) { inBothVersions(t, testSeveralServers) }

func testSeveralServers(t *testing.T, version string) {
	m := startMosquitto(t)
	dead := startMosquitto(t)
	dead.stop()
	openTask(t, nil, fast(dead.uri()+","+m.uri(), optVersion, version)).connected(1)
}

// Messages that come while the connector is away wait in the session.
func TestAwayAndClose(t *testing.T) { aloneInBothVersions(t, testAwayAndClose) }

func testAwayAndClose(t *testing.T, version string) {
	m := startMosquitto(t)
	o := new(offsets)
	k := openTask(t, o, fast(m.uri(), optVersion, version))
	k.connected(1)
	p := publisher(t, m.uri())
	publish(t, p, "t/x", 1, "a")
	k.read(1, true)
	k.close()
	publish(t, p, "t/x", 1, "b")
	k = openTask(t, o, fast(m.uri(), optVersion, version))
	if got := values(k.read(1, true)); !slices.Equal(got, []string{"b"}) {
		t.Errorf("got %v, want b alone: the acknowledgement of a was to be sent by Close", got)
	}
	k.close()
	p.Disconnect(250)
	noLeaks(t)
}

// Nothing is missing when the connection breaks again and again under load, at
// whatever point between arrival and acknowledgement.
func TestCutsUnderLoad(t *testing.T) { inBothVersions(t, testCutsUnderLoad) }

func testCutsUnderLoad(t *testing.T, version string) {
	m := startMosquitto(t, "max_inflight_messages 100")
	r := startRelay(t, m.addr())
	k := openTask(t, nil, fast(r.uri(), optVersion, version))
	k.connected(1)
	want := numbers(0, 20_000)
	p := publisher(t, m.uri())
	done := make(chan struct{})
	go func() {
		defer close(done)
		publish(t, p, "t/x", 1, want...)
	}()
	left := make(map[string]bool, len(want))
	for _, v := range want {
		left[v] = true
	}
	read := 0
	for cuts := 1; len(left) > 0; {
		for _, rec := range k.read(1, true) {
			delete(left, rec.value)
			read++
		}
		if cuts <= 5 && read > cuts*3000 {
			cuts++
			r.cut()
		}
	}
	<-done
	if n := k.log.count("mqtt connected"); n < 3 {
		t.Errorf("only %d connections: too few cuts for a test", n)
	}
	t.Logf("%d of %d records came twice", read-len(want), len(want))
}
