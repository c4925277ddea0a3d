package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

func offsetRecord(topic, connector, value string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Key: []byte(`["` + connector + `",{"p":1}]`)}
	if value != "" {
		r.Value = []byte(value)
	}
	return r
}

// lastOffset is the value of the last record that a topic has for the source, "" for
// none or a tombstone.
func lastOffset(t *testing.T, c *enginetest.Cluster, topic string) string {
	t.Helper()
	end := offsetRecord(topic, "the end", fmt.Sprint(time.Now().UnixNano()))
	enginetest.Produce(t, c, end)
	client := enginetest.Client(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer client.Close()
	got := ""
	for t.Context().Err() == nil {
		for _, r := range client.PollFetches(t.Context()).Records() {
			switch {
			case strings.Contains(string(r.Key), `"src"`):
				got = string(r.Value)
			case string(r.Value) == string(end.Value):
				return got
			}
		}
	}
	return got
}

func own(kv ...string) map[string]string {
	return sourceConf(append([]string{"offsets.storage.topic", "own"}, kv...)...)
}

func onePartition(cfg *engine.Config) { cfg.OffsetTopic.Partitions = 1 }

// TestOwnOffsetTopic wants a connector's offsets in its own topic and a copy in the
// worker's, both with transactions and without (KIP-618).
func TestOwnOffsetTopic(t *testing.T) {
	for _, support := range []string{engine.ExactlyOncePreparing, engine.ExactlyOnceEnabled} {
		t.Run(support, func(t *testing.T) {
			c, _ := embedded(t, t.TempDir())
			change := func(cfg *engine.Config) { onePartition(cfg); cfg.ExactlyOnceSource = support }
			var log enginetest.Log
			w := enginetest.Start(t, c, change, counting("out", 30, &log))
			w.Create(t, "src", own())
			enginetest.Eventually(t, caughtUp(&log, 30), func() string { return fmt.Sprint(log.Events()) })
			if got, want := topicText(t, c, "own"), "1 cleanup.policy=compact"; got != want {
				t.Errorf("the topic: got %s, want %s", got, want)
			}
			if got := lastOffset(t, c, "own"); got != `{"n":30}` {
				t.Errorf("own topic: got %s", got)
			}
			enginetest.Eventually(t, func() bool { return lastOffset(t, c, "connect-offsets") == `{"n":30}` }, func() string { return "no copy in the worker's topic" })
			// Preparing is for workers that are about to be enabled: not transactional yet.
			if transactional := len(producersOf(t, c, "sluice-src-0")) == 1; transactional != (support == engine.ExactlyOnceEnabled) {
				t.Errorf("transactional: got %t", transactional)
			}
			offsets, err := w.Offsets(t.Context(), "src")
			must(t, err)
			if got, want := fmt.Sprintf("%s", offsets), `[{{"p":1} {"n":30}}]`; got != want {
				t.Errorf("offsets: got %s, want %s", got, want)
			}
			w.Stop(t)

			// The own topic counts more, the worker's stands in.
			enginetest.Produce(t, c, offsetRecord("connect-offsets", "src", `{"n":7}`))
			var second, third enginetest.Log
			w = enginetest.Start(t, c, change, counting("out", 30, &second))
			enginetest.Eventually(t, func() bool { return slices.Contains(second.Events(), "open at 30") }, func() string { return fmt.Sprint(second.Events()) })
			w.Stop(t)
			enginetest.Produce(t, c, offsetRecord("own", "src", ""))
			enginetest.Start(t, c, change, counting("out", 30, &third))
			enginetest.Eventually(t, func() bool { return slices.Contains(third.Events(), "open at 7") }, func() string { return fmt.Sprint(third.Events()) })
		})
	}
}

// TestOwnOffsetTopicSurvivesKill is TestExactlyOnceSourceSurvivesKill with the offsets in
// the connector's own topic (I7).
func TestOwnOffsetTopicSurvivesKill(t *testing.T) {
	const n = 30
	for after := int64(0); ; after++ {
		survived := false
		if !t.Run(fmt.Sprint(after), func(t *testing.T) {
			c, way, m := killable(t, after)
			var first, second enginetest.Log
			w := enginetest.Start(t, way, exactlyOnce, armedPlugin(counting("out", n, &first), m))
			w.Create(t, "src", own())
			enginetest.Eventually(t, func() bool { return m.killed() || caughtUp(&first, n)() }, func() string { return fmt.Sprint(first.Events()) })
			survived = !m.killed()
			m.kill()
			enginetest.Start(t, c, exactlyOnce, counting("out", n, &second))
			enginetest.Eventually(t, caughtUp(&second, n), func() string { return fmt.Sprint(second.Events()) })
			if got := committedValues(t, c, "out"); !slices.Equal(got, texts(0, n)) {
				t.Errorf("records: got %v (first worker %v, second %v)", got, first.Events(), second.Events())
			}
			if told, from := last(&first, "commit "), last(&second, "open at "); told > from {
				t.Errorf("the source was told to forget up to %d, the next one begins at %d (I2)", told, from)
			}
		}) || survived {
			break
		}
	}
}

// TestOwnOffsetsChange changes and resets offsets in both topics, in the order that
// keeps a removed offset from coming back.
func TestOwnOffsetsChange(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	must(t, err)
	t.Cleanup(fake.Close)
	c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	var log enginetest.Log
	w := enginetest.Start(t, c, onePartition, counting("out", 30, &log))
	w.Create(t, "src", own())
	enginetest.Eventually(t, caughtUp(&log, 30), func() string { return fmt.Sprint(log.Events()) })
	must(t, w.Worker.Stop(t.Context(), "src"))
	enginetest.Eventually(t, func() bool { return slices.Contains(log.Events(), "close") }, func() string { return fmt.Sprint(log.Events()) })

	change := func(offset string) error {
		_, err := w.AlterOffsets(t.Context(), "src", []engine.ConnectorOffset{{Partition: []byte(`{"p": 1}`), Offset: []byte(offset)}})
		return err
	}
	must(t, change(`{"n":4}`))
	both := func() string { return lastOffset(t, c, "own") + " " + lastOffset(t, c, "connect-offsets") }
	if got := both(); got != `{"n":4} {"n":4}` {
		t.Errorf("changed: got %s", got)
	}

	// Tombstones: first the worker's topic, which alone can bring an offset back.
	var refuse atomic.Bool
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		q := req.(*kmsg.ProduceRequest)
		if !refuse.Load() || q.Topics[0].TopicID != fake.TopicInfo("own").TopicID && q.Topics[0].Topic != "own" {
			return nil, nil, false
		}
		return refusal(q, kerr.TopicAuthorizationFailed), nil, true
	})
	refuse.Store(true)
	if err := change(`null`); err == nil || !strings.Contains(err.Error(), "write to topic own: TOPIC_AUTHORIZATION_FAILED") {
		t.Errorf("a change that the own topic refuses: %v", err)
	}
	refuse.Store(false)
	if got := both(); got != `{"n":4} ` {
		t.Errorf("after a tombstone that stopped half way: got %s, want it in the worker's topic alone", got)
	}
	_, err = w.ResetOffsets(t.Context(), "src")
	must(t, err)
	if got := both(); got != " " {
		t.Errorf("reset: got %s", got)
	}
	offsets, err := w.Offsets(t.Context(), "src")
	must(t, err)
	if len(offsets) != 0 {
		t.Errorf("offsets after reset: %s", offsets)
	}
}

// refusal answers a produce request of one partition with an error.
func refusal(q *kmsg.ProduceRequest, err *kerr.Error) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ProduceResponse)
	rt := kmsg.NewProduceResponseTopic()
	rt.Topic, rt.TopicID = q.Topics[0].Topic, q.Topics[0].TopicID
	rp := kmsg.NewProduceResponseTopicPartition()
	rp.Partition, rp.ErrorCode = q.Topics[0].Partitions[0].Partition, err.Code
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	return resp
}

// TestOffsetTopicsAreNotForRecords wants a task failed that writes to the topic of
// its offsets in transactions, with Kafka Connect's words.
func TestOffsetTopicsAreNotForRecords(t *testing.T) {
	for topic, config := range map[string]map[string]string{"own": own(), "connect-offsets": sourceConf()} {
		c, _ := embedded(t, t.TempDir())
		var log enginetest.Log
		w := enginetest.Start(t, c, exactlyOnce, toTopics(&log, topic))
		config["errors.tolerance"], config["auto.restart.enable"] = "all", "false"
		w.Create(t, "src", config)
		status := w.Await(t, "src", engine.Running, engine.Failed)
		if want := "Source tasks may not produce to their own offsets topics when exactly-once support is enabled"; !strings.Contains(status.Tasks[0].Trace, want) {
			t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
		}
	}
}

// TestOwnOffsetTopicThatForgets refuses a topic that would lose offsets.
func TestOwnOffsetTopicThatForgets(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	enginetest.Produce(t, c, &kgo.Record{Topic: "own", Value: []byte("x")})
	w := enginetest.Start(t, c, nil, counting("out", 1, new(enginetest.Log)))
	w.Create(t, "src", own("auto.restart.enable", "false"))
	status := w.Await(t, "src", engine.Running, engine.Failed)
	if want := "own has cleanup.policy=delete; set it to compact, or name another topic"; !strings.Contains(status.Tasks[0].Trace, want) {
		t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
	}
}
