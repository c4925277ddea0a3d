package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/vfs"
)

// The tests of this file are behaviours that Kafka Connect's own integration tests
// name and no other test here has shown; docs/compatibility.md lists them all.

func running(tasks int) []engine.State {
	return slices.Repeat([]engine.State{engine.Running}, 1+tasks)
}

// checkNoTasks wants neither tasks nor configs of some.
func checkNoTasks(t *testing.T, w *enginetest.Worker, name string) {
	t.Helper()
	info, err := w.Connector(t.Context(), name)
	must(t, err)
	tasks, err := w.Tasks(t.Context(), name)
	must(t, err)
	if len(info.Tasks) != 0 || len(tasks) != 0 {
		t.Errorf("tasks %v, configs %v; want none", info.Tasks, tasks)
	}
}

func checkGone(t *testing.T, w *enginetest.Worker, name string) {
	t.Helper()
	must(t, w.Delete(t.Context(), name))
	_, err := w.Status(t.Context(), name)
	wantError(t, err, engine.KindNotFound, "No status found for connector "+name)
	_, err = w.Connector(t.Context(), name)
	wantError(t, err, engine.KindNotFound, "Connector "+name+" not found")
}

func TestTaskStatusesFollowTheNumberOfTasks(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil, counting("out", 10, new(enginetest.Log)))
	w.Create(t, "src", sourceConf())
	w.Await(t, "src", running(1)...)
	for _, n := range []int{5, 3} {
		_, _, err := w.PutConfig(t.Context(), "src", sourceConf("tasks.max", fmt.Sprint(n), "test.tasks", fmt.Sprint(n)))
		must(t, err)
		w.Await(t, "src", running(n)...)
	}
}

// TestSourceStopsWithoutItsTopic stops a source whose topic nobody creates.
func TestSourceStopsWithoutItsTopic(t *testing.T) {
	enginetest.NoLeaks(t)
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	must(t, err)
	t.Cleanup(fake.Close)
	var events enginetest.Log
	w := enginetest.Start(t, &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}, impatient, counting("nonexistenttopic", 10, &events))
	w.Create(t, "src", sourceConf())
	awaitEvent(t, &events, "open at 0")
	must(t, w.Delete(t.Context(), "src"))
	awaitEvent(t, &events, "close")
}

// TestPauseStopResume goes from each state to each other, twice where that changes
// nothing.
func TestPauseStopResume(t *testing.T) {
	const tasks = 4
	w := enginetest.Start(t, enginetest.Fake(t), nil, counting("out", 10, new(enginetest.Log)))
	twice := func(change func(context.Context, string) error) {
		t.Helper()
		must(t, change(t.Context(), "src"))
		must(t, change(t.Context(), "src"))
	}
	paused := func(tasks int) []engine.State { return slices.Repeat([]engine.State{engine.Paused}, 1+tasks) }
	w.Create(t, "src", sourceConf("tasks.max", fmt.Sprint(tasks), "test.tasks", fmt.Sprint(tasks)))
	w.Await(t, "src", running(tasks)...)
	twice(w.Worker.Stop)
	w.Await(t, "src", engine.Stopped)
	checkNoTasks(t, w, "src")
	twice(w.Resume)
	w.Await(t, "src", running(tasks)...)
	twice(w.Pause)
	w.Await(t, "src", paused(tasks)...)
	twice(w.Worker.Stop)
	w.Await(t, "src", engine.Stopped)
	checkNoTasks(t, w, "src")
	twice(w.Pause)
	w.Await(t, "src", paused(0)...)
	twice(w.Resume)
	w.Await(t, "src", running(tasks)...)
	checkGone(t, w, "src")
}

// TestStoppedState stops a connector that fails as it starts, and one that fails
// as it stops; both run again when they are resumed.
func TestStoppedState(t *testing.T) {
	var failStart, failStop atomic.Bool
	failStart.Store(true)
	h := &hooks{
		onSplit: func(int) []map[string]string {
			if failStart.Load() {
				panic("injected")
			}
			return make([]map[string]string, 1)
		},
		onMonitor: func(ctx context.Context, _ func()) error {
			<-ctx.Done()
			if failStop.Load() {
				panic("injected")
			}
			return ctx.Err()
		},
	}
	w := enginetest.Start(t, enginetest.Fake(t), func(cfg *engine.Config) { cfg.AutoRestartDisabled = true }, h.plugin())
	w.Create(t, "src", conf(hookedClass))
	w.Await(t, "src", engine.Failed)
	must(t, w.Worker.Stop(t.Context(), "src"))
	w.Await(t, "src", engine.Stopped)
	checkNoTasks(t, w, "src")
	failStart.Store(false)
	failStop.Store(true)
	_, _, err := w.PutConfig(t.Context(), "src", conf(hookedClass, "hooked.option", "other"))
	must(t, err)
	must(t, w.Resume(t.Context(), "src"))
	w.Await(t, "src", running(1)...)
	must(t, w.Worker.Stop(t.Context(), "src"))
	w.Await(t, "src", engine.Stopped)
	checkNoTasks(t, w, "src")
	must(t, w.Resume(t.Context(), "src"))
	w.Await(t, "src", running(1)...)
	must(t, w.Worker.Stop(t.Context(), "src"))
	checkGone(t, w, "src")
}

// TestInitialState makes connectors that do not run at first (KIP-980), changes
// their offsets while they are stopped, and lets them run or deletes them.
func TestInitialState(t *testing.T) {
	c := enginetest.Fake(t)
	var events enginetest.Log
	var got collector
	w := enginetest.Start(t, c, quickOffsets, counting("out", 10, &events), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	create := func(name string, config map[string]string, initial engine.TargetState, want engine.State) {
		t.Helper()
		_, err := w.Worker.Create(t.Context(), name, config, initial)
		must(t, err)
		w.Await(t, name, want)
		checkNoTasks(t, w, name)
	}
	for initial, state := range map[engine.TargetState]engine.State{engine.TargetPaused: engine.Paused, engine.TargetStopped: engine.Stopped} {
		create("deleted", sourceConf(), initial, state)
		checkGone(t, w, "deleted")
	}
	create("paused", sourceConf("test.topic", "paused"), engine.TargetPaused, engine.Paused)
	if e := events.Events(); len(e) != 0 {
		t.Errorf("a connector that is paused from the start has done %v", e)
	}
	must(t, w.Resume(t.Context(), "paused"))
	w.Await(t, "paused", running(1)...)
	must(t, w.Delete(t.Context(), "paused"))

	create("src", sourceConf(), engine.TargetStopped, engine.Stopped)
	_, err := w.AlterOffsets(t.Context(), "src", changes(`{"p":1}={"n":6}`))
	must(t, err)
	must(t, w.Resume(t.Context(), "src"))
	awaitEvent(t, &events, "open at 6")

	enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
	create("snk", sinkConf("value.converter", stringClass), engine.TargetStopped, engine.Stopped)
	_, err = w.AlterOffsets(t.Context(), "snk", changes(`{"kafka_topic":"in","kafka_partition":0}={"kafka_offset":7}`))
	must(t, err)
	must(t, w.Resume(t.Context(), "snk"))
	got.await(t, texts(7, 10)...)
	awaitOffsets(t, w, "snk", sinkPartitions(10))
}

// makeInternalTopics leaves the topics of a worker that has run.
func makeInternalTopics(t *testing.T, c *enginetest.Cluster) {
	t.Helper()
	w := enginetest.Start(t, c, nil)
	<-w.Ready()
	w.Stop(t)
}

// TestStoredTasksBeyondTasksMax starts a worker on task configs that another one
// has stored before there was such a limit: they fail unless they are allowed, and
// a connector that makes too many leaves those that run alone (KIP-1004).
func TestStoredTasksBeyondTasksMax(t *testing.T) {
	c := enginetest.Fake(t)
	makeInternalTopics(t, c)
	config := func(key, value string) *kgo.Record {
		return &kgo.Record{Topic: "connect-configs", Key: []byte(key), Value: []byte(value)}
	}
	task := `{"properties":{"connector.class":"` + hookedClass + `","name":"src","tasks.max":"1"}}`
	enginetest.Produce(t, c, config("connector-src", task), config("task-src-0", task), config("task-src-1", task), config("commit-src", `{"tasks":2}`))
	tb := newTables(2)
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.AutoRestartDisabled = true }, tb.plugin())
	status := w.Await(t, "src", engine.Failed, engine.Failed, engine.Failed)
	const text = "The connector src has generated 2 tasks, which is greater than 1, the maximum number of tasks it is configured to create. "
	for _, trace := range []string{status.Connector.Trace, status.Tasks[0].Trace, status.Tasks[1].Trace} {
		if !strings.Contains(trace, text) {
			t.Errorf("trace: %s", trace)
		}
	}
	put := func(tasks int32, enforce string) {
		t.Helper()
		tb.count.Store(tasks)
		_, _, err := w.PutConfig(t.Context(), "src", conf(hookedClass, "tasks.max", "1", "tasks.max.enforce", enforce, "hooked.password", fmt.Sprint(tasks)))
		must(t, err)
	}
	put(2, "false")
	w.Await(t, "src", running(2)...)
	put(3, "false")
	w.Await(t, "src", running(3)...)
	put(1, "true")
	w.Await(t, "src", running(1)...)
	put(2, "true")
	w.Await(t, "src", engine.Failed, engine.Running)
	opened := strings.Count(fmt.Sprint(tb.log.Events()), "open 0")
	must(t, w.RestartTask(t.Context(), engine.TaskID{Connector: "src"}))
	enginetest.Eventually(t, func() bool { return strings.Count(fmt.Sprint(tb.log.Events()), "open 0") > opened }, func() string { return fmt.Sprint(tb.log.Events()) })
	w.Await(t, "src", engine.Failed, engine.Running)
}

// TestTasksOfADeletedConnectorAreForgotten makes a connector again whose config and
// its deletion were compacted away while its task configs were not (KAFKA-16838).
func TestTasksOfADeletedConnectorAreForgotten(t *testing.T) {
	c := enginetest.Fake(t)
	makeInternalTopics(t, c)
	config := func(key, value string) *kgo.Record {
		return &kgo.Record{Topic: "connect-configs", Key: []byte(key), Value: []byte(value)}
	}
	enginetest.Produce(t, c, config("task-src-0", `{"properties":{"connector.class":"com.example.TestSourceConnector","name":"src","test.topic":"old"}}`), config("commit-src", `{"tasks":1}`))
	var events enginetest.Log
	w := enginetest.Start(t, c, nil, enginetest.ConfiguredSource(func(topic string, _ connect.Secret) connect.Source {
		return &enginetest.Source{OnOpen: func(context.Context, connect.SourceContext) error { events.Add(topic); return nil }}
	}))
	w.Create(t, "src", sourceConf("test.topic", "new"))
	w.Await(t, "src", running(1)...)
	awaitEvent(t, &events, "new")
	if got := fmt.Sprint(events.Events()); got != "[new]" {
		t.Errorf("tasks were opened for the topics %s", got)
	}
}

// TestReconfigureWhenOldTaskConfigsCannotBeRead takes a file away that the tasks'
// configs refer to: a config that does not need it must still be taken.
func TestReconfigureWhenOldTaskConfigsCannotBeRead(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets.properties")
	write(t, secrets, "topic=first\n")
	var events enginetest.Log
	w := enginetest.Start(t, enginetest.Fake(t), func(cfg *engine.Config) {
		cfg.ConfigProviders = []engine.ProviderConfig{{Name: "file", Class: engine.FileProviderClass}}
	}, enginetest.ConfiguredSource(func(topic string, _ connect.Secret) connect.Source {
		return &enginetest.Source{OnOpen: func(context.Context, connect.SourceContext) error { events.Add(topic); return nil }}
	}))
	w.Create(t, "src", sourceConf("test.topic", "${file:"+secrets+":topic}"))
	awaitEvent(t, &events, "first")
	must(t, os.Remove(secrets))
	_, _, err := w.PutConfig(t.Context(), "src", sourceConf("test.topic", "second"))
	must(t, err)
	awaitEvent(t, &events, "second")
	w.Await(t, "src", running(1)...)
}

// TestConverterChangeRestartsTheTask changes nothing that the connector sees
// (KAFKA-9228).
func TestConverterChangeRestartsTheTask(t *testing.T) {
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, &kgo.Record{Topic: "in", Value: []byte("non-json-value")})
	var got collector
	w := enginetest.Start(t, c, func(cfg *engine.Config) { quickOffsets(cfg); cfg.AutoRestartDisabled = true },
		enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "snk", sinkConf("value.converter", jsonClass, "value.converter.schemas.enable", "false"))
	w.Await(t, "snk", engine.Running, engine.Failed)
	awaitOffsets(t, w, "snk", "")
	_, _, err := w.PutConfig(t.Context(), "snk", sinkConf("value.converter", stringClass, "value.converter.schemas.enable", "false"))
	must(t, err)
	w.Await(t, "snk", running(1)...)
	got.await(t, "non-json-value")
	awaitOffsets(t, w, "snk", sinkPartitions(1))
}

// TestChangeWithoutCluster changes a config while the cluster is away: the request
// ends with a text that says so, others meanwhile in their own time, and the worker
// goes on.
func TestChangeWithoutCluster(t *testing.T) { synctest.Test(t, testChangeWithoutCluster) }

func testChangeWithoutCluster(t *testing.T) {
	c, stop := embeddedOn(t, vfs.NewMem(), "/data")
	w := enginetest.Start(t, c, nil, counting("out", 10, new(enginetest.Log)))
	w.Create(t, "src", sourceConf())
	w.Await(t, "src", running(1)...)
	stop()
	waiting := make(chan error)
	go func() {
		_, _, err := w.PutConfig(t.Context(), "src", sourceConf("test.number", "2"))
		waiting <- err
	}()
	synctest.Wait()
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	wantError(t, w.Delete(short, "src"), engine.KindInternal, "Request timed out. The worker is busy with another change.")
	wantError(t, <-waiting, engine.KindInternal, "Request timed out. The worker tried to store the change: the log did not take the change within 30s; it may still take effect")
	w.Await(t, "src", running(1)...)
}
