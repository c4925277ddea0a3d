package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// toTopics is a source of one record for each topic, with one mark behind them.
func toTopics(log *enginetest.Log, topics ...string) connect.Spec {
	read := false
	return enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				if read {
					<-ctx.Done()
					return ctx.Err()
				}
				read = true
				for _, topic := range topics {
					r := b.Append()
					r.Topic, r.ValueSchema, r.Value = topic, connect.StringSchema, connect.StringValue(topic)
				}
				b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: []byte(`{"n":1}`), Token: 1})
				return nil
			},
			OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint("commit ", m.Token)) },
		}
	})
}

// topicText shows a topic's partitions and the settings that it was given.
func topicText(t *testing.T, c *enginetest.Cluster, topic string) string {
	t.Helper()
	admin := kadm.NewClient(enginetest.Client(t, c))
	topics, err := admin.ListTopics(t.Context(), topic)
	must(t, err)
	configs, err := admin.DescribeTopicConfigs(t.Context(), topic)
	must(t, err)
	text := []string{fmt.Sprint(len(topics[topic].Partitions))}
	for _, kv := range configs[0].Configs {
		if kv.Source == kmsg.ConfigSourceDynamicTopicConfig {
			text = append(text, kv.Key+"="+kv.MaybeValue())
		}
	}
	slices.Sort(text)
	return strings.Join(text, " ")
}

func groupConf(kv ...string) map[string]string {
	return sourceConf(append([]string{"topic.creation.default.replication.factor", "1", "topic.creation.default.partitions", "2"}, kv...)...)
}

// TestTopicCreationGroups wants each topic created as the first group that matches
// it says, before its first record: nothing else creates topics in this cluster
// (KIP-158). A topic that is there is left as it is.
func TestTopicCreationGroups(t *testing.T) {
	for _, support := range []string{engine.ExactlyOnceDisabled, engine.ExactlyOnceEnabled} {
		t.Run(support, func(t *testing.T) {
			fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "a-old"))
			must(t, err)
			t.Cleanup(fake.Close)
			c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
			var log enginetest.Log
			w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.ExactlyOnceSource = support }, toTopics(&log, "a-1", "a-9", "ab", "c", "a-old", "a-1"))
			w.Create(t, "src", groupConf("topic.creation.groups", "first, second,default",
				"topic.creation.first.include", "a-.*,never", "topic.creation.first.exclude", ".*9", "topic.creation.first.partitions", "3",
				"topic.creation.first.retention.ms", "1000", "topic.creation.first.max.message.bytes", "2000000",
				"topic.creation.second.include", "(?!c)a.*", "topic.creation.default.segment.bytes", "1048576"))
			enginetest.Eventually(t, func() bool { return fmt.Sprint(log.Events()) == "[commit 1]" }, func() string {
				status, _ := w.Status(t.Context(), "src")
				return fmt.Sprint(log.Events(), status)
			})
			for topic, want := range map[string]string{
				"a-1":   "3 max.message.bytes=2000000 retention.ms=1000",
				"a-9":   "2", // excluded from first; second has the numbers of the default group
				"ab":    "2",
				"c":     "2 segment.bytes=1048576",
				"a-old": "4",
			} {
				if got := topicText(t, c, topic); got != want {
					t.Errorf("topic %s: got %s, want %s", topic, got, want)
				}
			}
		})
	}
}

// TestTopicThatCannotBeCreated wants the task failed, whatever errors.tolerance
// says, and nothing told to the upstream: the record is not at fault.
func TestTopicThatCannotBeCreated(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	var log enginetest.Log
	w := enginetest.Start(t, c, nil, toTopics(&log, "fine", "refused"))
	w.Create(t, "src", groupConf("topic.creation.groups", "r", "topic.creation.r.include", "refused", "topic.creation.r.retention.ms", "soon",
		"errors.tolerance", "all", "errors.deadletterqueue.topic.name", "dlq", "auto.restart.enable", "false"))
	status := w.Await(t, "src", engine.Running, engine.Failed)
	for _, want := range []string{"create topic refused as topic creation group r says (partitions 2, replication factor 1, retention.ms=soon): INVALID_CONFIG",
		"let the task create topics, or create this one, and restart the task"} {
		if !strings.Contains(status.Tasks[0].Trace, want) {
			t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
		}
	}
	if got := log.Events(); len(got) > 0 {
		t.Errorf("%v although no topic takes the record", got)
	}
}

// TestTopicCreationOff leaves topics to the cluster when the worker says so, or
// the config nothing.
func TestTopicCreationOff(t *testing.T) {
	for _, off := range []bool{true, false} {
		c := enginetest.Fake(t)
		var log enginetest.Log
		w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.TopicCreationDisabled = off }, toTopics(&log, "out"))
		config := groupConf()
		if !off {
			config = sourceConf()
		}
		w.Create(t, "src", config)
		enginetest.Eventually(t, func() bool { return len(log.Events()) > 0 }, func() string { return "nothing was committed" })
		if got := topicText(t, c, "out"); got != "1" {
			t.Errorf("topic: got %s, want the cluster's 1 partition", got)
		}
	}
}

func TestTopicCreationValidation(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil, toTopics(new(enginetest.Log)))
	for _, test := range []struct {
		config map[string]string
		want   string
	}{
		{sourceConf("topic.creation.groups", "g"), `Missing required configuration "topic.creation.default.partitions" which has no default value.`},
		{groupConf("topic.creation.default.partitions", "0"), "Invalid value 0 for configuration topic.creation.default.partitions: Number of partitions must be positive, or -1 to use the broker's default"},
		{groupConf("topic.creation.groups", "g", "topic.creation.g.replication.factor", "-2"), "Invalid value -2 for configuration topic.creation.g.replication.factor: Replication factor must be positive and not larger than the number of brokers"},
		{groupConf("topic.creation.groups", "g", "topic.creation.g.include", "ok,("), "Invalid value [ok, (] for configuration topic.creation.g.include: Syntax error in regular expression"},
		{groupConf("topic.creation.groups", "g,g"), "Invalid value [g, g] for configuration topic.creation.groups: Duplicate alias provided."},
	} {
		_, err := w.Worker.Create(t.Context(), "src", test.config, "")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v:\n got %v\nwant %s", test.config, err, test.want)
		}
	}
	infos, err := w.Validate(t.Context(), enginetest.SourceClass, groupConf("topic.creation.groups", "g", "topic.creation.default.partitions", "7"))
	must(t, err)
	if got := fmt.Sprint(infos.Groups); !strings.Contains(got, "Topic Creation") || !strings.Contains(got, "Topic Creation: g") || !strings.Contains(got, "Topic Creation: default") {
		t.Errorf("groups: got %s", got)
	}
	for _, c := range infos.Configs {
		if c.Definition.Name == "topic.creation.g.partitions" && *c.Value.Value != "7" {
			t.Errorf("a group's partitions: got %s, want those of the default group", *c.Value.Value)
		}
	}
}
