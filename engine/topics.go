package engine

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Keys of the topics that connectors used: status-topic-<topic>:connector-<name>
// (KIP-558).
const (
	topicStatusPrefix    = "status-topic-"
	topicStatusSeparator = ":connector-"
)

// topicStatus is a value of the status topic: a topic that a connector used.
type topicStatus struct {
	Topic usedTopic `json:"topic"`
}

type usedTopic struct {
	Name      string `json:"name"`
	Connector string `json:"connector"`
	Task      int    `json:"task"` // the first that used it
	// DiscoverTimestamp is when, in milliseconds since 1970.
	DiscoverTimestamp int64 `json:"discoverTimestamp"`
}

func topicKey(connector, topic string) string {
	return topicStatusPrefix + topic + topicStatusSeparator + connector
}

// parseTopicKey takes a key apart. A topic's name cannot contain the separator.
func parseTopicKey(key string) (connector, topic string, ok bool) {
	rest, ok := strings.CutPrefix(key, topicStatusPrefix)
	if !ok {
		return "", "", false
	}
	topic, connector, ok = strings.Cut(rest, topicStatusSeparator)
	return connector, topic, ok
}

// applyTopic takes a record of a used topic in. The caller holds s.mu.
func (s *statusStore) applyTopic(connector, topic string, value []byte) {
	if value == nil {
		delete(s.topics[connector], topic)
		if len(s.topics[connector]) == 0 {
			delete(s.topics, connector)
		}
		s.topicResets.Add(1)
		return
	}
	var status topicStatus
	if json.Unmarshal(value, &status) != nil {
		return // not a record of Kafka Connect's
	}
	if s.topics[connector] == nil {
		s.topics[connector] = make(map[string]bool)
	}
	s.topics[connector][topic] = true
}

// usedTopics returns the topics that a connector used, in order.
func (s *statusStore) usedTopics(connector string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.topics[connector]))
}

func (s *statusStore) usesTopic(connector, topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.topics[connector][topic]
}

func (s *statusStore) deleteTopics(connector string) {
	for _, topic := range s.usedTopics(connector) {
		s.put(topicKey(connector, topic), nil)
	}
}

// topicTracker notes the topics that a task uses. One goroutine has it.
type topicTracker struct {
	statuses *statusStore // nil: topic.tracking.enable=false
	id       TaskID
	noted    map[string]bool
	resets   int64 // statuses.topicResets when noted was empty
}

func (t *task) newTopicTracker() topicTracker {
	tr := topicTracker{id: t.id, noted: make(map[string]bool)}
	if t.stores != nil && !t.cfg.TopicTrackingDisabled {
		tr.statuses = t.stores.statuses
	}
	return tr
}

// stale tells whether topics were reset, so that those in use have to be noted
// again.
func (t *topicTracker) stale() bool {
	return t.statuses != nil && t.statuses.topicResets.Load() != t.resets
}

// use notes a topic. It does not wait, and does nothing for one that is known.
func (t *topicTracker) use(topic string) {
	if t.statuses == nil {
		return
	}
	if t.stale() {
		t.resets = t.statuses.topicResets.Load()
		clear(t.noted)
	}
	if t.noted[topic] {
		return
	}
	topic = strings.Clone(topic)
	t.noted[topic] = true
	if !t.statuses.usesTopic(t.id.Connector, topic) {
		t.statuses.put(topicKey(t.id.Connector, topic), jsonValue(topicStatus{
			usedTopic{topic, t.id.Connector, t.id.Task, time.Now().UnixMilli()}}))
	}
}

// Topics returns the topics that a connector used since it was made or the list
// was reset (KIP-558). One that does not exist has used none.
func (w *Worker) Topics(ctx context.Context, name string) ([]string, error) {
	if w.cfg.TopicTrackingDisabled {
		return nil, errTrackingDisabled
	}
	if err := w.await(ctx); err != nil {
		return nil, err
	}
	topics := w.stores.statuses.usedTopics(name)
	if topics == nil {
		topics = []string{}
	}
	return topics, nil
}

// ResetTopics empties the list of the topics that a connector used.
func (w *Worker) ResetTopics(ctx context.Context, name string) error {
	switch {
	case w.cfg.TopicTrackingDisabled:
		return errTrackingDisabled
	case w.cfg.TopicResetDisabled:
		return errResetDisabled
	}
	return w.change(ctx, func() error {
		var records []*kgo.Record
		for _, topic := range w.stores.statuses.usedTopics(name) {
			records = append(records, &kgo.Record{Topic: w.cfg.StatusTopic.Name, Key: []byte(topicKey(name, topic))})
		}
		if len(records) == 0 {
			return nil
		}
		return stored(w.stores.write(ctx, records...))
	})
}

var (
	errTrackingDisabled = &Error{KindForbidden, "Topic tracking is disabled."}
	errResetDisabled    = &Error{KindForbidden, "Topic tracking reset is disabled."}
)
