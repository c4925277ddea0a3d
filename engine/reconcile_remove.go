package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/loglevel"
)

// removeTimeout bounds how long what a task has left in its system may take to
// remove. The task, or one of a connector of the same name, starts after that.
const removeTimeout = 30 * time.Second

// removal is what the reconciler knows of the leftovers of a connector's tasks
// (connect.Remover). What ran here is removed here, when it has stopped. The rest,
// tasks of a connector that was stopped, is the connector's owner's.
type removal struct {
	// config is what the connector was before it was deleted.
	config map[string]string
	// pending are the tasks whose leftovers are being removed; they must not start.
	pending map[int]bool
	// done are those that are removed, or were tried to be.
	done map[int]bool
	// sweeping: the tasks that did not run are being found out. No task may start.
	sweeping, swept bool
}

// wanted notes what the connector is now.
func (m *removal) wanted(config map[string]string) {
	m.config, m.swept = config, false
	clear(m.done)
}

// holds tells whether a task has to wait.
func (m *removal) holds(task int) bool { return m.sweeping || m.pending[task] }

// busy tells whether anything is under way.
func (m *removal) busy() bool { return m.sweeping || len(m.pending) > 0 }

// removes tells whether a config's plugin is a connect.Remover.
func (p *plugins) removes(config map[string]string) bool {
	s := p.byName[strings.TrimSpace(config[classOption])]
	return s != nil && p.known[s].removes
}

// removeTask removes what a task has left that has stopped for good. A connector
// without tasks is stopped, or resumed and not split yet: its tasks come back.
func (r *reconciler) removeTask(c *connector, i *instance) {
	want, ok := r.stores.configs.connector(c.name)
	back := want.target == TargetStopped || want.inconsistent || len(want.tasks) == 0 || i.id.Task < len(want.tasks)
	if ok && back || !r.plugins.removes(i.config) {
		return
	}
	r.startRemoval(c, i.id, i.config)
}

// startRemoval removes a task's leftovers in the background (I5).
func (r *reconciler) startRemoval(c *connector, id TaskID, config map[string]string) {
	if c.removal.pending == nil {
		c.removal.pending, c.removal.done = make(map[int]bool), make(map[int]bool)
	}
	c.removal.pending[id.Task], c.removal.done[id.Task] = true, true
	_, exists := r.stores.configs.connector(c.name)
	r.background.Go(func() {
		if err := r.removeLeftovers(r.lifetime, id, config, !exists); err != nil {
			r.cfg.Logger.Warn("what the task has left in its system could not be removed; remove it there", logConnector, id.Connector,
				logTask, id.Task, logError, err)
		}
		r.post(func(r *reconciler) {
			delete(c.removal.pending, id.Task)
			r.afterRemoval(c)
		})
	})
}

func (r *reconciler) removeLeftovers(ctx context.Context, id TaskID, config map[string]string, deleted bool) error {
	d, err := r.plugins.define(ctx, config)
	if err != nil {
		return err
	}
	if err := d.err(); err != nil {
		return err
	}
	remover, ok := d.config.(connect.Remover)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	rc := connect.RemoveContext{Connector: id.Connector, Task: id.Task, Deleted: deleted,
		Logger: r.cfg.Logger.With(loglevel.Key, config[classOption], logConnector, id.Connector, logTask, id.Task)}
	return d.hideSecrets(r.plugins.call(ctx, d.spec, removeTimeout, func() error { return remover.Remove(ctx, rc) }))
}

// sweep removes what tasks of a deleted connector have left that did not run when it
// was deleted. It returns false when there is nothing to do.
func (r *reconciler) sweep(c *connector) bool {
	m := &c.removal
	if m.swept || !c.mine || !r.plugins.removes(m.config) {
		return false
	}
	m.swept, m.sweeping = true, true
	r.background.Go(func() {
		tasks, err := r.splitDeleted(m.config)
		if err != nil {
			r.cfg.Logger.Warn("what the connector has left in its system cannot be found out; remove it there", logConnector, c.name, logError, err)
		}
		r.post(func(r *reconciler) {
			m.sweeping = false
			for n, config := range tasks {
				if id := (TaskID{c.name, n}); !m.done[n] && !r.runsElsewhere(id) {
					r.startRemoval(c, id, config)
				}
			}
			r.afterRemoval(c)
		})
	})
	return true
}

// resumeRemovals goes on with what a worker was removing when it ended, and with
// what it had not come to. In a group that is the leader's, once it becomes one: a member that dies
// later leaves it to the next.
func (r *reconciler) resumeRemovals() {
	for name, config := range r.stores.configs.removals() {
		if r.connectors[name] == nil {
			c := &connector{name: name, mine: true, prepared: -1, asked: -1, tasks: make(map[int]*instance)}
			c.removal.config = config
			r.connectors[name] = c
			r.reconcile(name)
		}
	}
}

// removed notes that nothing is left of a deleted connector.
func (r *reconciler) removed(c *connector) {
	if !c.mine || !r.stores.configs.hasRemoval(c.name) {
		return
	}
	r.background.Go(func() {
		ctx, cancel := context.WithTimeout(r.lifetime, storeTimeout)
		defer cancel()
		if err := r.stores.configs.putRemoved(ctx, c.name); err != nil {
			r.cfg.Logger.Warn("note that nothing is left of a deleted connector; the next start looks again", logConnector, c.name, logError, err)
		}
	})
}

func (r *reconciler) splitDeleted(config map[string]string) ([]map[string]string, error) {
	d, err := r.plugins.define(r.lifetime, config)
	if err != nil {
		return nil, err
	}
	if err := d.err(); err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	return r.plugins.split(r.lifetime, d)
}

func (r *reconciler) afterRemoval(c *connector) {
	if r.connectors[c.name] == c && !c.removal.busy() {
		r.reconcile(c.name)
	}
}
