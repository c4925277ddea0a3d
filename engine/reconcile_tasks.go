package engine

import (
	"context"
	"errors"
	"sync"
)

// startTask runs a task in goroutines of its own.
func (r *reconciler) startTask(c *connector, number int, want connectorState, paused bool) {
	i := newInstance(TaskID{c.name, number}, want.tasks[number], want.committed, r.meters.Task(c.name, number).Begin())
	r.noteReferences(c, want)
	i.gate.set(paused)
	c.tasks[number] = i
	c.began(number)
	r.reportTask(i, i.state(paused), "")
	// A task that is abandoned is waited for by nobody: its goroutine ends when
	// the connector's code does.
	go func() {
		err := guard(func() error { return r.runTask(i) })
		i.meter.Ended(err)
		close(i.done)
		r.post(func(r *reconciler) { r.taskEnded(i, err) })
	}()
}

// taskEnded fails a task that was not asked to stop.
func (r *reconciler) taskEnded(i *instance, err error) {
	c := r.connectors[i.id.Connector]
	if c == nil || c.tasks[i.id.Task] != i || i.stopping || r.draining {
		return // muted: another instance may have its place
	}
	if err == nil {
		err = errors.New("the task ended without being asked to")
	}
	i.failed = true
	i.killNow()
	text := trace(err)
	r.reportTask(i, Failed, text)
	r.cfg.Logger.Error("task failed", logConnector, i.id.Connector, logTask, i.id.Task, logError, text)
	r.scheduleRestart(c, i.id.Task, text, func(r *reconciler) {
		if c.tasks[i.id.Task] == i {
			r.restartTask(i)
		}
	})
}

func (r *reconciler) stopTasks(c *connector) {
	for _, i := range c.tasks {
		if !i.stopping {
			r.stopTask(i)
		}
	}
}

// stopTask stops a task in the background and reconciles its connector when it
// has stopped or has been abandoned.
func (r *reconciler) stopTask(i *instance) {
	i.stopping = true
	r.background.Go(func() {
		stopped := i.shutdown(r.cfg.stopTimeout())
		r.post(func(r *reconciler) { r.taskStopped(i, stopped) })
	})
}

func (r *reconciler) taskStopped(i *instance, stopped bool) {
	if !stopped {
		r.cfg.Logger.Warn("task did not stop in time and is left to itself", logConnector, i.id.Connector, logTask, i.id.Task,
			"timeout", r.cfg.stopTimeout())
	}
	defer close(i.gone)
	c := r.connectors[i.id.Connector]
	if c == nil || c.tasks[i.id.Task] != i {
		return
	}
	delete(c.tasks, i.id.Task)
	c.tellIdle()
	r.reportGone(i)
	r.removeTask(c, i)
	r.reconcile(c.name)
	if c.tasks[i.id.Task] == nil { // it was not a restart
		r.meters.ForgetTask(i.id.Connector, i.id.Task)
	}
}

// restart follows a restart request (KIP-745).
func (r *reconciler) restart(name string, req restartRequest) {
	c := r.connectors[name]
	want, ok := r.stores.configs.connector(name)
	if c == nil || !ok || r.draining {
		return
	}
	if (!req.OnlyFailed || c.state == Failed) && want.target == TargetStarted && c.mine {
		r.forgetRestarts(c, connectorInstance)
		r.unwatch(c)
		c.prepared = -1
		r.report(c, Restarting, "")
	}
	if req.IncludeTasks {
		for _, i := range c.tasks {
			if !req.OnlyFailed || i.failed {
				r.forgetRestarts(c, i.id.Task)
				r.restartTask(i)
			}
		}
	}
	r.reconcile(name)
}

// restartOne restarts one task when a user asks for it, and returns whether it is
// this worker's.
func (r *reconciler) restartOne(id TaskID) bool {
	if c := r.connectors[id.Connector]; c != nil && c.tasks[id.Task] != nil {
		r.forgetRestarts(c, id.Task)
		r.restartTask(c.tasks[id.Task])
	}
	return r.owned.task(id)
}

func (r *reconciler) restartTask(i *instance) {
	if !i.stopping {
		r.reportTask(i, Restarting, "")
		r.stopTask(i)
	}
}

// drain stops all tasks and waits for them.
func (r *reconciler) drain(giveUp context.CancelFunc) {
	r.draining = true
	giveUp()
	var stopping sync.WaitGroup
	for _, c := range r.connectors {
		r.unwatch(c)
		r.forgetAllRestarts(c)
		for _, i := range c.tasks {
			if !i.stopping {
				i.stopping = true
				stopping.Go(func() { i.shutdown(r.cfg.TaskShutdownTimeout) })
			}
		}
	}
	stopping.Wait()
	r.background.Wait()
	r.reportUnassigned()
}

// reportUnassigned says that nobody runs what ran here. Failures stay visible.
func (r *reconciler) reportUnassigned() {
	for _, c := range r.connectors {
		if c.state == Running || c.state == Paused {
			r.stores.statuses.putConnectorSafely(c.name, r.owned.generation, Unassigned, "")
		}
		for _, i := range c.tasks {
			if !i.failed {
				r.stores.statuses.putTaskSafely(i.id, r.owned.generation, Unassigned, "")
			}
		}
	}
}
