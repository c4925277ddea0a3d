package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const mqttMessages = 400_000

func reading(i int) []byte {
	return fmt.Appendf(nil, `{"device":"sensor-%d","seq":%d,"celsius":%d.%d,"unit":"C","site":"%s"}`, i%10, i, 15+i%10, i%10, strings.Repeat("s", 120))
}

// mqttWindow compares how fast a connector and a bare client drain the same
// messages, each from a session of its own; the bare one goes before and after.
func mqttWindow(window int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		m, s, err := b.mqttServers(ctx, window, "bare-1", "bare-2", "drain")
		if err != nil {
			return result{}, err
		}
		defer m.stop()
		defer s.stop()
		return compareDrains(ctx, m, s)
	}
}

// mqttServers starts an MQTT broker that has the messages waiting in a session of
// each id, and Sluice.
func (b *bench) mqttServers(ctx context.Context, window int, ids ...string) (*mosquitto, *server, error) {
	m, err := b.startMosquitto(ctx, window)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.start(ctx)
	if err == nil {
		err = m.fill(ids)
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

func (m *mosquitto) fill(ids []string) error {
	for _, id := range ids {
		if err := m.subscribe(id); err != nil {
			return err
		}
	}
	return m.publish(mqttMessages, reading)
}

func compareDrains(ctx context.Context, m *mosquitto, s *server) (result, error) {
	first, err := m.drain("bare-1", mqttMessages)
	if err != nil {
		return result{}, err
	}
	cpu, begin := s.cpu(), time.Now()
	if err := s.create("drain", mqttConfig(m)); err != nil {
		return result{}, err
	}
	if err := s.waitForEnd(ctx, "iot", mqttMessages); err != nil {
		return result{}, err
	}
	took, cpu := time.Since(begin), s.cpu()-cpu
	second, err := m.drain("bare-2", mqttMessages)
	if err != nil {
		return result{}, err
	}
	bare := (first + second) / 2
	return result{
		figure: fmt.Sprintf("%s, %.1f µs of CPU a record", perSecond(mqttMessages/took.Seconds()), float64(cpu.Microseconds())/mqttMessages),
		limit:  perSecond(mqttMessages / bare.Seconds()),
		ratio:  times(bare.Seconds() / took.Seconds()),
	}, nil
}

// lines returns the size in bytes of the first n readings as lines.
func lines(n int) (size int64) {
	for i := range n {
		size += int64(len(reading(i))) + 1
	}
	return size
}

func mqttConfig(m *mosquitto) map[string]string {
	return map[string]string{
		"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector",
		"mqtt.server.uri": m.uri,
		"mqtt.topics":     mqttTopic,
		"mqtt.client.id":  "drain",
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
	m, s, err := b.mqttServers(ctx, 1000, "drain")
	if err != nil {
		return result{}, 0, err
	}
	defer m.stop()
	defer s.stop()
	store := newStore()
	defer store.close()
	cpu, begin := s.cpu(), time.Now()
	if err := s.create("lake", s3Config(store, "iot")); err != nil {
		return result{}, 0, err
	}
	if err := s.create("drain", mqttConfig(m)); err != nil {
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
