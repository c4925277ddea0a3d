package meters

import (
	"sync"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Kind tells what a task runs.
type Kind int

// The kinds of tasks. A task that was not able to read its config has none.
const (
	None Kind = iota
	Source
	Sink
)

// States as they are counted: Kafka Connect's, in lower case.
const (
	stateRunning = "running"
	statePaused  = "paused"
)

// Task is what is known of a task. The zero value is ready.
type Task struct {
	starts *startups // the worker's; nil in tests of one task

	mu         sync.Mutex // guards the fields below
	run        int        // the run that may write
	counts     counts
	partitions map[connect.TopicPartition]*partition
	own        ownMetrics
}

// counts are the numbers of a task. A scrape copies them.
type counts struct {
	kind     Kind
	state    string
	since    time.Time // of state
	began    time.Time // of the task
	running  time.Duration
	paused   time.Duration
	restarts int64

	commits   window // how long they took, in nanoseconds
	commitsOK window // 1 for each that worked, 0 for each that did not
	batches   window // records of a batch
	active    int64  // records on their way
	actives   window

	source sourceCounts
	sink   sinkCounts
	errors errorCounts
}

type errorCounts struct {
	failures, errors, skipped, retries, logged, letters, lettersFailed int64
	last                                                               time.Time
}

// setState notes a state and how long the last one was.
func (t *Task) setState(state string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, now := &t.counts, time.Now()
	if c.began.IsZero() {
		c.began = now
	}
	c.settleState(now)
	c.state = state
}

// settleState adds the time in the present state to its sum.
func (c *counts) settleState(now time.Time) {
	switch c.state {
	case stateRunning:
		c.running += now.Sub(c.since)
	case statePaused:
		c.paused += now.Sub(c.since)
	}
	c.since = now
}

func (t *Task) restarted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.restarts++
}

// load returns a copy of the numbers as of now.
func (t *Task) load(now time.Time) counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.settleState(now)
	c.sink.partitions = len(t.partitions)
	for _, p := range t.partitions {
		c.sink.lagMax = max(c.sink.lagMax, p.readLag())
	}
	return c
}

// Begin starts a run. The run before is not heard any more.
func (t *Task) Begin() *Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.run++
	t.counts.active, t.counts.source.waiting = 0, connect.NoTimestamp
	t.partitions, t.own = nil, ownMetrics{}
	if t.starts != nil {
		t.starts.taskAttempts.Add(1)
	}
	return &Run{task: t, number: t.run}
}

// Run is one run of a task. Its methods may be called by any number of
// goroutines.
type Run struct {
	task   *Task
	number int
	opened bool // guarded by the task's mutex
}

// lock returns the task's numbers with their mutex held, nil for a run that is
// over. unlock has to be called either way.
func (r *Run) lock() *counts {
	r.task.mu.Lock()
	if r.number != r.task.run {
		return nil
	}
	return &r.task.counts
}

func (r *Run) unlock() { r.task.mu.Unlock() }

// SetKind says what the task runs. A task that becomes another kind begins anew.
func (r *Run) SetKind(k Kind) {
	defer r.unlock()
	c := r.lock()
	if c == nil || c.kind == k {
		return
	}
	if c.kind != None {
		*c = counts{state: c.state, since: c.since, began: c.began}
	}
	c.kind, c.source.waiting = k, connect.NoTimestamp
}

// Opened says that the source or sink of the run is open: the task has started.
func (r *Run) Opened() {
	defer r.unlock()
	r.lock()
	if !r.opened && r.task.starts != nil {
		r.task.starts.taskSuccesses.Add(1)
	}
	r.opened = true
}

// Ended says that the run is over, with an error unless it was asked to stop: one
// that was never open has failed to start then.
func (r *Run) Ended(err error) {
	defer r.unlock()
	c := r.lock()
	if err != nil && !r.opened && r.task.starts != nil {
		r.task.starts.taskFailures.Add(1)
	}
	r.opened = true
	if c != nil {
		c.active, c.source.waiting = 0, connect.NoTimestamp
		r.task.partitions, r.task.own = nil, ownMetrics{}
	}
}

// Committed counts a commit of offsets that took some time and may have failed.
func (r *Run) Committed(took time.Duration, err error) {
	defer r.unlock()
	c := r.lock()
	if c == nil {
		return
	}
	now := time.Now()
	c.sink.commitSequence++
	if err != nil {
		c.commitsOK.observe(now, 0)
		return
	}
	c.commits.observe(now, took.Nanoseconds())
	c.commitsOK.observe(now, 1)
	c.sink.commits++
	c.sink.commitRate.observe(now, 1)
}

// count changes the counts of errors.
func (r *Run) count(f func(*errorCounts)) {
	defer r.unlock()
	if c := r.lock(); c != nil {
		f(&c.errors)
	}
}

// Failed counts a record that could not be handled, each attempt.
func (r *Run) Failed() {
	r.count(func(e *errorCounts) { e.failures++; e.last = time.Now() })
}

// Retried counts another attempt after an error that may pass.
func (r *Run) Retried() { r.count(func(e *errorCounts) { e.retries++ }) }

// Intolerable counts a record whose failure fails the task.
func (r *Run) Intolerable() { r.count(func(e *errorCounts) { e.errors++ }) }

// Skipped counts a record that errors.tolerance=all skips, and whether that was
// logged.
func (r *Run) Skipped(logged bool) {
	r.count(func(e *errorCounts) {
		e.skipped++
		if logged {
			e.logged++
		}
	})
}

// Letter counts a record for the dead letter queue.
func (r *Run) Letter() { r.count(func(e *errorCounts) { e.letters++ }) }

// LettersFailed counts records that the dead letter queue did not take.
func (r *Run) LettersFailed(n int) { r.count(func(e *errorCounts) { e.lettersFailed += int64(n) }) }
