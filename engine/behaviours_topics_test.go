package engine_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// TestInternalTopics looks at the topics that a worker makes, and at what it does
// when it cannot.
func TestInternalTopics(t *testing.T) {
	for _, test := range []struct {
		name    string
		brokers int
		factor  int16
		want    string
	}{
		{name: "default settings", brokers: 1, factor: -1},
		{name: "fewer replicas than brokers", brokers: 3, factor: 2},
		{name: "more replicas than brokers", brokers: 1, factor: 3, want: "connect-configs cannot have 3 replicas on this cluster; set its .storage.replication.factor"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake, err := kfake.NewCluster(kfake.NumBrokers(test.brokers))
			must(t, err)
			t.Cleanup(fake.Close)
			c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
			err = runUntilReady(t, replicated(c, test.factor))
			if test.want == "" {
				must(t, err)
				checkInternalTopics(t, kadm.NewClient(enginetest.Client(t, c)), max(int(test.factor), 1))
			} else if !strings.Contains(fmt.Sprint(err), test.want) {
				t.Errorf("Run: got %v, want %q", err, test.want)
			}
		})
	}
}

// TestInternalTopicsMadeByHand wants one that is compacted, be it by the cluster's
// default, and refuses one that is not.
func TestInternalTopicsMadeByHand(t *testing.T) {
	for policy, want := range map[string]string{"compact": "<nil>",
		"delete": "the internal topic cannot be used: connect-configs has cleanup.policy=delete; set it to compact, or name another topic"} {
		t.Run(policy, func(t *testing.T) {
			c, _ := embedded(t, t.TempDir())
			admin := kadm.NewClient(enginetest.Client(t, c))
			altered, err := admin.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "log.cleanup.policy", Value: &policy}})
			must(t, err)
			must(t, altered[0].Err)
			_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "connect-configs")
			must(t, err)
			if err := runUntilReady(t, replicated(c, -1)); fmt.Sprint(err) != want {
				t.Errorf("Run: got %v, want %s", err, want)
			}
		})
	}
}

// replicated is the config of a worker whose internal topics have that many replicas.
func replicated(c *enginetest.Cluster, factor int16) engine.Config {
	topic := engine.InternalTopic{ReplicationFactor: factor}
	return engine.Config{ClientOpts: c.Opts, ConfigTopic: topic, OffsetTopic: topic, StatusTopic: topic}
}

// runUntilReady runs a worker that ends as soon as it is ready, if it gets there.
func runUntilReady(t *testing.T, cfg engine.Config) error {
	t.Helper()
	w, err := engine.New(cfg)
	must(t, err)
	ctx, stop := context.WithTimeout(t.Context(), enginetest.Patience)
	defer stop()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-w.Ready():
			stop()
		case <-ctx.Done():
		}
	}()
	err = w.Run(ctx)
	stop()
	<-watched
	select {
	case <-w.Ready():
	default:
		if err == nil {
			t.Error("the worker did not become ready")
		}
	}
	return err
}

// TestInternalTopicSettings passes config.storage.* and the like on to the topics,
// and ends when the cluster does not take one.
func TestInternalTopicSettings(t *testing.T) {
	for value, want := range map[string]string{"1048576": "", "many": "the cluster refuses a setting of connect-offsets, map[segment.bytes:many]; correct the property of that name"} {
		t.Run(value, func(t *testing.T) {
			c, _ := embedded(t, t.TempDir())
			cfg, err := engine.ParseProperties(map[string]string{"offset.storage.segment.bytes": value, "offset.storage.cleanup.policy": "delete"})
			must(t, err)
			cfg.ClientOpts = c.Opts
			if err := runUntilReady(t, cfg); want == "" && err != nil || want != "" && !strings.Contains(fmt.Sprint(err), want) {
				t.Fatalf("Run: got %v, want %q", err, want)
			}
			if want != "" {
				return
			}
			configs, err := kadm.NewClient(enginetest.Client(t, c)).DescribeTopicConfigs(t.Context(), "connect-offsets")
			must(t, err)
			got := map[string]string{}
			for _, kv := range configs[0].Configs {
				got[kv.Key] = kv.MaybeValue()
			}
			if got["segment.bytes"] != value || got["cleanup.policy"] != "compact" {
				t.Errorf("segment.bytes=%s, cleanup.policy=%s", got["segment.bytes"], got["cleanup.policy"])
			}
		})
	}
}

func checkInternalTopics(t *testing.T, admin *kadm.Client, replicas int) {
	t.Helper()
	topics, err := admin.ListTopics(t.Context(), "connect-configs", "connect-offsets", "connect-status")
	must(t, err)
	for name, partitions := range map[string]int{"connect-configs": 1, "connect-offsets": 25, "connect-status": 5} {
		topic := topics[name]
		if len(topic.Partitions) != partitions || topic.Partitions.NumReplicas() != replicas {
			t.Errorf("%s: %d partitions of %d replicas, want %d of %d", name, len(topic.Partitions), topic.Partitions.NumReplicas(), partitions, replicas)
		}
		configs, err := admin.DescribeTopicConfigs(t.Context(), name)
		must(t, err)
		policy := ""
		for _, kv := range configs[0].Configs {
			if kv.Key == "cleanup.policy" && kv.Value != nil {
				policy = *kv.Value
			}
		}
		if policy != "compact" {
			t.Errorf("%s: cleanup.policy=%q, want compact", name, policy)
		}
	}
}

// TestTaskThatMayNotFenceFails refuses the transactional ids of a source that is
// made anew: its tasks fail where users see it, and run once they are allowed to.
func TestTaskThatMayNotFenceFails(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	must(t, err)
	t.Cleanup(fake.Close)
	var refuse atomic.Bool
	fake.ControlKey(int16(kmsg.InitProducerID), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := req.(*kmsg.InitProducerIDRequest)
		if !refuse.Load() || r.TransactionalID == nil {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return resp, nil, true
	})
	c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	w := enginetest.Start(t, c, func(cfg *engine.Config) { exactlyOnce(cfg); cfg.AutoRestartDisabled = true }, counting("out", 10, new(enginetest.Log)))
	config := sourceConf("tasks.max", "2", "test.tasks", "2")
	w.Create(t, "src", config)
	w.Await(t, "src", running(2)...)
	awaitOffsets(t, w, "src", `{"p":1}={"n":10}`)
	refuse.Store(true)
	config["test.number"] = "2"
	_, _, err = w.PutConfig(t.Context(), "src", config)
	must(t, err)
	status := w.Await(t, "src", engine.Running, engine.Failed, engine.Failed)
	if trace := status.Tasks[0].Trace; !strings.Contains(trace, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED") {
		t.Errorf("trace: %s", trace)
	}
	refuse.Store(false)
	_, err = w.Restart(t.Context(), "src", true, true)
	must(t, err)
	w.Await(t, "src", running(2)...)
}

// TestClusterRestart takes the cluster away and brings it back: the worker answers
// meanwhile, and the tasks go on where they were.
func TestClusterRestart(t *testing.T) {
	t.Parallel() // most of it is waiting
	dir := t.TempDir()
	var now atomic.Pointer[enginetest.Cluster]
	c, stop := embedded(t, dir)
	now.Store(c)
	way := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		return now.Load().Dial(ctx, network, address)
	})}}
	var got collector
	var events enginetest.Log
	w := enginetest.Start(t, way, quickOffsets, counting("in", 10, &events), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "src", sourceConf())
	w.Create(t, "snk", sinkConf("value.converter", stringClass))
	got.await(t, texts(0, 10)...)
	awaitEvent(t, &events, "commit 10")
	awaitOffsets(t, w, "snk", sinkPartitions(10))
	w.Await(t, "src", running(1)...)
	stop()
	w.Await(t, "src", running(1)...)
	if names, err := w.Connectors(t.Context()); err != nil || len(names) != 2 {
		t.Errorf("connectors without a cluster: %v, %v", names, err)
	}
	c, _ = embedded(t, dir)
	now.Store(c)
	enginetest.Produce(t, c, numbered("in", 0, 10, 20)...)
	got.await(t, texts(0, 20)...)
	must(t, w.RestartTask(t.Context(), engine.TaskID{Connector: "src"}))
	awaitEvent(t, &events, "open at 10")
	w.Await(t, "src", running(1)...)
	w.Await(t, "snk", running(1)...)
}

// TestTransformPredicates filters by what Kafka Connect's predicates look at.
func TestTransformPredicates(t *testing.T) {
	c := enginetest.Fake(t)
	filter := func(predicate string, kv ...string) []string {
		all := []string{"transforms", "f", "transforms.f.type", "Filter", "transforms.f.predicate", "p", "predicates", "p", "predicates.p.type", predicate}
		return append(all, kv...)
	}
	bar := numbered("bar", 0, 0, 3)
	foo := numbered("foo", 0, 3, 6)
	foo[1].Value = nil
	enginetest.Produce(t, c, append(bar, foo...)...)
	for name, test := range map[string]struct {
		config map[string]string
		want   []string
	}{
		"topic name": {conf(enginetest.SinkClass, append(filter("TopicNameMatches", "predicates.p.pattern", "bar-.*|bar"), "topics", "foo,bar")...), []string{`"3"`, "null", `"5"`}},
		"tombstone":  {conf(enginetest.SinkClass, append(filter("RecordIsTombstone"), "topics", "foo")...), []string{`"3"`, `"5"`}},
	} {
		t.Run(name, func(t *testing.T) {
			var got enginetest.Log
			w := enginetest.Start(t, c, inTopics("smt-"+strings.ReplaceAll(name, " ", "-")),
				enginetest.SinkPlugin(func() connect.Sink {
					return &enginetest.Sink{OnWrite: func(_ context.Context, b *connect.Batch) error {
						for _, r := range b.Records() {
							got.Add(fmt.Sprint(r.Value))
						}
						return nil
					}}
				}))
			test.config["value.converter"] = stringClass
			test.config["consumer.override.group.id"] = "g-" + name
			w.Create(t, "snk", test.config)
			enginetest.Eventually(t, func() bool { return len(got.Events()) >= len(test.want) }, func() string { return fmt.Sprint(got.Events()) })
			if !slices.Equal(got.Events(), test.want) {
				t.Errorf("got %v, want %v", got.Events(), test.want)
			}
		})
	}
	t.Run("header of a source", func(t *testing.T) {
		w := enginetest.Start(t, c, inTopics("smt-header"), enginetest.SourcePlugin(func() connect.Source {
			done := false
			return &enginetest.Source{OnRead: func(ctx context.Context, b *connect.Batch) error {
				if done {
					<-ctx.Done()
					return ctx.Err()
				}
				done = true
				for i := range 4 {
					r := b.Append()
					r.Topic, r.ValueSchema, r.Value = "headers", connect.StringSchema, connect.StringValue(fmt.Sprint(i))
					if i%2 == 1 {
						r.Headers = append(b.Headers(1)[:0], connect.Header{Key: "header-1", Schema: connect.BooleanSchema, Value: connect.BooleanValue(true)})
					}
				}
				return nil
			}}
		}))
		w.Create(t, "src", sourceConf(filter("HasHeaderKey", "predicates.p.name", "header-1")...))
		records := enginetest.Consume(t, c, "headers", 2)
		if got := fmt.Sprintf("%s %s", records[0].Value, records[1].Value); got != "0 2" {
			t.Errorf("got %s, want 0 2", got)
		}
	})
}
