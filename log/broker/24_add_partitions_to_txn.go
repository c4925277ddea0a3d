package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/txn"
)

// addPartitionsToTxnHandler is key 24, v0–v5: v2 PRODUCER_FENCED, v3 flexible. Up
// to v3 it is what clients send; from v4 on brokers, many transactions at a time.
func addPartitionsToTxnHandler() handler {
	topics := arr(str(), list(fixed(4)))
	return handler{
		key: kmsg.AddPartitionsToTxn, min: 0, max: 5, advertised: 0, waits: true,
		shape: shape{
			str().to(3),    // transactional id
			fixed(8).to(3), // producer id
			fixed(2).to(3), // producer epoch
			topics.to(3),
			arr(
				str(),    // transactional id
				fixed(8), // producer id
				fixed(2), // producer epoch
				fixed(1), // verify only
				topics,
			).from(4),
		},
		serve: answer((*Broker).addPartitionsToTxn),
	}
}

func (b *Broker) addPartitionsToTxn(ctx context.Context, r *request, q *kmsg.AddPartitionsToTxnRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	resp.Topics = []kmsg.AddPartitionsToTxnResponseTopic{}
	resp.Transactions = []kmsg.AddPartitionsToTxnResponseTransaction{}
	if q.Version < 4 {
		a := b.newAddition(q.Topics)
		a.producer = txn.Producer{TransactionalID: q.TransactionalID, ID: q.ProducerID, Epoch: q.ProducerEpoch}
		b.addForClient(ctx, r, a, q.Version)
		resp.Topics = a.topics
		return resp
	}
	if !b.allows(r, kmsg.ACLOperationClusterAction, kmsg.ACLResourceTypeCluster, clusterName) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp
	}
	for i := range q.Transactions {
		rt := kmsg.NewAddPartitionsToTxnResponseTransaction()
		rt.TransactionalID = q.Transactions[i].TransactionalID
		rt.Topics = b.addForBroker(ctx, &q.Transactions[i])
		resp.Transactions = append(resp.Transactions, rt)
	}
	return resp
}

// addition is the partitions to add to one transaction, and what became of them.
type addition struct {
	producer   txn.Producer
	partitions []txn.TopicPartition
	errs       []error // by partition
	topics     []kmsg.AddPartitionsToTxnResponseTopic
}

// newAddition finds the partitions; those that are not there have an error.
func (b *Broker) newAddition(topics []kmsg.AddPartitionsToTxnRequestTopic) *addition {
	a := &addition{topics: []kmsg.AddPartitionsToTxnResponseTopic{}}
	for _, t := range topics {
		for _, p := range t.Partitions {
			_, err := b.partition(t.Topic, [16]byte{}, false, p)
			a.partitions = append(a.partitions, txn.TopicPartition{Topic: t.Topic, Partition: p})
			a.errs = append(a.errs, err)
		}
	}
	return a
}

// addForClient adds all partitions or none.
func (b *Broker) addForClient(ctx context.Context, r *request, a *addition, version int16) {
	switch {
	case !b.mayWrite(r, a.producer.TransactionalID):
		a.failAll(kerr.TransactionalIDAuthorizationFailed)
	case !b.authorizeAddition(r, a):
		a.failRest(kerr.OperationNotAttempted)
	default:
		if err := b.cfg.Txns.AddPartitions(ctx, a.producer, a.partitions); err != nil {
			a.failAll(err)
		}
	}
	a.answer(version)
}

// authorizeAddition gives partitions of topics that the client may not write to
// an error, and reports whether no partition has one.
func (b *Broker) authorizeAddition(r *request, a *addition) bool {
	ok := true
	for i, tp := range a.partitions {
		t, found := b.cfg.Log.Topic(tp.Topic)
		if (found && t.Internal()) || !b.allows(r, kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTopic, tp.Topic) {
			a.errs[i] = kerr.TopicAuthorizationFailed
		}
		ok = ok && a.errs[i] == nil
	}
	return ok
}

func (a *addition) failAll(err error) {
	for i := range a.errs {
		a.errs[i] = err
	}
}

func (a *addition) failRest(err error) {
	for i := range a.errs {
		if a.errs[i] == nil {
			a.errs[i] = err
		}
	}
}

// answer groups the outcomes by topic, in the order of the request.
func (a *addition) answer(version int16) {
	for i, tp := range a.partitions {
		if n := len(a.topics); n == 0 || a.topics[n-1].Topic != tp.Topic {
			t := kmsg.NewAddPartitionsToTxnResponseTopic()
			t.Topic = tp.Topic
			a.topics = append(a.topics, t)
		}
		p := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
		p.Partition, p.ErrorCode = tp.Partition, fencedCode(a.errs[i], version, 2)
		t := &a.topics[len(a.topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
}

// addForBroker adds the partitions of one transaction, or says which are part of
// it.
func (b *Broker) addForBroker(ctx context.Context, q *kmsg.AddPartitionsToTxnRequestTransaction) []kmsg.AddPartitionsToTxnResponseTransactionTopic {
	topics := make([]kmsg.AddPartitionsToTxnRequestTopic, len(q.Topics))
	for i, t := range q.Topics {
		topics[i].Topic, topics[i].Partitions = t.Topic, t.Partitions
	}
	a := b.newAddition(topics)
	a.producer = txn.Producer{TransactionalID: q.TransactionalID, ID: q.ProducerID, Epoch: q.ProducerEpoch}
	a.add(ctx, b.cfg.Txns, q.VerifyOnly)
	a.answer(4)
	out := []kmsg.AddPartitionsToTxnResponseTransactionTopic{}
	for _, t := range a.topics {
		rt := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, p.ErrorCode
			rt.Partitions = append(rt.Partitions, rp)
		}
		out = append(out, rt)
	}
	return out
}

func (a *addition) add(ctx context.Context, txns *txn.Coordinator, verifyOnly bool) {
	for _, err := range a.errs {
		if err != nil {
			a.failRest(kerr.OperationNotAttempted)
			return
		}
	}
	var err error
	if verifyOnly {
		var errs []error
		if errs, err = txns.Verify(ctx, a.producer, a.partitions); err == nil {
			a.errs = errs
		}
	} else {
		err = txns.AddPartitions(ctx, a.producer, a.partitions)
	}
	if err != nil {
		a.failAll(err)
	}
}
