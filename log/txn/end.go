package txn

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/log"
)

// End commits or aborts the producer's transaction (EndTxn). It returns after the
// decision is durable (I1): from then on the transaction ends that way, whatever
// happens (I7). With bump, protocol version 2, it returns the producer with which
// the next transaction begins. Retries get the answer of the first time.
//
// Errors: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE when
// there is no transaction to end or it has ended the other way,
// CONCURRENT_TRANSACTIONS when the last one takes long to complete.
func (c *Coordinator) End(ctx context.Context, p Producer, commit, bump bool) (Producer, error) {
	t, err := c.find(p.TransactionalID)
	if err != nil {
		return Producer{}, err
	}
	fresh := int64(noID)
	for {
		next, w, err := t.end(ctx, p, commit, bump, fresh)
		switch {
		case errors.Is(err, errNeedID):
			if fresh, err = c.ids.next(); err != nil { // no lock is held: this may wait for the disk
				return Producer{}, err
			}
		case err != nil:
			return Producer{}, err
		default:
			return next, w.wait()
		}
	}
}

func (t *transaction) end(ctx context.Context, p Producer, commit, bump bool, fresh int64) (Producer, place, error) {
	ready := t.lockToEnd(ctx)
	defer t.mu.Unlock()
	if t.dead {
		return Producer{}, place{}, kerr.InvalidProducerIDMapping
	}
	next, changed, err := t.meta.end(p, commit, bump, fresh, nowMs())
	if err == nil && changed && !ready {
		err = kerr.ConcurrentTransactions
	}
	if err == nil && changed {
		err = t.decide(next)
	}
	if err != nil {
		return Producer{}, place{}, err
	}
	m := t.meta
	if m.state.preparing() {
		m = m.complete(m.updatedMs)
	}
	return Producer{p.TransactionalID, m.producerID, m.epoch}, t.written, nil
}

// fence aborts the open transaction with a higher epoch, so that its producer can do nothing more. mu is held.
func (t *transaction) fence(fresh int64) error {
	next, err := t.meta.prepare(false, true, fresh, nowMs())
	if err != nil {
		return err
	}
	return t.decide(next)
}

// decide writes the outcome and starts what follows from it. mu is held.
func (t *transaction) decide(next metadata) error {
	if err := t.write(next); err != nil {
		return err
	}
	t.c.spawn(t.finish)
	return nil
}

// finish ends a transaction whose outcome has been decided: the decision is
// durable before the first marker is written, and the markers are before the
// transaction counts as complete.
func (t *transaction) finish() {
	t.mu.Lock()
	m, w := t.meta, t.written
	t.mu.Unlock()
	if w.wait() != nil {
		return // the log is closed or has failed: the next start goes on
	}
	marker := log.Marker{ProducerID: m.producerID, ProducerEpoch: m.epoch, Commit: m.state == PrepareCommit}
	if !t.c.settle(marker, sorted(m.partitions)) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// That the markers are durable need not be: the next start would write them again. So nobody waits for this record, and if it
	// cannot be written, the next one says more.
	if next := m.complete(nowMs()); t.write(next) != nil {
		t.set(next)
	}
	t.notify()
}
