package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// TestZombieSinkTasks wants Kafka Connect's answer when offsets of a sink change
// while its group has a member, and the change made once it is gone (KIP-875).
func TestZombieSinkTasks(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	enginetest.Produce(t, c, numbered("in", 0, 0, 5)...)
	var got collector
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond },
		enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "snk", sinkConf("value.converter", "StringConverter"))
	got.await(t, texts(0, 5)...)
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 5 }, func() string { return "nothing was committed" })
	must(t, w.Worker.Stop(t.Context(), "snk"))
	w.Await(t, "snk", engine.Stopped)

	zombie := enginetest.Client(t, c, kgo.ConsumerGroup("connect-snk"), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit())
	admin := kadm.NewClient(enginetest.Client(t, c))
	stable := func() bool {
		groups, err := admin.DescribeGroups(t.Context(), "connect-snk")
		return err == nil && groups["connect-snk"].State == "Stable"
	}
	enginetest.Eventually(t, func() bool { return len(zombie.PollRecords(canceled(t), 1).Records()) >= 0 && stable() }, func() string { return "the zombie did not join" })
	partition, offset := []byte(`{"kafka_topic":"in","kafka_partition":0}`), []byte(`{"kafka_offset":2}`)
	changes := map[string]func() (string, error){
		"reset": func() (string, error) { return w.ResetOffsets(t.Context(), "snk") },
		"alter": func() (string, error) {
			return w.AlterOffsets(t.Context(), "snk", []engine.ConnectorOffset{{Partition: partition, Offset: offset}})
		},
	}
	for _, verb := range []string{"alter", "reset"} {
		_, err := changes[verb]()
		e, _ := errors.AsType[*engine.Error](err)
		want := "Failed to " + verb + " consumer group offsets for connector snk either because its tasks haven't stopped completely yet or the connector was resumed " +
			"before the request to " + verb + " its offsets could be successfully completed. If the connector is in a stopped state, this operation can be safely retried. " +
			"If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks."
		if e == nil || e.Kind != engine.KindInternal || e.Message != want {
			t.Errorf("%s: got %v, want %s", verb, err, want)
		}
	}
	if got := committed(t, c, "connect-snk", "in", 0); got != 5 {
		t.Errorf("committed offset: got %d after changes that were refused", got)
	}
	zombie.LeaveGroup()
	for _, verb := range []string{"alter", "reset"} {
		if _, err := changes[verb](); err != nil {
			t.Errorf("%s without the zombie: %v", verb, err)
		}
	}
	if got := committed(t, c, "connect-snk", "in", 0); got != -1 {
		t.Errorf("committed offset after reset: got %d", got)
	}
}

// canceled is a context that has ended, for a look that does not wait.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// TestReportsAreAwaitedBeforeTheCommit holds the dead letter queue up and wants no
// offset committed until it has answered (KIP-610, I3).
func TestReportsAreAwaitedBeforeTheCommit(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in", "dlq"), kfake.AllowAutoTopicCreation())
	must(t, err)
	t.Cleanup(fake.Close)
	c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
	var away atomic.Bool
	away.Store(true)
	tried := make(chan struct{}, 1)
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		q := req.(*kmsg.ProduceRequest)
		if !away.Load() || q.Topics[0].Topic != "dlq" && q.Topics[0].TopicID != fake.TopicInfo("dlq").TopicID {
			return nil, nil, false
		}
		select {
		case tried <- struct{}{}:
		default:
		}
		return nil, errors.New("the connection breaks"), true
	})
	var reported atomic.Int32
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.OffsetFlushInterval, cfg.OffsetFlushTimeout = 10*time.Millisecond, 50*time.Millisecond
	},
		enginetest.SinkPlugin(func() connect.Sink {
			var sc connect.SinkContext
			return &enginetest.Sink{
				OnOpen: func(_ context.Context, c connect.SinkContext) error { sc = c; return nil },
				OnWrite: func(_ context.Context, b *connect.Batch) error {
					reported.Add(1)
					return sc.Report(&b.Records()[0], errors.New("no such column"))
				},
			}
		}))
	w.Create(t, "snk", sinkConf(letterConf("value.converter", "StringConverter")...))
	<-tried
	enginetest.Eventually(t, func() bool { return reported.Load() > 0 }, func() string { return "nothing was reported" })
	for range 5 { // several intervals of the commit
		if got := committed(t, c, "connect-snk", "in", 0); got != -1 {
			t.Fatalf("offset %d is committed although the report is not in the log (I3)", got)
		}
		<-tried
	}
	away.Store(false)
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 3 }, func() string { return "the offset did not follow the report" })
	enginetest.Consume(t, c, "dlq", 1)
}

// TestDeadLetterTopicIsCreated wants one partition and the replication factor that
// is asked for, and a clear word when the cluster cannot have it.
func TestDeadLetterTopicIsCreated(t *testing.T) {
	for _, test := range []struct{ factor, want string }{
		{"", ""}, {"-1", ""}, {"1", ""},
		{"3", "create the dead letter queue topic dlq with replication factor 3 (errors.deadletterqueue.topic.replication.factor): INVALID_REPLICATION_FACTOR"},
	} {
		c, _ := embedded(t, t.TempDir())
		w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
		kv := letterConf("auto.restart.enable", "false")
		if test.factor != "" {
			kv = append(kv, "errors.deadletterqueue.topic.replication.factor", test.factor)
		}
		w.Create(t, "snk", sinkConf(kv...))
		if test.want == "" {
			w.Await(t, "snk", engine.Running, engine.Running)
			enginetest.Eventually(t, func() bool { return topicThere(t, c, "dlq") }, func() string { return "the topic is not there" })
			if got := topicText(t, c, "dlq"); got != "1" {
				t.Errorf("factor %q: got %s, want 1 partition", test.factor, got)
			}
			continue
		}
		if status := w.Await(t, "snk", engine.Running, engine.Failed); !strings.Contains(status.Tasks[0].Trace, test.want) {
			t.Errorf("factor %s: got %q, want %q", test.factor, status.Tasks[0].Trace, test.want)
		}
	}
}

func topicThere(t *testing.T, c *enginetest.Cluster, topic string) bool {
	topics, err := kadm.NewClient(enginetest.Client(t, c)).ListTopics(t.Context(), topic)
	return err == nil && topics.Has(topic) && topics[topic].Err == nil
}

// TestTooLargeForTheTopic wants sizes, topic and both limits in the text when the
// topic's max.message.bytes is less than the producer's max.request.size, and the
// records beside the one that is too large in the topic.
func TestTooLargeForTheTopic(t *testing.T) {
	for _, test := range [][2]string{{"none", engine.ExactlyOnceDisabled}, {"all", engine.ExactlyOnceDisabled}, {"all", engine.ExactlyOnceEnabled}} {
		tolerance, support := test[0], test[1]
		c, _ := embedded(t, t.TempDir())
		read, durable := false, make(chan struct{})
		w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.ExactlyOnceSource = support }, enginetest.SourcePlugin(func() connect.Source {
			return &enginetest.Source{OnCommit: func(connect.Mark) { close(durable) }, OnRead: func(ctx context.Context, b *connect.Batch) error {
				if read {
					<-ctx.Done()
					return ctx.Err()
				}
				read = true
				for _, n := range []int{1990, 10, 5000, 900, 900, 900, 20} { // 4,720 bytes without the large one
					r := b.Append()
					r.Topic, r.Partition, r.ValueSchema, r.Value = "out", 0, connect.StringSchema, connect.StringValue(strings.Repeat("x", n))
				}
				b.Mark(connect.Mark{Token: 1})
				return nil
			}}
		}))
		w.Create(t, "src", groupConf("topic.creation.default.max.message.bytes", "2000", "errors.tolerance", tolerance, "auto.restart.enable", "false",
			"errors.deadletterqueue.topic.name", "dlq", "errors.deadletterqueue.context.headers.enable", "true"))
		if tolerance == "none" {
			status := w.Await(t, "src", engine.Running, engine.Failed)
			for _, want := range []string{"bytes (key 0, value ", "to topic out: MESSAGE_TOO_LARGE", "raise producer.override.max.request.size (1048576 bytes now) and the topic's max.message.bytes (2000 bytes when the task began)"} {
				if !strings.Contains(status.Tasks[0].Trace, want) {
					t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
				}
			}
			continue
		}
		var refused []string
		for _, r := range enginetest.Consume(t, c, "dlq", 2) {
			refused = append(refused, letterHeader(r, "__connect.errors.exception.message"))
		}
		slices.Sort(refused)
		for i, n := range []string{"1990", "5000"} {
			if want := "produce: produce a record of " + n + " bytes (key 0, value " + n + ") to topic out: MESSAGE_TOO_LARGE"; !strings.HasPrefix(refused[i], want) {
				t.Errorf("letter: got %q, want %q", refused[i], want)
			}
		}
		<-durable // the records beside them
		var sizes []int
		for _, v := range committedValues(t, c, "out") {
			sizes = append(sizes, len(v))
		}
		if got, want := fmt.Sprint(sizes), "[10 900 900 900 20]"; got != want {
			t.Errorf("records in the topic: got %s, want %s in this order", got, want)
		}
	}
}

// TestToleranceNone wants the words that tools look for in the trace of a task that
// one record has failed.
func TestToleranceNone(t *testing.T) {
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, &kgo.Record{Topic: "in", Value: []byte("{oops")})
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	w.Create(t, "snk", sinkConf("value.converter", "JsonConverter", "auto.restart.enable", "false"))
	status := w.Await(t, "snk", engine.Running, engine.Failed)
	if want := "Tolerance exceeded in error handler"; !strings.Contains(status.Tasks[0].Trace, want) {
		t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
	}
}

// TestErrorsAreLogged wants Kafka Connect's line of a record that is skipped.
func TestErrorsAreLogged(t *testing.T) {
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, &kgo.Record{Topic: "in", Value: []byte("{oops")}, &kgo.Record{Topic: "in", Value: []byte("1")})
	var logs safeBuffer
	var got collector
	w := enginetest.Start(t, c, logTo(&logs), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "snk", sinkConf("value.converter", "JsonConverter", "value.converter.schemas.enable", "false", "errors.tolerance", "all",
		"errors.log.enable", "true", "errors.log.include.messages", "true"))
	want := "Error encountered in task snk-0. Executing stage 'VALUE_CONVERTER' with class 'org.apache.kafka.connect.json.JsonConverter', where consumed record is {topic='in', partition=0, offset=0, timestamp="
	enginetest.Eventually(t, func() bool { return strings.Contains(logs.String(), want) }, func() string { return logs.String() })
}
