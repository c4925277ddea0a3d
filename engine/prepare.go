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

// prepare starts a connector: its config is read and split into tasks in the
// background. Nothing happens when the revision is prepared already.
func (r *reconciler) prepare(c *connector, want connectorState) {
	if c.preparing {
		return
	}
	if c.prepared == want.revision && (!want.inconsistent || c.failed != nil) {
		r.reportStarted(c)
		return
	}
	c.preparing = true
	r.background.Go(func() {
		sum := r.plugins.providers.resolve(want.config).sum
		err := r.prepareTasks(r.lifetime, c.name, want)
		r.post(func(r *reconciler) {
			c.sum = sum
			r.connectorPrepared(c, want.revision, err)
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
	if c.state != Failed {
		r.report(c, Failed, trace(c.failed))
		r.cfg.Logger.Error("connector failed", logConnector, c.name, logError, c.failed)
	}
}

func (r *reconciler) connectorPrepared(c *connector, revision int64, err error) {
	c.preparing = false
	if r.draining || r.connectors[c.name] != c || errors.Is(err, context.Canceled) {
		return
	}
	want, ok := r.stores.configs.connector(c.name)
	if ok && want.target == TargetStarted && want.revision == revision {
		c.prepared, c.failed = revision, err
		c.state = "" // a new failure is reported even after an old one
	}
	r.reconcile(c.name)
}

// prepareTasks makes the task configs of a connector and stores them when they
// are not what is stored already. It tries for as long as the config is the one
// to run.
func (r *reconciler) prepareTasks(ctx context.Context, name string, want connectorState) error {
	tasks, err := r.taskConfigs(ctx, name, want.config)
	if err != nil {
		return err
	}
	if !want.inconsistent && slices.EqualFunc(tasks, want.tasks, maps.Equal) {
		return nil
	}
	retry := backoff{limit: taskConfigDelayMax}
	trouble := newTrouble(r.cfg.Logger.With(logConnector, name), "store task configs")
	for ctx.Err() == nil {
		now, ok := r.stores.configs.connector(name)
		if !ok || now.revision != want.revision || now.target != TargetStarted {
			return nil
		}
		if err = r.stores.configs.putTasks(ctx, name, tasks); err == nil {
			trouble.over()
			return nil
		}
		trouble.note(err)
		_ = sleep(ctx, retry.next())
	}
	return ctx.Err()
}

func (r *reconciler) taskConfigs(ctx context.Context, name string, config map[string]string) ([]map[string]string, error) {
	var tasks []map[string]string
	err := guardFor(ctx, defineTimeout, func() error {
		d := &definition{settings: config}
		if err := d.read(r.plugins); err != nil {
			return err
		}
		if err := d.err(); err != nil {
			return err
		}
		r.warnUnknown(name, d.unknown)
		made, err := d.split()
		if err == nil {
			tasks = made
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start the connector: %w", err)
	}
	return tasks, nil
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
