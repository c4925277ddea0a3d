package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// BenchmarkReadCommit compares the source, read and committed in a loop, with a
// bare paho client that acknowledges by itself in groups and throws the messages
// away. Each in turn drains what a session of Mosquitto holds: 200-byte payloads,
// QoS 1, so that publishing takes none of the time.
//
//	go test -run '^$' -bench ReadCommit -benchtime 1x ./connectors/source/mqtt
func BenchmarkReadCommit(b *testing.B) {
	const messages = 100_000
	for _, window := range []int{20, 1000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			var bare, source time.Duration
			for b.Loop() {
				for range 3 {
					bare += drainBare(b, window, messages)
					source += drainSource(b, window, messages)
				}
			}
			n := float64(3 * b.N * messages)
			b.ReportMetric(n/bare.Seconds(), "bare-msg/s")
			b.ReportMetric(n/source.Seconds(), "source-msg/s")
			b.ReportMetric(bare.Seconds()/source.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fillSession subscribes a session, leaves and publishes into it.
func fillSession(b *testing.B, m *mosquitto, id string, messages int) {
	b.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(m.uri()).SetClientID(id).SetCleanSession(false))
	if t := c.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		b.Fatal(t.Error())
	}
	c.Subscribe("t/#", 1, nil).Wait()
	c.Disconnect(100)
	payload := strings.Repeat("x", 200)
	payloads := make([]string, messages)
	for i := range payloads {
		payloads[i] = payload
	}
	p := publisher(b, m.uri())
	publish(b, p, "t/x", 1, payloads...)
	p.Disconnect(100)
}

func drainSource(b *testing.B, window, messages int) time.Duration {
	b.Helper()
	m := startMosquitto(b, fmt.Sprintf("max_inflight_messages %d", window))
	defer m.stop()
	fillSession(b, m, "id", messages)
	began := time.Now()
	k := openTask(b, nil, fast(m.uri(), optClientID, "id"))
	for n := 0; n < messages; {
		k.batch.Reset()
		if err := k.src.Read(b.Context(), k.batch); err != nil {
			b.Fatal(err)
		}
		n += k.batch.Len()
		for _, mark := range k.batch.Marks() {
			k.src.Commit(mark)
		}
	}
	d := time.Since(began)
	k.close()
	return d
}

func drainBare(b *testing.B, window, messages int) time.Duration {
	b.Helper()
	m := startMosquitto(b, fmt.Sprintf("max_inflight_messages %d", window))
	defer m.stop()
	fillSession(b, m, "id", messages)
	arrived := make(chan paho.Message, 100_000)
	options := paho.NewClientOptions().AddBroker(m.uri()).SetClientID("id").SetCleanSession(false).
		SetAutoReconnect(false).SetAutoAckDisabled(true)
	options.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { arrived <- m })
	began := time.Now()
	c := paho.NewClient(options)
	if t := c.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		b.Fatal(t.Error())
	}
	for range messages {
		(<-arrived).Ack()
	}
	d := time.Since(began)
	c.Disconnect(100)
	return d
}
