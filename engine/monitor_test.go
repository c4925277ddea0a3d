package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// tables is a system whose tables a connector divides among its tasks.
type tables struct {
	count   atomic.Int32
	changed chan func() // of the Monitor that runs
	ended   chan struct{}
	log     enginetest.Log
	fail    chan error
}

func newTables(n int32) *tables {
	tb := &tables{changed: make(chan func(), 10), ended: make(chan struct{}, 10), fail: make(chan error)}
	tb.count.Store(n)
	return tb
}

func (tb *tables) plugin() connect.Spec {
	h := &hooks{
		onSplit: func(maxTasks int) []map[string]string {
			n := int(tb.count.Load())
			if n < 0 {
				panic("no tables, password hunter2-secret")
			}
			tasks := make([]map[string]string, n)
			for i := range tasks {
				tasks[i] = map[string]string{"hooked.option": fmt.Sprint("table ", i)}
			}
			return tasks
		},
		onMonitor: func(ctx context.Context, changed func()) error {
			defer func() { tb.ended <- struct{}{} }()
			tb.changed <- changed
			select {
			case <-ctx.Done():
				return ctx.Err()
			case err := <-tb.fail:
				return err
			}
		},
		source: func() connect.Source {
			return &enginetest.Source{OnOpen: func(_ context.Context, sc connect.SourceContext) error {
				tb.log.Add(fmt.Sprint("open ", sc.Task))
				return nil
			}}
		},
	}
	return h.plugin()
}

func tablesConf() map[string]string {
	return conf(hookedClass, "tasks.max", "3", "hooked.password", "hunter2-secret")
}

// TestConnectorAsksForOtherTasks adds and removes a table: only the tasks that
// differ change.
func TestConnectorAsksForOtherTasks(t *testing.T) {
	enginetest.NoLeaks(t)
	tb := newTables(1)
	w := enginetest.Start(t, enginetest.Fake(t), nil, tb.plugin())
	w.Create(t, "src", tablesConf())
	changed := <-tb.changed
	w.Await(t, "src", engine.Running, engine.Running)
	tb.count.Store(2)
	changed()
	changed()
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
	tb.count.Store(1)
	changed()
	w.Await(t, "src", engine.Running, engine.Running)
	awaitEvents(t, &tb.log, "open 0", 1) // the task that did not change
	select {
	case <-tb.ended:
		t.Error("the monitor was ended by a change of the tasks")
	default:
	}
}

// TestMonitorFollowsTheConnector ends with a pause, a stop, a new config and the
// connector; what changed meanwhile is seen on resume.
func TestMonitorFollowsTheConnector(t *testing.T) {
	enginetest.NoLeaks(t)
	tb := newTables(1)
	w := enginetest.Start(t, enginetest.Fake(t), nil, tb.plugin())
	w.Create(t, "src", tablesConf())
	stale := <-tb.changed
	w.Await(t, "src", engine.Running, engine.Running)
	must(t, w.Pause(t.Context(), "src"))
	<-tb.ended
	tb.count.Store(2)
	stale()
	must(t, w.Resume(t.Context(), "src"))
	<-tb.changed
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
	must(t, w.Worker.Stop(t.Context(), "src"))
	<-tb.ended
	must(t, w.Resume(t.Context(), "src"))
	<-tb.changed
	config := tablesConf()
	config["errors.log.enable"] = "true"
	_, _, err := w.PutConfig(t.Context(), "src", config)
	must(t, err)
	<-tb.ended
	<-tb.changed
	must(t, w.Delete(t.Context(), "src"))
	<-tb.ended
}

// TestMonitorThatFails fails the connector and not its tasks; a restart watches
// again.
func TestMonitorThatFails(t *testing.T) {
	enginetest.NoLeaks(t)
	tb := newTables(1)
	w := enginetest.Start(t, enginetest.Fake(t), nil, tb.plugin())
	w.Create(t, "src", tablesConf())
	<-tb.changed
	w.Await(t, "src", engine.Running, engine.Running)
	tb.fail <- errors.New("the server is gone, hunter2-secret")
	status := w.Await(t, "src", engine.Failed, engine.Running)
	if trace := status.Connector.Trace; !strings.Contains(trace, "the server is gone, [hidden]") {
		t.Errorf("trace: %s", trace)
	}
	_, err := w.Restart(t.Context(), "src", false, false)
	must(t, err)
	<-tb.changed
	w.Await(t, "src", engine.Running, engine.Running)
}

// TestSplitThatFailsLater fails the connector, hides secrets (I6), and leaves the
// tasks that run.
func TestSplitThatFailsLater(t *testing.T) {
	enginetest.NoLeaks(t)
	tb := newTables(1)
	w := enginetest.Start(t, enginetest.Fake(t), nil, tb.plugin())
	w.Create(t, "src", tablesConf())
	changed := <-tb.changed
	w.Await(t, "src", engine.Running, engine.Running)
	tb.count.Store(-1)
	changed()
	status := w.Await(t, "src", engine.Failed, engine.Running)
	if strings.Contains(status.Connector.Trace, "hunter2") || !strings.Contains(status.Connector.Trace, "no tables") {
		t.Errorf("trace: %s", status.Connector.Trace)
	}
	tb.count.Store(2)
	_, err := w.Restart(t.Context(), "src", false, true)
	must(t, err)
	w.Await(t, "src", engine.Running, engine.Running, engine.Running)
}

// TestTasksMaxIsEnforced fails a connector that makes more tasks than tasks.max,
// unless it is told not to (KIP-1004).
func TestTasksMaxIsEnforced(t *testing.T) {
	tb := newTables(4)
	w := enginetest.Start(t, enginetest.Fake(t), nil, tb.plugin())
	w.Create(t, "src", tablesConf())
	status := w.Await(t, "src", engine.Failed)
	if !strings.Contains(status.Connector.Trace, "The connector src has generated 4 tasks, which is greater than 3, the maximum number of tasks it is configured to create. ") {
		t.Errorf("trace: %s", status.Connector.Trace)
	}
	config := tablesConf()
	config["tasks.max.enforce"] = "false"
	_, _, err := w.PutConfig(t.Context(), "src", config)
	must(t, err)
	w.Await(t, "src", engine.Running, engine.Running, engine.Running, engine.Running, engine.Running)
}
