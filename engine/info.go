package engine

import "strings"

// ConnectorInfo is a connector as the REST API shows it.
type ConnectorInfo struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"` // as sent, plus name (I6)
	Tasks  []TaskID          `json:"tasks"`
	Type   string            `json:"type"` // source, sink, unknown
}

// TaskID names a task of a connector.
type TaskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// TaskInfo is a task and its config.
type TaskInfo struct {
	ID     TaskID            `json:"id"`
	Config map[string]string `json:"config"`
}

// State is the state of a connector or a task.
type State string

// The states that are shown. Destroyed is internal: it becomes a tombstone.
const (
	Unassigned State = "UNASSIGNED"
	Running    State = "RUNNING"
	Paused     State = "PAUSED"
	Failed     State = "FAILED"
	Restarting State = "RESTARTING"
	Stopped    State = "STOPPED" // connectors only
)

// TargetState is what a user wants of a connector.
type TargetState string

// The target states.
const (
	TargetStarted TargetState = "STARTED"
	TargetPaused  TargetState = "PAUSED"
	TargetStopped TargetState = "STOPPED"
)

// ParseInitialState reads the initial_state of a new connector (KIP-980):
// RUNNING, PAUSED or STOPPED in any case.
func ParseInitialState(text string) (TargetState, error) {
	switch strings.ToUpper(text) {
	case "RUNNING":
		return TargetStarted, nil
	case "PAUSED":
		return TargetPaused, nil
	case "STOPPED":
		return TargetStopped, nil
	}
	return "", badRequest("initial_state %q is not one of RUNNING, PAUSED, STOPPED", text)
}

// ConnectorStatus is a connector's status and that of its tasks, by number.
type ConnectorStatus struct {
	Name      string         `json:"name"`
	Connector InstanceStatus `json:"connector"`
	Tasks     []TaskStatus   `json:"tasks"`
	Type      string         `json:"type"`
	// AutoRestart is there while restarts of the connector itself go on. It is not in
	// Connector, which clients read as a map of strings. Kafka Connect has no such field.
	AutoRestart *AutoRestart `json:"auto_restart,omitempty"`
}

// InstanceStatus is the status of a connector alone.
type InstanceStatus struct {
	State    State  `json:"state"`
	WorkerID string `json:"worker_id"`
	Version  string `json:"version,omitempty"` // of the plugin (KIP-891)
	Trace    string `json:"trace,omitempty"`
}

// TaskStatus is the status of a task.
type TaskStatus struct {
	ID int `json:"id"`
	InstanceStatus
	// AutoRestart is there while restarts of a failure go on. Kafka Connect has no
	// such field.
	AutoRestart *AutoRestart `json:"auto_restart,omitempty"`
	// Metrics are the numbers that the connector itself shows of a task that runs on this
	// worker, by the names of its metrics without sluice_. Kafka Connect has no such field.
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// ServerInfo says who answers.
type ServerInfo struct {
	Version        string `json:"version"`
	Commit         string `json:"commit"`
	KafkaClusterID string `json:"kafka_cluster_id"`
}

// Health is the answer of the health endpoint (KIP-1017).
type Health struct {
	Status  string `json:"status"` // healthy, starting, unhealthy
	Message string `json:"message"`
}

// The values of Health.Status.
const (
	Healthy   = "healthy"
	Starting  = "starting"
	Unhealthy = "unhealthy"
)

// PluginInfo is one name under which a plugin can be used.
type PluginInfo struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
}

// ConfigInfos is the result of validating a connector's config.
type ConfigInfos struct {
	Name       string       `json:"name"` // connector.class as sent
	ErrorCount int          `json:"error_count"`
	Groups     []string     `json:"groups"`
	Configs    []ConfigInfo `json:"configs"`
}

// ConfigInfo is an option and what became of it. Definition is nil for a value
// that no option declares.
type ConfigInfo struct {
	Definition *ConfigDefinition `json:"definition"`
	Value      ConfigValue       `json:"value"`
}

// ConfigDefinition is a declared option.
type ConfigDefinition struct {
	Name         string   `json:"name"`
	Type         string   `json:"type"`
	Required     bool     `json:"required"`
	DefaultValue *string  `json:"default_value"`
	Importance   string   `json:"importance"`
	Doc          string   `json:"documentation"`
	Group        string   `json:"group"`
	Width        string   `json:"width"`
	DisplayName  string   `json:"display_name"`
	Dependents   []string `json:"dependents"`
	Order        int      `json:"order"` // in its group, from 1
}

// ConfigValue is the value of an option. That of a PASSWORD is hidden (I6).
type ConfigValue struct {
	Name              string   `json:"name"`
	Value             *string  `json:"value"`
	RecommendedValues []string `json:"recommended_values"`
	Errors            []string `json:"errors"`
	Visible           bool     `json:"visible"`
}
