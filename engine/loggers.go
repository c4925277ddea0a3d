package engine

import (
	"context"
	"log/slog"
	"strings"

	"github.com/sluice-data/sluice/internal/loglevel"
)

const (
	// loggerName is the name of the worker's logger. A task's has the name of its
	// connector's class, as its config has it.
	loggerName = "sluice.engine"
	// logLevelPrefix begins the keys by which workers share levels.
	logLevelPrefix = "logger-cluster-"
)

// LoggerLevel is the level of a logger as the REST API shows it.
type LoggerLevel struct {
	Level        string `json:"level"`
	LastModified *int64 `json:"last_modified"` // milliseconds since 1970; nil: never
}

func loggerLevel(i loglevel.Info) LoggerLevel {
	l := LoggerLevel{Level: loglevel.Name(i.Level)}
	if !i.Modified.IsZero() {
		ms := i.Modified.UnixMilli()
		l.LastModified = &ms
	}
	return l
}

// Loggers returns the levels of all loggers of this worker (KIP-495).
func (w *Worker) Loggers() map[string]LoggerLevel {
	all := make(map[string]LoggerLevel)
	for name, info := range w.cfg.Levels.All() {
		all[name] = loggerLevel(info)
	}
	return all
}

// Logger returns the level of a logger of this worker.
func (w *Worker) Logger(name string) (LoggerLevel, error) {
	info, ok := w.cfg.Levels.Level(name)
	if !ok {
		return LoggerLevel{}, notFound("Logger %s not found.", name)
	}
	return loggerLevel(info), nil
}

// SetLogLevel sets the level of a logger and those below it on this worker and
// returns their names.
func (w *Worker) SetLogLevel(name, level string) ([]string, error) {
	l, err := parseLevel(level)
	if err != nil {
		return nil, err
	}
	changed, err := w.cfg.Levels.Set(name, l)
	if err != nil {
		return nil, badRequest("%s", err)
	}
	w.cfg.Logger.Info("log level", loglevel.Key, name, "level", strings.ToUpper(level))
	return changed, nil
}

// SetClusterLogLevel does so on every worker, through the config topic (KIP-976).
// Workers that start later begin with their own levels.
func (w *Worker) SetClusterLogLevel(ctx context.Context, name, level string) error {
	if _, err := parseLevel(level); err != nil {
		return err
	}
	return w.change(ctx, func() error { return stored(w.stores.configs.putLogLevel(ctx, name, strings.ToUpper(level))) })
}

func parseLevel(level string) (slog.Level, error) {
	l, ok := loglevel.Parse(level)
	if !ok {
		return 0, notFound("invalid log level '%s'.", level)
	}
	return l, nil
}

// setLogLevel follows a change for all workers.
func (r *reconciler) setLogLevel(name, level string) {
	l, err := parseLevel(level)
	if err == nil {
		_, err = r.cfg.Levels.Set(name, l)
	}
	if err != nil {
		r.cfg.Logger.Warn("set the level of a logger", loglevel.Key, name, logError, err)
	}
}
