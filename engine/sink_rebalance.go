package engine

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// rebalance is a change of the task's partitions. The writer closes done when
// the sink has followed it.
type rebalance struct {
	added   []connect.PartitionOffset
	removed []connect.TopicPartition
	lost    bool // removed already: nothing can be committed
	done    chan struct{}
}

func partitionError(code int16) error { return kerr.ErrorForCode(code) }

// onAssigned comes with the committed offsets of new partitions, before they are
// fetched.
func (s *sinkTask) onAssigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var rb rebalance
	for topic, partitions := range offsets {
		for partition, o := range partitions {
			rb.added = append(rb.added, connect.PartitionOffset{
				TopicPartition: connect.TopicPartition{Topic: topic, Partition: partition}, Offset: max(o.EpochOffset().Offset, -1)})
		}
	}
	return offsets, s.ask(ctx, rb)
}

// onRevoked comes while the partitions are still this member's.
func (s *sinkTask) onRevoked(ctx context.Context, _ *kgo.Client, removed map[string][]int32) {
	_ = s.ask(ctx, rebalance{removed: topicPartitions(removed)})
}

// onLost comes when the partitions may be another member's already.
func (s *sinkTask) onLost(ctx context.Context, _ *kgo.Client, removed map[string][]int32) {
	_ = s.ask(ctx, rebalance{removed: topicPartitions(removed), lost: true})
}

func topicPartitions(m map[string][]int32) []connect.TopicPartition {
	var tps []connect.TopicPartition
	for topic, partitions := range m {
		for _, p := range partitions {
			tps = append(tps, connect.TopicPartition{Topic: topic, Partition: p})
		}
	}
	return tps
}

// ask hands a rebalance to the writer and waits until it has followed.
func (s *sinkTask) ask(ctx context.Context, rb rebalance) error {
	if len(rb.added)+len(rb.removed) == 0 {
		return nil
	}
	rb.done = make(chan struct{})
	select {
	case s.rebalances <- rb:
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-rb.done:
		return nil
	case <-s.ended:
		return nil
	}
}

// rebalance lets the sink follow. It runs on the writer's goroutine.
func (s *sinkTask) rebalance(rb rebalance) error {
	defer close(rb.done)
	if err := s.remove(rb); err != nil {
		return err
	}
	return s.add(rb.added)
}

// remove makes durable and commits what it can of the partitions, then drops
// them.
func (s *sinkTask) remove(rb rebalance) error {
	if len(rb.removed) == 0 {
		return nil
	}
	if !rb.lost {
		s.announce(rb.removed)
		if err := s.flushRemoved(); err != nil {
			return err
		}
	}
	if s.assigner != nil {
		if err := s.followed("revoke", func() error { return s.assigner.Revoke(s.kill, rb.removed) }); err != nil {
			return err
		}
	}
	for _, tp := range rb.removed {
		s.meter.Removed(tp)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range rb.removed {
		delete(s.partitions, tp)
		delete(s.epochs, tp)
	}
	return nil
}

// announce tells the sink what it gives up, if it wants to know.
func (s *sinkTask) announce(removed []connect.TopicPartition) {
	if l, ok := s.sink.(connect.Leaver); ok {
		l.Leave(removed)
	}
}

// flushRemoved is flushAndCommit for partitions that are still this task's.
func (s *sinkTask) flushRemoved() error {
	if s.twoPhase != nil {
		return s.tryPhases(s.lastPhases(s.kill))
	}
	return s.flushAndCommit(s.kill)
}

// add starts partitions. One that is known already was assigned by a session
// that ended before it was fetched.
func (s *sinkTask) add(added []connect.PartitionOffset) error {
	var fresh []connect.PartitionOffset
	for _, o := range added {
		if s.partitions[o.TopicPartition] == nil {
			fresh = append(fresh, o)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := s.assign(fresh); err != nil {
		return err
	}
	s.watchLagOf(fresh)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range fresh {
		s.epoch++
		s.epochs[o.TopicPartition] = s.epoch
		s.partitions[o.TopicPartition] = &sinkPartition{written: o.Offset, durable: o.Offset, committed: o.Offset}
	}
	return nil
}

// assign lets the sink begin with partitions.
func (s *sinkTask) assign(fresh []connect.PartitionOffset) error {
	s.halfAdded = true
	if s.assigner != nil {
		if err := s.followed("assign", func() error { return s.assigner.Assign(s.kill, fresh) }); err != nil {
			return err
		}
	}
	if s.twoPhase != nil {
		if err := s.restore(fresh); err != nil {
			return err
		}
	}
	s.halfAdded = false
	return nil
}

// followed calls Assign, Restore or Revoke until it does not fail with what can pass.
func (s *sinkTask) followed(what string, f func() error) error {
	err := s.retryForever(s.stop, what+" partitions", f)
	switch {
	case err == nil:
		return nil
	case s.stop.Err() != nil:
		return errStopping
	}
	return fmt.Errorf("%s partitions: %w", what, err)
}
