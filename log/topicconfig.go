package log

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/log/batch"
)

// TopicConfig is what a topic's configuration means to the log. Sizes are bytes, times milliseconds, -1 is no limit
// where Kafka says so. The names are those of Kafka's topic configs.
type TopicConfig struct {
	CleanupDelete      bool        // cleanup.policy contains "delete"
	CleanupCompact     bool        // cleanup.policy contains "compact"
	Recompress         bool        // compression.type is not producer but
	Codec              batch.Codec // this
	SegmentBytes       int64       // segment.bytes
	SegmentMs          int64       // segment.ms
	SegmentIndexBytes  int64       // segment.index.bytes
	IndexInterval      int64       // index.interval.bytes
	RetentionBytes     int64       // retention.bytes
	RetentionMs        int64       // retention.ms
	DirtyRatio         float64     // min.cleanable.dirty.ratio
	DeleteRetentionMs  int64       // delete.retention.ms
	MinCompactionLagMs int64       // min.compaction.lag.ms
	MaxCompactionLagMs int64       // max.compaction.lag.ms
	MaxMessageBytes    int64       // max.message.bytes
	LogAppendTime      bool        // message.timestamp.type=LogAppendTime
	TimestampBefore    int64       // message.timestamp.before.max.ms
	TimestampAfter     int64       // message.timestamp.after.max.ms
}

// DefaultTopicConfig is Kafka's default for every topic config.
func DefaultTopicConfig() TopicConfig {
	c, err := TopicConfig{}.with(topicDefaults())
	if err != nil {
		panic(err) // the table below contradicts itself
	}
	return c
}

// ConfigType is the type of a topic config as DescribeConfigs reports it (KIP-569).
type ConfigType int8

// The config types, numbered as in the Kafka protocol.
const (
	TypeBoolean ConfigType = 1
	TypeString  ConfigType = 2
	TypeInt     ConfigType = 3
	TypeLong    ConfigType = 5
	TypeDouble  ConfigType = 6
	TypeList    ConfigType = 7
)

// ConfigKey describes one topic config.
type ConfigKey struct {
	Name    string
	Type    ConfigType
	Default string
	Doc     string

	min, max int64    // of numbers
	valid    []string // of strings and list items; empty means any
	set      func(*TopicConfig, string)
}

// TopicConfigKeys lists the topic configs that are known, sorted by name. Those whose doc says so are kept and
// reported but change nothing on one node.
func TopicConfigKeys() []ConfigKey {
	return []ConfigKey{
		{Name: "cleanup.policy", Type: TypeList, Default: "delete", valid: []string{"compact", "delete"},
			Doc: "What becomes of old segments: delete removes them by time and size, compact keeps the latest record of each key.",
			set: func(c *TopicConfig, v string) {
				c.CleanupDelete, c.CleanupCompact = listHas(v, "delete"), listHas(v, "compact")
			}},
		{Name: "compression.type", Type: TypeString, Default: "producer", valid: []string{"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"},
			Doc: "Codec of stored batches: producer keeps what was sent, any other has the broker compress again what came otherwise.",
			set: func(c *TopicConfig, v string) { c.Codec, c.Recompress = batch.ParseCodec(v) }},
		{Name: "delete.retention.ms", Type: TypeLong, Default: "86400000", max: math.MaxInt64,
			Doc: "How long compaction keeps tombstones and transaction markers after it first met them, so that a consumer sees the deletion.",
			set: func(c *TopicConfig, v string) { c.DeleteRetentionMs = number(v) }},
		{Name: "file.delete.delay.ms", Type: TypeLong, Default: "60000", max: math.MaxInt64,
			Doc: "Recorded, no effect: files are deleted at once, readers keep their descriptor."},
		{Name: "flush.messages", Type: TypeLong, Default: "9223372036854775807", min: 1, max: math.MaxInt64,
			Doc: "Recorded, no effect: every acknowledged batch is synced."},
		{Name: "flush.ms", Type: TypeLong, Default: "9223372036854775807", max: math.MaxInt64,
			Doc: "Recorded, no effect: every acknowledged batch is synced."},
		{Name: "index.interval.bytes", Type: TypeInt, Default: "4096", max: math.MaxInt32,
			Doc: "Bytes of log between two index entries.",
			set: func(c *TopicConfig, v string) { c.IndexInterval = number(v) }},
		{Name: "max.compaction.lag.ms", Type: TypeLong, Default: "9223372036854775807", min: 1, max: math.MaxInt64,
			Doc: "Time after which a record of a compacted topic is subject to compaction, whatever the dirty ratio.",
			set: func(c *TopicConfig, v string) { c.MaxCompactionLagMs = number(v) }},
		{Name: "max.message.bytes", Type: TypeInt, Default: "1048588", max: math.MaxInt32,
			Doc: "Largest record batch accepted, as compressed by the producer.",
			set: func(c *TopicConfig, v string) { c.MaxMessageBytes = number(v) }},
		{Name: "message.timestamp.after.max.ms", Type: TypeLong, Default: "3600000", max: math.MaxInt64,
			Doc: "How far a CreateTime timestamp may be ahead of the server's clock.",
			set: func(c *TopicConfig, v string) { c.TimestampAfter = number(v) }},
		{Name: "message.timestamp.before.max.ms", Type: TypeLong, Default: "9223372036854775807", max: math.MaxInt64,
			Doc: "How far a CreateTime timestamp may be behind the server's clock.",
			set: func(c *TopicConfig, v string) { c.TimestampBefore = number(v) }},
		{Name: "message.timestamp.type", Type: TypeString, Default: "CreateTime", valid: []string{"CreateTime", "LogAppendTime"},
			Doc: "Whether a record's timestamp is the producer's or the time of the append.",
			set: func(c *TopicConfig, v string) { c.LogAppendTime = v == "LogAppendTime" }},
		{Name: "min.cleanable.dirty.ratio", Type: TypeDouble, Default: "0.5",
			Doc: "Share of a partition's bytes beyond which what was written since the last compaction is compacted.",
			set: func(c *TopicConfig, v string) { c.DirtyRatio, _ = strconv.ParseFloat(v, 64) }}, // checked before
		{Name: "min.compaction.lag.ms", Type: TypeLong, Default: "0", max: math.MaxInt64,
			Doc: "How long a record stays as it is before it is subject to compaction.",
			set: func(c *TopicConfig, v string) { c.MinCompactionLagMs = number(v) }},
		{Name: "min.insync.replicas", Type: TypeInt, Default: "1", min: 1, max: math.MaxInt32,
			Doc: "Recorded, no effect: one node has one replica."},
		{Name: "preallocate", Type: TypeBoolean, Default: "false", valid: []string{"false", "true"},
			Doc: "Recorded, no effect."},
		{Name: "retention.bytes", Type: TypeLong, Default: "-1", min: -1, max: math.MaxInt64,
			Doc: "Size of a partition beyond which the oldest segments are deleted, -1 for no limit.",
			set: func(c *TopicConfig, v string) { c.RetentionBytes = number(v) }},
		{Name: "retention.ms", Type: TypeLong, Default: "604800000", min: -1, max: math.MaxInt64,
			Doc: "Age beyond which segments are deleted, -1 for no limit.",
			set: func(c *TopicConfig, v string) { c.RetentionMs = number(v) }},
		{Name: "segment.bytes", Type: TypeInt, Default: "1073741824", min: 1024, max: math.MaxInt32,
			Doc: "Size beyond which a new segment is started. Compaction starts one earlier where most of the partition would be dirty.",
			set: func(c *TopicConfig, v string) { c.SegmentBytes = number(v) }},
		{Name: "segment.index.bytes", Type: TypeInt, Default: "10485760", min: 16, max: math.MaxInt32,
			Doc: "Size of a segment's index beyond which a new segment is started.",
			set: func(c *TopicConfig, v string) { c.SegmentIndexBytes = number(v) }},
		{Name: "segment.jitter.ms", Type: TypeLong, Default: "0", max: math.MaxInt64,
			Doc: "Recorded, no effect."},
		{Name: "segment.ms", Type: TypeLong, Default: "604800000", min: 1, max: math.MaxInt64,
			Doc: "Age beyond which a new segment is started.",
			set: func(c *TopicConfig, v string) { c.SegmentMs = number(v) }},
		{Name: "unclean.leader.election.enable", Type: TypeBoolean, Default: "false", valid: []string{"false", "true"},
			Doc: "Recorded, no effect: one node has one replica."},
	}
}

// topicDefaults is name to default value of every known config.
func topicDefaults() map[string]string {
	m := map[string]string{}
	for _, k := range TopicConfigKeys() {
		m[k.Name] = k.Default
	}
	return m
}

// with returns the config changed by overrides, or a *ConfigError for the first name that is unknown or value that is not accepted.
func (c TopicConfig) with(overrides map[string]string) (TopicConfig, error) {
	if len(overrides) == 0 {
		return c, nil
	}
	keys := TopicConfigKeys()
	for _, name := range sortedKeys(overrides) {
		i := slices.IndexFunc(keys, func(k ConfigKey) bool { return k.Name == name })
		if i < 0 {
			return c, &ConfigError{Name: name, Value: overrides[name], Reason: "unknown topic configuration"}
		}
		if err := keys[i].check(overrides[name]); err != nil {
			return c, err
		}
		if keys[i].set != nil {
			keys[i].set(&c, overrides[name])
		}
	}
	if c.MinCompactionLagMs > c.MaxCompactionLagMs {
		return c, &ConfigError{Name: "min.compaction.lag.ms", Value: strconv.FormatInt(c.MinCompactionLagMs, 10), Reason: "larger than max.compaction.lag.ms"}
	}
	return c, nil
}

// check returns a *ConfigError when the value is not accepted for the key.
func (k *ConfigKey) check(value string) error {
	bad := func(format string, args ...any) error {
		return &ConfigError{Name: k.Name, Value: value, Reason: fmt.Sprintf(format, args...)}
	}
	switch k.Type {
	case TypeInt, TypeLong:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return bad("not a whole number")
		}
		if n < k.min || n > k.max {
			return bad("must be from %d to %d", k.min, k.max)
		}
	case TypeDouble:
		if f, err := strconv.ParseFloat(value, 64); err != nil || !(f >= 0 && f <= 1) {
			return bad("must be a number from 0 to 1")
		}
	case TypeList:
		for item := range strings.SplitSeq(value, ",") {
			if !slices.Contains(k.valid, strings.TrimSpace(item)) {
				return bad("must be a list of %s", strings.Join(k.valid, ", "))
			}
		}
	default:
		if !slices.Contains(k.valid, value) {
			return bad("must be one of %s", strings.Join(k.valid, ", "))
		}
	}
	return nil
}

// number is the value of a string that check has accepted.
func number(v string) int64 {
	n, _ := strconv.ParseInt(v, 10, 64) // checked before
	return n
}

// listHas reports whether a comma separated list has the item.
func listHas(list, item string) bool {
	for s := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(s) == item {
			return true
		}
	}
	return false
}

// sortedKeys makes errors and files the same on every run.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
