package meters

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Worker is what is known of the connectors and tasks of one worker. The zero
// value is ready. Its methods may be called by any number of goroutines.
type Worker struct {
	starts startups

	mu         sync.Mutex // guards the fields below
	connectors map[string]*connector
	tasks      map[string]map[int]*Task
	rebalances func() Rebalances
}

// startups are the starts of connectors and tasks since the worker's own.
type startups struct {
	connectorAttempts, connectorSuccesses, connectorFailures atomic.Int64
	taskAttempts, taskSuccesses, taskFailures                atomic.Int64
}

type connector struct {
	state    string
	restarts int64
}

// Rebalances is what the worker's group protocol tells of itself.
type Rebalances struct {
	Leader      string // URL of the leading worker
	Protocol    string // eager, compatible or sessioned
	Epoch       int64  // generation of the group
	Completed   int64  // rebalances since the worker started
	Rebalancing bool
	Avg, Max    time.Duration
	Last        time.Time // end of the last rebalance; zero: there was none
	// Connectors and Tasks are assigned to this worker.
	Connectors, Tasks int
}

// WatchRebalances gives the worker where each scrape reads the state of the
// group. A worker that is alone in its group has none.
func (w *Worker) WatchRebalances(f func() Rebalances) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rebalances = f
}

func (w *Worker) connector(name string) *connector {
	if w.connectors == nil {
		w.connectors = make(map[string]*connector)
	}
	c := w.connectors[name]
	if c == nil {
		c = &connector{}
		w.connectors[name] = c
	}
	return c
}

// SetConnectorState notes the state of a connector that runs here.
func (w *Worker) SetConnectorState(name, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connector(name).state = strings.ToLower(state)
}

// ConnectorStarted counts an attempt to start a connector.
func (w *Worker) ConnectorStarted(err error) {
	w.starts.connectorAttempts.Add(1)
	if err != nil {
		w.starts.connectorFailures.Add(1)
	} else {
		w.starts.connectorSuccesses.Add(1)
	}
}

// ConnectorRestarted counts a restart that the worker makes by itself.
func (w *Worker) ConnectorRestarted(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connector(name).restarts++
}

// ForgetConnector drops a connector that does not run here any more.
func (w *Worker) ForgetConnector(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.connectors, name)
}

// Task returns a task, which is there from now on.
func (w *Worker) Task(name string, number int) *Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tasks == nil {
		w.tasks = make(map[string]map[int]*Task)
	}
	if w.tasks[name] == nil {
		w.tasks[name] = make(map[int]*Task)
	}
	t := w.tasks[name][number]
	if t == nil {
		t = &Task{starts: &w.starts}
		w.tasks[name][number] = t
	}
	return t
}

// SetTaskState notes the state of a task that runs here.
func (w *Worker) SetTaskState(name string, number int, state string) {
	w.Task(name, number).setState(strings.ToLower(state))
}

// TaskRestarted counts a restart that the worker makes by itself.
func (w *Worker) TaskRestarted(name string, number int) { w.Task(name, number).restarted() }

// ForgetTask drops a task that does not run here any more.
func (w *Worker) ForgetTask(name string, number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if delete(w.tasks[name], number); len(w.tasks[name]) == 0 {
		delete(w.tasks, name)
	}
}

// taskSample is a task at a scrape.
type taskSample struct {
	connector, number string
	task              *Task
	counts
}

// connectorSample is a connector at a scrape.
type connectorSample struct {
	name string
	connector
}

// sample copies everything, in order.
func (w *Worker) sample(now time.Time) (cs []connectorSample, ts []taskSample, r *Rebalances) {
	w.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(w.connectors)) {
		cs = append(cs, connectorSample{name, *w.connectors[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(w.tasks)) {
		for _, n := range slices.Sorted(maps.Keys(w.tasks[name])) {
			ts = append(ts, taskSample{connector: name, number: itoa(n), task: w.tasks[name][n]})
		}
	}
	rebalances := w.rebalances
	w.mu.Unlock()
	for i := range ts {
		ts[i].counts = ts[i].task.load(now)
	}
	if rebalances != nil {
		all := rebalances()
		r = &all
	}
	return cs, ts, r
}

func compareTopicPartition(a, b connect.TopicPartition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
