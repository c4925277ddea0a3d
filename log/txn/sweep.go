package txn

import (
	"errors"
	"time"
)

// sweep aborts transactions that take longer than their timeout and forgets ids
// that nobody uses, until Close.
func (c *Coordinator) sweep() {
	tick := time.NewTicker(c.cfg.TimeoutInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return
		}
		for _, t := range c.all() {
			t.sweep()
		}
	}
}

func (t *transaction) sweep() {
	t.mu.Lock()
	now := nowMs()
	late := t.meta.timedOut(now)
	unused := t.inside == 0 && t.ending == 0 && t.meta.expired(now, t.c.cfg.IDExpiration)
	var err error
	if unused {
		err = t.expire()
	}
	t.mu.Unlock()
	if late {
		err = t.timeOut()
	}
	if err != nil {
		t.c.cfg.Logger.Warn("transactional id cannot be looked after; trying again", keyID, t.id, "err", err)
	}
}

// expire deletes what is stored of the id. mu is held.
func (t *transaction) expire() error {
	if _, err := t.c.store.append(t.id, nil); err != nil {
		return err
	}
	t.dead = true
	t.c.forget(t)
	t.notify()
	return nil
}

// timeOut aborts the transaction and fences its producer, which may have been
// cut off and come back later.
func (t *transaction) timeOut() error {
	err := t.fenceLate(noID)
	if errors.Is(err, errNeedID) {
		var fresh int64
		if fresh, err = t.c.ids.next(); err == nil {
			err = t.fenceLate(fresh)
		}
	}
	return err
}

// fenceLate is fence for a transaction that is still too late when nobody is at
// it; otherwise the next sweep looks again.
func (t *transaction) fenceLate(fresh int64) error {
	ready := t.lockToEnd(t.c.ctx)
	defer t.mu.Unlock()
	if !ready || t.dead || !t.meta.timedOut(nowMs()) {
		return nil
	}
	m := t.meta
	if err := t.fence(fresh); err != nil {
		return err
	}
	t.c.cfg.Logger.Info("transaction timed out", keyID, t.id, keyProducer, m.producerID, keyEpoch, m.epoch)
	return nil
}
