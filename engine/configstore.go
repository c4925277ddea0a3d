package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/engine/cluster"
)

// configStore keeps what should run: the latest state of the config topic.
type configStore struct {
	stores   *stores
	onChange func(configChange)

	mu    sync.Mutex // guards state
	state configState
}

func newConfigStore(s *stores, onChange func(configChange)) *configStore {
	return &configStore{stores: s, onChange: onChange, state: newConfigState()}
}

func (s *configStore) apply(r *kgo.Record) {
	s.mu.Lock()
	change, err := s.state.apply(r.Offset, string(r.Key), r.Value)
	work := s.state.work
	s.mu.Unlock()
	if err != nil {
		s.stores.cfg.Logger.Warn("ignore a record of the config topic", logOffset, r.Offset, logError, err)
		return
	}
	if change.work {
		s.stores.group.workChanged(work)
	}
	if change.connector != "" || change.logger != "" {
		s.onChange(change)
	}
}

// snapshot returns the work that there is.
func (s *configStore) snapshot() cluster.ConfigSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := cluster.ConfigSnapshot{Offset: s.state.offset, Connectors: slices.Sorted(maps.Keys(s.state.connectors)), Tasks: make(map[string]int)}
	for name, c := range s.state.connectors {
		snapshot.Tasks[name] = len(c.tasks)
	}
	return snapshot
}

// workOffset is after the last record that asks for a new assignment.
func (s *configStore) workOffset() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.work
}

// session returns the newest key of the signatures between workers.
func (s *configStore) session() sessionKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.session
}

// connector returns the state of a connector. Its maps must not be changed.
func (s *configStore) connector(name string) (connectorState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.connector(name)
}

// names returns the names of all connectors in order.
func (s *configStore) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.state.connectors))
}

// putConnector stores a config. A target state that is given goes first, so that
// the connector never runs when it should not.
func (s *configStore) putConnector(ctx context.Context, name string, config map[string]string, target TargetState) error {
	var records []*kgo.Record
	if target != "" {
		records = append(records, s.targetRecord(name, target))
	}
	records = append(records, s.record("connector-"+name, properties{config}))
	return s.stores.lead.write(ctx, records...)
}

// deleteConnector removes a config. If its tasks leave something in their system it
// is kept under another key, first, until that is removed.
func (s *configStore) deleteConnector(ctx context.Context, name string, removes bool) error {
	var records []*kgo.Record
	if removes {
		c, _ := s.connector(name)
		records = append(records, s.record(removalPrefix+name, properties{c.config}))
	}
	records = append(records, s.record("connector-"+name, nil), s.record("target-state-"+name, nil))
	return s.stores.lead.write(ctx, records...)
}

// putRemoved notes that nothing is left to remove of a deleted connector.
func (s *configStore) putRemoved(ctx context.Context, name string) error {
	return s.stores.write(ctx, s.record(removalPrefix+name, nil))
}

// removals returns the configs of deleted connectors of which something may be left
// in their system.
func (s *configStore) removals() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := maps.Clone(s.state.removals)
	maps.DeleteFunc(left, func(name string, _ map[string]string) bool { return s.state.connectors[name] != nil })
	return left
}

func (s *configStore) hasRemoval(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.removals[name] != nil
}

func (s *configStore) putTarget(ctx context.Context, name string, target TargetState) error {
	return s.stores.write(ctx, s.targetRecord(name, target))
}

// stillWanted tells whether a connector is to run with the config that it had in a state.
func (s *configStore) stillWanted(name string, then connectorState) bool {
	now, ok := s.connector(name)
	return ok && now.revision == then.revision && now.target == TargetStarted
}

// putTasks stores the configs of a connector's tasks and the commit record that
// makes them valid as a set.
func (s *configStore) putTasks(ctx context.Context, name string, tasks []map[string]string) error {
	var records []*kgo.Record
	for i, config := range tasks {
		records = append(records, s.record("task-"+name+"-"+strconv.Itoa(i), properties{config}))
	}
	records = append(records, s.record("commit-"+name, map[string]int{"tasks": len(tasks)}))
	return s.stores.lead.write(ctx, records...)
}

// putFencing stores that the tasks of older generations are fenced.
func (s *configStore) putFencing(ctx context.Context, name string, tasks int) error {
	return s.stores.lead.write(ctx, s.record("tasks-fencing-"+name, map[string]int{"task-count": tasks}))
}

// putRestart asks for a restart, as Kafka Connect does, through the topic.
func (s *configStore) putRestart(ctx context.Context, name string, includeTasks, onlyFailed bool) error {
	return s.stores.lead.write(ctx, s.record("restart-connector-"+name,
		restartRequest{IncludeTasks: includeTasks, OnlyFailed: onlyFailed}))
}

// putSession shares a key of the signatures between workers.
func (s *configStore) putSession(ctx context.Context, k sessionKey) error {
	return s.stores.lead.write(ctx, s.record(sessionKeyKey, k.record()))
}

// putLogLevel asks every worker to set the level of a logger (KIP-976).
func (s *configStore) putLogLevel(ctx context.Context, logger, level string) error {
	return s.stores.write(ctx, s.record(logLevelPrefix+logger, logLevel{level}))
}

func (s *configStore) targetRecord(name string, target TargetState) *kgo.Record {
	old := target
	if target == TargetStopped {
		old = TargetPaused // for workers before KIP-875
	}
	return s.record("target-state-"+name, targetState{State: old, StateV2: target})
}

// record returns a record of the config topic; a nil value is a tombstone.
func (s *configStore) record(key string, value any) *kgo.Record {
	return &kgo.Record{Topic: s.stores.cfg.ConfigTopic.Name, Key: []byte(key), Value: jsonValue(value)}
}

// jsonValue returns the JSON of a value that always has one, nil for nil.
func jsonValue(value any) []byte {
	if value == nil {
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("engine: encode %T: %v", value, err))
	}
	return text
}
