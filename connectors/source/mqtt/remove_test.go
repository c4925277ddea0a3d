package mqtt

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// A connector that is deleted takes its session along, unless that is not wanted.
func TestRemovePurgesSession(t *testing.T) { inBothVersions(t, testRemovePurgesSession) }

func testRemovePurgesSession(t *testing.T, version string) {
	for purge, want := range map[string]int{"true": 0, "false": 1} {
		m := startMosquitto(t)
		settings := fast(m.uri(), optVersion, version, optSessionPurge, purge)
		k := openTask(t, nil, settings)
		k.connected(1)
		k.close()
		p := publisher(t, m.uri())
		publish(t, p, "t/x", 1, "waits in the session")
		if err := parse(t, settings).Remove(t.Context(), connect.RemoveContext{Connector: "conn", Deleted: true, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		k = openTask(t, nil, settings)
		k.connected(1)
		if n := k.log.count("session_present=true"); n != want {
			t.Errorf("mqtt.session.purge=%s: session present %d times, want %d", purge, n, want)
		}
		if want == 0 {
			k.quiet(100 * time.Millisecond)
		} else {
			k.read(1, true)
		}
		k.close()
	}
}

// Fewer tasks lose nothing: a session in which messages wait is left and named, and
// the task gets them when it comes back. A shared subscription gives the session
// nothing meanwhile; an empty session is removed.
func TestFewerTasksLoseNothing(t *testing.T) { inBothVersions(t, testFewerTasksLoseNothing) }

func testFewerTasksLoseNothing(t *testing.T, version string) {
	m := startMosquitto(t)
	o := new(offsets)
	settings := fast(m.uri(), optVersion, version, optTopics, "$share/g/t/#,u", optClientID, "second")
	k, other := openTask(t, o, settings), groupMember(t, m, nil, version, "first", "1")
	k.connected(1)
	k.settle() // its subscriptions are in the offset: only to shared ones it subscribes again
	p := publisher(t, m.uri())
	publish(t, p, "t/x", 1, numbers(0, 40)...)
	got := readAll(t, 20, other)[0]
	k.read(5, false)
	k.close()
	err := parse(t, settings).Remove(t.Context(), connect.RemoveContext{Connector: "conn", Logger: slog.New(slog.DiscardHandler)})
	if want := "20 messages or more for it: they are not in the log: raise tasks.max"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	publish(t, p, "t/x", 1, numbers(40, 80)...)
	meanwhile := readAll(t, 40, other)[0]
	if len(meanwhile) != 40 {
		t.Errorf("the other member got %d of 40 messages: the rest went to the session that nobody reads", len(meanwhile))
	}
	got = append(got, meanwhile...)

	k = openTask(t, o, settings)
	k.connected(1)
	publish(t, p, "t/x", 1, numbers(80, 120)...)
	publish(t, p, "u", 1, "of the filter that is not shared")
	both := readAll(t, 121-len(got), k, other)
	mine := both[0]
	got = append(append(got, mine...), both[1]...)
	wantOnce(t, got, append(numbers(0, 120), "of the filter that is not shared"))
	if len(mine) < 30 {
		t.Errorf("the task that is back got %d messages, want the 20 that waited, its share of 40 and one", len(mine))
	}
	k.settle()
	k.close()
	if err := parse(t, settings).Remove(t.Context(), connect.RemoveContext{Connector: "conn", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Errorf("the empty session is left: %v", err)
	}
	k = openTask(t, o, settings)
	k.connected(1)
	if k.log.count("session_present=true") != 0 {
		t.Errorf("the empty session is left:\n%s", k.log)
	}
}

// A broker that is away leaves an error that says what may be left.
func TestRemoveWithoutBroker(t *testing.T) {
	t.Parallel()
	c := parse(t, fast("tcp://127.0.0.1:1"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.Remove(ctx, connect.RemoveContext{Connector: "conn", Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("no error")
	}
}

// The last will is published by the broker when the connection breaks.
func TestLastWill(t *testing.T) { inBothVersions(t, testLastWill) }

func testLastWill(t *testing.T, version string) {
	m := startMosquitto(t)
	r := startRelay(t, m.addr())
	watcher := openTask(t, nil, fast(m.uri(), optClientID, "watcher", optTopics, "state/#"))
	watcher.connected(1)
	k := openTask(t, nil, fast(r.uri(), optVersion, version, optClientID, "id", "mqtt.will.topic", "state/sluice", "mqtt.will.payload", "gone",
		"mqtt.will.qos", "1", "max.retry.time.ms", "3600000"))
	k.connected(1)
	r.cut()
	if got := watcher.read(1, true); got[0].key != "state/sluice" || got[0].value != "gone" {
		t.Errorf("got %+v, want the last will", got[0])
	}
}

// A server that is away does not keep the session on another: each is asked for as long as there is time.
func TestRemoveFromEachServer(t *testing.T) {
	t.Parallel()
	removed := make(chan struct{}, 1)
	b := startFakeBroker(t, func(_ int, c *fakeConn) {
		c.connack(false)
		c.drain()
		removed <- struct{}{}
	})
	c := parse(t, fast("tcp://127.0.0.1:1,"+b.uri()))
	ctx, cancel := timeout(t)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- c.Remove(ctx, connect.RemoveContext{Connector: "conn", Deleted: true, Logger: slog.New(slog.DiscardHandler)})
	}()
	select {
	case <-removed:
	case <-ctx.Done():
		t.Error("the second server was not asked")
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "127.0.0.1:1:") || strings.Contains(err.Error(), b.uri()) {
		t.Errorf("got %v, want an error of the first server alone", err)
	}
}
