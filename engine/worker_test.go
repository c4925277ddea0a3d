package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

func sourceConf(kv ...string) map[string]string {
	return conf(enginetest.SourceClass, kv...)
}

func conf(class string, kv ...string) map[string]string {
	c := map[string]string{"connector.class": class}
	for i := 0; i < len(kv); i += 2 {
		c[kv[i]] = kv[i+1]
	}
	return c
}

// counting returns a plugin whose sources append n records with the values 0..n-1 in
// batches of 10, starting where the stored offset says, then wait.
func counting(topic string, n int, log *enginetest.Log) connect.Spec {
	return enginetest.SourcePlugin(func() connect.Source {
		next := 0
		return &enginetest.Source{
			OnOpen: func(ctx context.Context, sc connect.SourceContext) error {
				stored, err := sc.Offset(ctx, []byte(`{"p":1}`))
				if err == nil && stored != nil {
					_, err = fmt.Sscanf(string(stored), `{"n":%d}`, &next)
				}
				log.Add(fmt.Sprintf("open at %d", next))
				return err
			},
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				if next == n {
					<-ctx.Done()
					return ctx.Err()
				}
				for range min(10, n-next) {
					r := b.Append()
					r.Topic, r.Value, r.ValueSchema = topic, connect.StringValue(fmt.Sprint(next)), connect.StringSchema
					next++
				}
				b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, next), Token: uint64(next)})
				return nil
			},
			OnCommit: func(m connect.Mark) { log.Add(fmt.Sprintf("commit %d", m.Token)) },
			OnClose:  func() error { log.Add("close"); return nil },
		}
	})
}

func TestSourceWritesRecordsAndResumes(t *testing.T) {
	enginetest.NoLeaks(t)
	c := enginetest.Fake(t)
	var log enginetest.Log
	w := enginetest.Start(t, c, nil, counting("out", 100, &log))
	w.Create(t, "src", sourceConf())
	records := enginetest.Consume(t, c, "out", 100)
	for i, r := range records {
		if got, want := string(r.Value), fmt.Sprint(i); got != want {
			t.Fatalf("record %d: got %q, want %q", i, got, want)
		}
	}
	w.Await(t, "src", engine.Running, engine.Running)
	enginetest.Eventually(t, func() bool { e := log.Events(); return e[len(e)-1] == "commit 100" },
		func() string { return fmt.Sprint(log.Events()) })
	w.Stop(t)
	if e := log.Events(); e[len(e)-1] != "close" {
		t.Errorf("events end with %q, want close", e[len(e)-1])
	}

	var log2 enginetest.Log
	w = enginetest.Start(t, c, nil, counting("out", 100, &log2))
	w.Await(t, "src", engine.Running, engine.Running)
	enginetest.Eventually(t, func() bool { return len(log2.Events()) > 0 }, func() string { return "the source was not opened" })
	if got := log2.Events()[0]; got != "open at 100" {
		t.Errorf("after a restart of the worker: got %q, want open at 100", got)
	}
}

func TestPauseResumeStopDeleteSurviveRestart(t *testing.T) {
	enginetest.NoLeaks(t)
	c := enginetest.Fake(t)
	var log enginetest.Log
	plugin := counting("out", 10, &log)
	w := enginetest.Start(t, c, nil, plugin)
	ctx := t.Context()
	for _, name := range []string{"runs", "paused", "stopped", "gone"} {
		w.Create(t, name, sourceConf("tasks.max", "2", "test.tasks", "2"))
		w.Await(t, name, engine.Running, engine.Running, engine.Running)
	}
	must(t, w.Pause(ctx, "paused"))
	w.Await(t, "paused", engine.Paused, engine.Paused, engine.Paused)
	must(t, w.Worker.Stop(ctx, "stopped"))
	w.Await(t, "stopped", engine.Stopped)
	must(t, w.Delete(ctx, "gone"))
	if _, err := w.Status(ctx, "gone"); err == nil {
		t.Error("the status of a deleted connector is still there")
	}
	w.Stop(t)

	w = enginetest.Start(t, c, nil, plugin)
	w.Await(t, "runs", engine.Running, engine.Running, engine.Running)
	w.Await(t, "paused", engine.Paused, engine.Paused, engine.Paused)
	w.Await(t, "stopped", engine.Stopped)
	names, err := w.Connectors(ctx)
	if got, want := fmt.Sprint(names, err), "[paused runs stopped] <nil>"; got != want {
		t.Errorf("connectors: got %s, want %s", got, want)
	}
	must(t, w.Resume(ctx, "paused"))
	w.Await(t, "paused", engine.Running, engine.Running, engine.Running)
	must(t, w.Resume(ctx, "stopped"))
	w.Await(t, "stopped", engine.Running, engine.Running, engine.Running)
}

func TestStopThenResumeAtOnceMakesTasksAgain(t *testing.T) {
	c := enginetest.Fake(t)
	w := enginetest.Start(t, c, nil, counting("out", 10, new(enginetest.Log)))
	w.Create(t, "src", sourceConf())
	for range 5 {
		must(t, w.Worker.Stop(t.Context(), "src"))
		must(t, w.Resume(t.Context(), "src"))
		w.Await(t, "src", engine.Running, engine.Running)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPanicFailsTheTaskOnly(t *testing.T) {
	for _, where := range []string{"open", "read", "commit", "split"} {
		t.Run(where, func(t *testing.T) {
			enginetest.NoLeaks(t)
			c := enginetest.Fake(t)
			closed := make(chan struct{}, 1)
			boom := func(here string) {
				if here == where {
					panic("boom with hunter2-secret")
				}
			}
			w := enginetest.Start(t, c, nil, enginetest.SourcePlugin(func() connect.Source {
				return &enginetest.Source{
					OnOpen: func(context.Context, connect.SourceContext) error { boom("open"); return nil },
					OnRead: func(ctx context.Context, b *connect.Batch) error {
						boom("read")
						b.Append().Topic = "out"
						b.Mark(connect.Mark{Token: 1})
						return nil
					},
					OnCommit: func(connect.Mark) { boom("commit") },
					OnClose:  func() error { closed <- struct{}{}; return nil },
				}
			}))
			if where == "split" {
				w.Create(t, "src", sourceConf("test.tasks", "-1"))
				status := w.Await(t, "src", engine.Failed)
				if !strings.Contains(status.Connector.Trace, "Split panics as told") {
					t.Errorf("trace: %s", status.Connector.Trace)
				}
				return
			}
			w.Create(t, "src", sourceConf("test.password", "hunter2-secret"))
			status := w.Await(t, "src", engine.Running, engine.Failed)
			trace := status.Tasks[0].Trace
			if !strings.Contains(trace, "panic: boom") || !strings.Contains(trace, "worker_test.go") {
				t.Errorf("trace without the panic or the stack: %s", trace)
			}
			if strings.Contains(trace, "hunter2") {
				t.Errorf("trace with a secret (I6): %s", trace)
			}
			<-closed
		})
	}
}

func TestRestartOnlyFailedTasks(t *testing.T) {
	c := enginetest.Fake(t)
	var log enginetest.Log
	w := enginetest.Start(t, c, nil, enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{OnOpen: func(_ context.Context, sc connect.SourceContext) error {
			log.Add(fmt.Sprint("open ", sc.Task))
			if sc.Task == 1 && strings.Count(fmt.Sprint(log.Events()), "open 1") == 1 {
				return errors.New("not this time")
			}
			return nil
		}}
	}))
	w.Create(t, "src", sourceConf("tasks.max", "2", "test.tasks", "2"))
	status := w.Await(t, "src", engine.Running, engine.Running, engine.Failed)
	if got := status.Tasks[1].Trace; got != "open the source: not this time" {
		t.Errorf("trace: got %q", got)
	}
	planned, err := w.Restart(t.Context(), "src", true, true)
	must(t, err)
	if got := fmt.Sprintf("%s %s %s", planned.Connector.State, planned.Tasks[0].State, planned.Tasks[1].State); got != "RUNNING RUNNING RESTARTING" {
		t.Errorf("plan: got %s", got)
	}
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
	awaitEvents(t, &log, "open 1", 2) // it comes after the state RUNNING
	awaitEvents(t, &log, "open 0", 1)
	must(t, w.RestartTask(t.Context(), engine.TaskID{Connector: "src", Task: 0}))
	awaitEvents(t, &log, "open 0", 2)
}

func TestRetriableErrorsAreRetried(t *testing.T) {
	c := enginetest.Fake(t)
	var log enginetest.Log
	opened, read := 0, 0
	w := enginetest.Start(t, c, nil, enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{
			OnOpen: func(context.Context, connect.SourceContext) error {
				if opened++; opened < 3 {
					return connect.Retriable(errors.New("server away"))
				}
				return nil
			},
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				switch read++; read {
				case 1, 2:
					b.Append().Topic = "wrong" // an error takes it back
					return connect.Retriable(errors.New("server away again"))
				case 3:
					r := b.Append()
					r.Topic, r.Value = "out", connect.StringValue("x")
					return nil
				}
				<-ctx.Done()
				return nil
			},
			OnClose: func() error { log.Add("close"); return nil },
		}
	}))
	w.Create(t, "src", sourceConf("errors.retry.delay.max.ms", "20"))
	enginetest.Consume(t, c, "out", 1)
	w.Await(t, "src", engine.Running, engine.Running)
	if got := len(log.Events()); got != 2 {
		t.Errorf("sources closed: got %d, want 2, one for each Open that failed", got)
	}
}

// TestStuckTaskIsAbandoned checks I5: a call that never returns holds up neither
// the REST API nor the next instance.
func TestStuckTaskIsAbandoned(t *testing.T) {
	for _, where := range []string{"open", "read", "close"} {
		t.Run(where, func(t *testing.T) {
			c := enginetest.Fake(t)
			release := make(chan struct{})
			opened, stuck := make(chan struct{}, 10), make(chan struct{}, 10)
			var instances atomic.Int32
			w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.TaskShutdownTimeout = 100 * time.Millisecond },
				enginetest.SourcePlugin(func() connect.Source {
					number := instances.Add(1)
					hang := func(here string) {
						if here == where && number == 1 {
							stuck <- struct{}{}
							<-release
						}
					}
					return &enginetest.Source{
						OnOpen: func(context.Context, connect.SourceContext) error {
							opened <- struct{}{}
							hang("open")
							return nil
						},
						OnRead: func(ctx context.Context, b *connect.Batch) error {
							hang("read")
							<-ctx.Done()
							return ctx.Err()
						},
						OnClose: func() error { hang("close"); return nil },
					}
				}))
			w.Create(t, "src", sourceConf())
			w.Await(t, "src", engine.Running, engine.Running)
			<-opened // or there is nothing to close
			if where != "close" {
				<-stuck
			}
			config := sourceConf("test.number", "2")
			if _, _, err := w.PutConfig(t.Context(), "src", config); err != nil {
				t.Fatal(err)
			}
			enginetest.Eventually(t, func() bool { return instances.Load() == 2 }, func() string { return "no new instance was started" })
			w.Await(t, "src", engine.Running, engine.Running)
			must(t, w.Delete(t.Context(), "src"))
			w.Stop(t)
			close(release)
		})
	}
}

func TestChangesAreRefusedWhileDraining(t *testing.T) {
	c := enginetest.Fake(t)
	w := enginetest.Start(t, c, nil, counting("out", 10, new(enginetest.Log)))
	w.Create(t, "src", sourceConf())
	w.Stop(t)
	_, err := w.Worker.Create(t.Context(), "late", sourceConf(), "")
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.KindUnavailable || e.Message != "Worker is shutting down" {
		t.Errorf("got %v, want Worker is shutting down", err)
	}
}
