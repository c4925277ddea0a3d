package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/txn"
)

// listTransactionsHandler is key 66, v0–v2: v1 duration filter (KIP-994), v2
// pattern (KIP-1152).
func listTransactionsHandler() handler {
	return handler{
		key: kmsg.ListTransactions, min: 0, max: 2, advertised: 0,
		shape: shape{
			list(str()),      // states
			list(fixed(8)),   // producer ids
			fixed(8).from(1), // duration
			str().from(2),    // pattern
		},
		serve: answer((*Broker).listTransactions),
	}
}

// listTransactions lists the ids that the client may know of.
func (b *Broker) listTransactions(_ context.Context, r *request, q *kmsg.ListTransactionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListTransactionsResponse)
	resp.TransactionStates = []kmsg.ListTransactionsResponseTransactionState{}
	resp.UnknownStateFilters = []string{}
	f := txn.Filter{States: q.StateFilters, ProducerIDs: q.ProducerIDFilters, MinMs: -1}
	if q.Version >= 1 {
		f.MinMs = q.DurationFilterMillis
	}
	if q.TransactionalIDPattern != nil {
		f.Pattern = *q.TransactionalIDPattern
	}
	list, unknown, err := b.cfg.Txns.List(f)
	if err != nil {
		resp.ErrorCode = groupErrorCode(err)
		return resp
	}
	resp.UnknownStateFilters = append(resp.UnknownStateFilters, unknown...)
	for _, l := range list {
		if !b.isAllowed(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTransactionalId, l.TransactionalID) {
			continue
		}
		s := kmsg.NewListTransactionsResponseTransactionState()
		s.TransactionalID, s.ProducerID, s.TransactionState = l.TransactionalID, l.ProducerID, l.State.String()
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	return resp
}
