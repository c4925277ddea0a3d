package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/txn"
)

// txnOffsetCommitHandler is key 28, v0–v6: v3 flexible and group metadata
// (KIP-447), v5 adds the group to the transaction (KIP-890), v6 topic ids.
func txnOffsetCommitHandler() handler {
	return handler{
		key: kmsg.TxnOffsetCommit, min: 0, max: 6, advertised: 0, waits: true,
		shape: shape{
			str(),            // transactional id
			str(),            // group
			fixed(8),         // producer id
			fixed(2),         // producer epoch
			fixed(4).from(3), // generation
			str().from(3),    // member id
			str().from(3),    // instance id
			arr(str().to(5), fixed(16).from(6), arr(
				fixed(4),         // partition
				fixed(8),         // offset
				fixed(4).from(2), // leader epoch
				str(),            // metadata
			)),
		},
		serve: answer((*Broker).txnOffsetCommit),
	}
}

// txnOffsetCommit commits the offsets of topics that exist as part of a
// transaction and answers when they are durable (I1).
func (b *Broker) txnOffsetCommit(ctx context.Context, r *request, q *kmsg.TxnOffsetCommitRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	resp.Topics = []kmsg.TxnOffsetCommitResponseTopic{}
	commit := group.CommitRequest{Group: q.Group, Generation: -1}
	if q.Version >= 3 {
		commit.Generation, commit.MemberID, commit.InstanceID = q.Generation, q.MemberID, q.InstanceID
	}
	for i := range q.Topics {
		resp.Topics = append(resp.Topics, b.takeOffsets(r, &q.Topics[i], q.Version, &commit))
	}
	if len(commit.Offsets) == 0 {
		return resp
	}
	if err := b.commitOffsets(ctx, r, q, commit); err != nil {
		failTxnOffsetCommit(resp, groupErrorCode(err))
	}
	return resp
}

// takeOffsets checks the offsets of one topic and puts the good ones into commit.
func (b *Broker) takeOffsets(r *request, t *kmsg.TxnOffsetCommitRequestTopic, version int16, commit *group.CommitRequest) kmsg.TxnOffsetCommitResponseTopic {
	rt := kmsg.NewTxnOffsetCommitResponseTopic()
	rt.Topic, rt.TopicID = t.Topic, t.TopicID
	rt.Partitions = []kmsg.TxnOffsetCommitResponseTopicPartition{}
	topic, err := b.topic(t.Topic, t.TopicID, version >= 6)
	name := t.Topic
	if err == nil {
		name = topic.Name()
	}
	if (err == nil || version < 6) && !b.allows(r, kmsg.ACLOperationRead, kmsg.ACLResourceTypeTopic, name) {
		err = kerr.TopicAuthorizationFailed
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		o := group.Offset{Topic: name, Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch}
		if p.Metadata != nil {
			o.Metadata = *p.Metadata
		}
		perr := err
		if perr == nil {
			_, perr = b.partition(name, [16]byte{}, false, p.Partition)
		}
		if perr == nil {
			perr = b.cfg.Groups.CheckMetadata(o.Metadata)
		}
		rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
		rp.Partition = p.Partition
		if rp.ErrorCode = errorCode(perr); perr == nil {
			commit.Offsets = append(commit.Offsets, o)
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt
}

// commitOffsets commits while the transaction cannot end.
func (b *Broker) commitOffsets(ctx context.Context, r *request, q *kmsg.TxnOffsetCommitRequest, commit group.CommitRequest) error {
	if !b.mayWrite(r, q.TransactionalID) {
		return kerr.TransactionalIDAuthorizationFailed
	}
	if !b.allows(r, kmsg.ACLOperationRead, kmsg.ACLResourceTypeGroup, q.Group) {
		return kerr.GroupAuthorizationFailed
	}
	tp, err := b.offsetsPartition(q.Group)
	if err != nil {
		return err
	}
	p := txn.Producer{TransactionalID: q.TransactionalID, ID: q.ProducerID, Epoch: q.ProducerEpoch}
	a, err := b.cfg.Txns.Admit(ctx, p, []txn.TopicPartition{tp}, q.Version >= offsetsAdd)
	if err != nil {
		return offsetsTxnError(err, q.Version)
	}
	defer a.Leave()
	if err := a.Err(tp); err != nil {
		return offsetsTxnError(err, q.Version)
	}
	if err := b.cfg.Groups.CommitTransaction(commit, p.ID, p.Epoch); err != nil {
		return offsetsGroupError(err, q.Version)
	}
	return a.WaitDurable()
}

// offsetsTxnError is what a client is told of an error of the transaction
// coordinator, see produceTxnError.
func offsetsTxnError(err error, version int16) error {
	switch {
	case errors.Is(err, kerr.ProducerFenced):
		return kerr.InvalidProducerEpoch
	case errors.Is(err, kerr.TransactionAbortable) && version < offsetsAbortable:
		return kerr.InvalidTxnState
	}
	return err
}

// offsetsGroupError is what a client is told of an error of the group: before v6 one
// that it expects (KIP-1319).
func offsetsGroupError(err error, version int16) error {
	if version < 6 && (errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, kerr.StaleMemberEpoch)) {
		return kerr.IllegalGeneration
	}
	return err
}

// failTxnOffsetCommit gives every partition that has no error of its own this
// one.
func failTxnOffsetCommit(resp *kmsg.TxnOffsetCommitResponse, code int16) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if p := &resp.Topics[i].Partitions[j]; p.ErrorCode == 0 {
				p.ErrorCode = code
			}
		}
	}
}
