package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// initProducerIDHandler is key 22, v0–v5, for idempotent producers: v2 flexible,
// v3 epoch bump. Transactional ids belong to the transaction coordinator.
func initProducerIDHandler() handler {
	return handler{
		key: kmsg.InitProducerID, min: 0, max: 5, advertised: 0,
		shape: shape{
			str(),            // transactional id
			fixed(4),         // transaction timeout
			fixed(8).from(3), // producer id
			fixed(2).from(3), // producer epoch
		},
		serve: answer((*Broker).initProducerID),
	}
}

// initProducerID hands out a new producer id with epoch 0. A client that gives
// its old id to bump the epoch also gets a new id: without a transactional id
// nothing ties the two together, and a new id starts every sequence at 0 just
// as a new epoch does.
func (b *Broker) initProducerID(_ context.Context, r *request, q *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	switch {
	case q.TransactionalID != nil && !b.allows(r, kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTransactionalId, *q.TransactionalID):
		resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return resp
	case q.TransactionalID == nil && !b.allowsAnyTopic(r, kmsg.ACLOperationWrite) && !b.allowsCluster(r, kmsg.ACLOperationIdempotentWrite):
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp
	case q.TransactionalID != nil:
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp
	}
	id, err := b.producerIDs.next()
	if err != nil {
		b.cfg.Logger.Error("allocate producer ids", "error", err)
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code // clients try again
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp
}
