package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

func sinkConf(kv ...string) map[string]string {
	return conf(enginetest.SinkClass, append([]string{"topics", "in"}, kv...)...)
}

func numbered(topic string, partition int32, from, to int) []*kgo.Record {
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Append(nil, i)})
	}
	return records
}

// collector is a sink that keeps the values that it gets.
type collector struct {
	mu     sync.Mutex
	values []string
}

func (c *collector) write(_ context.Context, b *connect.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range b.Records() {
		c.values = append(c.values, strings.Clone(r.Value.Text()))
	}
	return nil
}

func (c *collector) await(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	enginetest.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		got = append([]string(nil), c.values...)
		return len(got) >= len(want)
	}, func() string { return fmt.Sprintf("got %d values, want %d", len(got), len(want)) })
	if g, w := strings.Join(got, " "), strings.Join(want, " "); g != w {
		t.Errorf("values: got %s, want %s", g, w)
	}
}

func texts(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func committed(t *testing.T, c *enginetest.Cluster, group, topic string, partition int32) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(enginetest.Client(t, c)).FetchOffsets(t.Context(), group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	o, ok := offsets.Lookup(topic, partition)
	if !ok {
		return -1
	}
	return o.At
}

func TestSinkCommitsWhatWasWrittenAndResumes(t *testing.T) {
	enginetest.NoLeaks(t)
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, numbered("in", 0, 0, 100)...)
	var first, second collector
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: first.write} }))
	w.Create(t, "snk", sinkConf("value.converter", "org.apache.kafka.connect.storage.StringConverter"))
	first.await(t, texts(0, 100)...)
	w.Stop(t)
	if got := committed(t, c, "connect-snk", "in", 0); got != 100 {
		t.Errorf("committed offset: got %d, want 100", got)
	}
	enginetest.Produce(t, c, numbered("in", 0, 100, 110)...)
	enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: second.write} }))
	second.await(t, texts(100, 110)...)
}

// TestSinkCommitsOnlyWhatFlushReports checks I3: the consumer offset is what the
// sink says is durable, though more was written.
func TestSinkCommitsOnlyWhatFlushReports(t *testing.T) {
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, numbered("in", 0, 0, 50)...)
	var got collector
	var log enginetest.Log
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink {
		return &enginetest.FlushingSink{
			Sink: enginetest.Sink{OnWrite: got.write},
			OnAssign: func(added []connect.PartitionOffset) error {
				log.Add(fmt.Sprint("assign ", added))
				return nil
			},
			OnFlush: func(context.Context) ([]connect.PartitionOffset, error) {
				in := connect.TopicPartition{Topic: "in"}
				return []connect.PartitionOffset{{TopicPartition: in, Offset: 30},
					{TopicPartition: connect.TopicPartition{Topic: "not-assigned"}, Offset: 3}}, nil
			},
		}
	}))
	w.Create(t, "snk", sinkConf("value.converter", "StringConverter"))
	got.await(t, texts(0, 50)...)
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 30 },
		func() string { return "offset 30 was not committed" })
	w.Stop(t)
	if got := committed(t, c, "connect-snk", "in", 0); got != 30 {
		t.Errorf("committed offset after stop: got %d, want 30", got)
	}
	if got := fmt.Sprint(log.Events()); got != "[assign [{{in 0} -1}]]" {
		t.Errorf("got %s, want one assignment from -1", got)
	}
}

func TestSinkRetriesTheSameBatch(t *testing.T) {
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, numbered("in", 0, 0, 5)...)
	var got collector
	var log enginetest.Log
	attempts := 0
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink {
		return &enginetest.Sink{OnWrite: func(ctx context.Context, b *connect.Batch) error {
			if attempts++; attempts <= 3 {
				log.Add(fmt.Sprint(b.Records()[0].Offset, b.Len()))
				return connect.Retriable(errors.New("503 Slow Down"))
			}
			return got.write(ctx, b)
		}}
	}))
	w.Create(t, "snk", sinkConf("errors.retry.delay.max.ms", "20"))
	got.await(t, texts(0, 5)...)
	for _, e := range log.Events() {
		if e != log.Events()[0] {
			t.Errorf("attempts got different batches: %v", log.Events())
		}
	}
	w.Await(t, "snk", engine.Running, engine.Running)
}

func TestSinkTolerance(t *testing.T) {
	bad := func(_ context.Context, b *connect.Batch) error {
		var e connect.BatchError
		for i, r := range b.Records() {
			if r.Offset == 2 {
				e.Failed = append(e.Failed, connect.RecordError{Index: i, Err: errors.New("no such column")})
			}
		}
		if e.Failed != nil {
			return &e
		}
		return nil
	}
	tests := []struct {
		name  string
		value string // of offset 2
		write func(context.Context, *connect.Batch) error
		conf  []string
		trace string // empty: the task goes on
	}{
		{"write, none", "2", bad, nil, "write topic in, partition 0, offset 2: record 2 of the batch: no such column"},
		{"write, all", "2", bad, []string{"errors.tolerance", "all"}, ""},
		{"convert, none", "not json", nil, []string{"value.converter", "JsonConverter", "value.converter.schemas.enable", "false"}, "topic in, partition 0, offset 2: convert the value: "},
		{"convert, all", "not json", nil, []string{"value.converter", "JsonConverter", "value.converter.schemas.enable", "false", "errors.tolerance", "all"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := enginetest.Fake(t)
			records := numbered("in", 0, 0, 4)
			records[2].Value = []byte(test.value)
			enginetest.Produce(t, c, records...)
			w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond },
				enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: test.write} }))
			w.Create(t, "snk", sinkConf(test.conf...))
			if test.trace != "" {
				status := w.Await(t, "snk", engine.Running, engine.Failed)
				if got := status.Tasks[0].Trace; !strings.HasPrefix(got, test.trace) {
					t.Errorf("trace: got %q, want prefix %q", got, test.trace)
				}
				return
			}
			enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 4 }, func() string { return "the records after the bad one were not handled" })
			w.Await(t, "snk", engine.Running, engine.Running)
		})
	}
}

func TestSinkBeforeItsTopic(t *testing.T) {
	for _, conf := range [][]string{{"topics", "late-1"}, {"topics", "", "topics.regex", "late-.*"}} {
		t.Run(conf[len(conf)-1], func(t *testing.T) {
			c := enginetest.Fake(t)
			var got collector
			w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
			w.Create(t, "snk", sinkConf(conf...))
			w.Await(t, "snk", engine.Running, engine.Running)
			enginetest.Produce(t, c, numbered("late-1", 0, 0, 3)...)
			got.await(t, texts(0, 3)...) // long before a client's metadata is five minutes old
		})
	}
}

// produceToFour writes the same numbers to the partitions 0 to 3 of "in".
func produceToFour(t *testing.T, c *enginetest.Cluster, from, to int) {
	t.Helper()
	for p := range int32(4) {
		enginetest.Produce(t, c, numbered("in", p, from, to)...)
	}
}

func TestSinkRebalance(t *testing.T) {
	for _, assignor := range []string{"CooperativeStickyAssignor", "RoundRobinAssignor"} { // the second takes all partitions away first
		t.Run(assignor, func(t *testing.T) { testSinkRebalance(t, assignor) })
	}
}

func testSinkRebalance(t *testing.T, assignor string) {
	enginetest.NoLeaks(t)
	c := enginetest.Fake(t)
	admin := kadm.NewClient(enginetest.Client(t, c))
	if _, err := admin.CreateTopic(t.Context(), 4, 1, nil, "in"); err != nil {
		t.Fatal(err)
	}
	produceToFour(t, c, 0, 10)
	var mu sync.Mutex
	var instances atomic.Int32
	owners := make(map[int32]int)
	seen := make(map[string]int)
	var problems []string
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink {
		task := 0
		instance := int(instances.Add(1)) // the next one of the same task may be assigned before this one is closed
		mine := make(map[int32]int64)
		return &enginetest.FlushingSink{
			Sink: enginetest.Sink{
				OnOpen: func(_ context.Context, sc connect.SinkContext) error { task = sc.Task; return nil },
				OnWrite: func(_ context.Context, b *connect.Batch) error {
					mu.Lock()
					defer mu.Unlock()
					if _, ok := mine[b.From.Partition]; !ok {
						problems = append(problems, fmt.Sprintf("task %d got a batch of partition %d, which it does not have", task, b.From.Partition))
					}
					for _, r := range b.Records() {
						seen[fmt.Sprint(b.From.Partition, "/", r.Offset)]++
						mine[b.From.Partition] = r.Offset + 1
					}
					return nil
				},
				OnClose: func() error {
					mu.Lock()
					defer mu.Unlock()
					for p := range mine {
						if owners[p] == instance {
							delete(owners, p)
						}
					}
					return nil
				},
			},
			OnFlush: func(context.Context) (offsets []connect.PartitionOffset, _ error) {
				for p, o := range mine {
					offsets = append(offsets, connect.PartitionOffset{TopicPartition: connect.TopicPartition{Topic: "in", Partition: p}, Offset: o})
				}
				return offsets, nil
			},
			OnAssign: func(added []connect.PartitionOffset) error {
				mu.Lock()
				defer mu.Unlock()
				for _, p := range added {
					mine[p.Partition] = p.Offset
					owners[p.Partition] = instance
				}
				return nil
			},
			OnRevoke: func(removed []connect.TopicPartition) error {
				mu.Lock()
				defer mu.Unlock()
				for _, p := range removed {
					delete(mine, p.Partition)
					delete(owners, p.Partition)
				}
				return nil
			},
		}
	}))
	w.Create(t, "snk", sinkConf("consumer.override.partition.assignment.strategy", assignor))
	owned := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			tasks := make(map[int]bool)
			for _, task := range owners {
				tasks[task] = true
			}
			return len(owners) == 4 && len(tasks) == n
		}
	}
	complaint := func() string { return fmt.Sprint("owners: ", owners) }
	enginetest.Eventually(t, owned(1), complaint)
	if _, _, err := w.PutConfig(t.Context(), "snk", sinkConf("consumer.override.partition.assignment.strategy", assignor, "tasks.max", "2")); err != nil {
		t.Fatal(err)
	}
	enginetest.Eventually(t, owned(2), complaint)
	produceToFour(t, c, 10, 20)
	enginetest.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == 80 }, func() string { return fmt.Sprintf("saw %d records, want 80", len(seen)) })
	mu.Lock()
	defer mu.Unlock()
	for _, p := range problems {
		t.Error(p)
	}
	for r, n := range seen {
		if n > 1 {
			t.Errorf("record %s was written %d times though every task stopped in order", r, n)
		}
	}
}

func TestSinkPause(t *testing.T) {
	c := enginetest.Fake(t)
	var got, other collector
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink {
		sink := &enginetest.Sink{OnWrite: got.write}
		sink.OnOpen = func(_ context.Context, sc connect.SinkContext) error {
			if sc.Connector == "other" {
				sink.OnWrite = other.write
			}
			return nil
		}
		return sink
	}))
	enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
	w.Create(t, "snk", sinkConf())
	w.Create(t, "other", sinkConf())
	got.await(t, texts(0, 3)...)
	must(t, w.Pause(t.Context(), "snk"))
	w.Await(t, "snk", engine.Paused, engine.Paused)
	enginetest.Produce(t, c, numbered("in", 0, 3, 6)...)
	other.await(t, texts(0, 6)...)
	got.await(t, texts(0, 3)...) // and nothing more
	must(t, w.Resume(t.Context(), "snk"))
	got.await(t, texts(0, 6)...)
}

// TestStuckSinkHoldsUpNobody checks I5 for a sink in the middle of Write.
func TestStuckSinkHoldsUpNobody(t *testing.T) {
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
	release := make(chan struct{})
	defer close(release)
	stuck := make(chan struct{}, 8)
	var got collector
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.TaskShutdownTimeout = 100 * time.Millisecond },
		enginetest.SinkPlugin(func() connect.Sink {
			hang := false
			return &enginetest.Sink{
				OnOpen: func(_ context.Context, sc connect.SinkContext) error { hang = sc.Connector == "stuck"; return nil },
				OnWrite: func(ctx context.Context, b *connect.Batch) error {
					if hang {
						stuck <- struct{}{}
						<-release
					}
					return got.write(ctx, b)
				},
			}
		}))
	w.Create(t, "stuck", sinkConf())
	<-stuck
	w.Create(t, "fine", sinkConf())
	got.await(t, texts(0, 3)...)
	must(t, w.Worker.Stop(t.Context(), "stuck"))
	w.Await(t, "stuck", engine.Stopped)
	must(t, w.Delete(t.Context(), "stuck"))
}

// TestSinkTaskIsAStaticMember wants a sink task in its group under an instance id
// (KIP-345), so that a run after kill -9 takes its place at once, and out of the
// group when it ends in order, although static members stay by themselves.
func TestSinkTaskIsAStaticMember(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	enginetest.Produce(t, c, numbered("in", 0, 0, 1)...)
	var got collector
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "snk", sinkConf("value.converter", "StringConverter"))
	got.await(t, texts(0, 1)...)
	if ids := instances(t, c, "connect-snk"); !slices.Equal(ids, []string{"snk-0"}) {
		t.Errorf("instance ids of the members: got %q, want snk-0", ids)
	}
	w.Stop(t)
	if ids := instances(t, c, "connect-snk"); len(ids) != 0 {
		t.Errorf("after an orderly end the group still has %q", ids)
	}
}

// instances returns the instance id of each member of a group, "" for one without.
func instances(t *testing.T, c *enginetest.Cluster, group string) []string {
	t.Helper()
	groups, err := kadm.NewClient(enginetest.Client(t, c)).DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, m := range groups[group].Members {
		if m.InstanceID == nil {
			ids = append(ids, "")
			continue
		}
		ids = append(ids, *m.InstanceID)
	}
	return ids
}
