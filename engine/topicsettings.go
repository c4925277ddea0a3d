package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// storageTopics are the beginnings of the properties of the internal topics.
var storageTopics = [...]string{"config.storage.", "offset.storage.", "status.storage.", "sink.state.storage."}

// topicSettings are Kafka's settings of topics. Behind the beginning of an internal
// topic's properties they are settings of that topic when it is created.
var topicSettings = []string{"cleanup.policy", "compression.gzip.level", "compression.lz4.level", "compression.type", "compression.zstd.level", "delete.retention.ms",
	"file.delete.delay.ms", "flush.messages", "flush.ms", "index.interval.bytes", "max.compaction.lag.ms", "max.message.bytes", "message.timestamp.after.max.ms",
	"message.timestamp.before.max.ms", "message.timestamp.type", "min.cleanable.dirty.ratio", "min.compaction.lag.ms", "min.insync.replicas", "preallocate", "retention.bytes",
	"retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms", "unclean.leader.election.enable"}

// storageSettings are the names of those properties.
func storageSettings() []string {
	var names []string
	for _, prefix := range storageTopics {
		for _, s := range topicSettings {
			names = append(names, prefix+s)
		}
	}
	return names
}

// takeSettings returns the settings of the internal topic with a prefix. It is
// compacted whatever they say, or it would lose state.
func takeSettings(properties map[string]string, prefix string) map[string]string {
	settings := make(map[string]string)
	for key, value := range properties {
		if name, ok := strings.CutPrefix(key, prefix); ok && slices.Contains(topicSettings, name) {
			settings[name] = strings.TrimSpace(value)
		}
	}
	delete(settings, "cleanup.policy")
	return settings
}

// create creates the topic. Settings that the cluster does not take are an error
// that no retry can help.
func (t *InternalTopic) create(ctx context.Context, admin *kadm.Client) error {
	compact := "compact"
	configs := map[string]*string{"cleanup.policy": &compact}
	for _, name := range slices.Sorted(maps.Keys(t.Settings)) {
		value := t.Settings[name]
		configs[name] = &value
	}
	resp, err := admin.CreateTopic(ctx, t.Partitions, t.ReplicationFactor, configs, t.Name)
	switch {
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return fmt.Errorf("%w: %s cannot have %d replicas on this cluster; set its .storage.replication.factor to the number of brokers at most, or to -1 for the cluster's default: %w",
			errPermanent, t.Name, t.ReplicationFactor, err)
	case errors.Is(err, kerr.InvalidConfig):
		return fmt.Errorf("%w: the cluster refuses a setting of %s, %v; correct the property of that name: %s: %w", errPermanent, t.Name, t.Settings, resp.ErrMessage, err)
	}
	return err
}
