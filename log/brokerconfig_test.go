package log

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
)

// TestBrokerOverrides changes the defaults of topics: they count at once for every topic that does not override them, the node's
// before the cluster's, and after a restart.
func TestBrokerOverrides(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, testConfig(mem))
	mustCreate(t, l, "plain", 1, nil)
	mustCreate(t, l, "own", 1, map[string]string{"retention.ms": "1"})
	o := BrokerOverrides{
		Cluster: map[string]string{"log.retention.ms": "2", "message.max.bytes": "3000", "num.partitions": "4"},
		Node:    map[string]string{"log.retention.ms": "5"},
	}
	if err := l.AlterBroker(o); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for topic, want := range map[string][2]int64{"plain": {5, 3000}, "own": {1, 3000}, "later": {5, 3000}} {
			tp, ok := l.Topic(topic)
			if !ok {
				t.Fatalf("%s: no topic %s", when, topic)
			}
			if c := tp.Config(); c.RetentionMs != want[0] || c.MaxMessageBytes != want[1] {
				t.Errorf("%s: %s has retention %d and %d bytes, want %v", when, topic, c.RetentionMs, c.MaxMessageBytes, want)
			}
		}
		if got := l.BrokerOverrides(); !maps.Equal(got.Cluster, o.Cluster) || !maps.Equal(got.Node, o.Node) {
			t.Errorf("%s: overrides %+v, want %+v", when, got, o)
		}
	}
	mustCreate(t, l, "later", 1, nil)
	check("at once")
	var bad *ConfigError
	if err := l.AlterBroker(BrokerOverrides{Node: map[string]string{"log.retention.ms": "soon"}}); !errors.As(err, &bad) {
		t.Errorf("bad value: %v, want a *ConfigError", err)
	}
	check("after a refusal")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, testConfig(mem))
	check("after a restart")
	if err := l.AlterTopic("own", nil); err != nil {
		t.Fatal(err)
	}
	if own, _ := l.Topic("own"); own.Config().RetentionMs != 5 {
		t.Errorf("own without its override has retention %d, want 5", own.Config().RetentionMs)
	}
	if err := l.AlterBroker(BrokerOverrides{}); err != nil {
		t.Fatal(err)
	}
	if plain, _ := l.Topic("plain"); plain.Config() != DefaultTopicConfig() {
		t.Errorf("without overrides: %+v", plain.Config())
	}
}

// TestBrokerNames are Kafka's, one for each topic config.
func TestBrokerNames(t *testing.T) {
	var got []string
	for _, k := range TopicConfigKeys() {
		got = append(got, k.BrokerName())
	}
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); n != len(got) {
		t.Errorf("%d names for %d configs", n, len(got))
	}
	for _, want := range []string{"log.retention.ms", "log.segment.bytes", "message.max.bytes", "log.roll.ms", "log.cleanup.policy",
		"log.message.timestamp.type", "log.cleaner.delete.retention.ms", "log.index.interval.bytes", "log.preallocate"} {
		if !slices.Contains(got, want) {
			t.Errorf("no topic config has the broker name %s", want)
		}
	}
}
