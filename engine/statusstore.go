package engine

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// statusStore keeps what became of each connector and task: the latest state of
// the status topic.
type statusStore struct {
	stores *stores
	// onUnassigned is called by the follower when another worker has written of a connector or a task of it that nobody runs it; it must not
	// block. It may be nil.
	onUnassigned func(connector string)

	mu         sync.Mutex // guards the fields below
	connectors map[string]statusRecord
	tasks      map[string]map[int]statusRecord
	topics     map[string]map[string]bool // used topics, by connector

	// topicResets counts the removals from topics.
	topicResets atomic.Int64
}

// statusRecord is a value of the status topic. The trace is null without one.
type statusRecord struct {
	State      State   `json:"state"`
	Trace      *string `json:"trace"`
	WorkerID   string  `json:"worker_id"`
	Generation int     `json:"generation"`
}

func newStatusStore(s *stores) *statusStore {
	return &statusStore{stores: s, connectors: make(map[string]statusRecord), tasks: make(map[string]map[int]statusRecord),
		topics: make(map[string]map[string]bool)}
}

const (
	connectorStatusPrefix = "status-connector-"
	taskStatusPrefix      = "status-task-"
)

func (s *statusStore) apply(r *kgo.Record) {
	key := string(r.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if connector, topic, ok := parseTopicKey(key); ok {
		s.applyTopic(connector, topic, r.Value)
		return
	}
	var status statusRecord
	if r.Value != nil && json.Unmarshal(r.Value, &status) != nil {
		return // not a record of Kafka Connect's
	}
	if name, ok := strings.CutPrefix(key, connectorStatusPrefix); ok {
		if r.Value == nil {
			delete(s.connectors, name)
		} else {
			s.connectors[name] = status
			s.tell(name, status)
		}
	} else if id, ok := parseTaskKey(key); ok {
		s.applyTask(id, status, r.Value == nil)
		s.tell(id.Connector, status)
	}
}

func (s *statusStore) tell(connector string, status statusRecord) {
	if status.State == Unassigned && status.WorkerID != s.stores.cfg.WorkerID && s.onUnassigned != nil {
		s.onUnassigned(connector)
	}
}

func (s *statusStore) applyTask(id TaskID, status statusRecord, gone bool) {
	tasks := s.tasks[id.Connector]
	switch {
	case gone && tasks != nil:
		delete(tasks, id.Task)
		if len(tasks) == 0 {
			delete(s.tasks, id.Connector)
		}
	case !gone && tasks == nil:
		s.tasks[id.Connector] = map[int]statusRecord{id.Task: status}
	case !gone:
		tasks[id.Task] = status
	}
}

func parseTaskKey(key string) (TaskID, bool) {
	rest, ok := strings.CutPrefix(key, taskStatusPrefix)
	i := strings.LastIndexByte(rest, '-')
	if !ok || i < 0 {
		return TaskID{}, false
	}
	n, err := strconv.Atoi(rest[i+1:])
	return TaskID{rest[:i], n}, err == nil && n >= 0
}

func (s *statusStore) connector(name string) (statusRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, ok := s.connectors[name]
	return status, ok
}

func (s *statusStore) task(id TaskID) (statusRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, ok := s.tasks[id.Connector][id.Task]
	return status, ok
}

// runs tells whether a worker but one says that it runs a task of a connector.
func (s *statusStore) runs(connector, but string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, status := range s.tasks[connector] {
		if status.WorkerID != but && status.State.runs() {
			return true
		}
	}
	return false
}

// taskNumbers returns the numbers of the tasks that have a status, in order.
func (s *statusStore) taskNumbers(connector string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.tasks[connector]))
}

// names returns the connectors that have a status or a task with one.
func (s *statusStore) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.AppendSeq(slices.Collect(maps.Keys(s.connectors)), maps.Keys(s.tasks))
	slices.Sort(names)
	return slices.Compact(names)
}

// putConnector writes a connector's status; generation is that of the group.
func (s *statusStore) putConnector(name string, generation int, state State, trace string) {
	s.put(connectorStatusPrefix+name, s.value(s.stores.cfg.WorkerID, state, trace, generation))
}

func (s *statusStore) putTask(id TaskID, generation int, state State, trace string) {
	s.put(taskKey(id), s.value(s.stores.cfg.WorkerID, state, trace, generation))
}

// putConnectorSafely drops the status when a worker of a newer generation has
// written one: the connector is that one's now.
func (s *statusStore) putConnectorSafely(name string, generation int, state State, trace string) {
	if now, ok := s.connector(name); !ok || s.mayReplace(now, generation) {
		s.putConnector(name, generation, state, trace)
	}
}

func (s *statusStore) putTaskSafely(id TaskID, generation int, state State, trace string) {
	if now, ok := s.task(id); !ok || s.mayReplace(now, generation) {
		s.putTask(id, generation, state, trace)
	}
}

func (s *statusStore) mayReplace(now statusRecord, generation int) bool {
	return s.stores.cfg.Group.alone() || now.WorkerID == s.stores.cfg.WorkerID || now.Generation <= generation
}

// putAs writes the status of what another worker ran.
func (s *statusStore) putAs(key, workerID string, generation int, state State) {
	s.put(key, s.value(workerID, state, "", generation))
}

func (s *statusStore) deleteConnector(name string) { s.put(connectorStatusPrefix+name, nil) }

func (s *statusStore) deleteTask(id TaskID) { s.put(taskKey(id), nil) }

func taskKey(id TaskID) string {
	return taskStatusPrefix + id.Connector + "-" + strconv.Itoa(id.Task)
}

func (s *statusStore) value(workerID string, state State, trace string, generation int) []byte {
	r := statusRecord{State: state, WorkerID: workerID, Generation: generation}
	if trace != "" {
		r.Trace = &trace
	}
	return jsonValue(r)
}

// put produces a status without waiting for it: the reconciler goes on while the
// log is away. When the client's buffer is full, the status is dropped (I5).
func (s *statusStore) put(key string, value []byte) {
	r := &kgo.Record{Topic: s.stores.cfg.StatusTopic.Name, Key: []byte(key), Value: value}
	s.stores.client.TryProduce(context.Background(), r, func(_ *kgo.Record, err error) {
		if err != nil {
			s.stores.cfg.Logger.Warn("write a status", "status", key, logError, err)
		}
	})
}
