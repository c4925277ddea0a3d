package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/txn"
)

// addOffsetsToTxnHandler is key 25, v0–v4: v2 PRODUCER_FENCED, v3 flexible.
func addOffsetsToTxnHandler() handler {
	return handler{
		key: kmsg.AddOffsetsToTxn, min: 0, max: 4, advertised: 0, waits: true,
		shape: shape{
			str(),    // transactional id
			fixed(8), // producer id
			fixed(2), // producer epoch
			str(),    // group
		},
		serve: answer((*Broker).addOffsetsToTxn),
	}
}

// addOffsetsToTxn makes the partition with the group's offsets part of the
// transaction.
func (b *Broker) addOffsetsToTxn(ctx context.Context, r *request, q *kmsg.AddOffsetsToTxnRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	p := txn.Producer{TransactionalID: q.TransactionalID, ID: q.ProducerID, Epoch: q.ProducerEpoch}
	resp.ErrorCode = fencedCode(b.addOffsets(ctx, r, p, q.Group), q.Version, 2)
	return resp
}

func (b *Broker) addOffsets(ctx context.Context, r *request, p txn.Producer, groupID string) error {
	if !b.mayWrite(r, p.TransactionalID) {
		return kerr.TransactionalIDAuthorizationFailed
	}
	if !b.allows(r, kmsg.ACLOperationRead, kmsg.ACLResourceTypeGroup, groupID) {
		return kerr.GroupAuthorizationFailed
	}
	tp, err := b.offsetsPartition(groupID)
	if err != nil {
		return err
	}
	return b.cfg.Txns.AddPartitions(ctx, p, []txn.TopicPartition{tp})
}

// offsetsPartition is the partition that holds a group's offsets.
func (b *Broker) offsetsPartition(groupID string) (txn.TopicPartition, error) {
	i, err := b.cfg.Groups.Partition(groupID)
	return txn.TopicPartition{Topic: group.OffsetsTopic, Partition: i}, err
}
