package engine

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/loglevel"
)

// task is what sources and sinks have in common.
type task struct {
	cfg     *Config
	stores  *stores
	id      TaskID
	logger  *slog.Logger // carries connector and task
	def     *definition
	convert converters
	gate    *gate
	skipped *skipLog
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
	logger := r.cfg.Logger.With(loglevel.Key, i.config[classOption], logConnector, i.id.Connector, logTask, i.id.Task)
	t := task{cfg: r.cfg, stores: r.stores, id: i.id, logger: logger, def: d, gate: &i.gate, stop: i.stop, kill: i.kill,
		skipped: &skipLog{logger: logger, each: d.options.logErrors, where: d.options.logRecords}}
	var err error
	if t.convert, err = newConverters(r.cfg, &d.options, i.config); err != nil {
		return err
	}
	switch d.config.(type) {
	case connect.SourceConfig:
		err = runSource(t)
	case connect.SinkConfig:
		err = runSink(t)
	}
	return t.hideSecrets(err)
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

// skipLog tells of records that are skipped by errors.tolerance=all. This is
// where a dead letter queue takes them once there is one.
type skipLog struct {
	logger *slog.Logger
	each   bool // errors.log.enable
	where  bool // errors.log.include.messages
	count  atomic.Int64
}

// skip counts a record. Without errors.log.enable it logs the 1st, 2nd, 4th,
// 8th... so that neither silence nor a flood hides the trouble.
func (s *skipLog) skip(place string, err error) {
	count := s.count.Add(1)
	if !s.each && count&(count-1) != 0 {
		return
	}
	args := []any{logError, err, "skipped", count}
	if s.where || !s.each {
		args = append(args, "record", place)
	}
	s.logger.Warn("skip a record", args...)
}
