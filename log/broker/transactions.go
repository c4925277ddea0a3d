package broker

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/log/txn"
)

// The first versions of requests that make what they write part of the
// transaction (KIP-890), and the ones that know TRANSACTION_ABORTABLE.
const (
	produceAdds, produceAbortable = 12, 11
	offsetsAdd, offsetsAbortable  = 5, 4
	endBumps                      = 5
)

// mayWrite reports whether the client may act for a transactional id.
func (b *Broker) mayWrite(r *request, transactionalID string) bool {
	return b.allows(r, kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTransactionalId, transactionalID)
}

// admit finds the transactional batches of a Produce request and asks the
// coordinator about them. What is refused gets its error. The result is nil when
// nothing is to be appended as part of a transaction.
func (b *Broker) admit(ctx context.Context, r *request, targets []produceTarget, q *kmsg.ProduceRequest) *txn.Admission {
	producers := map[txn.Producer]struct{}{}
	var p txn.Producer
	var partitions []txn.TopicPartition
	for i := range targets {
		t := &targets[i]
		h, err := batch.Parse(t.records) // Append says what is wrong with one that cannot be parsed
		if t.err != nil || err != nil || !h.Transactional() || h.ProducerID < 0 {
			continue
		}
		t.transactional = true
		p = txn.Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch}
		producers[p] = struct{}{}
		partitions = append(partitions, targetOf(t))
	}
	switch {
	case len(partitions) == 0:
		return nil
	case q.TransactionID == nil || !b.mayWrite(r, *q.TransactionID):
		refuse(targets, kerr.TransactionalIDAuthorizationFailed)
		return nil
	case len(producers) > 1:
		refuse(targets, kerr.InvalidProducerIDMapping)
		return nil
	}
	p.TransactionalID = *q.TransactionID
	began := time.Now()
	a, err := b.cfg.Txns.Admit(ctx, p, partitions, q.Version >= produceAdds)
	r.waited += time.Since(began)
	for i := range targets {
		t := &targets[i]
		switch {
		case !t.transactional:
		case err != nil:
			t.err = produceTxnError(err, q.Version)
		default:
			t.err = produceTxnError(a.Err(targetOf(t)), q.Version)
		}
	}
	return a
}

func targetOf(t *produceTarget) txn.TopicPartition {
	return txn.TopicPartition{Topic: t.partition.Topic().Name(), Partition: t.partition.Index()}
}

// refuse gives every partition that has no error of its own this one.
func refuse(targets []produceTarget, err error) {
	for i := range targets {
		if targets[i].err == nil {
			targets[i].err = err
		}
	}
}

// awaitAdmission keeps the answer back until it is durable that the partitions
// are part of the transaction (I1).
func (w *produceWait) awaitAdmission(a *txn.Admission, targets []produceTarget) {
	if w.acks == 0 {
		return
	}
	w.left.Add(1)
	a.OnDurable(func(err error) {
		for i := range targets {
			if err != nil && targets[i].transactional {
				w.fail(targets[i].response, err)
			}
		}
		w.done()
	})
}

// produceTxnError is what a producer is told of an error of the transaction
// coordinator: INVALID_PRODUCER_EPOCH makes it abort where PRODUCER_FENCED would
// end it, and NOT_ENOUGH_REPLICAS makes every version try again.
func produceTxnError(err error, version int16) error {
	switch {
	case errors.Is(err, kerr.ProducerFenced):
		return kerr.InvalidProducerEpoch
	case errors.Is(err, kerr.TransactionAbortable) && version < produceAbortable:
		return kerr.InvalidTxnState
	case errors.Is(err, kerr.ConcurrentTransactions) && version < produceAdds,
		errors.Is(err, kerr.CoordinatorNotAvailable), errors.Is(err, kerr.NotCoordinator):
		return kerr.NotEnoughReplicas
	}
	return err
}

// fencedCode is the code of an error for a version of a request; older clients do
// not know PRODUCER_FENCED, which came with version since.
func fencedCode(err error, version, since int16) int16 {
	if errors.Is(err, kerr.ProducerFenced) && version < since {
		return kerr.InvalidProducerEpoch.Code
	}
	return groupErrorCode(err)
}
