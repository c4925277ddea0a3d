package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// taskConfigDelayMax is the longest delay between attempts to store task configs.
const taskConfigDelayMax = time.Minute

// errUnwanted says that a connector was changed, paused, stopped or removed while it
// was prepared.
var errUnwanted = errors.New("the connector was changed meanwhile")

// prepare starts a connector: its config is read and split into tasks in the
// background. Nothing happens when the revision is prepared already.
func (r *reconciler) prepare(c *connector, want connectorState) {
	if c.preparing {
		return
	}
	if c.prepared == want.revision && !c.again && (!want.inconsistent || c.failed != nil) {
		r.reportStarted(c)
		return
	}
	if c.asked != want.revision {
		c.asked = want.revision
		r.forgetRestarts(c, connectorInstance)
	}
	watched := c.again && c.prepared == want.revision
	ctx, stop := context.WithCancel(r.lifetime)
	c.preparing, c.again, c.stopPreparing = true, false, stop
	r.background.Go(func() {
		defer stop()
		sum := r.plugins.providers.resolve(want.config).sum
		d, err := r.prepareTasks(ctx, c.name, want)
		if watched {
			d = nil // what watches goes on
		}
		r.post(func(r *reconciler) {
			c.sum = sum
			r.connectorPrepared(c, want.revision, d, err)
		})
	})
}

// reportStarted reports a connector that was prepared: it stays failed until it
// is restarted or changed.
func (r *reconciler) reportStarted(c *connector) {
	if c.failed == nil {
		r.report(c, Running, "")
		return
	}
	if c.state == Failed {
		return
	}
	text := trace(c.failed)
	r.report(c, Failed, text)
	r.cfg.Logger.Error("connector failed", logConnector, c.name, logError, c.failed)
	r.scheduleRestart(c, connectorInstance, text, func(r *reconciler) { r.restartConnector(c) })
}

// restartConnector prepares a connector anew.
func (r *reconciler) restartConnector(c *connector) {
	r.unwatch(c)
	c.prepared = -1
	r.report(c, Restarting, "")
	r.reconcile(c.name)
}

// connectorPrepared takes over what came of preparing a revision. d is nil
// after an error, and when it is watched already.
func (r *reconciler) connectorPrepared(c *connector, revision int64, d *definition, err error) {
	c.preparing = false
	if c.unwanted { // it went to another worker, and may have come back
		c.unwanted = false
		r.reconcile(c.name)
		return
	}
	if r.draining || r.connectors[c.name] != c || errors.Is(err, context.Canceled) {
		return
	}
	want, ok := r.stores.configs.connector(c.name)
	if ok && want.target == TargetStarted && want.revision == revision && !errors.Is(err, errUnwanted) {
		c.prepared, c.failed = revision, err
		c.state = "" // a new failure is reported even after an old one
		c.began(connectorInstance)
		if d != nil || err != nil {
			r.meters.ConnectorStarted(err)
		}
		if err == nil && d != nil {
			r.watch(c, d)
		}
	}
	r.reconcile(c.name)
}

// prepareTasks makes the task configs of a connector and stores them when they
// are not what is stored already. It tries for as long as the config is the one
// to run.
func (r *reconciler) prepareTasks(ctx context.Context, name string, want connectorState) (*definition, error) {
	d, tasks, err := r.taskConfigs(ctx, name, want.config)
	if err != nil {
		return nil, err
	}
	if now, ok := r.stores.configs.connector(name); ok && !now.inconsistent && slices.EqualFunc(tasks, now.tasks, maps.Equal) {
		return d, nil
	}
	retry := backoff{limit: taskConfigDelayMax}
	trouble := newTrouble(r.cfg.Logger.With(logConnector, name), "store task configs")
	for ctx.Err() == nil {
		if !r.stores.configs.stillWanted(name, want) {
			return nil, errUnwanted
		}
		err = r.group.putTasks(ctx, name, want, tasks)
		switch {
		case err == nil:
			trouble.over()
			return d, nil
		case errors.Is(err, errUnwanted):
			return nil, err
		}
		trouble.note(err)
		_ = sleep(ctx, retry.next())
	}
	return nil, ctx.Err()
}

func (r *reconciler) taskConfigs(ctx context.Context, name string, settings map[string]string) (*definition, []map[string]string, error) {
	d, err := r.plugins.define(ctx, settings)
	if err == nil {
		err = d.err()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("start the connector: %w", err)
	}
	r.warnUnknown(name, d.unknown)
	tasks, err := r.plugins.split(ctx, d)
	if err != nil {
		return nil, nil, fmt.Errorf("start the connector: %w", err)
	}
	return d, tasks, nil
}

// warnUnknown logs the settings that nothing reads, once for each start.
func (r *reconciler) warnUnknown(name string, unknown []connect.UnknownOption) {
	for _, u := range unknown {
		args := []any{logConnector, name, "option", u.Name}
		if u.Suggestion != "" {
			args = append(args, "did_you_mean", u.Suggestion)
		}
		r.cfg.Logger.Warn("no option has this name; the setting is ignored", args...)
	}
}
