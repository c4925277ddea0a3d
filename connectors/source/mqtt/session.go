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
	// checked: the session has the wanted subscriptions. Before, some may be missing in spite
	// of have: shared ones (remove.go), and all when the broker has lost the session and the
	// task that saw it was killed before it could subscribe: in doubt.
	checked, doubt bool
	// quiet: to subscribe again brings nothing retained, which is so in MQTT 5, and with
	// shared subscriptions.
	quiet bool
	// connecting is what the offset says, or is to say, before CONNECT: it is the doubt of a
	// task that comes after this one.
	connecting bool
	announced  chan struct{} // closed when that is durable, then nil
	announcing uint64        // the token of its mark, 0 if it is not marked yet

	// underWay are the messages of QoS 2 whose records are read. Its owner is Read.
	underWay ledger
	// brokerDrops is the last value of the broker's counter of dropped messages, -1
	// if there was none. Its owner is Read.
	brokerDrops int64
	// moved: underWay or brokerDrops is not in an offset yet.
	moved  bool
	offset []byte // memory of the last offset
}

// subscriptions is the part of the source offset that says what is subscribed to.
type subscriptions struct {
	Topics string `json:"mqtt.topics"`
	QoS    int    `json:"mqtt.qos"`
	Drops  string `json:"mqtt.broker.drops.topic,omitempty"`
}

// storedSession is the source offset.
type storedSession struct {
	subscriptions
	Connecting bool `json:"mqtt.connecting,omitempty"`
	storedLedger
	BrokerDrops *int64 `json:"mqtt.broker.drops,omitempty"`
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
	s := &session{clientID: clientID, clean: c.CleanSession, quiet: c.Version == "5", changed: make(chan struct{}, 1),
		want: subscriptions{Topics: strings.Join(withoutCovered(c.Topics), ","), QoS: c.QoS}, brokerDrops: -1}
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
		s.underWay, err = known.ledger()
	}
	s.connecting, s.doubt = known.Connecting, known.Connecting
	if known.BrokerDrops != nil {
		s.brokerDrops = *known.BrokerDrops
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

// absent notes that the broker had no session and has made one without subscriptions,
// and tells whether it should have had one. From now on it reports that one, also when
// the connection breaks before anything is subscribed to, so what the old session had
// must not be believed again, by a later start neither.
func (s *session) absent() (lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.have == nil {
		return false
	}
	lost = s.have.Topics != ""
	s.have, s.connecting, s.unmarked = nil, false, true
	notify(s.changed)
	return lost
}

// announce waits until the offset says that a connection is being made. Without that a
// task that is killed after the broker has answered with a new session, and before it has
// subscribed, would leave one that finds this session and believes that it has the filters.
// Where subscribing again brings nothing retained it is not needed.
func (s *session) announce(ctx context.Context) error {
	s.mu.Lock()
	if s.clean || s.quiet || s.have == nil {
		s.mu.Unlock()
		return nil
	}
	if !s.connecting {
		s.connecting, s.unmarked = true, true
		s.announced, s.announcing = make(chan struct{}), 0
		notify(s.changed)
	}
	announced := s.announced
	s.mu.Unlock()
	if announced == nil {
		return nil
	}
	select {
	case <-announced:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the log has not stored the offset of the session: %w", context.Cause(ctx))
	}
}

// committed notes that marks up to a token are durable.
func (s *session) committed(token uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.announced != nil && s.announcing != 0 && token >= s.announcing {
		close(s.announced)
		s.announced = nil
	}
}

// changes returns the filters to subscribe to after a connect, those to subscribe again in case
// they are missing, and those to unsubscribe.
func (s *session) changes(present bool) (add, again, remove []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.want.filters()
	if !present || s.have == nil {
		return want, nil, nil
	}
	have := s.have.filters()
	for _, f := range want {
		switch {
		case s.have.QoS != s.want.QoS || !slices.Contains(have, f):
			add = append(add, f)
		case s.quiet || !s.checked && (s.doubt || strings.HasPrefix(f, "$share/")):
			again = append(again, f)
		}
	}
	for _, f := range have {
		if !slices.Contains(want, f) {
			remove = append(remove, f)
		}
	}
	if d := s.have.Drops; d != "" && d != s.want.Drops && !slices.Contains(want, d) {
		remove = append(remove, d)
	}
	return add, again, remove
}

// dropsToAdd returns the topic of the broker's counter if it is to be subscribed to.
func (s *session) dropsToAdd(present bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if present && s.have != nil && s.have.Drops == s.want.Drops {
		return ""
	}
	return s.want.Drops
}

// withoutDrops notes that the broker does not let its counter be read.
func (s *session) withoutDrops() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want.Drops = ""
}

// subscribed notes that the session has the wanted subscriptions.
func (s *session) subscribed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = true
	if s.clean || s.have != nil && *s.have == s.want && !s.connecting {
		return
	}
	want := s.want
	s.have, s.connecting, s.unmarked = &want, false, true
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
	if s.announced != nil && s.announcing == 0 {
		s.announcing = token
	}
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
	if s.connecting {
		dst = append(dst, `,"mqtt.connecting":true`...)
	}
	if have.Drops != "" {
		dst = connectjson.AppendString(append(dst, `,"mqtt.broker.drops.topic":`...), have.Drops)
	}
	if s.brokerDrops >= 0 {
		dst = strconv.AppendInt(append(dst, `,"mqtt.broker.drops":`...), s.brokerDrops, 10)
	}
	return append(s.underWay.append(dst), '}')
}

// took notes what is in this batch. The broker hears of a release (PUBCOMP) when that is
// durable: a packet id that was still in flight after a crash would make a new message
// look like one that came before.
func (s *session) took(m *message) {
	s.underWay.take(m)
	s.moved = s.moved || m.qos == 2
}
