package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
)

// transactionalID is that of a source task, under Kafka Connect's name, so that
// either fences the other.
func (c *Config) transactionalID(id TaskID) string {
	return fmt.Sprintf("%s-%s-%d", c.GroupID, id.Connector, id.Task)
}

// fence keeps the log from taking anything more of older runs of the task, and of
// the tasks of an older generation, before the source asks where to resume: what
// they have not committed by then never is (KIP-618).
func (t *task) fence(client *kgo.Client) error {
	err := t.retryForever(t.stop, "fence earlier tasks", func() error {
		if err := t.stores.group.fence(t.stop, t.id.Connector); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.stop, storeTimeout)
		defer cancel()
		_, _, err := client.ProducerID(ctx)
		return passingError("start transactions as "+t.cfg.transactionalID(t.id), err)
	})
	if err != nil || t.cfg.Group.alone() {
		return err
	}
	return t.stillCurrent()
}

// stillCurrent waits for the end of a task whose place is another's by now: when the
// transactional id was taken, the group may have gone on. Who has fenced this task
// since then finds nothing of it in the log.
func (t *task) stillCurrent() error {
	var state connectorState
	err := t.retryForever(t.stop, "read the config topic", func() error {
		ctx, cancel := context.WithTimeout(t.stop, storeTimeout)
		defer cancel()
		err := t.stores.follower.sync(ctx, t.cfg.ConfigTopic.Name)
		state, _ = t.stores.configs.connector(t.id.Connector)
		return passingError("look for a newer generation of the task", err)
	})
	if err == nil && state.committed != t.committed {
		<-t.stop.Done() // the reconciler has read it too and ends this run
		err = context.Cause(t.stop)
	}
	return err
}

// fenceGenerations fences every task of the generation before the one that is to
// run, once for each generation: its number of tasks may have been another. Only
// the leader does so.
func (s *stores) fenceGenerations(ctx context.Context, connector string) error {
	select {
	case s.fencing <- struct{}{}:
		defer func() { <-s.fencing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	state, ok := s.configs.connector(connector)
	if !ok || state.fenced.tasks > 0 && state.fenced.offset > state.committed {
		return nil
	}
	if old := state.fenced.tasks; old > 1 || old == 1 && len(state.tasks) != 1 {
		if err := s.fenceTasks(ctx, connector, state); err != nil {
			return err
		}
	}
	err := s.configs.putFencing(ctx, connector, len(state.tasks))
	if errors.Is(err, ErrNotLeader) {
		return connect.Retriable(err)
	}
	return passingError("store that older tasks are fenced", err)
}

// fenceTasks takes over the transactional ids of the source tasks that were fenced
// last, in the cluster that they write to.
func (s *stores) fenceTasks(ctx context.Context, connector string, state connectorState) error {
	c, err := s.sourceCluster(ctx, connector, state.config)
	if err != nil {
		return err
	}
	defer c.close()
	for n := range state.fenced.tasks {
		if err := c.fence(ctx, s.cfg.transactionalID(TaskID{connector, n})); err != nil {
			return err
		}
	}
	return nil
}

// fence takes a transactional id over, which ends what is open under it.
func (c *kafkaCluster) fence(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = kmsg.StringPtr(id)
	req.TransactionTimeoutMillis = int32(time.Minute.Milliseconds())
	req.ProducerID, req.ProducerEpoch = -1, -1
	for {
		resp, err := req.RequestWith(ctx, c.client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) || sleep(ctx, retryDelay/10) != nil {
			return passingError("fence "+id, err)
		}
	}
}

// passingError says what failed, and that it is worth another try where it is.
func passingError(what string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := fmt.Errorf("%s: %w", what, err)
	if passing(err) {
		return connect.Retriable(wrapped)
	}
	return wrapped
}
