package mqtt

import (
	"sync/atomic"

	"github.com/sluice-data/sluice/connect"
)

// counts are what metrics show of a source.
type counts struct {
	connected    atomic.Bool
	connections  atomic.Int64
	messages     atomic.Int64
	redelivered  atomic.Int64
	suppressed   atomic.Int64
	dropped      atomic.Int64
	filtered     atomic.Int64
	invalid      atomic.Int64
	unmapped     atomic.Int64
	acknowledged atomic.Int64
	gaps         atomic.Int64
	brokerDrops  atomic.Int64
}

func (n *counts) arrived(m *message) {
	n.messages.Add(1)
	if m.duplicate {
		n.redelivered.Add(1)
	}
}

// gauges are the metrics in order, each with what reads it.
var gauges = []struct {
	connect.Metric
	read func(*Source) float64
}{
	{connect.Metric{Name: "mqtt_connected", Help: "1 while the task is connected and subscribed."}, func(s *Source) float64 {
		if s.numbers.connected.Load() {
			return 1
		}
		return 0
	}},
	{counter("mqtt_connections_total", "Connections that were made; more than one are reconnects."), ofNumber(func(n *counts) *atomic.Int64 { return &n.connections })},
	{counter("mqtt_messages_total", "Messages that arrived."), ofNumber(func(n *counts) *atomic.Int64 { return &n.messages })},
	{counter("mqtt_redelivered_total", "Messages that arrived with the DUP flag."), ofNumber(func(n *counts) *atomic.Int64 { return &n.redelivered })},
	{counter("mqtt_duplicates_suppressed_total", "Messages of QoS 2 that had become a record before."), ofNumber(func(n *counts) *atomic.Int64 { return &n.suppressed })},
	{counter("mqtt_acknowledged_total", "Acknowledgements that were sent."), ofNumber(func(n *counts) *atomic.Int64 { return &n.acknowledged })},
	{counter("mqtt_dropped_total", "Messages of QoS 0 that were dropped because the log was too slow."), ofNumber(func(n *counts) *atomic.Int64 { return &n.dropped })},
	{counter("mqtt_filtered_total", "Messages that mqtt.retained left out."), ofNumber(func(n *counts) *atomic.Int64 { return &n.filtered })},
	{counter("mqtt_invalid_payloads_total", "Messages whose payload was not what mqtt.payload.format says."), ofNumber(func(n *counts) *atomic.Int64 { return &n.invalid })},
	{counter("mqtt_unmapped_topics_total", "Messages that went to kafka.topic.fallback."), ofNumber(func(n *counts) *atomic.Int64 { return &n.unmapped })},
	{counter("mqtt_session_gaps_total", "Times that the broker had lost the session, and with it perhaps messages."), ofNumber(func(n *counts) *atomic.Int64 { return &n.gaps })},
	{counter("mqtt_broker_dropped_total", "Messages that the broker says it has dropped, of all its clients, since the connector was first started."), ofNumber(func(n *counts) *atomic.Int64 { return &n.brokerDrops })},
	{connect.Metric{Name: "mqtt_held_messages", Help: "Messages that have arrived and are not durable in the log yet."}, func(s *Source) float64 {
		held, _, _ := s.queue.held()
		return float64(held)
	}},
	{connect.Metric{Name: "mqtt_held_bytes", Help: "Memory of these messages, about."}, func(s *Source) float64 {
		_, _, size := s.queue.held()
		return float64(size)
	}},
	{connect.Metric{Name: "mqtt_unacknowledged", Help: "Messages of QoS 1 and 2 on their way to the log; as many as the broker's window all the time means that the window is the limit."}, func(s *Source) float64 {
		_, unconfirmed, _ := s.queue.held()
		return float64(unconfirmed)
	}},
}

func counter(name, help string) connect.Metric {
	return connect.Metric{Name: name, Help: help, Counter: true}
}

func ofNumber(of func(*counts) *atomic.Int64) func(*Source) float64 {
	return func(s *Source) float64 { return float64(of(&s.numbers).Load()) }
}

func metrics() []connect.Metric {
	all := make([]connect.Metric, len(gauges))
	for i := range gauges {
		all[i] = gauges[i].Metric
	}
	return all
}

func (s *Source) measure(values []float64) {
	for i := range gauges {
		values[i] = gauges[i].read(s)
	}
}
