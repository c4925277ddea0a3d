package engine

import (
	"context"
	"fmt"
	"maps"
	"strings"
)

// Connectors returns the names of all connectors in order.
func (w *Worker) Connectors(ctx context.Context) ([]string, error) {
	if err := w.await(ctx); err != nil {
		return nil, err
	}
	names := w.stores.configs.names()
	if names == nil {
		names = []string{}
	}
	return names, nil
}

func (w *Worker) connector(ctx context.Context, name string) (connectorState, error) {
	if err := w.await(ctx); err != nil {
		return connectorState{}, err
	}
	c, ok := w.stores.configs.connector(name)
	if !ok {
		return c, notFound("Connector %s not found", name)
	}
	return c, nil
}

// Connector returns a connector.
func (w *Worker) Connector(ctx context.Context, name string) (ConnectorInfo, error) {
	c, err := w.connector(ctx, name)
	if err != nil {
		return ConnectorInfo{}, err
	}
	return w.info(name, c.config, len(c.tasks)), nil
}

// describe is what metrics tell of a connector beside its numbers.
func (w *Worker) describe(name string) (kind, class, version string) {
	c, ok := w.stores.configs.connector(name)
	if !ok {
		return "", "", ""
	}
	return w.plugins.kind(c.config), strings.TrimSpace(c.config[classOption]), w.plugins.version(c.config)
}

func (w *Worker) info(name string, config map[string]string, tasks int) ConnectorInfo {
	info := ConnectorInfo{Name: name, Config: maps.Clone(config), Tasks: make([]TaskID, tasks), Type: w.plugins.kind(config)}
	for i := range info.Tasks {
		info.Tasks[i] = TaskID{name, i}
	}
	return info
}

// Tasks returns the tasks of a connector and their configs.
func (w *Worker) Tasks(ctx context.Context, name string) ([]TaskInfo, error) {
	c, err := w.connector(ctx, name)
	if err != nil {
		return nil, err
	}
	tasks := make([]TaskInfo, len(c.tasks))
	for i, config := range c.tasks {
		tasks[i] = TaskInfo{TaskID{name, i}, maps.Clone(config)}
	}
	return tasks, nil
}

// TasksConfig returns the configs of a connector's tasks by the tasks' names. Kafka
// Connect has deprecated it, which the log tells once.
func (w *Worker) TasksConfig(ctx context.Context, name string) (map[string]map[string]string, error) {
	tasks, err := w.Tasks(ctx, name)
	if err != nil {
		return nil, err
	}
	w.noteTasksConfig()
	configs := make(map[string]map[string]string, len(tasks))
	for _, t := range tasks {
		configs[fmt.Sprintf("%s-%d", t.ID.Connector, t.ID.Task)] = t.Config
	}
	return configs, nil
}

// Status returns the status of a connector and its tasks.
func (w *Worker) Status(ctx context.Context, name string) (ConnectorStatus, error) {
	if _, err := w.connector(ctx, name); err != nil {
		if e, ok := err.(*Error); ok && e.Kind == KindNotFound {
			return ConnectorStatus{}, notFound("No status found for connector %s", name)
		}
		return ConnectorStatus{}, err
	}
	return w.status(name), nil
}

// status makes the status of a connector from what is known; one that has not
// reported yet is UNASSIGNED.
func (w *Worker) status(name string) ConnectorStatus {
	c, _ := w.stores.configs.connector(name)
	version := w.plugins.version(c.config)
	status := ConnectorStatus{Name: name, Tasks: []TaskStatus{}, Type: w.plugins.kind(c.config),
		Connector: InstanceStatus{State: Unassigned, WorkerID: w.cfg.WorkerID, Version: version}}
	if s, ok := w.stores.statuses.connector(name); ok {
		status.Connector = s.status(version)
	}
	status.AutoRestart = w.reconciler.ledger.get(TaskID{name, connectorInstance})
	for _, n := range w.stores.statuses.taskNumbers(name) {
		if s, ok := w.stores.statuses.task(TaskID{name, n}); ok && n < len(c.tasks) {
			task := TaskStatus{ID: n, InstanceStatus: s.status(version)}
			task.AutoRestart = w.reconciler.ledger.get(TaskID{name, n})
			task.Metrics = w.reconciler.meters.Own(name, n)
			status.Tasks = append(status.Tasks, task)
		}
	}
	return status
}

func (s statusRecord) status(version string) InstanceStatus {
	status := InstanceStatus{State: s.State, WorkerID: s.WorkerID, Version: version}
	if s.Trace != nil {
		status.Trace = *s.Trace
	}
	return status
}

// TaskStatus returns the status of one task.
func (w *Worker) TaskStatus(ctx context.Context, id TaskID) (TaskStatus, error) {
	if err := w.await(ctx); err != nil {
		return TaskStatus{}, err
	}
	c, ok := w.stores.configs.connector(id.Connector)
	s, known := w.stores.statuses.task(id)
	if !ok || !known {
		return TaskStatus{}, notFound("No status found for task %s-%d", id.Connector, id.Task)
	}
	status := TaskStatus{ID: id.Task, InstanceStatus: s.status(w.plugins.version(c.config))}
	status.AutoRestart = w.reconciler.ledger.get(id)
	return status, nil
}
