package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/txn"
)

// initProducerIDHandler is key 22, v0–v5: v2 flexible, v3 epoch bump (KIP-360), v4
// PRODUCER_FENCED.
func initProducerIDHandler() handler {
	return handler{
		key: kmsg.InitProducerID, min: 0, max: 5, advertised: 0, waits: true,
		shape: shape{
			str(),            // transactional id
			fixed(4),         // transaction timeout
			fixed(8).from(3), // producer id
			fixed(2).from(3), // producer epoch
		},
		serve: answer((*Broker).initProducerID),
	}
}

func (b *Broker) initProducerID(ctx context.Context, r *request, q *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.InitProducerIDResponse)
	p, err := b.initProducer(ctx, r, q)
	if err != nil {
		resp.ProducerID, resp.ProducerEpoch = -1, -1
		resp.ErrorCode = fencedCode(err, q.Version, 4)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = p.ID, p.Epoch
	return resp
}

// initProducer gives a transactional id its next epoch. Without one it hands out a
// new producer id with epoch 0. Such a client that gives its old id to bump the
// epoch also gets a new id: nothing ties the two together, and a new id starts
// every sequence at 0 just as a new epoch does.
func (b *Broker) initProducer(ctx context.Context, r *request, q *kmsg.InitProducerIDRequest) (txn.Producer, error) {
	if (q.ProducerID == -1) != (q.ProducerEpoch == -1) {
		return txn.Producer{}, kerr.InvalidRequest
	}
	if q.TransactionalID == nil {
		if !b.allowsAnyTopic(r, kmsg.ACLOperationWrite) && !b.allowsCluster(r, kmsg.ACLOperationIdempotentWrite) { // KIP-679
			return txn.Producer{}, kerr.ClusterAuthorizationFailed
		}
		id, err := b.cfg.Txns.NewProducerID()
		if err != nil {
			b.cfg.Logger.Error("allocate producer ids", "error", err)
		}
		return txn.Producer{ID: id}, err
	}
	if !b.mayWrite(r, *q.TransactionalID) {
		return txn.Producer{}, kerr.TransactionalIDAuthorizationFailed
	}
	init := txn.InitRequest{TransactionalID: *q.TransactionalID, TimeoutMs: q.TransactionTimeoutMillis}
	if q.ProducerID != -1 {
		init.Expected = &txn.Producer{ID: q.ProducerID, Epoch: q.ProducerEpoch}
	}
	return b.cfg.Txns.Init(ctx, init)
}
