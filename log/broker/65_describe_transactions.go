package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeTransactionsHandler is key 65, v0 (KIP-664).
func describeTransactionsHandler() handler {
	return handler{
		key: kmsg.DescribeTransactions, min: 0, max: 0, advertised: 0,
		shape: shape{list(str())},
		serve: answer((*Broker).describeTransactions),
	}
}

func (b *Broker) describeTransactions(_ context.Context, r *request, q *kmsg.DescribeTransactionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	resp.TransactionStates = []kmsg.DescribeTransactionsResponseTransactionState{}
	for _, id := range unique(q.TransactionalIDs, func(id *string) string { return *id }) {
		resp.TransactionStates = append(resp.TransactionStates, b.describeTransaction(r, id))
	}
	return resp
}

// describeTransaction leaves out the topics that the client may not know of.
func (b *Broker) describeTransaction(r *request, id string) kmsg.DescribeTransactionsResponseTransactionState {
	s := kmsg.NewDescribeTransactionsResponseTransactionState()
	s.TransactionalID = id
	s.Topics = []kmsg.DescribeTransactionsResponseTransactionStateTopic{}
	if !b.allows(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTransactionalId, id) {
		s.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return s
	}
	d, err := b.cfg.Txns.Describe(id)
	if err != nil {
		s.ErrorCode = groupErrorCode(err)
		return s
	}
	s.State, s.TimeoutMillis, s.StartTimestamp = d.State.String(), d.TimeoutMs, d.StartMs
	s.ProducerID, s.ProducerEpoch = d.Producer.ID, d.Producer.Epoch
	for _, tp := range d.Partitions {
		if !b.allows(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, tp.Topic) {
			continue
		}
		if n := len(s.Topics); n == 0 || s.Topics[n-1].Topic != tp.Topic {
			t := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			t.Topic = tp.Topic
			s.Topics = append(s.Topics, t)
		}
		t := &s.Topics[len(s.Topics)-1]
		t.Partitions = append(t.Partitions, tp.Partition)
	}
	return s
}
