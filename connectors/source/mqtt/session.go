package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-data/sluice/connect"
)

// session is what the connector knows of the session that the broker keeps under
// its client id: the subscriptions in it. They are stored as a source offset, so
// that the next start knows them too.
type session struct {
	clientID  string
	clean     bool // the broker keeps nothing, so nothing is stored
	partition json.RawMessage
	want      subscriptions
	changed   chan struct{} // capacity 1: there is an offset to mark

	mu       sync.Mutex // guards what follows
	have     *subscriptions
	unmarked json.RawMessage // an offset for the next Read to mark
}

// subscriptions is the source offset.
type subscriptions struct {
	Topics string `json:"mqtt.topics"`
	QoS    int    `json:"mqtt.qos"`
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
		want: subscriptions{strings.Join(c.Topics, ","), c.QoS}}
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
	s.have = new(subscriptions)
	if err := json.Unmarshal(offset, s.have); err != nil {
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

// changes returns the filters to subscribe and to unsubscribe after a connect,
// and whether a session that there should be is gone.
func (s *session) changes(present bool) (add, remove []string, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.want.filters()
	if !present || s.have == nil {
		return want, nil, s.have != nil && !present
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
	return add, remove, false
}

// subscribed notes that the session has the wanted subscriptions.
func (s *session) subscribed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clean || s.have != nil && *s.have == s.want {
		return nil
	}
	offset, err := json.Marshal(s.want)
	if err != nil {
		return fmt.Errorf("encode source offset: %w", err)
	}
	want := s.want
	s.have, s.unmarked = &want, offset
	notify(s.changed)
	return nil
}

// mark adds the mark of a changed session, and tells whether there was one.
func (s *session) mark(b *connect.Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unmarked == nil {
		return false
	}
	b.Mark(connect.Mark{Partition: s.partition, Offset: s.unmarked})
	s.unmarked = nil
	return true
}
