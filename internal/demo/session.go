package demo

import (
	"slices"
	"strings"
	"sync"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Limits of the broker (I5). A session that is full loses its oldest message,
// which is what real brokers do.
const (
	maxPacketBytes   = 1 << 20
	maxSessions      = 1000
	maxFilters       = 100
	maxQueued        = 10_000 // messages of a session
	maxUnacked       = 100    // QoS 1 messages on their way to a client
	maxControlQueued = 1000   // answers that a client has not read yet
)

// A session is what the broker keeps for a client id, connected or not.
type session struct {
	mu      sync.Mutex              // guards the fields below
	filters map[string]byte         // subscribed, and the QoS granted
	queue   []message               // to be sent
	unacked []message               // sent with QoS 1, in order
	control []packets.ControlPacket // answers, sent before the queue
	nextID  uint16

	wake chan struct{} // has a token when there may be something to send
}

// A message is one PUBLISH for one client.
type message struct {
	topic   string
	payload []byte
	qos     byte
	id      uint16
	dup     bool
}

func newSession() *session {
	return &session{filters: map[string]byte{}, wake: make(chan struct{}, 1)}
}

func (s *session) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// subscribe adds filters and returns the code of each for the SUBACK.
func (s *session) subscribe(filters []string, qos []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	codes := make([]byte, len(filters))
	for i, f := range filters {
		if _, known := s.filters[f]; !known && len(s.filters) >= maxFilters || f == "" {
			codes[i] = 0x80
			continue
		}
		codes[i] = min(qos[i], 1)
		s.filters[f] = codes[i]
	}
	return codes
}

func (s *session) unsubscribe(filters []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range filters {
		delete(s.filters, f)
	}
}

// offer queues a message if a filter matches its topic. Overlapping filters get
// one copy with the highest QoS.
func (s *session) offer(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	granted := -1
	for f, qos := range s.filters {
		if matches(f, m.topic) {
			granted = max(granted, int(qos))
		}
	}
	if granted < 0 {
		return
	}
	m.qos = min(m.qos, byte(granted))
	if len(s.queue) >= maxQueued { // I5
		s.queue = s.queue[1:]
	}
	s.queue = append(s.queue, m)
	s.notify()
}

// answer queues a control packet. It reports false when the client does not read
// its answers.
func (s *session) answer(p packets.ControlPacket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.control) >= maxControlQueued { // I5
		return false
	}
	s.control = append(s.control, p)
	s.notify()
	return true
}

// next takes what is to be sent now, or returns nil.
func (s *session) next() packets.ControlPacket {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.control) > 0 {
		p := s.control[0]
		s.control = s.control[1:]
		return p
	}
	if len(s.queue) == 0 || s.queue[0].qos > 0 && len(s.unacked) >= maxUnacked {
		return nil
	}
	m := s.queue[0]
	s.queue = s.queue[1:]
	if m.qos > 0 {
		if m.id == 0 {
			m.id = s.freeID()
		}
		s.unacked = append(s.unacked, m)
	}
	return m.packet()
}

// freeID returns a packet id that is not in use. There is one because unacked is
// far shorter than the ids are many.
func (s *session) freeID() uint16 {
	for {
		s.nextID++
		used := func(m message) bool { return m.id == s.nextID }
		if s.nextID != 0 && !slices.ContainsFunc(s.unacked, used) && !slices.ContainsFunc(s.queue, used) {
			return s.nextID
		}
	}
}

// acked forgets a message that the client has taken over.
func (s *session) acked(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unacked = slices.DeleteFunc(s.unacked, func(m message) bool { return m.id == id })
	s.notify()
}

// resume puts what was not acknowledged in front of the queue, for a new
// connection.
func (s *session) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.unacked {
		s.unacked[i].dup = true
	}
	s.queue = append(s.unacked, s.queue...)
	s.unacked, s.control = nil, nil
	s.notify()
}

func (m message) packet() packets.ControlPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Qos, p.MessageID, p.Dup = m.topic, m.payload, m.qos, m.id, m.dup
	return p
}

// matches reports whether a topic filter matches a topic (MQTT 3.1.1, 4.7).
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		f, restF, moreF := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, restT, moreT := strings.Cut(topic, "/")
		switch {
		case f != "+" && f != t:
			return false
		case !moreT:
			return !moreF || restF == "#"
		case !moreF:
			return false
		}
		filter, topic = restF, restT
	}
}
