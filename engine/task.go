package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/engine/internal/meters"
	"github.com/sluice-data/sluice/engine/transform"
	"github.com/sluice-data/sluice/internal/loglevel"
)

// task is what sources and sinks have in common.
type task struct {
	cfg    *Config
	stores *stores
	id     TaskID
	// committed is that of the instance.
	committed int64
	logger    *slog.Logger // carries connector and task
	def       *definition
	convert   converters
	// transforms change records between the connector and the converters; nil:
	// there are none. Like the converters they belong to one goroutine.
	transforms *transform.Chain
	gate       *gate
	skipped    *skipLog
	meter      *meters.Run
	// stop and kill are those of the instance.
	stop, kill context.Context
}

// runTask reads the task's config and runs its source or sink until it stops or
// fails.
func (r *reconciler) runTask(i *instance) error {
	d := &definition{settings: i.config}
	if err := d.read(r.plugins); err != nil {
		return err
	}
	if err := d.err(); err != nil {
		return err
	}
	if err := r.checkTasks(i.id.Connector); err != nil {
		return err
	}
	logger := r.cfg.Logger.With(loglevel.Key, i.config[classOption], logConnector, i.id.Connector, logTask, i.id.Task)
	t := task{cfg: r.cfg, stores: r.stores, id: i.id, committed: i.committed, logger: logger, def: d, gate: &i.gate, meter: i.meter, stop: i.stop, kill: i.kill,
		skipped: &skipLog{logger: logger, id: i.id, hide: d.secrets.Replace, each: d.options.logErrors, where: d.options.logRecords}}
	var err error
	if t.convert, err = newConverters(r.cfg, &d.options, d.resolved.settings); err != nil {
		return err
	}
	convert.Bind(i.stop, t.convert.key)
	convert.Bind(i.stop, t.convert.value)
	t.transforms = d.transforms.Chain()
	switch d.config.(type) {
	case connect.SourceConfig:
		t.meter.SetKind(meters.Source)
		err = runSource(t)
	case connect.SinkConfig:
		t.meter.SetKind(meters.Sink)
		err = runSink(t)
	}
	return t.hideSecrets(err)
}

// checkTasks refuses to run one of more stored tasks than the connector's config
// allows now: another worker may have stored them (KIP-1004).
func (r *reconciler) checkTasks(connector string) error {
	c, ok := r.stores.configs.connector(connector)
	if !ok {
		return nil // it is being deleted
	}
	var d definition
	d.options.defineCommon(&d.def)
	d.def.Parse(r.plugins.providers.resolve(c.config).settings)
	return d.options.checkTasks(connector, len(c.tasks))
}

// transform puts a record of b through the transforms and tells whether it is
// still there. After an error, which names the stage, it is as it was.
func (t *task) transform(b *connect.Batch, r *connect.Record) (keep bool, err error) {
	if keep, err = t.transforms.Apply(b, r); err == nil {
		return keep, nil
	}
	var e *transform.Error
	if errors.As(err, &e) {
		err = &stageError{stageTransform, e.Class, fmt.Sprintf("transform %s (%s)", e.Alias, e.Class), e.Err}
	}
	return false, err
}

// hideSecrets replaces an error whose text or stack has a secret in it (I6).
func (t *task) hideSecrets(err error) error { return t.def.hideSecrets(err) }

// retryForever calls f until it returns something else than a retriable error.
// Attempts are logged when the error changes. It ends with ctx.
func (t *task) retryForever(ctx context.Context, what string, f func() error) error {
	retry := backoff{limit: t.def.options.retryDelayMax}
	trouble := t.trouble(what)
	for {
		err := guard(f)
		if err == nil {
			trouble.over()
			return nil
		}
		if !connect.IsRetriable(err) || ctx.Err() != nil {
			return err
		}
		trouble.note(err)
		if err := sleep(ctx, retry.next()); err != nil {
			return err
		}
	}
}

func (t *task) trouble(what string) *trouble {
	tr := newTrouble(t.logger, what)
	tr.hide = t.def.secrets
	return tr
}
