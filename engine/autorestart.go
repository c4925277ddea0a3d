package engine

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// What has failed is restarted by itself: after 10 s, then each time after twice
// as long, up to 10 minutes. What has run for as long counts as healthy again.
const (
	restartDelayMin = 10 * time.Second
	restartDelayMax = 10 * time.Minute
)

// AutoRestart tells of the restarts that the worker makes by itself. It is an
// addition to Kafka Connect's status.
type AutoRestart struct {
	Count     int    `json:"count"` // restarts since the last healthy run
	LastError string `json:"last_error"`
	// NextAttempt is when it is restarted next; nil while it runs.
	NextAttempt *time.Time `json:"next_attempt,omitempty"`

	began time.Time // of the run that goes on
}

// connectorInstance stands for the connector in place of a task's number.
const connectorInstance = -1

// restartLedger is what users see of restarts: by connector, then by task. It is
// this worker's own; a new worker starts everything anew.
type restartLedger struct {
	mu      sync.Mutex // guards entries
	entries map[TaskID]AutoRestart
}

func (l *restartLedger) set(id TaskID, a AutoRestart) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = make(map[TaskID]AutoRestart)
	}
	l.entries[id] = a
}

func (l *restartLedger) remove(id TaskID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, id)
}

func (l *restartLedger) get(id TaskID) *AutoRestart {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.entries[id]
	if !ok || a.NextAttempt == nil && time.Since(a.began) >= restartDelayMax {
		return nil // it has run well for as long
	}
	return &a
}

// connectorRestarts are the restarts of a connector and its tasks. They belong to
// the reconciler.
type connectorRestarts map[int]*restartState

type restartState struct {
	count   int
	started time.Time   // of the run that is or was last
	timer   *time.Timer // nil: no restart is due
}

// began notes the start of a run.
func (c *connector) began(number int) {
	if s := c.restarts[number]; s != nil {
		s.started = time.Now()
	}
}

// scheduleRestart restarts what has failed after a while, unless the user does
// not want that. again runs on the reconciler's goroutine.
func (r *reconciler) scheduleRestart(c *connector, number int, reason string, again func(*reconciler)) {
	if !r.restartsItself(c.name) {
		return
	}
	if c.restarts == nil {
		c.restarts = make(connectorRestarts)
	}
	s := c.restarts[number]
	if s == nil {
		s = &restartState{}
		c.restarts[number] = s
	}
	delay := s.delay(time.Now())
	next := time.Now().Add(delay)
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(delay, func() {
		r.post(func(r *reconciler) {
			if r.connectors[c.name] != c || c.restarts[number] != s || r.draining {
				return // a user has changed or restarted it meanwhile
			}
			s.count, s.timer = s.count+1, nil
			r.countRestart(c.name, number)
			r.ledger.set(TaskID{c.name, number}, AutoRestart{Count: s.count, LastError: reason, began: time.Now()})
			again(r)
		})
	})
	r.ledger.set(TaskID{c.name, number}, AutoRestart{Count: s.count, LastError: reason, NextAttempt: &next})
	r.cfg.Logger.Info("restart by itself", logConnector, c.name, logTask, number, "delay", delay.Round(time.Millisecond), logAttempt, s.count+1)
}

func (r *reconciler) countRestart(name string, number int) {
	if number == connectorInstance {
		r.meters.ConnectorRestarted(name)
	} else {
		r.meters.TaskRestarted(name, number)
	}
}

// delay returns the time before the next restart, with some jitter so that what
// failed together does not come back together.
func (s *restartState) delay(now time.Time) time.Duration {
	if !s.started.IsZero() && now.Sub(s.started) >= restartDelayMax {
		s.count = 0
	}
	d := restartDelayMax
	if s.count < 10 { // 10 s × 2^10 is hours
		d = min(restartDelayMin<<s.count, restartDelayMax)
	}
	return d + rand.N(d/10)
}

// restartsItself reads the connector's own option, else the worker's.
func (r *reconciler) restartsItself(name string) bool {
	want, _ := r.stores.configs.connector(name)
	switch strings.ToLower(strings.TrimSpace(want.config[autoRestartOption])) {
	case "true":
		return true
	case "false":
		return false
	}
	return !r.cfg.AutoRestartDisabled
}

// forgetRestarts ends the restarts of a connector's instance or task, because a
// user has taken over.
func (r *reconciler) forgetRestarts(c *connector, number int) {
	if s := c.restarts[number]; s != nil {
		if s.timer != nil {
			s.timer.Stop()
		}
		delete(c.restarts, number)
	}
	r.ledger.remove(TaskID{c.name, number})
}

func (r *reconciler) forgetAllRestarts(c *connector) {
	for number := range c.restarts {
		r.forgetRestarts(c, number)
	}
}
