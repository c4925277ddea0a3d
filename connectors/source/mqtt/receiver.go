package mqtt

import (
	"errors"
	"time"
)

// receiver takes what one connection delivers and puts it into the queue. When
// something finds no room it calls overflow and ignores the rest: acknowledging
// what comes after a gap would break the order.
type receiver struct {
	source     *Source
	generation uint64
	ack        acknowledger
	overflow   func(error)
	broken     bool
}

func (s *Source) receiver(overflow func(error)) *receiver {
	return &receiver{source: s, generation: s.generation.Add(1), overflow: overflow}
}

func (r *receiver) attach(a acknowledger) { r.ack = a }

// connected begins a new session where the broker has none. What it has not
// finished sending of an old one never comes again, and its packet ids are free.
func (r *receiver) connected(present bool) {
	switch {
	case present:
	case r.source.session.lost(present):
		r.source.numbers.gaps.Add(1)
		r.put(&message{kind: lostSession, qos: 2})
	case r.source.seen != (packetIDs{}):
		r.put(&message{kind: newSession, qos: 2})
	}
	if !present {
		r.source.seen = packetIDs{}
	}
}

// publish takes a message. One of QoS 2 whose packet id is in use is the same
// again, if the broker says so (DUP): then nothing but the acknowledgement is
// missing. Without the flag it is a new one, and the broker has forgotten that the
// id was in use.
func (r *receiver) publish(m *message) {
	s := r.source
	s.numbers.arrived(m)
	if !s.config.wants(m) {
		if s.numbers.filtered.Add(1); m.qos == 0 {
			return
		}
		m.kind = seenMessage
	} else if m.qos == 2 && m.duplicate && s.seen.has(m.id) {
		m.kind = seenMessage
		s.numbers.suppressed.Add(1)
	}
	// Only what is in the queue counts as seen.
	if r.put(m) && m.qos == 2 && m.kind == newMessage {
		s.seen.add(m.id)
	}
}

// released takes the end of a delivery of QoS 2. An unknown packet id is answered
// too: its release is durable, and the broker has not heard of it.
func (r *receiver) released(id uint16) {
	if r.put(&message{kind: release, id: id, qos: 2}) {
		r.source.seen.remove(id)
	}
}

func (r *receiver) put(m *message) bool {
	if r.broken {
		return false
	}
	m.ack, m.generation, m.arrived = r.ack, r.generation, time.Now().UnixMilli()
	dropped, err := r.source.queue.put(*m)
	r.source.numbers.dropped.Add(int64(dropped))
	r.source.dropLog.add(dropped)
	r.broken = err != nil
	if errors.Is(err, errQueueFull) {
		r.overflow(err)
	}
	return err == nil
}

// wants tells whether a message becomes a record, by mqtt.retained.
func (c *Config) wants(m *message) bool {
	switch c.Retained {
	case retainedDrop:
		return !m.retained
	case retainedOnly:
		return m.retained
	}
	return true
}
