package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// restore hands the sink the states of new partitions, to be made visible before
// anything more is written (I3). Their offsets came from the group when nothing of
// them was in an open transaction, and whoever had the partitions before cannot
// commit any more: what states there will ever be are in the topic by now.
func (s *sinkTask) restore(fresh []connect.PartitionOffset) error {
	return s.followed("restore", func() error {
		states, err := s.states.of(s.stop, s.id.Connector, fresh)
		if err != nil || len(states) == 0 {
			return err
		}
		if err := s.twoPhase.Restore(s.kill, states); err != nil {
			return fmt.Errorf("restore the sink's output: %w", err)
		}
		if s.txn != nil {
			return nil // the sink replaces its states itself
		}
		return s.forgetStates(states)
	})
}

// forgetStates removes states of the time when the sink was exactly once.
func (s *sinkTask) forgetStates(states []connect.PartitionState) error {
	records := make([]*kgo.Record, len(states))
	for i, st := range states {
		records[i] = &kgo.Record{Topic: s.cfg.SinkStateTopic.Name, Key: sinkStateKey(s.id.Connector, st.TopicPartition)}
	}
	_, err := produce(s.kill, s.cluster.client, records)
	return passingError("forget the states that were restored", err)
}

// tryPhases drops errors that can pass: the phases come again.
func (s *sinkTask) tryPhases(err error) error {
	s.stuck = err != nil
	switch {
	case err == nil:
		s.flushTrouble.over()
	case connect.IsRetriable(err):
		s.flushTrouble.note(err)
	default:
		return err
	}
	return nil
}

// lastPhases goes through the phases for the last time before partitions go or
// the task ends. The second round lets the sink replace states that the first has
// applied, so that nobody has to restore them.
func (s *sinkTask) lastPhases(ctx context.Context) error {
	if err := s.phases(ctx); err != nil {
		return err
	}
	return s.phases(ctx)
}

// phases makes what is due visible: Prepare, commit, Apply, in this order (I3). A sink that did not get all states of its partitions does nothing
// more: it would take what a former owner has committed for its leftovers.
func (s *sinkTask) phases(ctx context.Context) error {
	if s.halfAdded {
		return nil
	}
	if err := s.applyCommitted(ctx); err != nil {
		return err
	}
	states, err := s.twoPhase.Prepare(ctx)
	if err != nil {
		return fmt.Errorf("prepare the sink's output: %w", err)
	}
	if err := s.checkStates(states); err != nil || len(states) == 0 {
		return err
	}
	// A reported record is durable before its offset moves (KIP-610, I3).
	if err := s.letters.await(ctx); err != nil {
		return err
	}
	if s.txn == nil {
		return s.applyAndCommit(ctx, states)
	}
	id, generation := s.client.GroupMetadata()
	began := time.Now()
	err = s.txn.commit(ctx, groupMember{s.group(), id, s.instanceID(), generation}, states)
	s.meter.Committed(time.Since(began), err)
	if err != nil {
		s.withdraw(err)
		return err
	}
	for _, st := range states {
		p := s.partitions[st.TopicPartition]
		p.durable, p.committed = st.Offset, st.Offset
		s.meter.CommittedTo(st.TopicPartition, st.Offset)
	}
	s.unapplied = true
	return s.applyCommitted(ctx)
}

// withdraw tells the sink when its states are certain not to be committed, if it wants to know.
func (s *sinkTask) withdraw(err error) {
	var not *notCommittedError
	if w, ok := s.sink.(connect.Withdrawer); ok && errors.As(err, &not) {
		w.Withdraw()
	}
}

// applyCommitted makes visible what is committed.
func (s *sinkTask) applyCommitted(ctx context.Context) error {
	if !s.unapplied {
		return nil
	}
	if err := s.twoPhase.Apply(ctx); err != nil {
		return fmt.Errorf("apply the sink's output: %w", err)
	}
	s.unapplied = false
	return nil
}

// applyAndCommit is what is left of the phases without transactions: output is
// visible before its offsets move, and repeated when they do not.
func (s *sinkTask) applyAndCommit(ctx context.Context, states []connect.PartitionState) error {
	if err := s.twoPhase.Apply(ctx); err != nil {
		return fmt.Errorf("apply the sink's output: %w", err)
	}
	for _, st := range states {
		s.partitions[st.TopicPartition].durable = st.Offset
	}
	return s.commit(ctx)
}

// checkStates holds the sink to the contract, since a state that is committed for
// the wrong partition or offset loses records.
func (s *sinkTask) checkStates(states []connect.PartitionState) error {
	seen := make(map[connect.TopicPartition]bool, len(states))
	for _, st := range states {
		p := s.partitions[st.TopicPartition]
		switch {
		case p == nil:
			return fmt.Errorf("prepare the sink's output: topic %s, partition %d is not assigned to the task: a defect of the connector", st.Topic, st.Partition)
		case seen[st.TopicPartition]:
			return fmt.Errorf("prepare the sink's output: topic %s, partition %d has two states: a defect of the connector", st.Topic, st.Partition)
		case st.Offset < max(p.committed, 0) || st.Offset > p.written:
			return fmt.Errorf("prepare the sink's output: topic %s, partition %d is at offset %d, but committed up to %d and written up to %d: a defect of the connector",
				st.Topic, st.Partition, st.Offset, p.committed, p.written)
		case st.State != nil && !json.Valid(st.State):
			return fmt.Errorf("prepare the sink's output: the state of topic %s, partition %d is not JSON: a defect of the connector", st.Topic, st.Partition)
		}
		seen[st.TopicPartition] = true
	}
	return nil
}
