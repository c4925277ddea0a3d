package workers

import (
	"context"
	"sync"
	"time"
)

// task names a task.
type task struct {
	connector string
	number    int
}

// events are what the workers' logs tell.
type events struct {
	mu      sync.Mutex // guards the fields below
	owners  map[task]string
	at      map[task]time.Time // of the last start
	starts  map[task]int       // since reset
	leader  string             // its address
	changed chan struct{}      // closed and replaced with every start
}

func newEvents() *events {
	return &events{owners: map[task]string{}, at: map[task]time.Time{}, starts: map[task]int{}, changed: make(chan struct{})}
}

func (e *events) started(t task, worker string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owners[t], e.at[t] = worker, time.Now()
	e.starts[t]++
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *events) led(leader string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leader = leader
}

// leads reports whether a worker leads, as far as the logs tell.
func (e *events) leads(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leader == w.rest
}

// of returns the tasks that a worker runs, and forgets the starts until now.
func (e *events) of(worker string) map[task]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.starts)
	owned := map[task]bool{}
	for t, owner := range e.owners {
		if owner == worker {
			owned[t] = true
		}
	}
	return owned
}

// await waits until all of some tasks were started after a time, and returns when the
// last one was.
func (e *events) await(ctx context.Context, tasks map[task]bool, after time.Time) (time.Time, error) {
	for {
		last, missing, changed := e.look(tasks, after)
		if missing == 0 {
			return last, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return last, context.Cause(ctx)
		}
	}
}

func (e *events) look(tasks map[task]bool, after time.Time) (last time.Time, missing int, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for t := range tasks {
		if at := e.at[t]; at.After(after) {
			if at.After(last) {
				last = at
			}
		} else {
			missing++
		}
	}
	return last, missing, e.changed
}

// uninvolved returns the tasks that were started since the last call of of and are not
// among those given.
func (e *events) uninvolved(involved map[task]bool) []task {
	e.mu.Lock()
	defer e.mu.Unlock()
	var others []task
	for t := range e.starts {
		if !involved[t] {
			others = append(others, t)
		}
	}
	return others
}
