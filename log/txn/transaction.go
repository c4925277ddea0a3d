package txn

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// transaction is a transactional id and its last transaction.
//
// A change is written to the log and made in memory while mu is held, so both have
// the same order; it is answered when the record is durable, without the mutex
// (I1). Nothing that waits for the disk holds it.
type transaction struct {
	c  *Coordinator
	id string

	mu      sync.Mutex // guards the fields below
	meta    metadata
	written place         // of the last record; what meta says is durable when that is
	inside  int           // requests between their check and their append, see Admission
	ending  int           // requests that wait for inside to become 0: nobody enters meanwhile
	dead    bool          // no longer known
	changed chan struct{} // closed at the next change that somebody may wait for; nil: nobody waits
}

// write stores the next state. mu is held.
func (t *transaction) write(next metadata) error {
	w, err := t.c.store.append(t.id, encodeValue(next))
	if err != nil {
		return err
	}
	t.set(next)
	t.written = w
	return nil
}

// set makes the next state the one in memory. mu is held.
func (t *transaction) set(next metadata) {
	t.c.total.Add(int64(len(next.partitions) - len(t.meta.partitions)))
	t.meta = next
}

// notify wakes those who wait for a change. mu is held.
func (t *transaction) notify() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// open reports that a request may add to the transaction or to the next one.
func (t *transaction) open() bool { return !t.meta.state.preparing() && t.ending == 0 }

// idle reports that the transaction may be ended.
func (t *transaction) idle() bool { return !t.meta.state.preparing() && t.inside == 0 }

// lock takes the mutex when ready holds, for which it waits up to
// Config.MaxWait. It returns false when ready does not hold then or ctx has
// ended; the mutex is held in any case.
func (t *transaction) lock(ctx context.Context, ready func() bool) bool {
	t.mu.Lock()
	if ready() || t.dead {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, t.c.cfg.MaxWait)
	defer cancel()
	for {
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		changed := t.changed
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		case <-t.c.ctx.Done():
		}
		t.mu.Lock()
		if ready() || t.dead {
			return true
		}
		if ctx.Err() != nil || t.c.ctx.Err() != nil {
			return false
		}
	}
}

// lockToEnd is lock until the transaction is idle. Nobody enters meanwhile.
func (t *transaction) lockToEnd(ctx context.Context) bool {
	t.mu.Lock()
	t.ending++
	t.mu.Unlock()
	ready := t.lock(ctx, t.idle)
	if t.ending--; t.ending == 0 {
		t.notify()
	}
	return ready
}

// busy is the answer to p when lock gave up. Who has no right to know is not told to try again.
func (t *transaction) busy(p Producer) error {
	m := t.meta
	if m.state.preparing() {
		m = m.complete(m.updatedMs)
	}
	if err := m.check(p); err != nil {
		return err
	}
	return kerr.ConcurrentTransactions
}

// nowMs is the time of records and timeouts.
func nowMs() int64 { return time.Now().UnixMilli() }
