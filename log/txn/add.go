package txn

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
)

// AddPartitions makes partitions part of the producer's transaction
// (AddPartitionsToTxn, AddOffsetsToTxn), and begins one when none is open. It
// returns nil only after that is durable: a client of protocol version 1 may then
// write to them.
//
// Errors: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS
// when the last transaction takes long to complete, POLICY_VIOLATION for more
// partitions than a transaction may have.
func (c *Coordinator) AddPartitions(ctx context.Context, p Producer, partitions []TopicPartition) error {
	t, err := c.find(p.TransactionalID)
	if err != nil {
		return err
	}
	ready := t.lock(ctx, t.open)
	err = t.add(ready, p, partitions, protocolV1)
	w := t.written
	t.mu.Unlock()
	if err != nil {
		return err
	}
	return w.wait()
}

// add writes the partitions that are new. mu is held; ready is what lock returned.
func (t *transaction) add(ready bool, p Producer, partitions []TopicPartition, version int16) error {
	switch {
	case t.dead:
		return kerr.InvalidProducerIDMapping
	case !ready:
		return t.busy(p)
	}
	next, changed, err := t.meta.add(p, partitions, version, nowMs())
	if err != nil || !changed {
		return err
	}
	more := len(next.partitions) - len(t.meta.partitions)
	if len(next.partitions) > t.c.cfg.MaxPartitions || int(t.c.total.Load())+more > t.c.cfg.MaxTotalPartitions { // I5
		return kerr.PolicyViolation
	}
	return t.write(next)
}

// Verify returns nil for each of the partitions that is part of the producer's
// open transaction, and TRANSACTION_ABORTABLE for the others. The error is for the
// whole request, as of AddPartitions.
func (c *Coordinator) Verify(ctx context.Context, p Producer, partitions []TopicPartition) ([]error, error) {
	a, err := c.Admit(ctx, p, partitions, false)
	if err != nil {
		return nil, err
	}
	a.Leave()
	errs := make([]error, len(partitions))
	for i, tp := range partitions {
		errs[i] = a.Err(tp)
	}
	return errs, nil
}

// Admission is the right to append to partitions as part of a transaction, which
// cannot end before Leave: no marker comes between the check and the append.
type Admission struct {
	t       *transaction
	written place
	missing map[TopicPartition]struct{}
}

// Admit checks that the producer may append to partitions as part of its
// transaction. With implicit, protocol version 2, they become part of it; a client
// of version 1 has added them before. Whatever is then appended has to be answered
// after OnDurable of the admission, too.
//
// Errors as of AddPartitions. Without an error the caller calls Leave, once, after
// its appends.
func (c *Coordinator) Admit(ctx context.Context, p Producer, partitions []TopicPartition, implicit bool) (*Admission, error) {
	t, err := c.find(p.TransactionalID)
	if err != nil {
		return nil, err
	}
	ready := t.lock(ctx, t.open)
	defer t.mu.Unlock()
	a := &Admission{t: t}
	if implicit {
		err = t.add(ready, p, partitions, protocolV2)
	} else {
		a.missing, err = t.verify(ready, p, partitions)
	}
	if err != nil {
		return nil, err
	}
	a.written = t.written
	t.inside++
	return a, nil
}

// verify returns the partitions that are not part of the transaction. mu is held.
func (t *transaction) verify(ready bool, p Producer, partitions []TopicPartition) (map[TopicPartition]struct{}, error) {
	if t.dead {
		return nil, kerr.InvalidProducerIDMapping
	}
	if !ready {
		return nil, t.busy(p)
	}
	if err := t.meta.check(p); err != nil {
		return nil, err
	}
	missing := map[TopicPartition]struct{}{}
	for _, tp := range partitions {
		if _, ok := t.meta.partitions[tp]; !ok {
			missing[tp] = struct{}{}
		}
	}
	return missing, nil
}

// Err is nil when the partition may be appended to, TRANSACTION_ABORTABLE when it
// is not part of the transaction.
func (a *Admission) Err(tp TopicPartition) error {
	if _, ok := a.missing[tp]; ok {
		return kerr.TransactionAbortable
	}
	return nil
}

// OnDurable calls done once: with nil when it is durable that the partitions are
// part of the transaction (I1), or with the error that keeps it from becoming so.
func (a *Admission) OnDurable(done func(error)) { a.written.onDurable(done) }

// WaitDurable returns nil only after OnDurable would have called.
func (a *Admission) WaitDurable() error { return a.written.wait() }

// Leave lets the transaction end.
func (a *Admission) Leave() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	if a.t.inside--; a.t.inside == 0 {
		a.t.notify()
	}
}
