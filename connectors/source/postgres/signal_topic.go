package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// signalTopic reads signals from a topic, which several connectors may share: the key
// of a record is the topic.prefix of the connector that it is for, its value a JSON
// object with id, type and data.
//
// An offset says where the topic is read on, in the same mark as what the signals
// before that have done: each is done once, also by a connector that was down when it
// was sent.
type signalTopic struct {
	follower connect.Follower
	key      []byte
	log      *slog.Logger
	inbox    *inbox
}

// Members of an offset that are about the topic.
const (
	memberTopic  = "sluice_signal_topic"
	memberOffset = "sluice_signal_offset"
)

// topicMembers are these, and Debezium's for the signal whose snapshot is running.
type topicMembers struct {
	Topic    string `json:"sluice_signal_topic"`
	Offset   *int64 `json:"sluice_signal_offset"`
	Debezium *int64 `json:"incremental_snapshot_signal_offset"`
}

// signalOffset is where the stored offset says that the topic is read on, -1 when it
// says nothing of that topic.
func signalOffset(stored json.RawMessage, topic string) (int64, error) {
	var m topicMembers
	if len(stored) == 0 {
		return -1, nil
	}
	if err := json.Unmarshal(stored, &m); err != nil {
		return -1, fmt.Errorf("offset of the topic of signals: %w", err)
	}
	switch {
	case m.Offset != nil && m.Topic == topic:
		return max(-1, *m.Offset), nil
	case m.Offset == nil && m.Debezium != nil && *m.Debezium >= 0:
		return *m.Debezium + 1, nil
	}
	return -1, nil
}

// committedSignals is where the topic was read on at a mark; false: it was not read.
func committedSignals(offset json.RawMessage) (int64, bool) {
	name := []byte(`,"` + memberOffset + `":`)
	at := bytes.LastIndex(offset, name)
	if at < 0 {
		return 0, false
	}
	digits, _, _ := bytes.Cut(bytes.TrimSuffix(offset[at+len(name):], []byte("}")), []byte(","))
	n, err := strconv.ParseInt(string(digits), 10, 64)
	return n, err == nil
}

// follow is the topic of signals and how it is read, from an offset.
func (o *signalOptions) follow(from int64) connect.Follow {
	settings := o.consumerSettings()
	if len(o.servers) > 0 && settings["bootstrap.servers"] == "" {
		settings["bootstrap.servers"] = strings.Join(o.servers, ",")
	}
	return connect.Follow{Topic: o.topic, Offset: from, Group: o.groupID, Settings: settings, Prefix: consumerPrefix}
}

// Follows implements connect.Following.
func (c *config) Follows() []connect.Follow {
	if !slices.Contains(c.signals.channels, "kafka") {
		return nil
	}
	return []connect.Follow{c.signals.follow(-1)}
}

// followSignals begins to follow the topic from an offset.
func (c *config) followSignals(follow func(connect.Follow) (connect.Follower, error), from int64) (connect.Follower, error) {
	if follow == nil {
		return nil, &connect.ConfigError{Option: optSignalChannels, Reason: "there is no log here that signals can be read from: leave kafka out"}
	}
	return follow(c.signals.follow(from))
}

// run reads until the context ends.
func (t *signalTopic) run(ctx context.Context) {
	for {
		r, err := t.follower.Next(ctx)
		if err != nil {
			return // of the context, or closed
		}
		s, err := t.signal(&r)
		switch {
		case errors.Is(err, errNotOurs):
			t.inbox.pass(r.Offset)
			continue
		case err != nil:
			t.log.Warn("a signal is left out: it is no JSON object with id, type and data", "topic offset", r.Offset, "error", err)
			t.inbox.pass(r.Offset)
			continue
		}
		if t.inbox.put(ctx, s) != nil {
			return
		}
	}
}

// errNotOurs tells of a record that is for another connector, or empty.
var errNotOurs = errors.New("the signal is for another connector")

func (t *signalTopic) signal(r *connect.FollowedRecord) (signal, error) {
	if !bytes.Equal(r.Key, t.key) || len(r.Value) == 0 {
		return signal{}, errNotOurs
	}
	if len(r.Value) > 2*maxSignal {
		return signal{}, fmt.Errorf("it has %d bytes, more than %d", len(r.Value), 2*maxSignal)
	}
	s, err := parseSignal(r.Value)
	if err == nil {
		err = s.check()
	}
	s.topicOffset = r.Offset
	return s, err
}
