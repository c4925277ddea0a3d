package mqtt

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// parsePublish takes the body of a PUBLISH apart; what m gets points into it.
//
//	topic (length 16 bits), packet id (16 bits, QoS 1 and 2 only), with MQTT 5 properties, payload
func parsePublish(m *message, version int, flags byte, body []byte) error {
	m.duplicate, m.qos, m.retained = flags&8 != 0, flags>>1&3, flags&1 != 0
	length := len(body)
	if m.qos == 3 {
		return invalid("a PUBLISH has QoS 3")
	}
	topic, rest, ok := cutString(body)
	switch {
	case !ok:
		return invalid("a PUBLISH of length %d has a longer topic", length)
	case len(topic) == 0: // a topic alias, of which CONNECT allows none
		return invalid("a PUBLISH has a topic of length 0")
	}
	m.rawTopic = topic
	if m.qos > 0 {
		if len(rest) < 2 {
			return invalid("a PUBLISH of length %d has no packet id", length)
		}
		if m.id, rest = binary.BigEndian.Uint16(rest), rest[2:]; m.id == 0 {
			return invalid("a PUBLISH has the packet id 0")
		}
	}
	if version == version5 {
		payload, err := skipProperties(rest)
		if err != nil {
			return err
		}
		m.properties = rest[:len(rest)-len(payload)]
		rest = payload
	}
	m.payload = rest
	return nil
}

// cutString cuts off what begins with its length in 16 bits.
func cutString(p []byte) (s, rest []byte, ok bool) {
	if len(p) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(p))
	if len(p)-2 < n {
		return nil, nil, false
	}
	return p[2 : 2+n], p[2+n:], true
}

const (
	arenaBytes = 64 << 10
	// maxNames, maxNameBytes of one and maxKnownBytes of all bound the topics that are
	// kept (I5). All are let go at once: devices whose topics are more than that are rare.
	maxNames, maxNameBytes, maxKnownBytes = 65536, 512, 8 << 20
)

// arena copies payloads into shared chunks. A chunk lives as long as one of its
// messages, which are let go in order.
type arena struct{ free []byte }

func (a *arena) copy(p []byte) []byte {
	switch {
	case len(p) == 0:
		return nil
	case len(p) > arenaBytes/8:
		return append([]byte(nil), p...)
	case len(p) > len(a.free):
		a.free = make([]byte, arenaBytes)
	}
	c := a.free[:len(p):len(p)]
	a.free = a.free[len(p):]
	copy(c, p)
	return c
}

// names keeps topics as strings, since most messages have one that was there
// before.
type names struct {
	known map[string]string
	bytes int // of the keys
}

func (n *names) of(topic []byte) string {
	if s, ok := n.known[string(topic)]; ok {
		return s
	}
	s := string(topic)
	if len(n.known) >= maxNames || n.bytes > maxKnownBytes || n.known == nil {
		n.known, n.bytes = make(map[string]string), 0
	}
	clean := s
	if !utf8.ValidString(s) { // brokers must not send that; the record is worth more
		clean = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) <= maxNameBytes {
		n.known[s], n.bytes = clean, n.bytes+len(s)
	}
	return clean
}
