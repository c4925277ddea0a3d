package engine

import (
	"crypto/sha256"
	"net/url"

	"github.com/sluice-data/sluice/engine/cluster"
)

// assign takes over what the group has assigned. What is not owned any more was
// revoked before.
func (r *reconciler) assign(o ownership, a cluster.Assignment) {
	names, led := r.owned.names(), r.owned.leader
	r.owned = o
	r.workers = workerIDs(a.Workers)
	for name := range o.names() {
		names[name] = true
	}
	for name := range r.connectors {
		names[name] = true
	}
	for name := range names {
		r.reconcile(name)
	}
	if o.leader && !r.draining {
		r.forgetDeleted()
		if !led {
			r.resumeRemovals()
		}
	}
}

// revoke takes a part of what is owned away and closes stopped when that does not
// run here any more.
func (r *reconciler) revoke(connectors []string, tasks []cluster.TaskID, stopped chan struct{}) {
	names := r.owned.names()
	r.owned.remove(connectors, tasks)
	var going []*instance
	for name := range names {
		r.reconcile(name)
		if c := r.connectors[name]; c != nil {
			for _, i := range c.tasks {
				if i.stopping && !r.owned.task(i.id) {
					going = append(going, i)
				}
			}
		}
	}
	r.background.Go(func() {
		for _, i := range going {
			select {
			case <-i.gone:
			case <-r.lifetime.Done():
				return // drain stops them, and ends the wait for stopped
			}
		}
		close(stopped)
	})
}

// disown ends what another worker runs from now on.
func (r *reconciler) disown(c *connector) {
	if c.mine && !r.owned.connector(c.name) {
		r.unwatch(c)
		r.forgetRestarts(c, connectorInstance)
		if c.preparing {
			c.unwanted = true
			c.stopPreparing()
		}
		if c.state == Running || c.state == Paused || c.state == Restarting {
			r.stores.statuses.putConnectorSafely(c.name, r.owned.generation, Unassigned, "")
		}
		r.meters.ForgetConnector(c.name)
		c.mine, c.state, c.failed, c.again, c.prepared, c.asked = false, "", nil, false, -1, -1
	}
	for n, i := range c.tasks {
		if !i.stopping && !r.owned.task(i.id) {
			r.forgetRestarts(c, n)
			r.stopTask(i)
		}
	}
}

// reportGone reports a task that has stopped and is not started again here.
func (r *reconciler) reportGone(i *instance) {
	want, ok := r.stores.configs.connector(i.id.Connector)
	switch {
	case !ok || i.id.Task >= len(want.tasks):
		r.stores.statuses.deleteTask(i.id)
	case !r.owned.task(i.id) && !i.failed:
		r.stores.statuses.putTaskSafely(i.id, r.owned.generation, Unassigned, "")
	}
}

// forgetDeleted removes the statuses of what is not in the config topic.
func (r *reconciler) forgetDeleted() {
	for _, name := range r.stores.statuses.names() {
		want, ok := r.stores.configs.connector(name)
		if !ok {
			r.forgetStatus(name)
			continue
		}
		for _, n := range r.stores.statuses.taskNumbers(name) {
			if id := (TaskID{name, n}); n >= len(want.tasks) && !r.stillStops(id) {
				r.stores.statuses.deleteTask(id)
			}
		}
	}
}

// stillStops tells of a task that is no more and whose worker removes its status when
// it has stopped: until then its connector's offsets cannot be changed.
func (r *reconciler) stillStops(id TaskID) bool {
	status, _ := r.stores.statuses.task(id)
	if status.WorkerID == r.cfg.WorkerID {
		c := r.connectors[id.Connector]
		return c != nil && c.tasks[id.Task] != nil
	}
	return status.State.runs() && r.workers[status.WorkerID]
}

// workerIDs returns the ids, host:port, of the workers with these URLs.
func workerIDs(urls []string) map[string]bool {
	ids := make(map[string]bool)
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil {
			ids[u.Host] = true
		}
	}
	return ids
}

// runs tells of a state that only a worker which is there can have.
func (s State) runs() bool { return s == Running || s == Paused || s == Restarting }

// runsElsewhere tells whether another worker says that it runs a task.
func (r *reconciler) runsElsewhere(id TaskID) bool {
	status, ok := r.stores.statuses.task(id)
	return ok && !r.owned.all && status.WorkerID != r.cfg.WorkerID && status.State.runs()
}

// noteReferences keeps the values that a task starts with when the connector itself
// runs elsewhere: prepare does it otherwise.
func (r *reconciler) noteReferences(c *connector, want connectorState) {
	if c.mine || len(r.plugins.providers) == 0 {
		return
	}
	r.background.Go(func() {
		sum := r.plugins.providers.resolve(want.config).sum
		r.post(func(*reconciler) {
			if !c.mine {
				c.sum = sum
			}
		})
	})
}

// reloadTasks restarts the tasks of a connector that runs elsewhere when they were
// started with other values.
func (r *reconciler) reloadTasks(c *connector, sum [sha256.Size]byte) {
	if c.sum == sum || c.sum == [sha256.Size]byte{} {
		return
	}
	c.sum = sum
	r.restart(c.name, restartRequest{IncludeTasks: true})
}

// unassigned says again what runs here when another worker has written that nobody runs it. A worker that was away and comes back does so: it
// gives up what it had before it has read that others run it now.
func (r *reconciler) unassigned(name string) {
	r.post(func(r *reconciler) {
		c := r.connectors[name]
		if c == nil || r.draining {
			return
		}
		foreign := func(s statusRecord, ok bool) bool {
			return ok && s.State == Unassigned && s.WorkerID != r.cfg.WorkerID
		}
		if c.mine && (c.state == Running || c.state == Paused) && foreign(r.stores.statuses.connector(name)) {
			r.stores.statuses.putConnector(name, r.owned.generation, c.state, "")
		}
		want, _ := r.stores.configs.connector(name)
		for _, i := range c.tasks {
			if !i.stopping && !i.failed && foreign(r.stores.statuses.task(i.id)) {
				r.stores.statuses.putTask(i.id, r.owned.generation, i.state(want.target == TargetPaused), "")
			}
		}
	})
}
