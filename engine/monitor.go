package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// splitInterval is the least time between two changes that a Monitor asks for.
const splitInterval = 250 * time.Millisecond

// watch lets a connector's Monitor run until the connector is changed, paused,
// stopped or restarted. A Monitor that does not return then is left to itself: it
// is not heard any more (I5).
func (r *reconciler) watch(c *connector, d *definition) {
	m, ok := d.config.(connect.Monitor)
	if !ok {
		return
	}
	if c.stopMonitor != nil {
		c.stopMonitor()
	}
	ctx, stop := context.WithCancel(r.lifetime)
	c.stopMonitor = stop
	changed := make(chan struct{}, 1) // one token for any number of calls
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	r.background.Go(func() {
		for {
			select {
			case <-changed:
				r.post(func(r *reconciler) { r.splitAgain(c, ctx) })
				_ = sleep(ctx, splitInterval)
			case <-ctx.Done():
				return
			}
		}
	})
	go func() { // waited for by nobody, as a task's is
		if err := d.hideSecrets(guard(func() error { return m.Monitor(ctx, tell) })); err != nil {
			r.post(func(r *reconciler) { r.monitorFailed(c, ctx, err) })
		}
	}()
}

// unwatch ends a connector's Monitor. What happens until it is watched again is
// unknown, so its tasks are made anew then.
func (r *reconciler) unwatch(c *connector) {
	if c.stopMonitor != nil {
		c.stopMonitor()
		c.stopMonitor, c.prepared = nil, -1
	}
}

// splitAgain makes the task configs anew without restarting the connector.
func (r *reconciler) splitAgain(c *connector, watching context.Context) {
	if watching.Err() != nil || r.connectors[c.name] != c {
		return
	}
	c.again = true
	r.reconcile(c.name)
}

func (r *reconciler) monitorFailed(c *connector, watching context.Context, err error) {
	if watching.Err() != nil || r.connectors[c.name] != c || r.draining {
		return
	}
	c.failed = fmt.Errorf("monitor the connector's tasks: %w", err)
	r.reportStarted(c)
}
