package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Values of the config topic.
type (
	properties struct {
		Properties map[string]string `json:"properties"`
	}
	targetState struct {
		State   TargetState `json:"state"`
		StateV2 TargetState `json:"state.v2"`
	}
	logLevel struct {
		Level string `json:"level"`
	}
	restartRequest struct {
		IncludeTasks bool `json:"include-tasks"`
		OnlyFailed   bool `json:"only-failed"`
	}
)

// configState is what the records of the config topic add up to. Maps in it are
// never changed once they are there.
type configState struct {
	connectors map[string]*connectorState
	targets    map[string]TargetState
	// pending are task configs that wait for their commit record, by connector
	// and number.
	pending map[string]map[int]map[string]string
	// fenced are the generations of source tasks that were fenced last (KIP-618).
	fenced map[string]fencing
	// removals are the configs of deleted connectors of which something may be left in
	// their system (connect.Remover). It is a record of our own: Kafka Connect's workers pass
	// over it.
	removals map[string]map[string]string
	// session is the newest key of the signatures between workers.
	session sessionKey
	// offset is after the last record, -1 when there was none, and work after the
	// last one that asks for a new assignment of work to workers.
	offset, work int64
}

// fencing says how many tasks a connector had when its old ones were fenced.
type fencing struct {
	tasks  int
	offset int64 // of the record
}

// connectorState is what is known of one connector.
type connectorState struct {
	config map[string]string
	// revision is the offset of the record that last asked for new task configs: a
	// new config, or the target state STOPPED, which goes with no tasks.
	revision int64
	target   TargetState
	tasks    []map[string]string
	// committed is the offset of the commit record of tasks.
	committed int64
	fenced    fencing // tasks is 0 when there was none
	// inconsistent: the commit record came without all of its task configs, so
	// they have to be made again.
	inconsistent bool
}

// configChange says what a record changed.
type configChange struct {
	connector string
	restart   *restartRequest
	// logger gets a level (KIP-976).
	logger, level string
	// work: there is a new connector or task, or a connector less.
	work bool
}

func newConfigState() configState {
	return configState{connectors: make(map[string]*connectorState), targets: make(map[string]TargetState),
		pending: make(map[string]map[int]map[string]string), fenced: make(map[string]fencing), removals: make(map[string]map[string]string), offset: -1, work: -1}
}

func (s *configState) connector(name string) (connectorState, bool) {
	c, ok := s.connectors[name]
	if !ok {
		return connectorState{}, false
	}
	state := *c
	state.target = TargetStarted
	state.fenced = s.fenced[name]
	if t, ok := s.targets[name]; ok {
		state.target = t
	}
	return state, true
}

// apply takes one record in. Keys that it does not know change nothing.
func (s *configState) apply(offset int64, key string, value []byte) (configChange, error) {
	s.offset = offset + 1
	change, err := s.applyKey(offset, key, value)
	if change.work {
		s.work = offset + 1
	}
	return change, err
}

func (s *configState) applyKey(offset int64, key string, value []byte) (configChange, error) {
	if key == sessionKeyKey {
		return configChange{}, s.session.apply(value)
	}
	kind, name := splitKey(key)
	switch kind {
	case "connector-":
		return s.applyConnector(offset, name, value)
	case "target-state-":
		return s.applyTarget(offset, name, value)
	case "task-":
		return configChange{}, s.applyTask(name, value)
	case "commit-":
		return s.applyCommit(offset, name, value)
	case "tasks-fencing-":
		return configChange{}, s.applyFencing(offset, name, value)
	case "restart-connector-":
		return s.applyRestart(name, value)
	case logLevelPrefix:
		return applyLogLevel(name, value)
	case removalPrefix:
		return configChange{}, s.applyRemoval(name, value)
	}
	return configChange{}, nil
}

func splitKey(key string) (kind, name string) {
	for _, kind := range []string{"connector-", "target-state-", "tasks-fencing-", "task-", "commit-", "restart-connector-", logLevelPrefix, removalPrefix} {
		if name, ok := strings.CutPrefix(key, kind); ok {
			return kind, name
		}
	}
	return "", ""
}

func (s *configState) applyConnector(offset int64, name string, value []byte) (configChange, error) {
	if value == nil {
		_, existed := s.connectors[name]
		delete(s.connectors, name)
		delete(s.pending, name)
		return configChange{connector: name, work: existed}, nil
	}
	config, err := parseProperties(value)
	if err != nil {
		return configChange{}, err
	}
	delete(s.removals, name) // what was left is in use again
	c := s.connectors[name]
	added := c == nil
	if added {
		c = &connectorState{}
		s.connectors[name] = c
	}
	c.config, c.revision = config, offset
	return configChange{connector: name, work: added}, nil
}

// removalPrefix begins the keys of what may have to be removed yet.
const removalPrefix = "sluice-removal-"

func (s *configState) applyRemoval(name string, value []byte) error {
	if value == nil {
		delete(s.removals, name)
		return nil
	}
	config, err := parseProperties(value)
	if err == nil {
		s.removals[name] = config
	}
	return err
}

func (s *configState) applyTarget(offset int64, name string, value []byte) (configChange, error) {
	if value == nil {
		delete(s.targets, name)
		return configChange{connector: name}, nil
	}
	var t targetState
	if err := json.Unmarshal(value, &t); err != nil {
		return configChange{}, err
	}
	if t.StateV2 != "" {
		t.State = t.StateV2
	}
	switch t.State {
	case TargetStarted, TargetPaused, TargetStopped:
		s.targets[name] = t.State
		if c := s.connectors[name]; c != nil && t.State == TargetStopped {
			c.revision = offset
		}
		return configChange{connector: name}, nil
	}
	return configChange{}, fmt.Errorf("unknown target state %q", t.State)
}

func (s *configState) applyTask(nameAndNumber string, value []byte) error {
	i := strings.LastIndexByte(nameAndNumber, '-')
	if i < 0 || value == nil {
		return nil
	}
	name := nameAndNumber[:i]
	number, err := strconv.Atoi(nameAndNumber[i+1:])
	if err != nil || number < 0 {
		return fmt.Errorf("task number %q: not a number", nameAndNumber[i+1:])
	}
	config, err := parseProperties(value)
	if err != nil {
		return err
	}
	if s.pending[name] == nil {
		s.pending[name] = make(map[int]map[string]string)
	}
	s.pending[name][number] = config
	return nil
}

// applyCommit makes the pending task configs valid. A commit of a connector that
// has been deleted is what compaction left over and means nothing.
func (s *configState) applyCommit(offset int64, name string, value []byte) (configChange, error) {
	pending := s.pending[name]
	delete(s.pending, name)
	c := s.connectors[name]
	if c == nil || value == nil {
		return configChange{}, nil
	}
	var commit struct {
		Tasks int `json:"tasks"`
	}
	if err := json.Unmarshal(value, &commit); err != nil {
		return configChange{}, err
	}
	before := len(c.tasks)
	c.tasks, c.inconsistent, c.committed = nil, false, offset
	if commit.Tasks < 0 || commit.Tasks > len(pending) {
		c.inconsistent = true
		return configChange{connector: name}, nil
	}
	for i := range commit.Tasks {
		config, ok := pending[i]
		if !ok {
			c.tasks, c.inconsistent = nil, true
			break
		}
		c.tasks = append(c.tasks, config)
	}
	// Fewer tasks leave the others where they are: no rebalance for them.
	return configChange{connector: name, work: len(c.tasks) > before}, nil
}

func (s *configState) applyFencing(offset int64, name string, value []byte) error {
	if value == nil {
		delete(s.fenced, name)
		return nil
	}
	var f struct {
		Tasks int `json:"task-count"`
	}
	if err := json.Unmarshal(value, &f); err != nil {
		return err
	}
	if f.Tasks < 0 || f.Tasks > maxFenced {
		return fmt.Errorf("task count %d: not between 0 and %d", f.Tasks, maxFenced)
	}
	s.fenced[name] = fencing{f.Tasks, offset}
	return nil
}

// maxFenced bounds how many transactional ids one record makes a worker fence (I5).
const maxFenced = 100_000

func (s *configState) applyRestart(name string, value []byte) (configChange, error) {
	if value == nil {
		return configChange{}, nil
	}
	var r restartRequest
	if err := json.Unmarshal(value, &r); err != nil {
		return configChange{}, err
	}
	return configChange{connector: name, restart: &r}, nil
}

func applyLogLevel(logger string, value []byte) (configChange, error) {
	if value == nil {
		return configChange{}, nil
	}
	var l logLevel
	if err := json.Unmarshal(value, &l); err != nil {
		return configChange{}, err
	}
	return configChange{logger: logger, level: l.Level}, nil
}

// parseProperties reads {"properties":{…}}; a null value is left out.
func parseProperties(value []byte) (map[string]string, error) {
	var p struct {
		Properties map[string]*string `json:"properties"`
	}
	if err := json.Unmarshal(value, &p); err != nil {
		return nil, err
	}
	config := make(map[string]string, len(p.Properties))
	for k, v := range p.Properties {
		if v != nil {
			config[k] = *v
		}
	}
	return config, nil
}
