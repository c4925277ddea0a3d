package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// The answers to a change of offsets. The connector decides which one is given,
// by saying whether it changed what it keeps elsewhere.
const (
	changedHere = "The Connect framework-managed offsets for this connector have been %[1]s successfully. However, if this connector manages offsets externally, " +
		"they will need to be manually %[1]s in the system that the connector uses."
	changedEverywhere = "The offsets for this connector have been %s successfully"
)

// alteringSource is a source's config that is told of changes of offsets, and
// says with test.external=yes that it keeps some itself.
type alteringSource struct {
	connect.SourceConfig
	external string
}

func (c *alteringSource) Define(d *connect.Def) {
	c.SourceConfig.Define(d)
	d.Add(connect.Option{Name: "test.external", Var: &c.external, Doc: "yes: offsets are kept elsewhere too."})
}

// AlterOffsets implements connect.SourceOffsetAlterer.
func (c *alteringSource) AlterOffsets(context.Context, []connect.Mark) (bool, error) {
	return c.external == "yes", nil
}

// alteringSink is the same for sinks.
type alteringSink struct {
	connect.SinkConfig
	external string
}

func (c *alteringSink) Define(d *connect.Def) {
	c.SinkConfig.Define(d)
	d.Add(connect.Option{Name: "test.external", Var: &c.external, Doc: "yes: offsets are kept elsewhere too."})
}

// AlterOffsets implements connect.SinkOffsetAlterer.
func (c *alteringSink) AlterOffsets(context.Context, []connect.PartitionOffset) (bool, error) {
	return c.external == "yes", nil
}

// altering makes the connectors of a plugin be told of changes of offsets.
func altering(plugin connect.Spec) connect.Spec {
	plain := plugin.New
	plugin.New = func() connect.Config {
		switch c := plain().(type) {
		case connect.SourceConfig:
			return &alteringSource{SourceConfig: c}
		case connect.SinkConfig:
			return &alteringSink{SinkConfig: c}
		}
		return nil
	}
	return plugin
}

func quickOffsets(cfg *engine.Config) {
	cfg.OffsetFlushInterval = 20 * time.Millisecond
	cfg.OffsetTopic.Partitions = 1
}

// offsetsText is what the API says a connector's offsets are, in one line.
func offsetsText(t *testing.T, w *enginetest.Worker, name string) string {
	t.Helper()
	offsets, err := w.Offsets(t.Context(), name)
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, o := range offsets {
		all = append(all, string(o.Partition)+"="+string(o.Offset))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func awaitOffsets(t *testing.T, w *enginetest.Worker, name, want string) {
	t.Helper()
	enginetest.Eventually(t, func() bool { return offsetsText(t, w, name) == want },
		func() string {
			return fmt.Sprintf("offsets of %s: got %s, want %s", name, offsetsText(t, w, name), want)
		})
}

// sinkPartitions are the offsets of the topic in; -1 leaves a partition out.
func sinkPartitions(offsets ...int) string {
	var all []string
	for p, o := range offsets {
		if o >= 0 {
			all = append(all, fmt.Sprintf(`{"kafka_partition":%d,"kafka_topic":"in"}={"kafka_offset":%d}`, p, o))
		}
	}
	return strings.Join(all, " ")
}

func changes(offsets ...string) []engine.ConnectorOffset {
	var all []engine.ConnectorOffset
	for _, o := range offsets {
		partition, offset, _ := strings.Cut(o, "=")
		all = append(all, engine.ConnectorOffset{Partition: []byte(partition), Offset: []byte(offset)})
	}
	return all
}

// offsetsOfSink makes a sink that has read ten records of each of three partitions.
func offsetsOfSink(t *testing.T, kv ...string) (*enginetest.Cluster, *enginetest.Worker, map[string]string) {
	t.Helper()
	c := enginetest.Fake(t)
	if _, err := kadm.NewClient(enginetest.Client(t, c)).CreateTopic(t.Context(), 3, 1, nil, "in"); err != nil {
		t.Fatal(err)
	}
	for p := range int32(3) {
		enginetest.Produce(t, c, numbered("in", p, 0, 10)...)
	}
	w := enginetest.Start(t, c, quickOffsets, altering(enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} })))
	config := sinkConf(kv...)
	w.Create(t, "snk", config)
	awaitOffsets(t, w, "snk", sinkPartitions(10, 10, 10))
	return c, w, config
}

// wantText checks the answer to a change of offsets.
func wantText(t *testing.T, format, verb string) func(string, error) {
	return func(got string, err error) {
		t.Helper()
		must(t, err)
		if want := fmt.Sprintf(format, verb); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func groupsOf(t *testing.T, c *enginetest.Cluster) []string {
	t.Helper()
	groups, err := kadm.NewClient(enginetest.Client(t, c)).ListGroups(t.Context())
	must(t, err)
	return groups.Groups()
}

// TestSinkOffsetsAPI reads, changes and resets the offsets of a sink, with the
// group that Kafka Connect gives it and with one of its own.
func TestSinkOffsetsAPI(t *testing.T) {
	for group, kv := range map[string][]string{"connect-snk": nil, "own-group": {"consumer.override.group.id", "own-group"}} {
		t.Run("alter "+group, func(t *testing.T) {
			c, w, config := offsetsOfSink(t, kv...)
			if got := groupsOf(t, c); fmt.Sprint(got) != "["+group+"]" {
				t.Errorf("groups: got %v, want %s alone", got, group)
			}
			must(t, w.Worker.Stop(t.Context(), "snk"))
			w.Await(t, "snk", engine.Stopped)
			wantText(t, changedHere, "altered")(w.AlterOffsets(t.Context(), "snk", changes(
				`{"kafka_topic":"in","kafka_partition":0}=null`, `{"kafka_topic":"in","kafka_partition":1}={"kafka_offset":5}`, `{"kafka_topic":"in","kafka_partition":2}={"kafka_offset":5}`)))
			awaitOffsets(t, w, "snk", sinkPartitions(-1, 5, 5))
			config["test.external"] = "yes"
			_, _, err := w.PutConfig(t.Context(), "snk", config)
			must(t, err)
			wantText(t, changedEverywhere, "altered")(w.AlterOffsets(t.Context(), "snk", changes(
				`{"kafka_topic":"in","kafka_partition":1}={"kafka_offset":3}`, `{"kafka_topic":"in","kafka_partition":2}={"kafka_offset":3}`)))
			awaitOffsets(t, w, "snk", sinkPartitions(-1, 3, 3))
			must(t, w.Resume(t.Context(), "snk"))
			awaitOffsets(t, w, "snk", sinkPartitions(10, 10, 10))
		})
		t.Run("reset "+group, func(t *testing.T) {
			c, w, config := offsetsOfSink(t, kv...)
			must(t, w.Worker.Stop(t.Context(), "snk"))
			w.Await(t, "snk", engine.Stopped)
			wantText(t, changedHere, "reset")(w.ResetOffsets(t.Context(), "snk"))
			awaitOffsets(t, w, "snk", "")
			if got := groupsOf(t, c); len(got) != 0 {
				t.Errorf("groups that are left: %v", got)
			}
			config["test.external"] = "yes"
			_, _, err := w.PutConfig(t.Context(), "snk", config)
			must(t, err)
			wantText(t, changedEverywhere, "reset")(w.ResetOffsets(t.Context(), "snk"))
			must(t, w.Resume(t.Context(), "snk"))
			awaitOffsets(t, w, "snk", sinkPartitions(10, 10, 10))
		})
	}
}

// TestSourceOffsetsAPI does so with a source, with and without transactions: after
// the change it goes on from where it was told to.
func TestSourceOffsetsAPI(t *testing.T) {
	for support, how := range map[string]func(*engine.Config){engine.ExactlyOnceDisabled: quickOffsets, engine.ExactlyOnceEnabled: exactlyOnce} {
		t.Run("alter "+support, func(t *testing.T) {
			w, log, config := offsetsOfSource(t, how)
			wantText(t, changedHere, "altered")(w.AlterOffsets(t.Context(), "src", changes(`{"p":1}={"n":5}`)))
			awaitOffsets(t, w, "src", `{"p":1}={"n":5}`)
			config["test.external"] = "yes"
			_, _, err := w.PutConfig(t.Context(), "src", config)
			must(t, err)
			wantText(t, changedEverywhere, "altered")(w.AlterOffsets(t.Context(), "src", changes(`{"p":1}={"n":7}`)))
			must(t, w.Resume(t.Context(), "src"))
			awaitEvent(t, log, "open at 7")
			awaitOffsets(t, w, "src", `{"p":1}={"n":10}`)
		})
		t.Run("reset "+support, func(t *testing.T) {
			w, log, config := offsetsOfSource(t, how)
			wantText(t, changedHere, "reset")(w.ResetOffsets(t.Context(), "src"))
			awaitOffsets(t, w, "src", "")
			config["test.external"] = "yes"
			_, _, err := w.PutConfig(t.Context(), "src", config)
			must(t, err)
			wantText(t, changedEverywhere, "reset")(w.ResetOffsets(t.Context(), "src"))
			must(t, w.Resume(t.Context(), "src"))
			awaitEvents(t, log, "open at 0", 2)
			awaitOffsets(t, w, "src", `{"p":1}={"n":10}`)
		})
	}
}

func awaitEvent(t *testing.T, log *enginetest.Log, event string) {
	t.Helper()
	enginetest.Eventually(t, func() bool { return slices.Contains(log.Events(), event) }, func() string { return fmt.Sprintf("no %q in %v", event, log.Events()) })
}

// awaitEvents waits until the log has an event n times. It can still have it once more
// later: what comes before it in the test should leave no time for that.
func awaitEvents(t *testing.T, log *enginetest.Log, event string, n int) {
	t.Helper()
	enginetest.Eventually(t, func() bool {
		return len(slices.DeleteFunc(log.Events(), func(e string) bool { return e != event })) == n
	}, func() string { return fmt.Sprintf("want %d times %q in %v", n, event, log.Events()) })
}

// offsetsOfSource makes a source that has written ten records and is stopped.
func offsetsOfSource(t *testing.T, how func(*engine.Config)) (*enginetest.Worker, *enginetest.Log, map[string]string) {
	t.Helper()
	c, _ := embedded(t, t.TempDir())
	log := new(enginetest.Log)
	w := enginetest.Start(t, c, how, altering(counting("out", 10, log)))
	config := sourceConf()
	w.Create(t, "src", config)
	awaitOffsets(t, w, "src", `{"p":1}={"n":10}`)
	must(t, w.Worker.Stop(t.Context(), "src"))
	w.Await(t, "src", engine.Stopped)
	return w, log, config
}

// TestOffsetsOfAConnectorThatIsNotStopped wants 404 for one that does not exist,
// and 400 with the remedy for one that runs or is paused.
func TestOffsetsOfAConnectorThatIsNotStopped(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), quickOffsets, counting("out", 10, new(enginetest.Log)))
	_, err := w.Offsets(t.Context(), "none")
	wantError(t, err, engine.KindNotFound, "Connector none not found")
	change := func(name string) error {
		_, err := w.AlterOffsets(t.Context(), name, changes(`{"p":1}={"n":5}`))
		_, reset := w.ResetOffsets(t.Context(), name)
		if fmt.Sprint(err) != fmt.Sprint(reset) {
			t.Errorf("alter says %v, reset says %v", err, reset)
		}
		return err
	}
	wantError(t, change("none"), engine.KindNotFound, "Connector none not found")
	w.Create(t, "src", sourceConf())
	w.Await(t, "src", engine.Running, engine.Running)
	wantError(t, change("src"), engine.KindBadRequest, "must be in the STOPPED state")
	must(t, w.Pause(t.Context(), "src"))
	w.Await(t, "src", engine.Paused, engine.Paused)
	wantError(t, change("src"), engine.KindBadRequest, "/connectors/src/stop")
}

// wantError checks the kind of an error and a part of its text.
func wantError(t *testing.T, err error, kind engine.ErrorKind, part string) {
	t.Helper()
	e, _ := errors.AsType[*engine.Error](err)
	if e == nil || e.Kind != kind || !strings.Contains(e.Message, part) {
		t.Errorf("got %v, want kind %d with %q", err, kind, part)
	}
}
