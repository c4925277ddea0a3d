package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// leaving is a source whose tasks leave something behind.
type leaving struct {
	tasks  atomic.Int32
	log    enginetest.Log
	remove func(ctx context.Context) error // may be nil
}

func (l *leaving) plugin() connect.Spec {
	h := &hooks{
		onSplit: func(int) []map[string]string {
			tasks := make([]map[string]string, l.tasks.Load())
			for i := range tasks {
				tasks[i] = map[string]string{"hooked.option": fmt.Sprint("session ", i)}
			}
			return tasks
		},
		onRemove: func(ctx context.Context, rc connect.RemoveContext, option string) error {
			why := "fewer tasks"
			if rc.Deleted {
				why = "deleted"
			}
			l.log.Add(fmt.Sprintf("remove %s of %s task %d: %s", option, rc.Connector, rc.Task, why))
			if l.remove != nil {
				return l.remove(ctx)
			}
			return nil
		},
		source: func() connect.Source {
			var task int
			return &enginetest.Source{
				OnOpen: func(_ context.Context, sc connect.SourceContext) error {
					task = sc.Task
					l.log.Add(fmt.Sprintf("open %d of %s", task, sc.Connector))
					return nil
				},
				OnClose: func() error { l.log.Add(fmt.Sprint("close ", task)); return nil },
			}
		},
	}
	return h.plugin()
}

func (l *leaving) count(part string) int {
	return strings.Count(strings.Join(l.log.Events(), "\n"), part)
}

func (l *leaving) await(t *testing.T, part string, n int) {
	t.Helper()
	enginetest.Eventually(t, func() bool { return l.count(part) == n },
		func() string { return fmt.Sprintf("want %d times %q in %q", n, part, l.log.Events()) })
}

// TestRemoveAfterDelete: each task's leftovers are removed once, after it has closed.
func TestRemoveAfterDelete(t *testing.T) {
	enginetest.NoLeaks(t)
	l := new(leaving)
	l.tasks.Store(2)
	w := enginetest.Start(t, enginetest.Fake(t), nil, l.plugin())
	w.Create(t, "src", tablesConf())
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
	l.await(t, "open", 2)
	must(t, w.Delete(t.Context(), "src"))
	l.await(t, "remove", 2)
	events := l.log.Events()
	for n := range 2 {
		closed, removed := slices.Index(events, fmt.Sprint("close ", n)), slices.Index(events, fmt.Sprintf("remove session %d of src task %d: deleted", n, n))
		if closed < 0 || removed < closed {
			t.Errorf("task %d: want close before remove: %q", n, events)
		}
	}
}

// TestRemoveAfterFewerTasks removes what is no more and nothing else; pause, stop and
// resume remove nothing.
func TestRemoveAfterFewerTasks(t *testing.T) {
	enginetest.NoLeaks(t)
	l := new(leaving)
	l.tasks.Store(2)
	w := enginetest.Start(t, enginetest.Fake(t), nil, l.plugin())
	w.Create(t, "src", tablesConf())
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
	must(t, w.Worker.Stop(t.Context(), "src"))
	w.Await(t, "src", engine.Stopped)
	must(t, w.Resume(t.Context(), "src"))
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
	if n := l.count("remove"); n != 0 {
		t.Errorf("a stop removes something: %q", l.log.Events())
	}
	l.tasks.Store(1)
	config := tablesConf()
	config["errors.log.enable"] = "true"
	_, _, err := w.PutConfig(t.Context(), "src", config)
	must(t, err)
	l.await(t, "remove", 1)
	l.await(t, "remove session 1 of src task 1: fewer tasks", 1)
	w.Await(t, "src", engine.Running, engine.Running)
}

// TestRemoveOfStoppedConnector: a connector that is deleted while it is stopped has
// left something, too.
func TestRemoveOfStoppedConnector(t *testing.T) {
	enginetest.NoLeaks(t)
	l := new(leaving)
	l.tasks.Store(2)
	w := enginetest.Start(t, enginetest.Fake(t), nil, l.plugin())
	w.Create(t, "src", tablesConf())
	l.await(t, "open", 2)
	must(t, w.Worker.Stop(t.Context(), "src"))
	w.Await(t, "src", engine.Stopped)
	l.await(t, "close", 2)
	must(t, w.Delete(t.Context(), "src"))
	l.await(t, "remove session", 2)
}

// TestRemoveThatHangs holds up neither REST nor other connectors, only the tasks of a
// connector of the same name.
func TestRemoveThatHangs(t *testing.T) {
	enginetest.NoLeaks(t)
	l := new(leaving)
	l.tasks.Store(1)
	release := make(chan struct{})
	l.remove = func(ctx context.Context) error {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return errors.New("refused for hunter2-secret")
	}
	w := enginetest.Start(t, enginetest.Fake(t), nil, l.plugin())
	w.Create(t, "src", tablesConf())
	l.await(t, "open 0 of src", 1)
	must(t, w.Delete(t.Context(), "src"))
	l.await(t, "remove", 1)
	w.Create(t, "src", tablesConf())
	w.Create(t, "other", tablesConf())
	w.Await(t, "other", engine.Running, engine.Running)
	l.await(t, "open 0 of other", 1) // after its state is RUNNING
	if l.count("open 0 of src") != 1 {
		t.Errorf("a task was opened while what its predecessor left is removed: %q", l.log.Events())
	}
	close(release)
	w.Await(t, "src", engine.Running, engine.Running)
	l.await(t, "open 0 of src", 2)
}

// TestRemoveIsResumed: what a worker had not removed when it ended, the next one
// removes, once.
func TestRemoveIsResumed(t *testing.T) {
	enginetest.NoLeaks(t)
	cluster := enginetest.Fake(t)
	l := new(leaving)
	l.tasks.Store(2)
	l.remove = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	w := enginetest.Start(t, cluster, nil, l.plugin())
	w.Create(t, "src", tablesConf())
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
	must(t, w.Delete(t.Context(), "src"))
	l.await(t, "remove", 2)
	w.Stop(t)

	next := new(leaving)
	next.tasks.Store(2)
	w = enginetest.Start(t, cluster, nil, next.plugin())
	next.await(t, ": deleted", 2)
	if next.count("open") > 0 {
		t.Errorf("a deleted connector runs: %q", next.log.Events())
	}
	enginetest.Eventually(t, func() bool { return removals(t, cluster) == 0 },
		func() string { return fmt.Sprintf("%d removals are still noted", removals(t, cluster)) })
	w.Stop(t)

	last := new(leaving)
	w = enginetest.Start(t, cluster, nil, last.plugin())
	w.Create(t, "other", tablesConf()) // what is to be resumed has begun before
	w.Await(t, "other", engine.Running)
	if last.count("remove") > 0 {
		t.Errorf("it is removed again: %q", last.log.Events())
	}
}

// removals returns how many removals the config topic says are to be done.
func removals(t *testing.T, c *enginetest.Cluster) int {
	t.Helper()
	ends, err := kadm.NewClient(enginetest.Client(t, c)).ListEndOffsets(t.Context(), "connect-configs")
	must(t, err)
	end, _ := ends.Lookup("connect-configs", 0)
	left := make(map[string]bool)
	for _, r := range enginetest.Consume(t, c, "connect-configs", int(end.Offset)) {
		if strings.HasPrefix(string(r.Key), "sluice-removal-") {
			left[string(r.Key)] = r.Value != nil
		}
	}
	n := 0
	for _, is := range left {
		if is {
			n++
		}
	}
	return n
}
