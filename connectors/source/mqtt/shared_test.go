package mqtt

import (
	"context"
	"fmt"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// groupMember is a task of a connector whose only filter is shared in the group g.
func groupMember(t *testing.T, m *mosquitto, o *offsets, version, id, qos string) *task {
	t.Helper()
	k := openTask(t, o, fast(m.uri(), optVersion, version, optTopics, "$share/g/t/#", optClientID, id, "mqtt.qos", qos))
	k.connected(1)
	return k
}

// readUntilQuiet reads and commits until nothing has come for a while.
func (k *task) readUntilQuiet() (out []record) {
	k.t.Helper()
	for {
		ctx, cancel := context.WithTimeout(k.t.Context(), quietTime)
		batch, err := k.readBatch(ctx)
		cancel()
		if err != nil {
			return out
		}
		out = append(out, batch...)
		k.commit()
	}
}

// readAll reads and commits with several tasks until they have n records together, and
// then until nothing more comes.
func readAll(t *testing.T, n int, tasks ...*task) [][]record {
	t.Helper()
	out, total := make([][]record, len(tasks)), 0
	turn := func() bool {
		for i, k := range tasks {
			got := k.readUntilQuiet()
			out[i], total = append(out[i], got...), total+len(got)
		}
		return total >= n
	}
	eventually(t, fmt.Sprintf("%d records of %d tasks", n, len(tasks)), turn)
	turn()
	return out
}

// wantOnce wants each of want exactly once.
func wantOnce(t *testing.T, got []record, want []string) {
	t.Helper()
	if left := missing(got, want); len(left) > 0 || len(got) != len(want) {
		t.Errorf("got %d records, %d of %d are missing: %.10v", len(got), len(left), len(want), left)
	}
}

// Each message of a shared subscription is one record of one of its members, and
// all of them get some.
func TestSharedSubscription(t *testing.T) { inBothVersions(t, testSharedSubscription) }

func testSharedSubscription(t *testing.T, version string) {
	for _, qos := range []string{"1", "2"} {
		m := startMosquitto(t, "max_inflight_messages 100")
		a, b := groupMember(t, m, nil, version, "a", qos), groupMember(t, m, nil, version, "b", qos)
		other := openTask(t, nil, fast(m.uri(), optVersion, version, optTopics, "$share/h/t/#", optClientID, "c", "mqtt.qos", qos))
		other.connected(1)
		publish(t, publisher(t, m.uri()), "t/x", qos[0]-'0', numbers(0, 100)...)
		of := readAll(t, 100, a, b)
		ofA, ofB := of[0], of[1]
		if len(ofA) == 0 || len(ofB) == 0 {
			t.Errorf("QoS %s: the members got %d and %d messages, want some of each", qos, len(ofA), len(ofB))
		}
		wantOnce(t, append(ofA, ofB...), numbers(0, 100))
		wantOnce(t, readAll(t, 100, other)[0], numbers(0, 100)) // a group of its own
	}
}

// What a member had not committed when it died comes again to it and to nobody else:
// Mosquitto keeps it in the member's session, with that member's share of what was
// published meanwhile.
func TestSharedMemberDies(t *testing.T) { inBothVersions(t, testSharedMemberDies) }

func testSharedMemberDies(t *testing.T, version string) {
	for _, qos := range []string{"1", "2"} {
		m := startMosquitto(t)
		o := new(offsets)
		a, b := groupMember(t, m, o, version, "a", qos), groupMember(t, m, nil, version, "b", qos)
		p := publisher(t, m.uri())
		publish(t, p, "t/x", qos[0]-'0', numbers(0, 20)...)
		if lost := a.read(10, false); len(lost) != 10 {
			t.Fatalf("the first member read %d messages, want 10", len(lost))
		}
		a.close()
		publish(t, p, "t/x", qos[0]-'0', numbers(20, 60)...)
		got := b.readUntilQuiet()
		a = groupMember(t, m, o, version, "a", qos)
		both := readAll(t, 60-len(got), a, b) // b may not have had all of its own
		again := both[0]
		got = append(got, both[1]...)
		if len(again) < 10 {
			t.Errorf("QoS %s: the member that came back got %d messages, want at least its 10", qos, len(again))
		}
		wantOnce(t, append(got, again...), numbers(0, 60))
	}
}

// Each value of mqtt.retained, with messages that were retained before the
// subscription and such that are published with the flag after it: those are live
// for whoever is subscribed, and brokers take the flag away (MQTT 3.1.1, section
// 3.3.1.3). With MQTT 5 they do so because retain-as-published is never asked for.
func TestRetainedPolicies(t *testing.T) { inBothVersions(t, testRetainedPolicies) }

func testRetainedPolicies(t *testing.T, version string) {
	cases := map[string][]string{
		retainedKeep: {"old retained", "live", "live with the flag"},
		retainedDrop: {"live", "live with the flag"},
		retainedOnly: {"old retained"},
	}
	for policy, want := range cases {
		m := startMosquitto(t)
		p := publisher(t, m.uri())
		retain(t, p, "t/old", "old retained")
		settings := fast(m.uri(), optVersion, version, "mqtt.retained", policy)
		k := openTask(t, nil, settings)
		k.connected(1)
		before := 0
		if want[0] == "old retained" {
			before = 1
		}
		got := readAll(t, before, k)[0]
		publish(t, p, "t/x", 1, "live")
		retain(t, p, "t/new", "live with the flag")
		got = append(got, readAll(t, len(want)-before, k)[0]...)
		wantOnce(t, got, want)
		for _, r := range got {
			if r.retained != (r.value == "old retained") {
				t.Errorf("%s: %q has the header mqtt.retained=%v", policy, r.value, r.retained)
			}
		}
		k.settle()
		k.close()
		c := parse(t, settings)
		if n, err := c.waiting(t.Context(), c.servers[0], "conn-0"); n > 0 || err != nil {
			t.Errorf("%s: %d messages are not acknowledged, %v: what is left out has to be, too", policy, n, err)
		}
	}
}

func retain(t *testing.T, p paho.Client, topic, payload string) {
	t.Helper()
	if token := p.Publish(topic, 1, true, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("publish: %v", token.Error())
	}
}

// A storm of retained messages at the first subscription, far more than the window,
// comes completely and once.
func TestRetainedStorm(t *testing.T) { inBothVersions(t, testRetainedStorm) }

func testRetainedStorm(t *testing.T, version string) {
	const n = 2000
	m := startMosquitto(t)
	p := publisher(t, m.uri())
	var tokens []paho.Token
	for _, v := range numbers(0, n) {
		tokens = append(tokens, p.Publish("t/"+v, 1, true, v))
	}
	for _, token := range tokens {
		token.WaitTimeout(patience)
	}
	k := openTask(t, nil, fast(m.uri(), optVersion, version))
	got := k.read(n, true)
	got = append(got, k.readUntilQuiet()...)
	wantOnce(t, got, numbers(0, n))
	if got[0].retained != true || time.Since(time.UnixMilli(got[0].timestamp)) > patience {
		t.Errorf("got %+v", got[0])
	}
}
