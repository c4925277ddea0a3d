package engine_test

import (
	"errors"
	"fmt"
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

// TestCrashBetweenRecordsAndOffset stops a worker when the records of a source
// are in the log and their offset is not: nothing is committed upstream (I2), and
// the next worker reads the records again instead of losing any.
func TestCrashBetweenRecordsAndOffset(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	var refuse atomic.Bool
	refuse.Store(true)
	refused := make(chan struct{}, 1)
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if !refuse.Load() || !carries(req.(*kmsg.ProduceRequest), `["src",`) {
			return nil, nil, false
		}
		select {
		case refused <- struct{}{}:
		default:
		}
		return nil, errors.New("the connection breaks"), true
	})
	c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	short := func(cfg *engine.Config) { cfg.TaskShutdownTimeout = 200 * time.Millisecond }

	var first enginetest.Log
	w := enginetest.Start(t, c, short, counting("out", 10, &first))
	w.Create(t, "src", sourceConf())
	enginetest.Consume(t, c, "out", 10)
	<-refused
	w.Stop(t)
	if got := fmt.Sprint(first.Events()); got != "[open at 0 close]" {
		t.Fatalf("first worker: got %s, want no commit", got)
	}

	refuse.Store(false)
	var second enginetest.Log
	enginetest.Start(t, c, short, counting("out", 10, &second))
	records := enginetest.Consume(t, c, "out", 20)
	for i, r := range records {
		if got, want := string(r.Value), fmt.Sprint(i%10); got != want {
			t.Errorf("record %d: got %s, want %s", i, got, want)
		}
	}
	enginetest.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(second.Events()), "commit 10") },
		func() string { return fmt.Sprint(second.Events()) })
}

// TestTakeOverConnectTopics starts a worker on topics that Kafka Connect wrote.
func TestTakeOverConnectTopics(t *testing.T) {
	c := enginetest.Fake(t)
	compact := "compact"
	admin := kadm.NewClient(enginetest.Client(t, c))
	if _, err := admin.CreateTopics(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, "connect-configs", "connect-offsets", "connect-status"); err != nil {
		t.Fatal(err)
	}
	key := func(topic, key, value string) *kgo.Record {
		r := &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
		if value == "" {
			r.Value = nil
		}
		return r
	}
	source := `{"properties":{"connector.class":"com.example.TestSourceConnector","name":"%s","tasks.max":"1"}}`
	task := `{"properties":{"connector.class":"com.example.TestSourceConnector","name":"%s","tasks.max":"1","task.class":"com.example.TestSourceTask"}}`
	config := func(key_, value string) *kgo.Record { return key("connect-configs", key_, value) }
	enginetest.Produce(t, c,
		config("session-key", `{"key":"c2VjcmV0","algorithm":"HmacSHA256","creation-timestamp":1}`),
		config("connector-old", fmt.Sprintf(source, "old")), config("task-old-0", fmt.Sprintf(task, "old")), config("commit-old", `{"tasks":1}`),
		config("connector-a-b", fmt.Sprintf(source, "a-b")), config("task-a-b-0", fmt.Sprintf(task, "a-b")), config("commit-a-b", `{"tasks":1}`),
		config("target-state-stopped", `{"state":"PAUSED","state.v2":"STOPPED"}`), config("connector-stopped", fmt.Sprintf(source, "stopped")),
		config("target-state-paused", `{"state":"PAUSED"}`), config("connector-paused", fmt.Sprintf(source, "paused")),
		config("connector-old", ""), config("target-state-old", ""),
		config("restart-connector-a-b", `{"include-tasks":true,"only-failed":false}`),
		config("tasks-fencing-a-b", `{"task-count":1}`), config("logger-cluster-x", `{"level":"DEBUG"}`),
		config("connector-broken", `not json`),
		key("connect-offsets", `["a-b",{"p":1}]`, `{"n":40}`),
		key("connect-status", "status-connector-old", `{"state":"RUNNING","trace":null,"worker_id":"java:8083","generation":3}`),
		key("connect-status", "status-topic-out:connector-a-b", `{"topic":{"name":"out"}}`))
	var log enginetest.Log
	w := enginetest.Start(t, c, nil, counting("out", 40, &log))
	if names, err := w.Connectors(t.Context()); fmt.Sprint(names, err) != "[a-b paused stopped] <nil>" {
		t.Errorf("connectors: got %v, %v", names, err)
	}
	w.Await(t, "a-b", engine.Running, engine.Running)
	w.Await(t, "stopped", engine.Stopped)
	w.Await(t, "paused", engine.Paused)
	enginetest.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(log.Events()), "open at 40") }, func() string { return fmt.Sprint(log.Events()) })
}

func TestInternalTopicsThatWouldLoseStateAreRefused(t *testing.T) {
	for want, create := range map[string]func(*kadm.Client) error{
		"connect-status has cleanup.policy=delete; set it to compact": func(a *kadm.Client) error {
			_, err := a.CreateTopic(t.Context(), 5, 1, nil, "connect-status")
			return err
		},
		"connect-configs has 2 partitions and must have 1": func(a *kadm.Client) error {
			compact := "compact"
			_, err := a.CreateTopic(t.Context(), 2, 1, map[string]*string{"cleanup.policy": &compact}, "connect-configs")
			return err
		},
	} {
		c := enginetest.Fake(t)
		if err := create(kadm.NewClient(enginetest.Client(t, c))); err != nil {
			t.Fatal(err)
		}
		w, err := engine.New(engine.Config{ClientOpts: c.Opts})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run: got %v, want an error with %q", err, want)
		}
	}
}

// TestStopWithoutCluster checks that a worker whose cluster is gone stops in
// bounded time and leaves nothing behind (I5).
func TestStopWithoutCluster(t *testing.T) {
	enginetest.NoLeaks(t)
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	if err != nil {
		t.Fatal(err)
	}
	c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	var got collector
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.TaskShutdownTimeout, cfg.OffsetFlushTimeout = 200*time.Millisecond, 200*time.Millisecond
	}, counting("in", 1<<30, new(enginetest.Log)), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "src", sourceConf())
	w.Create(t, "snk", sinkConf())
	enginetest.Eventually(t, func() bool { got.mu.Lock(); defer got.mu.Unlock(); return len(got.values) > 0 }, func() string { return "no record came through" })
	fake.Close()
	start := time.Now()
	w.Stop(t)
	if d := time.Since(start); d > enginetest.Patience/4 {
		t.Errorf("stopped after %s", d)
	}
}
