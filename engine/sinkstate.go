package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// sinkStates keeps the states of two-phase sinks: the latest values of the state
// topic. Tasks write to the topic themselves, in the transactions that move their
// consumer offsets (I3). The topic is made and followed with the first such sink.
//
//	key    ["<connector>",{"kafka_partition":0,"kafka_topic":"orders"}]
//	value  {"offset":120,"state":{…}}
//
// The offset is the one that was committed together with the state, which is not
// there when there is nothing to restore.
type sinkStates struct {
	cfg *Config
	// cluster is that of the sink's consumer; its consumer offsets are there.
	cluster *kafkaCluster
	// opening has a token for whoever opens.
	opening chan struct{}

	mu       sync.Mutex        // guards the fields below
	values   map[string][]byte // by the bytes of the key
	follower *follower         // nil until the topic is followed
	stop     context.CancelFunc
	closed   bool

	running sync.WaitGroup
}

// sinkState is a value of the state topic.
type sinkState struct {
	Offset int64           `json:"offset"`
	State  json.RawMessage `json:"state,omitempty"`
}

func newSinkStates(cfg *Config) *sinkStates {
	return &sinkStates{cfg: cfg, opening: make(chan struct{}, 1), values: make(map[string][]byte)}
}

// statesAt returns the states of sinks whose consumer is at a cluster, and what ends
// those that are not the worker's.
func (s *stores) statesAt(c *kafkaCluster) (states *sinkStates, end func()) {
	if !c.other {
		return s.states, func() {}
	}
	states = newSinkStates(s.cfg)
	states.cluster = c
	return states, states.close
}

func (s *sinkStates) apply(r *kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Value == nil {
		delete(s.values, string(r.Key))
		return
	}
	s.values[string(r.Key)] = bytes.Clone(r.Value) // the rest of its batch may go
}

// open makes the topic when it is missing and follows it. Once that worked it
// does nothing.
func (s *sinkStates) open(ctx context.Context) (*follower, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	f, closed := s.follower, s.closed
	s.mu.Unlock()
	if f != nil || closed {
		return f, closedError(closed)
	}
	if err := prepareTopic(ctx, s.cluster.admin, s.cfg.SinkStateTopic); err != nil {
		return nil, err
	}
	f, err := newFollower(ctx, s.cluster, map[string]func(*kgo.Record){s.cfg.SinkStateTopic.Name: s.apply})
	if err != nil {
		return nil, err
	}
	return f, s.follow(f)
}

func closedError(closed bool) error {
	if closed {
		return errors.New("follow the states of sinks: the worker is shutting down")
	}
	return nil
}

// follow runs the follower until close.
func (s *sinkStates) follow(f *follower) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		f.client.Close()
		return closedError(true)
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.follower = f
	s.running.Go(func() { f.run(ctx) })
	return nil
}

// close ends the follower. What waits for it then waits for its own time limit.
func (s *sinkStates) close() {
	s.mu.Lock()
	s.closed = true
	if s.stop != nil {
		s.stop()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// of returns the states of the partitions that have one, after everything that
// the topic holds has been read. That is to its very end and not just to the first
// open transaction: what a former owner of a partition has committed may stand
// behind one of another task, and its own records are in the topic before its
// offsets are in the group.
func (s *sinkStates) of(ctx context.Context, connector string, tps []connect.PartitionOffset) ([]connect.PartitionState, error) {
	f, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := f.syncEnd(ctx, s.cfg.SinkStateTopic.Name); err != nil {
		return nil, connect.Retriable(err) // the log may come back, a transaction ends
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var states []connect.PartitionState
	for _, tp := range tps {
		value := s.values[string(sinkStateKey(connector, tp.TopicPartition))]
		if value == nil {
			continue
		}
		var st sinkState
		if err := json.Unmarshal(value, &st); err != nil {
			return nil, fmt.Errorf("read the state of connector %s for topic %s, partition %d, in topic %s: %w; "+
				"what is prepared in the sink's system would be lost without it: repair the record, or reset the connector's offsets",
				connector, tp.Topic, tp.Partition, s.cfg.SinkStateTopic.Name, err)
		}
		if st.State != nil {
			states = append(states, connect.PartitionState{State: st.State,
				PartitionOffset: connect.PartitionOffset{TopicPartition: tp.TopicPartition, Offset: st.Offset}})
		}
	}
	return states, nil
}

// all returns the states of a connector by their keys, once the topic has been
// read.
func (s *sinkStates) all(connector string) map[string]sinkState {
	prefix := string(appendOffsetKey(nil, connector, nil))
	prefix = prefix[:len(prefix)-1] // without the bracket
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string]sinkState)
	for key, value := range s.values {
		if strings.HasPrefix(key, prefix) {
			var st sinkState
			_ = json.Unmarshal(value, &st) // one that cannot be read can be dropped
			found[key] = st
		}
	}
	return found
}

func sinkStateKey(connector string, tp connect.TopicPartition) []byte {
	return appendOffsetKey(nil, connector, sinkPartitionJSON(tp.Topic, tp.Partition))
}

// record returns the record that keeps a state.
func (s *sinkStates) record(connector string, st *connect.PartitionState) *kgo.Record {
	return &kgo.Record{Topic: s.cfg.SinkStateTopic.Name, Key: sinkStateKey(connector, st.TopicPartition),
		Value: jsonValue(sinkState{st.Offset, st.State})}
}
