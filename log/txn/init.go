package txn

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// InitRequest is what InitProducerId says about a transactional id.
type InitRequest struct {
	TransactionalID string
	TimeoutMs       int32     // of its transactions, in ms
	Expected        *Producer // the producer id and epoch that the client has (KIP-360); nil: none
}

// Init gives a transactional id to a producer: with an epoch above that of all
// producers before, which are fenced by that. An open transaction is aborted. It
// returns after that, and the new epoch, is durable (I1, I7).
//
// Errors: INVALID_REQUEST, INVALID_TRANSACTION_TIMEOUT, PRODUCER_FENCED when the
// client's producer id or epoch is not the current one, CONCURRENT_TRANSACTIONS
// when the last transaction takes long to complete.
func (c *Coordinator) Init(ctx context.Context, q InitRequest) (Producer, error) {
	if q.TransactionalID == "" || len(q.TransactionalID) > maxIDBytes {
		return Producer{}, kerr.InvalidRequest
	}
	if q.TimeoutMs <= 0 || time.Duration(q.TimeoutMs)*time.Millisecond > c.cfg.MaxTimeout {
		return Producer{}, kerr.InvalidTransactionTimeout
	}
	fresh := int64(noID)
	for {
		t, err := c.find(q.TransactionalID)
		if errors.Is(err, kerr.InvalidProducerIDMapping) && fresh != noID {
			t, err = c.findOrMake(q.TransactionalID, fresh)
		}
		var p Producer
		var done bool
		if err == nil {
			p, done, err = t.init(ctx, q, fresh)
		}
		switch {
		case errors.Is(err, kerr.InvalidProducerIDMapping) || errors.Is(err, errNeedID):
			if fresh, err = c.ids.next(); err != nil { // no lock is held: this may wait for the disk
				return Producer{}, err
			}
		case err != nil || done:
			return p, err
		}
	}
}

// init makes one step: it aborts the open transaction (not done), or else starts
// a new epoch and waits until that is durable.
func (t *transaction) init(ctx context.Context, q InitRequest, fresh int64) (p Producer, done bool, err error) {
	ready := t.lockToEnd(ctx)
	if t.dead {
		t.mu.Unlock()
		return p, false, nil // it expired: look again
	}
	err = t.meta.checkInit(q.Expected)
	switch {
	case err != nil:
	case !ready:
		err = kerr.ConcurrentTransactions
	case t.meta.state == Ongoing:
		err = t.fence(fresh)
		t.mu.Unlock()
		return p, false, err
	default:
		err = t.initialise(q, fresh)
	}
	p = Producer{q.TransactionalID, t.meta.producerID, t.meta.epoch}
	w := t.written
	t.mu.Unlock()
	if err != nil {
		return Producer{}, false, err
	}
	return p, true, w.wait()
}

// initialise writes the new epoch. mu is held.
func (t *transaction) initialise(q InitRequest, fresh int64) error {
	next, err := t.meta.initialise(q.Expected, q.TimeoutMs, fresh, nowMs())
	if err == nil {
		err = t.write(next)
	}
	if err != nil && t.meta.epoch == noEpoch { // nobody knows the id yet
		t.dead = true
		t.c.forget(t)
		t.notify()
	}
	return err
}
