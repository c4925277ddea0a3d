package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/vfs"
)

// slowly returns a plugin whose sources write the numbers 0..n-1 to their
// connector's name, ten in each tenth of a second, from where the stored offset says.
func slowly(n int) connect.Spec {
	return enginetest.SourcePlugin(func() connect.Source {
		next, topic := 0, ""
		return &enginetest.Source{
			OnOpen: func(ctx context.Context, sc connect.SourceContext) error {
				topic = sc.Connector
				stored, err := sc.Offset(ctx, []byte(`{"p":1}`))
				if err == nil && stored != nil {
					_, err = fmt.Sscanf(string(stored), `{"n":%d}`, &next)
				}
				return err
			},
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				select {
				case <-time.After(100 * time.Millisecond):
				case <-ctx.Done():
					return ctx.Err()
				}
				for range min(10, n-next) {
					r := b.Append()
					r.Topic, r.Value, r.ValueSchema = topic, connect.StringValue(fmt.Sprint(next)), connect.StringSchema
					next++
				}
				b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, next)})
				return nil
			},
		}
	})
}

// TestExactlyOnceSourceAcrossLostWorkers loses a worker after the other, leaders too,
// while exactly-once sources write, and wants every record once and in order.
func TestExactlyOnceSourceAcrossLostWorkers(t *testing.T) {
	const n = 3000
	withCrew(t, 0, exactlyOnce, func(t *testing.T, c *crew) {
		c.plugins = func(string) []connect.Spec { return []connect.Spec{slowly(n)} }
		for i := range 3 {
			c.start(fmt.Sprint("w", i+1))
		}
		connectors := []string{"a", "b", "c", "d"}
		for _, name := range connectors {
			c.must(c.follower(), "PUT /connectors/"+name+"/config "+configText(1), 201)
		}
		for i, lose := range []func(){
			func() { c.kill(c.follower()) }, func() { c.kill(c.leader()) }, func() { c.leave(c.leader()) }, func() { c.kill(c.leader()) },
		} {
			c.wait(time.Duration(1700+i*130) * time.Millisecond)
			lose()
			c.start(fmt.Sprint("next", i))
		}
		for _, name := range connectors {
			enginetest.Eventually(t, func() bool {
				offsets, err := c.worker(c.names()[0]).Offsets(t.Context(), name)
				return err == nil && len(offsets) == 1 && string(offsets[0].Offset) == fmt.Sprintf(`{"n":%d}`, n)
			}, func() string { return "the source does not come to its end" })
			if got := committedValues(t, c.cluster, name); !slices.Equal(got, texts(0, n)) {
				t.Errorf("%s: %d records, want %d, each once and in order", name, len(got), n)
			}
			if got := committedValuesOf(t, c.cluster, "connect-configs", "tasks-fencing-"+name); !slices.Contains(got, `{"task-count":1}`) {
				t.Errorf("%s: the leader has fenced no generation of tasks: %v", name, got)
			}
		}
	})
}

// TestZombieOfALostWorkerIsFenced lets a source hang on a worker that falls out of
// the group but still reaches the log: when it wakes up another worker has its
// task, and nothing of it may be seen.
func TestZombieOfALostWorkerIsFenced(t *testing.T) {
	withCrew(t, 0, exactlyOnce, func(t *testing.T, c *crew) {
		hold, hung := make(chan struct{}), new(atomic.Bool)
		c.plugins = func(string) []connect.Spec {
			return []connect.Spec{enginetest.SourcePlugin(func() connect.Source {
				next := 0
				return &enginetest.Source{
					OnOpen: func(ctx context.Context, sc connect.SourceContext) error {
						stored, err := sc.Offset(ctx, []byte(`{"p":1}`))
						if err == nil && stored != nil {
							_, err = fmt.Sscanf(string(stored), `{"n":%d}`, &next)
						}
						return err
					},
					OnRead: func(ctx context.Context, b *connect.Batch) error {
						if next == 5 && hung.CompareAndSwap(false, true) {
							<-hold // it knows no context
						}
						if next == 10 {
							<-ctx.Done()
							return ctx.Err()
						}
						r := b.Append()
						r.Topic, r.Value, r.ValueSchema = "out", connect.StringValue(fmt.Sprint(next)), connect.StringSchema
						next++
						b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, next)})
						return nil
					},
				}
			})}
		}
		c.start("w1")
		c.must("w1", "PUT /connectors/src/config "+configText(1), 201)
		enginetest.Eventually(t, hung.Load, func() string { return "the source does not get to where it hangs" })
		c.start("w2")
		c.worker("w1").way.lose(11, 12, 13, 14)
		enginetest.Eventually(t, func() bool {
			offsets, err := c.worker("w2").Offsets(t.Context(), "src")
			return err == nil && len(offsets) == 1 && string(offsets[0].Offset) == `{"n":10}`
		}, func() string { return "the next worker does not go on" })
		close(hold)
		c.wait(10 * time.Second)
		if got := committedValues(t, c.cluster, "out"); !slices.Equal(got, texts(0, 10)) {
			t.Errorf("records: got %v", got)
		}
	})
}

// TestMoreTasksDoNotFailThoseThatRun adds a task to a connector whose tasks write in
// transactions. The generation before is fenced; a task of it that is to go on is
// started anew, not left to fail.
func TestMoreTasksDoNotFailThoseThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enginetest.NoLeaks(t)
		c, _ := embeddedOn(t, vfs.NewMem(), "/data")
		var tasks atomic.Int64
		tasks.Store(1)
		grow := make(chan struct{})
		h := &hooks{
			onSplit: func(int) []map[string]string { return make([]map[string]string, tasks.Load()) },
			onMonitor: func(ctx context.Context, changed func()) error {
				select {
				case <-grow:
					changed()
				case <-ctx.Done():
				}
				<-ctx.Done()
				return nil
			},
			source: func() connect.Source {
				n := 0
				return &enginetest.Source{OnRead: func(ctx context.Context, b *connect.Batch) error {
					select {
					case <-time.After(100 * time.Millisecond):
					case <-ctx.Done():
						return ctx.Err()
					}
					n++
					r := b.Append()
					r.Topic, r.Value, r.ValueSchema = "out", connect.StringValue("x"), connect.StringSchema
					b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, n)})
					return nil
				}}
			},
		}
		w := enginetest.Start(t, c, exactlyOnce, h.plugin())
		w.Create(t, "src", map[string]string{"connector.class": hookedClass, "tasks.max": "9"})
		w.Await(t, "src", engine.Running, engine.Running)
		<-time.After(time.Second)
		tasks.Store(3)
		close(grow)
		w.Await(t, "src", engine.Running, engine.Running, engine.Running, engine.Running)
		<-time.After(5 * time.Second)
		status := w.Await(t, "src", engine.Running, engine.Running, engine.Running, engine.Running)
		for _, task := range status.Tasks {
			if task.AutoRestart != nil || strings.Contains(task.Trace, "another task") {
				t.Errorf("task %d has failed on the way: %+v", task.ID, task)
			}
		}
	})
}

// TestDeposedLeaderCannotWrite lets a second worker believe that it leads: what the
// first writes after the second has claimed the config topic is refused.
func TestDeposedLeaderCannotWrite(t *testing.T) {
	withCrew(t, 2, exactlyOnce, func(t *testing.T, c *crew) {
		ctx := t.Context()
		leader := c.leader()
		first, second := c.worker(leader), c.worker(c.follower())
		config := conf(enginetest.SourceClass, "test.topic", "t1")
		first.Create(t, "a", config)
		c.awaitSpread(1)
		c.wait(10 * time.Second)   // no assignment and no write of the first is on its way
		first.way.lose(11, 12, 14) // or it might be assigned to lead again already
		engine.BelieveToLead(second.Worker.Worker)
		must(t, engine.ClaimConfigTopic(ctx, second.Worker.Worker))
		_, _, err := first.PutConfig(ctx, "a", conf(enginetest.SourceClass, "test.topic", "deposed"))
		if !errors.Is(err, engine.ErrNotLeader) {
			t.Errorf("the deposed leader's write: %v, want %v", err, engine.ErrNotLeader)
		}
		if got := c.must(second.name, "GET /connectors/a/config", 200); strings.Contains(got, "deposed") {
			t.Errorf("the deposed leader has written: %s", got)
		}
		if err := engine.ClaimConfigTopic(ctx, first.Worker.Worker); !errors.Is(err, engine.ErrNotLeader) {
			t.Errorf("the deposed leader claims the topic without being assigned to lead: %v", err)
		}
		// The first asks for an assignment, leads again, and claims the topic.
		first.way.lose()
		c.must(first.name, "PUT /connectors/a/config "+configText(1, "test.topic", "again"), 200)
		c.must(second.name, "PUT /connectors/a/config "+configText(1, "test.topic", "forwarded"), 200)
	})
}

// committedValuesOf returns the values of a key.
func committedValuesOf(t *testing.T, c *enginetest.Cluster, topic, key string) []string {
	t.Helper()
	ends, err := kadm.NewClient(enginetest.Client(t, c)).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	client := enginetest.Client(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	var values []string
	for next, end := int64(0), ends[topic][0].Offset; next < end; {
		for _, r := range client.PollFetches(t.Context()).Records() {
			next = r.Offset + 1
			if string(r.Key) == key {
				values = append(values, string(r.Value))
			}
		}
	}
	return values
}
