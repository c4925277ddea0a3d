package s3

import (
	"slices"
	"sync"
)

const (
	// workers is how many requests a sink has on their way at a time.
	workers = 32
	// maxOps is how many ops may wait or run before Write takes no more records.
	maxOps = 1024
)

// op is a step of an upload. In flight it owns its body.
type op struct {
	file  *file
	body  buffer // back to the pool with the result
	shows bool   // makes the object visible
	// counted says that it is one of its group's sending.
	counted bool
	run     func() error
	err     error // the result
}

// uploader runs ops on its workers, first in first out but for urgent ones: an op
// may wait for ops that were submitted before it. The queue has no limit of its own, since every
// op holds a buffer of the pool or ends a file that did (I5).
type uploader struct {
	mu      sync.Mutex // guards queue, results and closed
	work    sync.Cond  // signalled for a new op and at close
	queue   []*op
	results []*op
	closed  bool
	ready   chan struct{} // has a token when there are results
	running sync.WaitGroup
	due     func() // called when a rotated group is on the server
}

func newUploader(due func()) *uploader {
	u := &uploader{ready: make(chan struct{}, 1), due: due}
	u.work.L = &u.mu
	for range workers {
		u.running.Go(u.loop)
	}
	return u
}

// submit adds an op. An urgent one is the next to run and waits for no other.
func (u *uploader) submit(o *op, urgent bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if urgent {
		u.queue = slices.Insert(u.queue, 0, o)
	} else {
		u.queue = append(u.queue, o)
	}
	u.work.Signal()
}

// take returns the results since the last call.
func (u *uploader) take() []*op {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.results
	u.results = nil
	return r
}

// close lets the workers end once the queue is empty, and waits for them.
func (u *uploader) close() {
	u.mu.Lock()
	u.closed = true
	u.work.Broadcast()
	u.mu.Unlock()
	u.running.Wait()
}

func (u *uploader) loop() {
	for o := u.next(); o != nil; o = u.next() {
		o.err = o.run()
		u.deliver(o)
	}
}

// next waits for an op; nil means that there will be none.
func (u *uploader) next() *op {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.queue) == 0 && !u.closed {
		u.work.Wait()
	}
	if len(u.queue) == 0 {
		return nil
	}
	o := u.queue[0]
	u.queue[0] = nil
	u.queue = u.queue[1:]
	return o
}

func (u *uploader) deliver(o *op) {
	u.mu.Lock()
	u.results = append(u.results, o)
	u.mu.Unlock()
	select {
	case u.ready <- struct{}{}:
	default:
	}
	if o.counted && o.file.group.sending.Add(-1) == 0 {
		u.due()
	}
}
