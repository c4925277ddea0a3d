package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// restartTasks is the number of tasks of the connector that is restarted.
const restartTasks = 3

// lifecycle is a connector with restartTasks tasks that notes what starts and
// stops, and fails where it is told to: the connector by its option "fails", a
// task by its number.
type lifecycle struct {
	log          enginetest.Log
	failingTasks map[int]bool
	failing      bool // the connector
}

func (l *lifecycle) plugin() connect.Spec {
	h := &hooks{
		onSplit: func(int) []map[string]string {
			l.log.Add("start connector")
			if l.failing {
				panic("the connector does not start")
			}
			return make([]map[string]string, restartTasks)
		},
		onMonitor: func(ctx context.Context, _ func()) error {
			<-ctx.Done()
			l.log.Add("stop connector")
			return ctx.Err()
		},
		source: func() connect.Source {
			task := -1
			return &enginetest.Source{
				OnOpen: func(_ context.Context, sc connect.SourceContext) error {
					task = sc.Task
					l.log.Add(fmt.Sprint("start ", task))
					if l.failingTasks[task] {
						return errors.New("the task does not start")
					}
					return nil
				},
				OnClose: func() error { l.log.Add(fmt.Sprint("stop ", task)); return nil },
			}
		},
	}
	return h.plugin()
}

func (l *lifecycle) count(event string) int {
	n := 0
	for _, e := range l.log.Events() {
		if e == event {
			n++
		}
	}
	return n
}

// states are those of the connector and its tasks as long as nothing changes.
func (l *lifecycle) states() []engine.State {
	if l.failing {
		return []engine.State{engine.Failed}
	}
	states := []engine.State{engine.Running}
	for n := range restartTasks {
		if l.failingTasks[n] {
			states = append(states, engine.Failed)
		} else {
			states = append(states, engine.Running)
		}
	}
	return states
}

type restartCase struct {
	name                     string
	failing                  bool
	failingTasks             []int
	onlyFailed, includeTasks bool
	connector                int   // restarts of it
	tasks                    []int // that are restarted
}

var allTasks = []int{0, 1, 2}

// restartCases are those of Kafka Connect's own tests of its restart endpoint with
// one worker (KIP-745).
func restartCases() []restartCase {
	return []restartCase{
		{name: "running, connector", connector: 1},
		{name: "running, connector and tasks", includeTasks: true, connector: 1, tasks: allTasks},
		{name: "running, only failed connector", onlyFailed: true},
		{name: "running, only failed connector and tasks", onlyFailed: true, includeTasks: true},
		{name: "connector failed, connector", failing: true, connector: 1},
		{name: "connector failed, connector and tasks", failing: true, includeTasks: true, connector: 1},
		{name: "connector failed, only failed connector and tasks", failing: true, onlyFailed: true, includeTasks: true, connector: 1},
		{name: "tasks failed, connector", failingTasks: allTasks, connector: 1},
		{name: "tasks failed, only failed connector and tasks", failingTasks: allTasks, onlyFailed: true, includeTasks: true, tasks: allTasks},
		{name: "tasks failed, only failed connector", failingTasks: allTasks, onlyFailed: true},
		{name: "tasks failed, connector and tasks", failingTasks: allTasks, includeTasks: true, connector: 1, tasks: allTasks},
		{name: "one task failed, only failed connector and tasks", failingTasks: []int{1}, onlyFailed: true, includeTasks: true, tasks: []int{1}},
	}
}

// TestRestartAPI wants exactly what was asked for to be restarted, and the answer
// to say what that is.
func TestRestartAPI(t *testing.T) {
	c := enginetest.Fake(t)
	for n, test := range restartCases() {
		t.Run(test.name, func(t *testing.T) {
			l := &lifecycle{failing: test.failing, failingTasks: map[int]bool{}}
			for _, task := range test.failingTasks {
				l.failingTasks[task] = true
			}
			w := enginetest.Start(t, c, inTopics(fmt.Sprint("restart-", n)), l.plugin(), normal(new(enginetest.Log)))
			w.Create(t, "src", conf(hookedClass, "tasks.max", fmt.Sprint(restartTasks)))
			w.Await(t, "src", l.states()...)
			plan, err := w.Restart(t.Context(), "src", test.includeTasks, test.onlyFailed)
			must(t, err)
			test.checkPlan(t, plan, l)
			// What another connector needs to run is more than what the restart needs to begin.
			w.Create(t, "other", sourceConf())
			w.Await(t, "other", engine.Running, engine.Running)
			l.await(t, "start connector", 1+test.connector)
			for task := range restartTasks {
				if !test.failing {
					l.await(t, fmt.Sprint("start ", task), 1+test.restarts(task))
				}
			}
			w.Await(t, "src", l.states()...)
			w.Stop(t)
			test.checkCounts(t, l)
		})
	}
}

// inTopics gives a worker internal topics of its own on a cluster that workers
// share.
func inTopics(prefix string) func(*engine.Config) {
	return func(cfg *engine.Config) {
		cfg.AutoRestartDisabled = true
		cfg.GroupID = prefix
		cfg.ConfigTopic.Name, cfg.OffsetTopic.Name, cfg.StatusTopic.Name = prefix+"-configs", prefix+"-offsets", prefix+"-status"
	}
}

func (l *lifecycle) await(t *testing.T, event string, count int) {
	t.Helper()
	enginetest.Eventually(t, func() bool { return l.count(event) >= count },
		func() string { return fmt.Sprintf("%q: want %d times, got %v", event, count, l.log.Events()) })
}

func (c *restartCase) restarts(task int) int {
	for _, n := range c.tasks {
		if n == task {
			return 1
		}
	}
	return 0
}

func (c *restartCase) checkPlan(t *testing.T, plan engine.ConnectorStatus, l *lifecycle) {
	t.Helper()
	want := l.states()
	if c.connector > 0 {
		want[0] = engine.Restarting
	}
	for _, n := range c.tasks {
		want[1+n] = engine.Restarting
	}
	got := []engine.State{plan.Connector.State}
	for _, task := range plan.Tasks {
		got = append(got, task.State)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the answer says %v, want %v", got, want)
	}
}

// checkCounts wants each start counted after the worker has stopped, and each that
// did not fail stopped.
func (c *restartCase) checkCounts(t *testing.T, l *lifecycle) {
	t.Helper()
	starts := 1 + c.connector
	if got := l.count("start connector"); got != starts {
		t.Errorf("the connector was started %d times, want %d", got, starts)
	}
	if got := l.count("stop connector"); !c.failing && got != starts {
		t.Errorf("the connector was stopped %d times, want %d", got, starts)
	}
	for task := range restartTasks {
		want := 1 + c.restarts(task)
		if c.failing {
			want = 0
		}
		for _, event := range []string{"start", "stop"} {
			if got := l.count(fmt.Sprint(event, " ", task)); got != want {
				t.Errorf("%s %d: %d times, want %d", event, task, got, want)
			}
		}
	}
}

// TestRestartOfAnUnknownConnector wants 404 with any flags.
func TestRestartOfAnUnknownConnector(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil)
	for _, flags := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		_, err := w.Restart(t.Context(), "unknown", flags[0], flags[1])
		if e, _ := errors.AsType[*engine.Error](err); e == nil || e.Kind != engine.KindNotFound || e.Message != "Unknown connector: unknown" {
			t.Errorf("includeTasks, onlyFailed = %v: got %v", flags, err)
		}
	}
}
