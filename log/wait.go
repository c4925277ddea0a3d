package log

import (
	"context"
	"sync"
)

// Watcher gets a token when the high watermark or the last stable offset of a watched partition moves or the partition goes away. One watcher
// serves a long poll over many partitions.
type Watcher struct{ c chan struct{} }

// NewWatcher makes a watcher for any number of partitions.
func NewWatcher() *Watcher { return &Watcher{c: make(chan struct{}, 1)} }

// C has a token when something happened since the last receive.
func (w *Watcher) C() <-chan struct{} { return w.c }

func (w *Watcher) notify() {
	select {
	case w.c <- struct{}{}:
	default: // it has a token already
	}
}

// waitList holds who waits for a partition.
type waitList struct {
	mu       sync.Mutex // guards the fields
	waiters  []waiter
	watchers map[*Watcher]struct{}
	err      error // set once by fail
}

// waiter is called once when the record at offset is durable or never will be.
type waiter struct {
	offset int64
	done   func(error)
}

// add registers done, or returns false with the error that it should get now.
func (l *waitList) add(p *Partition, offset int64, done func(error)) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset < p.durable.Load() {
		return false, nil
	}
	if l.err != nil {
		return false, l.err
	}
	l.waiters = append(l.waiters, waiter{offset, done})
	return true, nil
}

// advance moves the high watermark to target, the last stable offset to stable, and calls who waited for that. After fail it does
// nothing (I1).
func (l *waitList) advance(p *Partition, target, stable int64) {
	l.mu.Lock()
	if l.err != nil || target <= p.durable.Load() {
		l.mu.Unlock()
		return
	}
	p.durable.Store(target)
	p.stable.Store(stable)
	var ready []waiter
	left := l.waiters[:0]
	for _, w := range l.waiters {
		if w.offset < target {
			ready = append(ready, w)
		} else {
			left = append(left, w)
		}
	}
	clear(l.waiters[len(left):])
	l.waiters = left
	for w := range l.watchers {
		w.notify()
	}
	l.mu.Unlock()
	for _, w := range ready {
		w.done(nil)
	}
}

// fail ends every wait, those to come too.
func (l *waitList) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	waiters := l.waiters
	l.waiters = nil
	for w := range l.watchers {
		w.notify()
	}
	l.mu.Unlock()
	for _, w := range waiters {
		w.done(err)
	}
}

// OnDurable calls done once: with nil after the record at lastOffset is durable (I1), or with the error that keeps it from
// becoming so. It starts a sync round when there is none. done is called by OnDurable itself when that is decided, otherwise by the sync goroutine; it must not block
// nor call back into the partition.
func (p *Partition) OnDurable(lastOffset int64, done func(error)) {
	if ok, err := p.wait.add(p, lastOffset, done); !ok {
		done(err)
		return
	}
	if p.queued.Load() {
		p.log.syncer.poke() // what was appended lazily
	}
}

// WaitDurable returns nil only after fdatasync covers the record at lastOffset (I1). All waiters share sync rounds.
func (p *Partition) WaitDurable(ctx context.Context, lastOffset int64) error {
	if lastOffset < p.durable.Load() {
		return nil
	}
	c := make(chan error, 1)
	p.OnDurable(lastOffset, func(err error) { c <- err })
	select {
	case err := <-c:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watch makes w get a token whenever the high watermark or the last stable offset moves or the partition goes away, until Unwatch.
func (p *Partition) Watch(w *Watcher) {
	l := &p.wait
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watchers == nil {
		l.watchers = map[*Watcher]struct{}{}
	}
	l.watchers[w] = struct{}{}
}

// Unwatch ends Watch.
func (p *Partition) Unwatch(w *Watcher) {
	l := &p.wait
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watchers, w)
}
