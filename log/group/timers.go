package group

import "time"

// lazyTimer runs a function once its deadline has passed. A deadline that moves
// away, as each heartbeat moves it, costs an assignment: the timer looks at the
// deadline when it fires. The zero value is a timer that was never set.
type lazyTimer struct {
	timer    *time.Timer
	deadline time.Time
	fires    time.Time
}

// extend sets the deadline to d from now. due has to ask passed first.
func (t *lazyTimer) extend(d time.Duration, due func()) {
	t.deadline = time.Now().Add(d)
	switch {
	case t.timer == nil:
		t.timer = time.AfterFunc(d, due)
		t.fires = t.deadline
	case t.deadline.Before(t.fires):
		t.timer.Reset(d)
		t.fires = t.deadline
	}
}

// passed reports whether the deadline has passed, and otherwise lets the timer
// fire again when it does.
func (t *lazyTimer) passed() bool {
	left := time.Until(t.deadline)
	if left <= 0 {
		return true
	}
	t.timer.Reset(left)
	t.fires = t.deadline
	return false
}

func (t *lazyTimer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// memberTimers are those of one member of a consumer group.
type memberTimers struct {
	session   lazyTimer
	rebalance *time.Timer // the member has to give up partitions
	join      *time.Timer // a member with the classic protocol has to join again
	sync      *time.Timer // and to send SyncGroup after that
}

func (t *memberTimers) stop() {
	t.session.stop()
	cancel(&t.rebalance)
	cancel(&t.join)
	cancel(&t.sync)
}

// cancel stops the timer in a slot, if there is one.
func cancel(slot **time.Timer) {
	if *slot != nil {
		(*slot).Stop()
		*slot = nil
	}
}
