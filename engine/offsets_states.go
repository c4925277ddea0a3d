package engine

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// writeTwoPhase changes the consumer offsets of a two-phase sink, then drops the
// states of the same partitions: what they would restore belongs to records that
// the sink is told to read again or to leave out. In this order, because of a
// state that is dropped while its offset stays the records would be lost, and a
// state that stays restores what was committed once, which does no harm.
func (m *modification) writeTwoPhase(ctx context.Context, c *kafkaCluster) error {
	states, closeStates := m.worker.stores.statesAt(c)
	defer closeStates()
	if _, err := states.open(ctx); err != nil {
		return offsetsError(m.name, m.verb(), err)
	}
	if m.worker.cfg.ExactlyOnceSink == ExactlyOnceEnabled {
		for n := range m.tasksMax {
			if err := c.fence(ctx, m.worker.cfg.sinkTransactionalID(TaskID{m.name, n})); err != nil {
				return offsetsError(m.name, "fence the tasks before changing the", err)
			}
		}
	}
	if err := m.writeSink(ctx, c); err != nil {
		return err
	}
	dropped, err := states.drop(ctx, m.name, func(key string) bool {
		return m.reset || slices.ContainsFunc(m.partitions, func(p connect.PartitionOffset) bool {
			return string(sinkStateKey(m.name, p.TopicPartition)) == key
		})
	})
	if err != nil {
		return offsetsError(m.name, m.verb()+" the states that go with the", err)
	}
	for _, state := range dropped {
		m.worker.cfg.Logger.Warn("a sink's output that was committed and not yet seen to be visible is given up, because its offsets were changed",
			logConnector, m.name, "state", state)
	}
	return nil
}

// drop removes the states of a connector whose key is chosen and returns those
// that had something to restore.
func (s *sinkStates) drop(ctx context.Context, connector string, chosen func(key string) bool) (dropped []string, err error) {
	f, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.syncEnd(ctx, s.cfg.SinkStateTopic.Name); err != nil {
		return nil, err
	}
	var records []*kgo.Record
	for key, st := range s.all(connector) {
		if !chosen(key) {
			continue
		}
		if st.State != nil {
			dropped = append(dropped, key+" "+string(st.State))
		}
		records = append(records, &kgo.Record{Topic: s.cfg.SinkStateTopic.Name, Key: []byte(key)})
	}
	targets, err := produce(ctx, s.cluster.client, records)
	if err != nil {
		return nil, err
	}
	return dropped, f.wait(ctx, targets)
}
