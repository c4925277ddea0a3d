package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

func exactlyOnce(cfg *engine.Config) {
	cfg.ExactlyOnceSource = engine.ExactlyOnceEnabled
	cfg.TaskShutdownTimeout, cfg.OffsetFlushTimeout = 300*time.Millisecond, 300*time.Millisecond
	cfg.OffsetTopic.Partitions = 1
}

func caughtUp(log *enginetest.Log, n int) func() bool {
	return func() bool {
		e := fmt.Sprint(log.Events())
		return strings.Contains(e, fmt.Sprint("commit ", n)) || strings.Contains(e, fmt.Sprint("open at ", n))
	}
}

// armedConfig starts the countdown to the worker's death when a source is made.
type armedConfig struct {
	connect.SourceConfig
	m *mortal
}

func (c armedConfig) Source() connect.Source {
	c.m.armed.Store(true)
	return c.SourceConfig.Source()
}

func armedPlugin(plugin connect.Spec, m *mortal) connect.Spec {
	plain := plugin.New
	plugin.New = func() connect.Config { return armedConfig{plain().(connect.SourceConfig), m} }
	return plugin
}

// TestExactlyOnceSourceSurvivesKill kills a worker after every possible number of
// requests from the opening of its source on and wants every record once, in order, from it and the next (I7).
func TestExactlyOnceSourceSurvivesKill(t *testing.T) {
	const n = 60
	for _, boundary := range []string{"poll", "interval"} {
		for after := int64(0); ; after++ {
			survived := false
			if !t.Run(fmt.Sprint(boundary, "/", after), func(t *testing.T) {
				c, way, m := killable(t, after)
				var first, second enginetest.Log
				w := enginetest.Start(t, way, exactlyOnce, armedPlugin(counting("out", n, &first), m))
				w.Create(t, "src", sourceConf("transaction.boundary", boundary, "transaction.boundary.interval.ms", "1"))
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
}

// last is the number behind the prefix in the last event that has it, 0 without one.
func last(log *enginetest.Log, prefix string) int {
	n := 0
	for _, e := range log.Events() {
		if text, ok := strings.CutPrefix(e, prefix); ok {
			n, _ = strconv.Atoi(text)
		}
	}
	return n
}

// TestZombieSourceIsFenced lets a worker hang, starts another on the same cluster
// and wants nothing more from the first when it wakes up.
func TestZombieSourceIsFenced(t *testing.T) {
	c, _, _ := killable(t, 0)
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	var zombie, next enginetest.Log
	plugin := func(log *enginetest.Log, stuck bool) connect.Spec {
		n := 0
		return enginetest.SourcePlugin(func() connect.Source {
			return &enginetest.Source{
				OnRead: func(ctx context.Context, b *connect.Batch) error {
					if n > 0 && stuck {
						select {
						case held <- struct{}{}:
						default:
						}
						<-hold
						stuck = false
					}
					if n == 3 {
						<-ctx.Done()
						return ctx.Err()
					}
					r := b.Append()
					r.Topic, r.ValueSchema, r.Value = "out", connect.StringSchema, connect.StringValue(fmt.Sprint(n))
					n++
					b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, n), Token: uint64(n)})
					return nil
				},
				OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint("commit ", m.Token)) },
			}
		})
	}
	w1 := enginetest.Start(t, c, exactlyOnce, plugin(&zombie, true))
	w1.Create(t, "src", sourceConf())
	<-held
	enginetest.Eventually(t, func() bool { return len(zombie.Events()) == 1 }, func() string { return fmt.Sprint(zombie.Events()) })
	enginetest.Start(t, c, exactlyOnce, plugin(&next, false))
	enginetest.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(next.Events()), "commit 3") }, func() string { return fmt.Sprint(next.Events()) })
	close(hold)
	status := w1.Await(t, "src", engine.Running, engine.Failed)
	if want := "another task has its place"; !strings.Contains(status.Tasks[0].Trace, want) && !strings.Contains(status.Tasks[0].Trace, "PRODUCER_FENCED") && !strings.Contains(status.Tasks[0].Trace, "INVALID_PRODUCER_EPOCH") {
		t.Errorf("trace of the zombie: got %q, want %q", status.Tasks[0].Trace, want)
	}
	if got := fmt.Sprint(zombie.Events()); got != "[commit 1]" {
		t.Errorf("the zombie's commits: got %s, want only that before it was fenced", got)
	}
	if got := committedValues(t, c, "out"); !slices.Equal(got, []string{"0", "0", "1", "2"}) {
		t.Errorf("records: got %v", got)
	}
}

// boundaryPlugin is a source whose config can define transaction boundaries.
type boundaryConfig struct{ connect.SourceConfig }

func (boundaryConfig) TransactionBoundaries() bool { return true }
func (boundaryConfig) ExactlyOnce() bool           { return true }

// TestConnectorDefinedBoundaries commits and aborts where the source says, also in
// the middle of a batch and across batches.
func TestConnectorDefinedBoundaries(t *testing.T) {
	c, _, _ := killable(t, 0)
	var log enginetest.Log
	read := 0
	plugin := enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				put := func(v string) {
					r := b.Append()
					r.Topic, r.ValueSchema, r.Value = "out", connect.StringSchema, connect.StringValue(v)
				}
				mark := func(n int) {
					b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, n), Token: uint64(n)})
				}
				switch read++; read {
				case 1:
					put("a1")
					mark(1)
					b.EndTransaction(false)
					put("b1")
					mark(2)
				case 2:
					put("b2")
					mark(3)
					b.EndTransaction(true) // with b1 of the batch before
					put("c1")
					mark(4)
				case 3:
					put("c2")
					mark(5)
					b.EndTransaction(false)
					put("never ended")
					mark(6)
				default:
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			},
			OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint(m.Token)) },
		}
	})
	plain := plugin.New
	plugin.New = func() connect.Config { return boundaryConfig{plain().(connect.SourceConfig)} }
	w := enginetest.Start(t, c, exactlyOnce, plugin)
	w.Create(t, "src", sourceConf("transaction.boundary", "connector", "exactly.once.support", "required"))
	enginetest.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(log.Events()), "5") }, func() string { return fmt.Sprint(log.Events()) })
	w.Stop(t)
	if got := fmt.Sprint(log.Events()); got != "[1 3 5]" {
		t.Errorf("commits: got %s, want [1 3 5]", got)
	}
	if got := fmt.Sprint(committedValues(t, c, "out")); got != "[a1 c1 c2]" {
		t.Errorf("records: got %s, want [a1 c1 c2]", got)
	}
}

// producersOf returns the producer id and epoch of transactional ids.
func producersOf(t *testing.T, c *enginetest.Cluster, ids ...string) map[string]string {
	t.Helper()
	described, err := kadm.NewClient(enginetest.Client(t, c)).DescribeTransactions(t.Context(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	epochs := make(map[string]string)
	for id, d := range described {
		if d.Err == nil {
			epochs[id] = fmt.Sprint(d.ProducerID, "/", d.ProducerEpoch)
		}
	}
	return epochs
}

// TestOffsetsChangeBehindAFence wants the tasks' transactional ids taken over
// before their offsets change: what an abandoned task has open must not undo that.
func TestOffsetsChangeBehindAFence(t *testing.T) {
	c, _, _ := killable(t, 0)
	var log enginetest.Log
	w := enginetest.Start(t, c, exactlyOnce, counting("out", 10, &log))
	w.Create(t, "src", sourceConf())
	enginetest.Eventually(t, caughtUp(&log, 10), func() string { return fmt.Sprint(log.Events()) })
	must(t, w.Worker.Stop(t.Context(), "src"))
	enginetest.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(log.Events()), "close") }, func() string { return fmt.Sprint(log.Events()) })
	before := producersOf(t, c, "sluice-src-0")
	if _, err := w.ResetOffsets(t.Context(), "src"); err != nil {
		t.Fatal(err)
	}
	if after := producersOf(t, c, "sluice-src-0"); after["sluice-src-0"] == before["sluice-src-0"] {
		t.Errorf("the transactional id still belongs to %v", after)
	}
	must(t, w.Resume(t.Context(), "src"))
	enginetest.Eventually(t, func() bool {
		return last(&log, "open at ") == 0 && strings.Count(fmt.Sprint(log.Events()), "open at 0") == 2
	}, func() string { return fmt.Sprint(log.Events()) })
}

// TestOlderGenerationIsFenced wants the transactional ids of all earlier tasks
// taken over when there are fewer now, once.
func TestOlderGenerationIsFenced(t *testing.T) {
	c, _, _ := killable(t, 0)
	w := enginetest.Start(t, c, exactlyOnce, counting("out", 10, new(enginetest.Log)))
	w.Create(t, "src", sourceConf("tasks.max", "3", "test.tasks", "3"))
	w.Await(t, "src", engine.Running, engine.Running, engine.Running, engine.Running)
	describe := func() map[string]string { return producersOf(t, c, "sluice-src-0", "sluice-src-1", "sluice-src-2") }
	enginetest.Eventually(t, func() bool { return len(describe()) == 3 }, func() string { return fmt.Sprint(describe()) })
	before := describe()
	_, _, err := w.PutConfig(t.Context(), "src", sourceConf("tasks.max", "3", "test.tasks", "1"))
	must(t, err)
	w.Await(t, "src", engine.Running, engine.Running)
	enginetest.Eventually(t, func() bool {
		now := describe()
		return now["sluice-src-1"] != before["sluice-src-1"] && now["sluice-src-2"] != before["sluice-src-2"]
	}, func() string { return fmt.Sprint(before, " ", describe()) })
	records := enginetest.Consume(t, c, "connect-configs", 1)
	enginetest.Eventually(t, func() bool {
		records = records[:0]
		for _, r := range enginetest.Consume(t, c, "connect-configs", 9) {
			if string(r.Key) == "tasks-fencing-src" {
				records = append(records, r)
			}
		}
		return len(records) == 2
	}, func() string { return fmt.Sprint(records) })
	for i, want := range []string{`{"task-count":3}`, `{"task-count":1}`} {
		if got := string(records[i].Value); got != want {
			t.Errorf("fencing record %d: got %s, want %s", i, got, want)
		}
	}
}

func TestExactlyOnceValidation(t *testing.T) {
	c := enginetest.Fake(t)
	for _, test := range []struct{ support, option, value, want string }{
		{engine.ExactlyOnceDisabled, "exactly.once.support", "required", "does not have exactly-once source support enabled"},
		{engine.ExactlyOnceEnabled, "exactly.once.support", "required", "The connector does not support exactly-once semantics"},
		{engine.ExactlyOnceEnabled, "transaction.boundary", "connector", "does not support connector-defined transaction boundaries"},
		{engine.ExactlyOnceEnabled, "transaction.boundary.interval.ms", "1000000000", "Value must be between 1 and 840000"},
	} {
		w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.ExactlyOnceSource = test.support }, counting("out", 1, new(enginetest.Log)))
		_, err := w.Worker.Create(t.Context(), "src", sourceConf(test.option, test.value), "")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s=%s: got %v, want %q", test.option, test.value, err, test.want)
		}
	}
}

// TestFullBatchIsCommittedWithoutAnother gives a batch that says that there is more,
// though nothing comes, and wants it committed soon, records or not.
func TestFullBatchIsCommittedWithoutAnother(t *testing.T) {
	for name, conf := range map[string][]string{
		"records":          nil,
		"all filtered out": {"transforms", "drop", "transforms.drop.type", "org.apache.kafka.connect.transforms.Filter"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, _ := killable(t, 0)
			var log enginetest.Log
			given := false
			plugin := enginetest.SourcePlugin(func() connect.Source {
				return &enginetest.Source{
					OnRead: func(ctx context.Context, b *connect.Batch) error {
						if given {
							<-ctx.Done()
							return ctx.Err()
						}
						for given = true; !b.Full(); {
							r := b.Append()
							r.Topic, r.ValueSchema, r.Value = "out", connect.StringSchema, connect.StringValue("v")
						}
						b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: []byte(`{"n":1}`), Token: 1})
						return nil
					},
					OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint("commit ", m.Token)) },
				}
			})
			w := enginetest.Start(t, c, exactlyOnce, plugin)
			w.Create(t, "src", sourceConf(conf...))
			enginetest.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(log.Events()), "commit 1") }, func() string { return fmt.Sprint(log.Events()) })
		})
	}
}

// TestRefusedRecordHasNoOffset lets the log refuse a record whose offset is on its way
// already, and wants neither the offset nor a Commit (I2).
func TestRefusedRecordHasNoOffset(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	var log enginetest.Log
	read := false
	w := enginetest.Start(t, c, exactlyOnce, enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				if read {
					<-ctx.Done()
					return ctx.Err()
				}
				read = true
				for _, n := range []int{10, 5000} {
					r := b.Append()
					r.Topic, r.Partition, r.ValueSchema, r.Value = "out", 0, connect.StringSchema, connect.StringValue(strings.Repeat("x", n))
				}
				b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: []byte(`{"n":2}`), Token: 2})
				return nil
			},
			OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint("commit ", m.Token)) },
		}
	}))
	w.Create(t, "src", groupConf("topic.creation.default.max.message.bytes", "2000", "auto.restart.enable", "false"))
	w.Await(t, "src", engine.Running, engine.Failed)
	if offsets, err := w.Worker.Offsets(t.Context(), "src"); err != nil || len(offsets) > 0 {
		t.Errorf("offsets: got %v, %v, want none", offsets, err)
	}
	if got := committedValues(t, c, "out"); len(got) > 0 {
		t.Errorf("records: got %d, want none", len(got))
	}
	if got := log.Events(); len(got) > 0 {
		t.Errorf("the source was told to forget: %v", got)
	}
}
