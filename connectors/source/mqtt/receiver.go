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
// finished sending of an old one never comes again, and its packet ids are free. Read
// has to hear of it: on the next connection, where there is no room on this one.
func (r *receiver) connected(present bool) {
	s := r.source
	if !present {
		if s.session.absent() {
			s.sessionLost()
			s.begins = lostSession
		} else if s.begins != lostSession && !s.seen.empty() {
			s.begins = newSession
		}
		s.seen = ledger{}
	}
	s.seen.on(r.generation)
	if s.begins != newMessage && r.put(&message{kind: s.begins, qos: 2}) {
		s.begins = newMessage
	}
}

func (s *Source) sessionLost() {
	s.numbers.gaps.Add(1)
	s.log.Warn("mqtt broker has no session for the client: messages published since the last connection may be lost; "+
		"check that the broker keeps sessions over restarts and long enough, and that no other client uses the client id",
		logClientID, s.session.clientID)
}

// publish takes a message. One of QoS 2 whose packet id is under way is the same
// again, if the broker says so (DUP) and its content is the same: then nothing but the
// acknowledgement is missing. Otherwise it is a new one, and the broker has forgotten
// that the id was in use: it has another session than the one that the id is of. This
// task may not know, when the one before has seen the session go and was killed.
func (r *receiver) publish(m *message) {
	s := r.source
	if r.counter(m) {
		return
	}
	s.numbers.arrived(m)
	if !s.config.wants(m) {
		if s.numbers.filtered.Add(1); m.qos == 0 {
			return
		}
		m.kind = seenMessage
	} else if m.qos == 2 && m.duplicate && s.seen.has(m) {
		m.kind = seenMessage
		s.numbers.suppressed.Add(1)
	}
	r.take(m)
}

// released takes the end of a delivery of QoS 2. An unknown packet id is answered
// too: its release is durable, and the broker has not heard of it.
func (r *receiver) released(id uint16) {
	r.take(&message{kind: release, id: id, qos: 2})
}

// take puts a message into the queue. Only what is in it counts as seen.
func (r *receiver) take(m *message) {
	if r.put(m) {
		r.source.seen.take(m)
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
