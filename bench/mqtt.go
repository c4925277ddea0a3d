package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const mqttMessages = 400_000

func reading(i int) []byte {
	return fmt.Appendf(nil, `{"device":"sensor-%d","seq":%d,"celsius":%d.%d,"unit":"C","site":"%s"}`, i%10, i, 15+i%10, i%10, strings.Repeat("s", 120))
}

// mqttLoad is what waits in a session, and how it is read.
type mqttLoad struct {
	version  int // 3 or 5
	qos      byte
	window   int // messages that the broker sends without an acknowledgement
	messages int64
}

// mqttWindow compares how fast a connector and a bare client drain the same
// messages, each from a session of its own; the bare one goes before and after.
func mqttWindow(version int, qos byte, window int) func(context.Context, *bench) (result, error) {
	l := mqttLoad{version, qos, window, mqttMessages}
	if qos == 2 {
		l.messages /= 4 // they take longer to publish
	}
	return func(ctx context.Context, b *bench) (result, error) {
		m, s, err := b.mqttServers(ctx, l, "bare-1", "bare-2", "drain")
		if err != nil {
			return result{}, err
		}
		defer m.stop()
		defer s.stop()
		return compareDrains(ctx, m, s, l)
	}
}

// mqttServers starts an MQTT broker that has the messages waiting in a session of
// each id, and Sluice.
func (b *bench) mqttServers(ctx context.Context, l mqttLoad, ids ...string) (*mosquitto, *server, error) {
	m, err := b.startMosquitto(ctx, l.window)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.start(ctx)
	if err == nil {
		err = m.fill(l, ids)
	}
	if err != nil {
		m.stop()
		if s != nil {
			s.stop()
		}
		return nil, nil, err
	}
	return m, s, nil
}

func (m *mosquitto) fill(l mqttLoad, ids []string) error {
	for _, id := range ids {
		if err := m.subscribe(id, l.qos); err != nil {
			return err
		}
	}
	return m.publish(l, reading)
}

func compareDrains(ctx context.Context, m *mosquitto, s *server, l mqttLoad) (result, error) {
	drain := m.drain
	if l.version == 5 {
		drain = m.drain5
	}
	first, err := drain(ctx, "bare-1", l.messages)
	if err != nil {
		return result{}, err
	}
	cpu, begin := s.cpu(), time.Now()
	if err := s.create("drain", mqttConfig(m, l)); err != nil {
		return result{}, err
	}
	if err := s.waitForWritten(ctx, l.messages); err != nil {
		return result{}, err
	}
	took, cpu := time.Since(begin), s.cpu()-cpu
	second, err := drain(ctx, "bare-2", l.messages)
	if err != nil {
		return result{}, err
	}
	bare, n := (first+second)/2, float64(l.messages)
	return result{
		figure: fmt.Sprintf("%s, %.1f µs of CPU a record, peak %s", perSecond(n/took.Seconds()), float64(cpu.Microseconds())/n, megabyteSize(s.peakMemory())),
		limit:  perSecond(n / bare.Seconds()),
		ratio:  times(bare.Seconds() / took.Seconds()),
	}, nil
}

// waitForWritten waits until the worker's only source has written n records: the
// end of the log counts the markers of transactions, too.
func (s *server) waitForWritten(ctx context.Context, n int64) error {
	err := poll(ctx, 2*time.Minute, func(ctx context.Context) (bool, error) {
		return s.metric(ctx, `kafka_connect_source_task_source_record_write_total{connector="drain",task="0"}`) >= n, nil
	})
	if err != nil {
		return err
	}
	return s.waitForEnd(ctx, "iot", n) // what the worker says is there
}

// lines returns the size in bytes of the first n readings as lines.
func lines(n int) (size int64) {
	for i := range n {
		size += int64(len(reading(i))) + 1
	}
	return size
}

func mqttConfig(m *mosquitto, l mqttLoad) map[string]string {
	return map[string]string{
		"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector",
		"mqtt.server.uri": m.uri,
		"mqtt.topics":     mqttTopic,
		"mqtt.client.id":  "drain",
		"mqtt.version":    strconv.Itoa(l.version),
		"mqtt.qos":        strconv.Itoa(int(l.qos)),
		"kafka.topic":     "iot",
		"tasks.max":       "1",
	}
}

// mqttToS3 drains a session all the way into objects.
func mqttToS3(ctx context.Context, b *bench) (result, error) {
	res, _, err := b.runPipeline(ctx)
	return res, err
}

// memoryUnderLoad is the peak of the same pipeline.
func memoryUnderLoad(ctx context.Context, b *bench) (result, error) {
	_, peak, err := b.runPipeline(ctx)
	return result{figure: megabyteSize(peak), limit: "150 MB", ratio: times(float64(peak) / 150e6)}, err
}

// runPipeline drains a session into objects and returns the server's peak of
// memory too.
func (b *bench) runPipeline(ctx context.Context) (res result, peak int64, err error) {
	l := mqttLoad{version: 3, qos: 1, window: 1000, messages: mqttMessages}
	m, s, err := b.mqttServers(ctx, l, "drain")
	if err != nil {
		return result{}, 0, err
	}
	defer m.stop()
	defer s.stop()
	store := newStore()
	defer store.close()
	cpu, begin := s.cpu(), time.Now()
	if err := s.create("lake", s3Config(store.http.URL, "iot")); err != nil {
		return result{}, 0, err
	}
	if err := s.create("drain", mqttConfig(m, l)); err != nil {
		return result{}, 0, err
	}
	const counted = mqttMessages - flushSize // the last file waits for its age
	if err := store.waitFor(ctx, lines(counted)); err != nil {
		return result{}, 0, err
	}
	took, cpu := time.Since(begin), s.cpu()-cpu
	if err := s.waitForGroup(ctx, "connect-lake", counted); err != nil {
		return result{}, 0, err
	}
	return result{
		figure: fmt.Sprintf("%s, %.1f µs of CPU a record", perSecond(counted/took.Seconds()), float64(cpu.Microseconds())/counted),
		limit:  "80,000 records/s",
		ratio:  times(counted / took.Seconds() / 80_000),
	}, s.peakMemory(), nil
}

func megabyteSize(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
