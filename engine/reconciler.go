package engine

import (
	"context"
	"crypto/sha256"
	"maps"
	"sync"

	"github.com/sluice-data/sluice/engine/internal/meters"
)

// reconciler makes what runs equal to what should run. One goroutine owns all
// its fields but the queue; it never waits for a connector (I5).
type reconciler struct {
	cfg     *Config
	stores  *stores
	plugins *plugins

	connectors map[string]*connector
	owned      ownership
	workers    map[string]bool // the ids of the group's members; the leader's
	ledger     restartLedger
	meters     meters.Worker
	draining   bool
	// over is closed when run returns: no event is handled any more.
	over chan struct{}
	// group takes what connectors need stored; set before run.
	group *group

	// background are the goroutines that the reconciler started and that will
	// end by themselves: waits for stopping tasks, preparations.
	background sync.WaitGroup
	// lifetime ends when preparations should give up.
	lifetime context.Context

	mu     sync.Mutex // guards queue
	queue  []event
	posted chan struct{} // has a token when queue may not be empty
}

// event is something that happened, handled on the reconciler's goroutine.
type event func(*reconciler)

// connector is what the reconciler knows of a connector that should run or whose
// tasks still do.
type connector struct {
	name      string
	mine      bool  // the connector's instance runs here, not just tasks
	prepared  int64 // revision that tasks were made from, -1: none
	asked     int64 // revision that was prepared last, with success or without
	again     bool  // the tasks may have to be others: split once more
	preparing bool
	// stopPreparing ends a preparation whose result nobody wants any more.
	stopPreparing context.CancelFunc
	unwanted      bool
	failed        error // of the last preparation
	state         State // reported last
	// sum is of the values that references in the config had when it was prepared.
	sum   [sha256.Size]byte
	tasks map[int]*instance
	idle  []chan struct{} // closed once there are no tasks

	stopMonitor context.CancelFunc // nil: nothing watches
	removal     removal
	restarts    connectorRestarts
}

func newReconciler(cfg *Config, p *plugins) *reconciler {
	r := &reconciler{cfg: cfg, plugins: p, connectors: make(map[string]*connector), over: make(chan struct{}), posted: make(chan struct{}, 1)}
	if cfg.Group.alone() {
		r.owned = aloneOwnership()
	}
	return r
}

// post adds an event. It never blocks. The queue is as long as there are
// connectors and tasks to report on.
func (r *reconciler) post(e event) {
	r.mu.Lock()
	r.queue = append(r.queue, e)
	r.mu.Unlock()
	select {
	case r.posted <- struct{}{}:
	default:
	}
}

// changed takes a change of the config topic over from the follower.
func (r *reconciler) changed(c configChange) {
	r.post(func(r *reconciler) {
		if c.logger != "" {
			r.setLogLevel(c.logger, c.level)
			return
		}
		if c.restart != nil {
			r.restart(c.connector, *c.restart)
			return
		}
		r.reconcile(c.connector)
	})
}

// run works until ctx ends, then stops all tasks and returns when they have.
func (r *reconciler) run(ctx context.Context) {
	defer close(r.over)
	lifetime, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.lifetime = lifetime
	r.start()
	for ctx.Err() == nil {
		r.handleAll()
		select {
		case <-r.posted:
		case <-ctx.Done():
		}
	}
	r.drain(cancel)
}

// forget drops what was asked for before this worker started, such as old
// restarts. Nobody may have been told yet that the worker is ready.
func (r *reconciler) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = nil
}

// start resumes every connector where it was.
func (r *reconciler) start() {
	for _, name := range r.stores.configs.names() {
		r.reconcile(name)
	}
	r.forgetDeleted()
	if r.owned.all {
		r.resumeRemovals()
	}
}

func (r *reconciler) handleAll() {
	r.mu.Lock()
	queue := r.queue
	r.queue = nil
	r.mu.Unlock()
	for _, e := range queue {
		e(r)
	}
}

// reconcile compares one connector with what it should be and takes the next
// steps. What it has to wait for ends in an event that calls it again.
func (r *reconciler) reconcile(name string) {
	want, ok := r.stores.configs.connector(name)
	c := r.connectors[name]
	switch {
	case r.draining:
		return
	case !ok:
		r.remove(c)
		return
	case c == nil && !r.owned.anyOf(name):
		return
	case c == nil:
		c = &connector{name: name, prepared: -1, asked: -1, tasks: make(map[int]*instance)}
		r.connectors[name] = c
	}
	if r.disown(c); !r.owned.anyOf(name) {
		r.forgetEmpty(c)
		return
	}
	c.mine = r.owned.connector(name)
	c.removal.wanted(want.config)
	switch want.target {
	case TargetStopped:
		r.reconcileStopped(c)
	case TargetPaused:
		r.unwatch(c)
		r.report(c, Paused, "")
		r.reconcileTasks(c, want)
	default:
		if c.mine {
			r.prepare(c, want)
		}
		r.reconcileTasks(c, want)
	}
}

// remove stops the tasks of a deleted connector, then forgets its status.
func (r *reconciler) remove(c *connector) {
	if c == nil {
		return
	}
	r.unwatch(c)
	r.forgetAllRestarts(c)
	r.stopTasks(c)
	if len(c.tasks) == 0 && !c.removal.busy() && !r.sweep(c) {
		r.removed(c)
		r.forgetEmpty(c)
		r.forgetStatus(c.name)
		r.cfg.Logger.Info("connector deleted", logConnector, c.name)
	}
}

// forgetEmpty forgets a connector of which nothing runs here any more.
func (r *reconciler) forgetEmpty(c *connector) {
	if len(c.tasks) == 0 && !c.removal.busy() {
		c.tellIdle()
		delete(r.connectors, c.name)
		r.meters.ForgetConnector(c.name)
	}
}

func (r *reconciler) forgetStatus(name string) {
	r.stores.statuses.deleteConnector(name)
	r.stores.statuses.deleteTopics(name)
	for _, n := range r.stores.statuses.taskNumbers(name) {
		r.stores.statuses.deleteTask(TaskID{name, n})
	}
}

func (r *reconciler) reconcileStopped(c *connector) {
	r.unwatch(c)
	r.forgetAllRestarts(c)
	r.stopTasks(c)
	r.report(c, Stopped, "")
	r.forgetTasks(c, 0)
}

// reconcileTasks starts, stops and pauses tasks as the committed task configs and
// the target state ask for.
func (r *reconciler) reconcileTasks(c *connector, want connectorState) {
	paused := want.target == TargetPaused
	for n, i := range c.tasks {
		switch {
		case i.stopping:
		case n >= len(want.tasks) || r.outdated(i, want):
			r.forgetRestarts(c, n)
			r.stopTask(i)
		case i.gate.set(paused) && !i.failed:
			r.reportTask(i, i.state(paused), "")
		}
	}
	for n := range want.tasks {
		if c.tasks[n] == nil && !c.removal.holds(n) && r.owned.task(TaskID{c.name, n}) {
			r.startTask(c, n, want, paused)
		}
	}
	r.forgetTasks(c, len(want.tasks))
}

// outdated tells whether a task has to run anew. One that writes in transactions
// does even when just the others have changed: the leader fences every task of
// the generation before (KIP-618).
func (r *reconciler) outdated(i *instance, want connectorState) bool {
	if !maps.Equal(i.config, want.tasks[i.id.Task]) {
		return true
	}
	return i.committed != want.committed && r.cfg.ExactlyOnceSource == ExactlyOnceEnabled && r.plugins.kind(want.config) == typeSource
}

// forgetTasks removes the status of tasks that are no more, from a number on.
// What still runs on another worker is left to that one.
func (r *reconciler) forgetTasks(c *connector, from int) {
	if !c.mine {
		return
	}
	for _, n := range r.stores.statuses.taskNumbers(c.name) {
		if id := (TaskID{c.name, n}); n >= from && c.tasks[n] == nil && !r.runsElsewhere(id) {
			r.stores.statuses.deleteTask(id)
		}
	}
}

func (i *instance) state(paused bool) State {
	if paused {
		return Paused
	}
	return Running
}

// report writes the connector's state when it is another one.
func (r *reconciler) report(c *connector, state State, trace string) {
	if c.state == state || !c.mine {
		return
	}
	c.state = state
	r.meters.SetConnectorState(c.name, string(state))
	if state == Failed {
		r.stores.statuses.putConnectorSafely(c.name, r.owned.generation, state, trace)
	} else {
		r.stores.statuses.putConnector(c.name, r.owned.generation, state, trace)
	}
	r.cfg.Logger.Info("connector state", logConnector, c.name, "state", state)
}

func (r *reconciler) reportTask(i *instance, state State, trace string) {
	r.meters.SetTaskState(i.id.Connector, i.id.Task, string(state))
	if state == Failed {
		r.stores.statuses.putTaskSafely(i.id, r.owned.generation, state, trace)
	} else {
		r.stores.statuses.putTask(i.id, r.owned.generation, state, trace)
	}
	r.cfg.Logger.Info("task state", logConnector, i.id.Connector, logTask, i.id.Task, "state", state)
}
