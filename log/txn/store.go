package txn

import (
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// StateTopic holds the state of all transactional ids.
const StateTopic = "__transaction_state"

// store writes the records of the state topic.
type store struct {
	log        *log.Log
	partitions int

	mu     sync.Mutex         // guards broken and the creation of the topic
	broken map[int32]struct{} // partitions that could not be read, so that nothing is known of their ids
}

// place is where a record is: it is durable when the partition is, up to last.
type place struct {
	partition *log.Partition // nil: nothing was written since the start, so everything is durable
	last      int64
}

// onDurable calls done once with nil when the record is durable (I1), or with the
// error that keeps it from becoming so.
func (w place) onDurable(done func(error)) {
	if w.partition == nil {
		done(nil)
		return
	}
	w.partition.OnDurable(w.last, done)
}

// wait returns nil only after the record is durable (I1). It is always decided
// soon, so it takes no context.
func (w place) wait() error {
	c := make(chan error, 1)
	w.onDurable(func(err error) { c <- err })
	return <-c
}

// topic returns the state topic and creates it when it is missing.
func (s *store) topic() (*log.Topic, error) {
	if t, ok := s.log.Topic(StateTopic); ok {
		return t, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.log.Topic(StateTopic); ok {
		return t, nil
	}
	t, err := s.log.CreateTopic(StateTopic, s.partitions, map[string]string{
		"cleanup.policy":   "compact",
		"compression.type": "producer",
		"segment.bytes":    "104857600", // Kafka's: compaction works on closed segments
	})
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", StateTopic, err)
	}
	return t, nil
}

// check returns an error when the partition of an id could not be read.
func (s *store) check(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.broken) == 0 {
		return nil
	}
	if t, ok := s.log.Topic(StateTopic); ok {
		if _, bad := s.broken[log.PartitionFor(id, t.Partitions())]; bad {
			return kerr.CoordinatorNotAvailable
		}
	}
	return nil
}

func (s *store) setBroken(partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = map[int32]struct{}{}
	}
	s.broken[partition] = struct{}{}
}

// append writes the record of an id; a nil value is a tombstone. It goes with the
// next sync round, and waiting for it starts one.
func (s *store) append(id string, value []byte) (place, error) {
	t, err := s.topic()
	if err == nil {
		err = s.check(id)
	}
	if err != nil {
		return place{}, err
	}
	p, ok := t.Partition(log.PartitionFor(id, t.Partitions()))
	if !ok {
		return place{}, kerr.CoordinatorNotAvailable
	}
	var b batch.Builder
	b.Append(time.Now().UnixMilli(), encodeKey(id), value)
	raw, err := b.Build(nil)
	if err != nil {
		return place{}, err
	}
	res, err := p.Append(raw, log.AppendOptions{Internal: true, Lazy: true})
	if err != nil {
		return place{}, fmt.Errorf("append to %s: %w", StateTopic, err)
	}
	return place{p, res.LastOffset}, nil
}

// incomplete reports whether there are ids of which nothing is known.
func (s *store) incomplete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.broken) > 0
}
