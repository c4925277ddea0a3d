package mqtt

import (
	"log/slog"
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
		if err := parse(t, settings).Remove(t.Context(), connect.RemoveContext{Connector: "conn", Logger: slog.New(slog.DiscardHandler)}); err != nil {
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

// A broker that is away leaves an error that says what may be left.
func TestRemoveWithoutBroker(t *testing.T) {
	c := parse(t, fast("tcp://127.0.0.1:1"))
	if err := c.Remove(t.Context(), connect.RemoveContext{Connector: "conn", Logger: slog.New(slog.DiscardHandler)}); err == nil {
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
