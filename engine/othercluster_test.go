package engine_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/logtest"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// another serves a log of its own on TCP, where connectors go whose configs say so.
// The connections of m, if it is not nil, are cut when it is killed; new ones are not.
func another(t *testing.T, m *mortal) (c *enginetest.Cluster, addr string) {
	t.Helper()
	n := logtest.Start(t)
	addr = n.Listen(broker.Listener{}, func(ln net.Listener) net.Listener {
		if m == nil {
			return ln
		}
		return mortalListener{ln, m}
	})
	return &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(addr)}}, addr
}

// mortalListener counts what a worker sends towards its death.
type mortalListener struct {
	net.Listener
	m *mortal
}

func (l mortalListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if !l.m.dead {
		l.m.conns = append(l.m.conns, c)
	}
	return mortalServed{c, l.m}, nil
}

type mortalServed struct {
	net.Conn
	m *mortal
}

func (c mortalServed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.m.armed.Load() && !c.m.killed() && c.m.left.Add(-1) < 0 {
		c.m.kill()
		return 0, errKilled
	}
	return n, err
}

func topicNames(t *testing.T, c *enginetest.Cluster) []string {
	t.Helper()
	topics, err := kadm.NewClient(enginetest.Client(t, c)).ListTopics(t.Context())
	must(t, err)
	return topics.Names()
}

// stopped stops a connector and waits until its offsets may be changed.
func stopped(t *testing.T, w *enginetest.Worker, name string) {
	t.Helper()
	must(t, w.Worker.Stop(t.Context(), name))
	w.Await(t, name, engine.Stopped)
}

// TestSourceOnAnotherCluster wants the records of a source in the cluster of its
// producer, and its offsets where Kafka Connect has them: in transactions, and in a
// topic of the connector's own, in that cluster with a copy in the worker's; otherwise
// in the worker's alone. They are read, changed and reset there (KIP-618, KIP-875).
func TestSourceOnAnotherCluster(t *testing.T) {
	for _, test := range []struct {
		support, own string
		there        string // the offset topic in the other cluster
	}{
		{engine.ExactlyOncePreparing, "", ""},
		{engine.ExactlyOncePreparing, "own", "own"},
		{engine.ExactlyOncePreparing, "connect-offsets", "connect-offsets"},
		{engine.ExactlyOnceEnabled, "", "connect-offsets"},
		{engine.ExactlyOnceEnabled, "own", "own"},
	} {
		t.Run(test.support+" "+test.own, func(t *testing.T) {
			here, _ := embedded(t, t.TempDir())
			there, addr := another(t, nil)
			change := func(cfg *engine.Config) { onePartition(cfg); cfg.ExactlyOnceSource = test.support }
			var log enginetest.Log
			w := enginetest.Start(t, here, change, counting("out", 30, &log))
			config := groupConf("producer.override.bootstrap.servers", addr, "topic.creation.default.partitions", "1", "topic.creation.default.retention.ms", "86400000")
			if test.own != "" {
				config["offsets.storage.topic"] = test.own
			}
			w.Create(t, "src", config)
			enginetest.Eventually(t, caughtUp(&log, 30), func() string { return fmt.Sprint(log.Events()) })
			if got := topicText(t, there, "out"); got != "1 retention.ms=86400000" { // created there, as its group says
				t.Errorf("the topic in the other cluster: got %s", got)
			}
			if got := sorted(committedValues(t, there, "out")); len(got) != 30 || got[29] != 29 {
				t.Errorf("records: got %v", got)
			}
			if got := topicNames(t, here); slices.Contains(got, "out") || slices.Contains(got, "own") {
				t.Errorf("topics in the worker's cluster: got %v", got)
			}
			want := []string{"out"}
			if test.there != "" {
				want = append([]string{test.there}, want...)
				slices.Sort(want)
			}
			if got := topicNames(t, there); !slices.Equal(got, want) {
				t.Errorf("topics in the other cluster: got %v, want %v", got, want)
			}
			both := func() string {
				text := lastOffset(t, here, "connect-offsets")
				if test.there != "" {
					text += " " + lastOffset(t, there, test.there)
				}
				return text
			}
			is := func(offset string) string {
				if test.there != "" {
					return offset + " " + offset
				}
				return offset
			}
			enginetest.Eventually(t, func() bool { return both() == is(`{"n":30}`) }, func() string { return "offsets: " + both() })
			if transactional := len(producersOf(t, there, "sluice-src-0")) == 1; transactional != (test.support == engine.ExactlyOnceEnabled) {
				t.Errorf("transactions in the other cluster: got %t", transactional)
			}
			awaitOffsets(t, w, "src", `{"p":1}={"n":30}`)

			stopped(t, w, "src")
			before := producersOf(t, there, "sluice-src-0")["sluice-src-0"]
			_, err := w.AlterOffsets(t.Context(), "src", changes(`{"p":1}={"n":4}`))
			must(t, err)
			if after := producersOf(t, there, "sluice-src-0")["sluice-src-0"]; test.support == engine.ExactlyOnceEnabled && after == before {
				t.Errorf("the transactional id still belongs to %s: what an abandoned task has open could undo the change", after)
			}
			if got := both(); got != is(`{"n":4}`) {
				t.Errorf("changed offsets: got %s", got)
			}
			must(t, w.Resume(t.Context(), "src"))
			enginetest.Eventually(t, func() bool { return slices.Contains(log.Events(), "open at 4") }, func() string { return fmt.Sprint(log.Events()) })
			stopped(t, w, "src")
			_, err = w.ResetOffsets(t.Context(), "src")
			must(t, err)
			if got := both(); strings.TrimSpace(got) != "" {
				t.Errorf("offsets that were reset: got %s", got)
			}
			awaitOffsets(t, w, "src", "")
		})
	}
}

// TestExactlyOnceOnAnotherClusterSurvivesKill is TestExactlyOnceSourceSurvivesKill with
// the records in another cluster: the requests to both count, and what has died of the
// first worker may still reach the other cluster (I2, I7).
func TestExactlyOnceOnAnotherClusterSurvivesKill(t *testing.T) {
	const n = 30
	for after := int64(0); ; after++ {
		survived := false
		if !t.Run(fmt.Sprint(after), func(t *testing.T) {
			c, way, m := killable(t, after)
			there, addr := another(t, m)
			var first, second enginetest.Log
			w := enginetest.Start(t, way, exactlyOnce, armedPlugin(counting("out", n, &first), m))
			w.Create(t, "src", sourceConf("producer.override.bootstrap.servers", addr))
			enginetest.Eventually(t, func() bool { return m.killed() || caughtUp(&first, n)() }, func() string { return fmt.Sprint(first.Events()) })
			survived = !m.killed()
			m.kill()
			enginetest.Start(t, c, exactlyOnce, counting("out", n, &second))
			enginetest.Eventually(t, caughtUp(&second, n), func() string { return fmt.Sprint(second.Events()) })
			if got := committedValues(t, there, "out"); !slices.Equal(got, texts(0, n)) {
				t.Errorf("records: got %v (first worker %v, second %v)", got, first.Events(), second.Events())
			}
		}) || survived {
			break
		}
	}
}

// TestOwnClusterByAnotherAddress wants a cluster known by what it says that it is: an
// offset topic that is its own copy could take offsets back.
func TestOwnClusterByAnotherAddress(t *testing.T) {
	c, addr := another(t, nil)
	var log enginetest.Log
	w := enginetest.Start(t, c, func(cfg *engine.Config) { onePartition(cfg); cfg.ExactlyOnceSource = engine.ExactlyOnceEnabled }, counting("out", 30, &log))
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	w.Create(t, "src", sourceConf("producer.override.bootstrap.servers", "localhost:"+port))
	enginetest.Eventually(t, caughtUp(&log, 30), func() string { return fmt.Sprint(log.Events()) })
	w.Stop(t)
	if got := committedValuesOf(t, c, "connect-offsets", `["src",{"p":1}]`); !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("offsets are written twice: %v", got)
	}
}

// TestSinkOnAnotherCluster wants a sink's records and its consumer group in the cluster
// of its consumer, where its offsets are read, changed and reset.
func TestSinkOnAnotherCluster(t *testing.T) {
	here, _ := embedded(t, t.TempDir())
	there, addr := another(t, nil)
	enginetest.Produce(t, there, numbered("in", 0, 0, 10)...)
	var got collector
	w := enginetest.Start(t, here, quickOffsets, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "snk", sinkConf("value.converter", "StringConverter", "consumer.override.bootstrap.servers", addr))
	got.await(t, texts(0, 10)...)
	awaitOffsets(t, w, "snk", sinkPartitions(10))
	if at := committed(t, there, "connect-snk", "in", 0); at != 10 {
		t.Errorf("the group in the other cluster: at %d", at)
	}
	if at := committed(t, here, "connect-snk", "in", 0); at != -1 {
		t.Errorf("the group in the worker's cluster: at %d", at)
	}

	stopped(t, w, "snk")
	_, err := w.AlterOffsets(t.Context(), "snk", changes(sinkPartitions(7)))
	must(t, err)
	awaitOffsets(t, w, "snk", sinkPartitions(7))
	must(t, w.Resume(t.Context(), "snk"))
	got.await(t, append(texts(0, 10), texts(7, 10)...)...)
	stopped(t, w, "snk")
	_, err = w.ResetOffsets(t.Context(), "snk")
	must(t, err)
	awaitOffsets(t, w, "snk", "")
	if at := committed(t, there, "connect-snk", "in", 0); at != -1 {
		t.Errorf("the group after reset: at %d", at)
	}
}

// TestExactlyOnceSinkOnAnotherCluster wants the states of a two-phase sink beside its
// consumer offsets, since one transaction decides both (I3); over a kill too, and
// gone when the offsets are reset.
func TestExactlyOnceSinkOnAnotherCluster(t *testing.T) {
	here, _ := embedded(t, t.TempDir())
	there, addr := another(t, nil)
	const n = 25
	enginetest.Produce(t, there, numbered("in", 0, 0, n)...)
	lake := connecttest.NewLake()
	w := enginetest.Start(t, here, quick, lakePlugin(lake, nil))
	w.Create(t, "snk", lakeConf("consumer.override.bootstrap.servers", addr))
	awaitVisible(t, lake, n)
	wantOnce(t, lake, n)
	w.Stop(t)
	enginetest.Produce(t, there, numbered("in", 0, n, 2*n)...)
	w = enginetest.Start(t, here, quick, lakePlugin(lake, nil))
	awaitVisible(t, lake, 2*n)
	wantOnce(t, lake, 2*n)
	if got := topicNames(t, here); slices.Contains(got, "connect-sink-state") {
		t.Errorf("topics in the worker's cluster: got %v", got)
	}
	if len(stateValues(t, there)) == 0 {
		t.Errorf("the other cluster has no states")
	}
	stopped(t, w, "snk")
	_, err := w.ResetOffsets(t.Context(), "snk")
	must(t, err)
	if left := stateValues(t, there); len(left) != 0 {
		t.Errorf("states after reset: %v", left)
	}
}

// TestDeadLettersOnAnotherCluster wants the queue of a sink, and its topic, where the
// connector's producer goes.
func TestDeadLettersOnAnotherCluster(t *testing.T) {
	here, _ := embedded(t, t.TempDir())
	there, addr := another(t, nil)
	enginetest.Produce(t, here, &kgo.Record{Topic: "in", Value: []byte("not JSON")})
	w := enginetest.Start(t, here, quickOffsets, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	w.Create(t, "snk", sinkConf("value.converter", "JsonConverter", "errors.tolerance", "all", "errors.deadletterqueue.topic.name", "letters",
		"producer.override.bootstrap.servers", addr))
	awaitOffsets(t, w, "snk", sinkPartitions(1))
	if got := committedValues(t, there, "letters"); !slices.Equal(got, []string{"not JSON"}) {
		t.Errorf("dead letters: got %v", got)
	}
	if got := topicNames(t, here); slices.Contains(got, "letters") {
		t.Errorf("topics in the worker's cluster: got %v", got)
	}
}

// TestAnotherClusterThatIsAway keeps the worker and its other connectors at work (I5).
func TestAnotherClusterThatIsAway(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := ln.Addr().String()
	must(t, ln.Close())
	var log enginetest.Log
	w := enginetest.Start(t, c, quick, counting("out", 30, &log), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	w.Create(t, "away", sourceConf("producer.override.bootstrap.servers", addr))
	w.Create(t, "snk", sinkConf("consumer.override.bootstrap.servers", addr))
	w.Create(t, "src", sourceConf())
	enginetest.Eventually(t, caughtUp(&log, 30), func() string { return fmt.Sprint(log.Events()) })
	must(t, w.Delete(t.Context(), "away"))
	must(t, w.Delete(t.Context(), "snk"))
	w.Stop(t)
}
