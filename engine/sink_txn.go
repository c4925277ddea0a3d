package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sluice-data/sluice/connect"
)

// sinkTransactionTimeout is after what time the cluster aborts a transaction of a
// sink that has not ended it. It is how long the next owner of a partition waits
// when this one hangs right between the first record and the end.
const sinkTransactionTimeout = 30 * time.Second

// sinkTransactionalID is that of a sink task. It does not end like a source's, so
// that no connector's name leads from one to the other.
func (c *Config) sinkTransactionalID(id TaskID) string { return c.transactionalID(id) + "-sink" }

// groupMember says who commits consumer offsets (KIP-447).
type groupMember struct {
	group, memberID, instanceID string
	generation                  int32
}

// sinkTransaction commits the states and the consumer offsets of a two-phase sink
// in one transaction, so that what becomes visible and where reading goes on are
// decided together (I3). Two things keep a former owner of a partition out: the
// group refuses offsets of an old generation, and the task's next run has taken
// over the transactional id.
type sinkTransaction struct {
	task   *task
	states *sinkStates
	id     string
	client *kgo.Client
}

// beginTransactions takes the task's transactional id, which aborts what an
// earlier run has open and refuses it everything more. The returned function ends
// the client. Without transactions there is none.
func (s *sinkTask) beginTransactions() (end func(), err error) {
	if s.twoPhase == nil || s.cfg.ExactlyOnceSink != ExactlyOnceEnabled {
		return func() {}, nil
	}
	id := s.cfg.sinkTransactionalID(s.id)
	versions := kversion.Stable()
	// From version 5 on a commit of offsets adds the group to the transaction, which
	// only clients do that have settled on it with the cluster (KIP-890).
	versions.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), 4)
	client, err := kgo.NewClient(s.cluster.access.clientOpts(fmt.Sprintf("connector-sink-producer-%s-%d", s.id.Connector, s.id.Task),
		kgo.TransactionalID(id), kgo.TransactionTimeout(sinkTransactionTimeout), kgo.MaxVersions(versions), kgo.ProducerLinger(0))...)
	if err != nil {
		return nil, fmt.Errorf("make the kafka producer of the sink's states: %w", err)
	}
	// After the time to stop is over, nothing may be committed any more.
	giveUp := context.AfterFunc(s.kill, client.Close)
	end = func() { giveUp(); client.Close() }
	err = s.retryForever(s.stop, "begin the sink's transactions", func() error {
		if _, err := s.states.open(s.stop); err != nil {
			return passingError("open topic "+s.cfg.SinkStateTopic.Name, err)
		}
		ctx, cancel := context.WithTimeout(s.stop, storeTimeout)
		defer cancel()
		_, _, err := client.ProducerID(ctx)
		return passingError("start transactions as "+id+" (exactly.once.sink.support=disabled does without)", err)
	})
	if err != nil {
		end()
		return nil, err
	}
	s.txn = &sinkTransaction{task: &s.task, states: s.states, id: id, client: client}
	return end, nil
}

// notCommittedError is why a transaction was not made. It was never asked to be committed.
type notCommittedError struct{ error }

func (e *notCommittedError) Unwrap() error { return e.error }

// commit commits states and offsets. After a notCommittedError, as every Retriable one is, they are not committed. After any other it is not known
// whether they are: the next run of the task finds out.
func (x *sinkTransaction) commit(ctx context.Context, m groupMember, states []connect.PartitionState) error {
	if m.memberID == "" {
		return &notCommittedError{connect.Retriable(errors.New("commit the sink's states: the task has no place in its group at the moment"))}
	}
	if err := x.client.BeginTransaction(); err != nil {
		return &notCommittedError{x.explain("begin", err)}
	}
	err := x.fill(ctx, m, states)
	if err == nil {
		err = committable(x.task.kill, x.client, connect.TopicPartition{Topic: x.task.cfg.SinkStateTopic.Name})
	}
	if err != nil {
		return &notCommittedError{x.abort(err)}
	}
	if err := x.client.EndTransaction(x.task.kill, kgo.TryCommit); err != nil {
		return x.explain("commit", err)
	}
	return nil
}

// fill puts the states into the transaction, then the offsets. In this order: a
// next owner that sees no pending offsets any more finds the states before the
// end of their topic.
func (x *sinkTransaction) fill(ctx context.Context, m groupMember, states []connect.PartitionState) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	records := make([]*kgo.Record, len(states))
	for i := range states {
		records[i] = x.states.record(x.task.id.Connector, &states[i])
	}
	if err := x.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("write the sink's states to topic %s: %w", x.task.cfg.SinkStateTopic.Name, err)
	}
	producerID, epoch, err := x.client.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("add consumer offsets to the transaction: %w", err)
	}
	err = answered(ctx, func() error {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = x.id, producerID, epoch, m.group
		resp, err := req.RequestWith(ctx, x.client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("add consumer offsets to the transaction: %w", err)
	}
	req := x.offsetRequest(m, states)
	req.ProducerID, req.ProducerEpoch = producerID, epoch
	err = answered(ctx, func() error {
		resp, err := req.RequestWith(ctx, x.client)
		if err != nil {
			return err
		}
		return offsetsAccepted(resp)
	})
	if err != nil {
		return fmt.Errorf("commit consumer offsets in the transaction: %w", err)
	}
	return nil
}

func (x *sinkTransaction) offsetRequest(m groupMember, states []connect.PartitionState) *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group = x.id, m.group
	req.MemberID, req.Generation, req.InstanceID = m.memberID, m.generation, kmsg.StringPtr(m.instanceID)
	topics := make(map[string]int)
	for _, st := range states {
		i, ok := topics[st.Topic]
		if !ok {
			i = len(req.Topics)
			topics[st.Topic] = i
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = st.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = st.Partition, st.Offset
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	return req
}

func offsetsAccepted(resp *kmsg.TxnOffsetCommitResponse) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("topic %s, partition %d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// answered repeats a request while the coordinator is busy or moves.
func answered(ctx context.Context, request func() error) error {
	for {
		err := request()
		var k *kerr.Error
		if !errors.As(err, &k) || !k.Retriable || errors.Is(err, kerr.RebalanceInProgress) || sleep(ctx, retryDelay/10) != nil {
			return err
		}
	}
}

// abort ends a transaction that will not be committed and says why. Once that is
// certain the commit may be tried again, if the cause can pass.
func (x *sinkTransaction) abort(cause error) error {
	ctx, cancel := context.WithTimeout(x.task.kill, storeTimeout)
	defer cancel()
	err := x.client.AbortBufferedRecords(ctx)
	if err == nil {
		x.distrust(cause)
		err = x.client.EndTransaction(ctx, kgo.TryAbort)
	}
	switch {
	case fenced(cause), errors.Is(cause, kerr.FencedInstanceID):
		return x.explain("commit", cause)
	case err != nil:
		return fmt.Errorf("%w; then %w", cause, x.explain("abort", err))
	case passing(cause), memberMoved(cause):
		return connect.Retriable(cause)
	}
	return cause
}

// distrust makes the end of the transaction a new epoch of the producer when a
// request was not answered. It may be on its way still, and before version 2 of
// transactions it could not be told from one of the next transaction. The client
// takes a new epoch where it does not know how an attempt to end one went, so it
// gets such an attempt.
func (x *sinkTransaction) distrust(cause error) {
	var answer *kerr.Error
	if errors.As(cause, &answer) {
		return
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = x.client.EndTransaction(over, kgo.TryAbort) // fails
}

// memberMoved tells whether the group has gone on without the task, which hears of
// it in its own time. Whether the partitions are still its own shows then.
func memberMoved(err error) bool {
	return errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.RebalanceInProgress)
}

func (x *sinkTransaction) explain(what string, err error) error {
	if fenced(err) || errors.Is(err, kerr.FencedInstanceID) {
		return fmt.Errorf("%s the sink's transaction as %s: another task has its place: %w", what, x.id, err)
	}
	return fmt.Errorf("%s the sink's transaction as %s: %w", what, x.id, err)
}
