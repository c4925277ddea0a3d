package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode"
)

// Create makes a connector. A target state that is empty means started. The
// config may leave the name out.
func (w *Worker) Create(ctx context.Context, name string, config map[string]string, initial TargetState) (ConnectorInfo, error) {
	name, config, err := w.accept(ctx, name, config)
	if err != nil {
		return ConnectorInfo{}, err
	}
	err = w.asLeader(ctx, func() error {
		if _, exists := w.stores.configs.connector(name); exists {
			return &Error{KindConflict, fmt.Sprintf("Connector %s already exists", name)}
		}
		return stored(w.stores.configs.putConnector(ctx, name, config, initial))
	})
	return w.info(name, config, 0), err
}

// PutConfig makes a connector or changes its config, and returns whether it made
// it.
func (w *Worker) PutConfig(ctx context.Context, name string, config map[string]string) (ConnectorInfo, bool, error) {
	name, config, err := w.accept(ctx, name, config)
	if err != nil {
		return ConnectorInfo{}, false, err
	}
	created, tasks := false, 0
	err = w.asLeader(ctx, func() error {
		c, exists := w.stores.configs.connector(name)
		created, tasks = !exists, len(c.tasks)
		return stored(w.stores.configs.putConnector(ctx, name, config, ""))
	})
	return w.info(name, config, tasks), created, err
}

// accept checks a name and a config and returns them as they are stored: what
// was sent, plus name (I6).
func (w *Worker) accept(ctx context.Context, name string, config map[string]string) (string, map[string]string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", nil, badRequest("The connector's name is missing or empty; set name")
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "", nil, badRequest("The connector's name %q contains control characters; choose another name", name)
	}
	if inConfig, ok := config[nameOption]; ok && strings.TrimSpace(inConfig) != name {
		return "", nil, badRequest("Connector name configuration (%s) doesn't match connector name in the URL (%s)", inConfig, name)
	}
	config = maps.Clone(config)
	if config == nil {
		config = make(map[string]string)
	}
	config[nameOption] = name
	d, err := w.plugins.define(ctx, config)
	if err != nil {
		return "", nil, badRequest("%s", err)
	}
	if class := strings.TrimSpace(config[classOption]); d.spec == nil && class != "" {
		_, err := w.plugins.find(class)
		return "", nil, badRequest("%s", err) // clients know the beginning of the text
	}
	return name, config, d.err()
}

// stored explains an error of the log to whoever asked for a change.
func stored(err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	text := fmt.Sprintf("store the change: %v; it may still take effect", err)
	if errors.Is(err, errNotTaken) {
		text = "Request timed out. The worker tried to " + text // clients know the beginning
	}
	return &Error{KindInternal, text}
}

// Delete removes a connector. Its tasks stop afterwards.
func (w *Worker) Delete(ctx context.Context, name string) error {
	return w.asLeader(ctx, func() error {
		c, ok := w.stores.configs.connector(name)
		if !ok {
			return notFound("Connector %s not found", name)
		}
		return stored(w.stores.configs.deleteConnector(ctx, name, w.plugins.removes(c.config)))
	})
}

// Pause, Resume and Stop set what a connector should do. They are idempotent.
func (w *Worker) Pause(ctx context.Context, name string) error {
	return w.setTarget(ctx, name, TargetPaused)
}

// Resume starts a connector that is paused or stopped.
func (w *Worker) Resume(ctx context.Context, name string) error {
	return w.setTarget(ctx, name, TargetStarted)
}

// Stop ends a connector's tasks and removes their configs (KIP-875).
func (w *Worker) Stop(ctx context.Context, name string) error {
	return w.setTarget(ctx, name, TargetStopped)
}

// setTarget is any worker's to do, but for stopping, which takes the tasks away.
func (w *Worker) setTarget(ctx context.Context, name string, target TargetState) error {
	change := w.change
	if target == TargetStopped {
		change = w.asLeader
	}
	return change(ctx, func() error {
		if _, ok := w.stores.configs.connector(name); !ok {
			return notFound("Unknown connector %s", name)
		}
		if target == TargetStopped {
			if err := w.stores.configs.putTasks(ctx, name, nil); err != nil {
				return stored(err)
			}
		}
		return stored(w.stores.configs.putTarget(ctx, name, target))
	})
}

// Restart restarts a connector and, when asked to, its tasks; with onlyFailed
// only what has failed (KIP-745). It returns the status with RESTARTING for what
// was chosen.
func (w *Worker) Restart(ctx context.Context, name string, includeTasks, onlyFailed bool) (ConnectorStatus, error) {
	var status ConnectorStatus
	err := w.asLeader(ctx, func() error {
		if _, ok := w.stores.configs.connector(name); !ok {
			return notFound("Unknown connector: %s", name)
		}
		status = w.status(name)
		status.plan(includeTasks, onlyFailed)
		return stored(w.stores.configs.putRestart(ctx, name, includeTasks, onlyFailed))
	})
	return status, err
}

// plan marks what a restart chooses.
func (s *ConnectorStatus) plan(includeTasks, onlyFailed bool) {
	s.Connector.planRestart(onlyFailed)
	for i := range s.Tasks {
		if includeTasks {
			s.Tasks[i].planRestart(onlyFailed)
		}
	}
}

func (s *InstanceStatus) planRestart(onlyFailed bool) {
	if !onlyFailed || s.State == Failed {
		s.State, s.Trace = Restarting, ""
	}
}

// RestartTask restarts one task. The error is a NotHereError when another worker
// runs it.
func (w *Worker) RestartTask(ctx context.Context, id TaskID) error {
	return w.change(ctx, func() error {
		c, ok := w.stores.configs.connector(id.Connector)
		if !ok {
			return notFound("Unknown connector: %s", id.Connector)
		}
		if id.Task < 0 || id.Task >= len(c.tasks) {
			return notFound("Unknown task: %s-%d", id.Connector, id.Task)
		}
		here := make(chan bool, 1)
		w.reconciler.post(func(r *reconciler) { here <- r.restartOne(id) })
		select {
		case yes := <-here:
			if !yes {
				return w.elsewhere(id)
			}
			return nil
		case <-w.over:
			return errShuttingDown
		}
	})
}
