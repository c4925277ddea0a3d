package engine

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-data/sluice/engine/internal/meters"
)

// abandonGrace is what a task gets to return after everything that it could
// still do has been taken from it.
const abandonGrace = time.Second

// instance is one run of a task. The reconciler owns it; the task's goroutines
// see the contexts and the gate.
type instance struct {
	id     TaskID
	config map[string]string
	// committed is the offset of the record that made config valid.
	committed int64

	// stop ends when the task should finish what it has and return.
	stop    context.Context
	stopNow context.CancelFunc
	// kill ends when the time for that is over: nothing may reach the log or the
	// connector's system any more.
	kill    context.Context
	killNow context.CancelFunc
	gate    gate
	meter   *meters.Run
	done    chan struct{} // closed when the task's goroutines are over
	// gone is closed when the reconciler has done with it: it has stopped, or has
	// been abandoned, and that is reported.
	gone chan struct{}

	stopping bool
	failed   bool
}

func newInstance(id TaskID, config map[string]string, committed int64, meter *meters.Run) *instance {
	i := &instance{id: id, config: config, committed: committed, meter: meter, done: make(chan struct{}), gone: make(chan struct{})}
	i.kill, i.killNow = context.WithCancel(context.Background())
	i.stop, i.stopNow = context.WithCancel(i.kill)
	return i
}

// shutdown stops the task and returns whether it stopped; false means that it is
// left to itself (I5). It is called once.
func (i *instance) shutdown(timeout time.Duration) bool {
	i.stopNow()
	if i.waitDone(timeout) {
		i.killNow()
		return true
	}
	i.killNow()
	return i.waitDone(abandonGrace)
}

func (i *instance) waitDone(timeout time.Duration) bool {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-i.done:
		return true
	case <-t.C:
		return false
	}
}

// gate holds a task while its connector is paused.
type gate struct {
	mu      sync.Mutex    // guards the fields below
	resumed chan struct{} // nil: open; closed on resume
}

// pass waits while the gate is closed, or until ctx ends.
func (g *gate) pass(ctx context.Context) error {
	for {
		g.mu.Lock()
		wait := g.resumed
		g.mu.Unlock()
		if wait == nil {
			return ctx.Err()
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// whenResumed returns a channel that is closed on resume; nil while the gate is
// open.
func (g *gate) whenResumed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.resumed
}

// paused tells whether the gate is closed.
func (g *gate) paused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.resumed != nil
}

// set closes or opens the gate and returns whether that changed it.
func (g *gate) set(paused bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case paused && g.resumed == nil:
		g.resumed = make(chan struct{})
		return true
	case !paused && g.resumed != nil:
		close(g.resumed)
		g.resumed = nil
		return true
	}
	return false
}
