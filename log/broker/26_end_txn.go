package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/txn"
)

// endTxnHandler is key 26, v0–v5: v2 PRODUCER_FENCED, v3 flexible, v5 raises the
// epoch (KIP-890).
func endTxnHandler() handler {
	return handler{
		key: kmsg.EndTxn, min: 0, max: 5, advertised: 0, waits: true,
		shape: shape{
			str(),    // transactional id
			fixed(8), // producer id
			fixed(2), // producer epoch
			fixed(1), // commit
		},
		serve: answer((*Broker).endTxn),
	}
}

// endTxn answers when the outcome is durable (I1). The markers follow.
func (b *Broker) endTxn(ctx context.Context, r *request, q *kmsg.EndTxnRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.EndTxnResponse)
	err := error(kerr.TransactionalIDAuthorizationFailed)
	next := txn.Producer{ID: -1, Epoch: -1}
	if b.mayWrite(r, q.TransactionalID) {
		p := txn.Producer{TransactionalID: q.TransactionalID, ID: q.ProducerID, Epoch: q.ProducerEpoch}
		next, err = b.cfg.Txns.End(ctx, p, q.Commit, q.Version >= endBumps)
	}
	resp.ErrorCode = fencedCode(err, q.Version, 2)
	if err == nil {
		resp.ProducerID, resp.ProducerEpoch = next.ID, next.Epoch
	}
	return resp
}
