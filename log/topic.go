package log

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"sync/atomic"
	"unicode/utf16"
)

// Topic is a named set of partitions with one configuration.
type Topic struct {
	log  *Log
	name string
	id   topicID

	config     atomic.Pointer[TopicConfig]
	overrides  atomic.Pointer[map[string]string]
	partitions atomic.Pointer[[]*Partition] // only ever grows
}

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// ID is the topic's UUID; a topic that is created again has another one (KIP-516).
func (t *Topic) ID() [16]byte { return t.id }

// Internal reports whether the topic belongs to a coordinator.
func (t *Topic) Internal() bool {
	return t.name == "__consumer_offsets" || t.name == "__transaction_state"
}

// Partitions is the number of partitions.
func (t *Topic) Partitions() int { return len(*t.partitions.Load()) }

// Partition returns a partition by its number.
func (t *Topic) Partition(i int32) (*Partition, bool) {
	ps := *t.partitions.Load()
	if i < 0 || int(i) >= len(ps) {
		return nil, false
	}
	return ps[i], true
}

// Config is the configuration in force.
func (t *Topic) Config() TopicConfig { return *t.config.Load() }

// Overrides is a copy of the configuration that was set for this topic.
func (t *Topic) Overrides() map[string]string { return maps.Clone(*t.overrides.Load()) }

// maxTopicName is Kafka's limit: a directory name is the topic and the partition number.
const maxTopicName = 249

// CheckTopicName returns an error that matches ErrInvalidTopic when the name is not a Kafka topic name.
func CheckTopicName(name string) error {
	bad := func(reason string) error {
		shown := name
		if len(shown) > maxTopicName {
			shown = shown[:maxTopicName] + "..."
		}
		return fmt.Errorf("%w %q: %s", ErrInvalidTopic, shown, reason)
	}
	switch {
	case name == "":
		return bad("it is empty")
	case name == "." || name == "..":
		return bad("it is a directory")
	case len(name) > maxTopicName:
		return bad(fmt.Sprintf("longer than %d characters", maxTopicName))
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return bad("only letters, digits, '.', '_' and '-' are allowed")
		}
	}
	return nil
}

// collisionName is the same for names that Kafka's metrics cannot tell apart.
func collisionName(name string) string { return strings.ReplaceAll(name, ".", "_") }

// PartitionFor is Kafka's choice of the partition that holds a group or a transactional id: the hash of the id as a Java
// string, without its sign (0 for the smallest integer, which has no counterpart), modulo the number of partitions.
func PartitionFor(id string, partitions int) int32 {
	var h int32
	for _, c := range utf16.Encode([]rune(id)) {
		h = 31*h + int32(c)
	}
	switch {
	case h == math.MinInt32:
		h = 0
	case h < 0:
		h = -h
	}
	return h % int32(partitions)
}
