package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// session is what the connector knows of the session that the broker keeps under
// its client id: the subscriptions in it, and the packet ids of QoS 2 that are in
// use. They are stored as a source offset, so that the next start knows them too.
type session struct {
	clientID  string
	clean     bool // the broker keeps nothing, so nothing is stored
	partition json.RawMessage
	want      subscriptions
	changed   chan struct{} // capacity 1: there is an offset to mark

	mu       sync.Mutex // guards what follows
	have     *subscriptions
	unmarked bool // have is not in an offset yet

	// inFlight are the packet ids of QoS 2 whose records are read and that the
	// broker has not released. Its owner is Read.
	inFlight packetIDs
	// moved: inFlight is not in an offset yet.
	moved  bool
	offset []byte // memory of the last offset
}

// subscriptions is the part of the source offset that says what is subscribed to.
type subscriptions struct {
	Topics string `json:"mqtt.topics"`
	QoS    int    `json:"mqtt.qos"`
}

// storedSession is the source offset.
type storedSession struct {
	subscriptions
	InFlight string `json:"mqtt.qos2.in.flight,omitempty"`
}

func (s subscriptions) filters() []string {
	if s.Topics == "" {
		return nil
	}
	return strings.Split(s.Topics, ",")
}

// openSession reads what is known of the session.
func openSession(ctx context.Context, c *Config, clientID string,
	stored func(context.Context, json.RawMessage) (json.RawMessage, error)) (*session, error) {
	s := &session{clientID: clientID, clean: c.CleanSession, changed: make(chan struct{}, 1),
		want: subscriptions{strings.Join(withoutCovered(c.Topics), ","), c.QoS}}
	var err error
	if s.partition, err = json.Marshal(sourcePartition(c.servers, clientID)); err != nil {
		return nil, fmt.Errorf("encode source partition: %w", err)
	}
	if s.clean {
		return s, nil
	}
	offset, err := stored(ctx, s.partition)
	if err != nil {
		return nil, fmt.Errorf("read the offset of the MQTT session: %w", err)
	}
	if offset == nil {
		return s, nil
	}
	var known storedSession
	err = json.Unmarshal(offset, &known)
	if err == nil {
		s.inFlight, err = parsePacketIDs(known.InFlight)
	}
	if s.have = &known.subscriptions; err != nil {
		return nil, fmt.Errorf("the stored offset of the MQTT session is not valid, delete or correct it with the offsets API: %w", err)
	}
	return s, nil
}

type partition struct {
	Servers  string `json:"mqtt.server.uri"`
	ClientID string `json:"mqtt.client.id"`
}

func sourcePartition(servers []server, clientID string) partition {
	names := make([]string, len(servers))
	for i, s := range servers {
		names[i] = s.String()
	}
	return partition{strings.Join(names, ","), clientID}
}

// lost tells whether the broker should have had a session and has none.
func (s *session) lost(present bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !present && s.have != nil && s.have.Topics != ""
}

// changes returns the filters to subscribe and to unsubscribe after a connect.
func (s *session) changes(present bool) (add, remove []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.want.filters()
	if !present || s.have == nil {
		return want, nil
	}
	have := s.have.filters()
	for _, f := range want {
		if s.have.QoS != s.want.QoS || !slices.Contains(have, f) {
			add = append(add, f)
		}
	}
	for _, f := range have {
		if !slices.Contains(want, f) {
			remove = append(remove, f)
		}
	}
	return add, remove
}

// subscribed notes that the session has the wanted subscriptions.
func (s *session) subscribed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clean || s.have != nil && *s.have == s.want {
		return
	}
	want := s.want
	s.have, s.unmarked = &want, true
	notify(s.changed)
}

// mark adds the mark of a changed session, and tells whether there was one.
func (s *session) mark(b *connect.Batch, token uint64) bool {
	if s.clean {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.unmarked && !s.moved {
		return false
	}
	s.unmarked, s.moved = false, false
	s.offset = s.appendOffset(s.offset[:0])
	b.Mark(connect.Mark{Partition: s.partition, Offset: s.offset, Token: token})
	return true
}

func (s *session) appendOffset(dst []byte) []byte {
	var have subscriptions
	if s.have != nil {
		have = *s.have
	}
	dst = connectjson.AppendString(append(dst, `{"mqtt.topics":`...), have.Topics)
	dst = strconv.AppendInt(append(dst, `,"mqtt.qos":`...), int64(have.QoS), 10)
	dst = append(dst, `,"mqtt.qos2.in.flight":"`...)
	start := len(dst)
	if dst = s.inFlight.append(dst); len(dst) == start {
		return append(dst[:start-len(`,"mqtt.qos2.in.flight":"`)], '}')
	}
	return append(dst, `"}`...)
}

// arrived notes the packet id of a message of QoS 2 whose record is in this batch.
func (s *session) arrived(id uint16) {
	s.inFlight.add(id)
	s.moved = true
}

// released notes that a packet id may be used for another message. The broker hears
// of it (PUBCOMP) when that is durable: a packet id that was still known after a
// crash would make a new message look like one that came before.
func (s *session) released(id uint16) {
	if s.inFlight.has(id) {
		s.inFlight.remove(id)
		s.moved = true
	}
}

// begun notes that the broker knows nothing of packet ids.
func (s *session) begun() {
	if s.inFlight != (packetIDs{}) {
		s.inFlight, s.moved = packetIDs{}, true
	}
}
