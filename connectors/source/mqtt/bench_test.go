package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
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
	const messages, pairs = 50_000, 5
	for _, window := range []int{20, 1000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			var bare, source cost
			var ratios []float64
			for b.Loop() {
				for range pairs {
					x, y := drainBare(b, window, messages), drainSource(b, window, messages)
					bare, source = bare.plus(x), source.plus(y)
					ratios = append(ratios, x.wall.Seconds()/y.wall.Seconds())
				}
			}
			slices.Sort(ratios)
			n := float64(len(ratios) * messages)
			b.ReportMetric(n/bare.wall.Seconds(), "bare-msg/s")
			b.ReportMetric(n/source.wall.Seconds(), "source-msg/s")
			b.ReportMetric(ratios[len(ratios)/2], "median-ratio")
			b.ReportMetric(float64(bare.cpu.Microseconds())/n, "bare-cpu-µs/msg")
			b.ReportMetric(float64(source.cpu.Microseconds())/n, "source-cpu-µs/msg")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkManyTopics is the way of a topic from a frame to the name of a record's
// topic, with as many topics as devices have, in turn.
//
//	go test -run '^$' -bench ManyTopics ./connectors/source/mqtt
func BenchmarkManyTopics(b *testing.B) {
	for _, n := range []int{1, 10_000, 50_000} {
		topics := make([][]byte, n)
		for i := range topics {
			topics[i] = fmt.Appendf(nil, "site/%d/device-%d/temperature", i%100, i)
		}
		for name, template := range map[string]string{"constant": "iot", "template": "iot.${2}"} {
			b.Run(fmt.Sprintf("%s/topics=%d", name, n), func(b *testing.B) {
				mapper, err := newTopicMapper(&Config{KafkaTopic: template, TopicFallback: "mqtt", TopicsMax: 1000})
				if err != nil {
					b.Fatal(err)
				}
				var known names
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					mapper.of(known.of(topics[i]))
					if i++; i == n {
						i = 0
					}
				}
			})
		}
	}
}

// cost is what draining took: time, and time of this process's CPUs, which other
// load on the machine changes less.
type cost struct{ wall, cpu time.Duration }

func (c cost) plus(o cost) cost { return cost{c.wall + o.wall, c.cpu + o.cpu} }

// measure returns a function that returns the cost since.
func measure(b *testing.B) func() cost {
	b.Helper()
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began, before := time.Now(), cpu()
	return func() cost { return cost{time.Since(began), cpu() - before} }
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

func drainSource(b *testing.B, window, messages int) cost {
	b.Helper()
	m := startMosquitto(b, fmt.Sprintf("max_inflight_messages %d", window))
	defer m.stop()
	fillSession(b, m, "id", messages)
	done := measure(b)
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
	d := done()
	k.close()
	return d
}

func drainBare(b *testing.B, window, messages int) cost {
	b.Helper()
	m := startMosquitto(b, fmt.Sprintf("max_inflight_messages %d", window))
	defer m.stop()
	fillSession(b, m, "id", messages)
	arrived := make(chan paho.Message, 100_000)
	options := paho.NewClientOptions().AddBroker(m.uri()).SetClientID("id").SetCleanSession(false).
		SetAutoReconnect(false).SetAutoAckDisabled(true)
	options.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { arrived <- m })
	done := measure(b)
	c := paho.NewClient(options)
	if t := c.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		b.Fatal(t.Error())
	}
	for range messages {
		(<-arrived).Ack()
	}
	d := done()
	c.Disconnect(100)
	return d
}
