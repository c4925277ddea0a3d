package mqtt

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWindow is the most messages of QoS 1 and 2 that a broker can send without
	// an acknowledgement: there are no more packet ids.
	maxWindow = 65535
	// maxHeldBytes bounds the memory of held messages. A single message may be
	// larger when nothing else is held.
	maxHeldBytes = 32 << 20
	// paceBytes is how much of QoS 1 and 2 may be unread while Read goes on. A broker
	// can send far more than its window when groups of acknowledgements reach it, and
	// what it holds itself costs this process nothing.
	paceBytes = 1 << 20
	// paceWait is how long a message waits for Read to go on before it is held all
	// the same.
	paceWait = time.Second
	// maxWait bounds how long the connection may stand still: pings are answered
	// only by a connection that reads.
	maxWait = 5 * time.Second
)

// errQueueFull says that a message of QoS 1 or 2 found no room in time.
var errQueueFull = errors.New("the log does not take the records fast enough")

// errQueueClosed says that the source is closing.
var errQueueClosed = errors.New("the source is closed")

// queue holds messages from their arrival to their commit: unread ones, and of
// those with QoS 1 or 2 the acknowledgements of read ones. Both together are
// bounded (I5).
type queue struct {
	maxQoS0 int           // held messages at which one of QoS 0 finds no room
	wait    time.Duration // for room
	ready   chan struct{} // capacity 1: there may be unread messages
	room    chan struct{} // capacity 1: there may be room
	closed  chan struct{}
	// committed is the token of the last commit.
	committed atomic.Uint64

	mu          sync.Mutex // guards what follows
	unread      fifo[message]
	uncommitted fifo[uncommitted]
	bytes       int  // of unread and uncommitted messages
	unreadBytes int  // of unread messages
	unpaced     bool // a message has waited for Read in vain: hold what comes until Read goes on
	stalled     bool // QoS 0 has waited in vain: drop at once until there is room
}

// uncommitted is what is kept of a message of QoS 1 or 2 after it was read.
type uncommitted struct {
	ack        acknowledger
	token      uint64 // of the Read that took it
	generation uint64
	size       int
	id         uint16
	packet     byte // the type of the acknowledgement
}

// answer is the packet that a broker waits for after it has sent a message.
func (m *message) answer() byte {
	switch {
	case m.kind == release:
		return typePubcomp
	case m.kind == newSession || m.kind == lostSession || m.kind == brokerDrops || m.qos == 0:
		return 0
	case m.qos == 1:
		return typePuback
	}
	return typePubrec
}

func newQueue(maxQoS0 int, wait time.Duration) *queue {
	return &queue{maxQoS0: maxQoS0, wait: min(wait, maxWait),
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1), closed: make(chan struct{})}
}

// notify wakes the one that waits on c, a channel of capacity 1.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds a message, waiting a while for room. When there is none, a message of
// QoS 0 makes the oldest unread one of QoS 0 give way; put returns how many were
// dropped. For QoS 1 and 2 it returns errQueueFull: nothing of them is dropped
// here, so the connection has to be.
func (q *queue) put(m message) (dropped int, err error) {
	q.pace(&m)
	if done, mayWait := q.push(m); done {
		return 0, nil
	} else if !mayWait {
		return q.overflow(m)
	}
	timeout := time.NewTimer(q.wait)
	defer timeout.Stop()
	for {
		select {
		case <-q.room:
			if done, _ := q.push(m); done {
				return 0, nil
			}
		case <-timeout.C:
			return q.overflow(m)
		case <-q.closed:
			return 0, errQueueClosed
		}
	}
}

// pace waits until Read has taken enough of what is unread. What is of QoS 0 does not
// wait: a broker drops it rather than hold it.
func (q *queue) pace(m *message) {
	if m.qos == 0 || q.keepsPace() {
		return
	}
	timeout := time.NewTimer(paceWait)
	defer timeout.Stop()
	for {
		select {
		case <-q.room:
			if q.keepsPace() {
				return
			}
		case <-timeout.C:
			q.mu.Lock()
			q.unpaced = true
			q.mu.Unlock()
			return
		case <-q.closed:
			return
		}
	}
}

// keepsPace tells whether Read is near enough to what arrives, or is not to be waited for.
func (q *queue) keepsPace() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unpaced || q.unreadBytes < paceBytes
}

// push adds a message if there is room, and tells whether to wait if not.
func (q *queue) push(m message) (done, mayWait bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.fits(&m) {
		return false, m.qos > 0 || !q.stalled
	}
	q.stalled = false
	q.add(m)
	return true, false
}

func (q *queue) fits(m *message) bool {
	limit := max(maxWindow, q.maxQoS0)
	if m.qos == 0 {
		limit = q.maxQoS0
	}
	return q.unread.len()+q.uncommitted.len() < limit && (q.bytes == 0 || q.bytes+m.size() <= maxHeldBytes)
}

func (q *queue) add(m message) {
	q.bytes += m.size()
	q.unreadBytes += m.size()
	q.unread.push(m)
	notify(q.ready)
}

func (q *queue) overflow(m message) (dropped int, err error) {
	if m.qos > 0 {
		return 0, errQueueFull
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stalled = true
	if q.unread.len() > 0 && q.unread.first().qos == 0 {
		oldest := q.unread.pop()
		q.bytes -= oldest.size()
		q.unreadBytes -= oldest.size()
		dropped++
	}
	if !q.fits(&m) {
		return dropped + 1, nil
	}
	q.add(m)
	return dropped, nil
}

// takeBytes and takeAtOnce bound what take returns.
const takeBytes, takeAtOnce = 1 << 20, 256

// take moves up to n unread messages to group, which is empty, and returns it.
// token is that of the mark that will cover them.
func (q *queue) take(group []message, n int, token uint64) []message {
	q.mu.Lock()
	defer q.mu.Unlock()
	for size := 0; len(group) < n && size < takeBytes && q.unread.len() > 0; {
		group = append(group, q.unread.pop())
		m := &group[len(group)-1]
		size += m.size()
		q.unreadBytes -= m.size()
		if packet := m.answer(); packet != 0 {
			q.uncommitted.push(uncommitted{m.ack, token, m.generation, m.size(), m.id, packet})
		} else {
			q.bytes -= m.size()
		}
	}
	if q.unread.len() > 0 {
		notify(q.ready)
	}
	if len(group) > 0 {
		q.unpaced = false
		notify(q.room)
	}
	return group
}

// held returns how many messages and bytes wait to be read or committed, and how
// many of the messages wait to be committed.
func (q *queue) held() (messages, unconfirmed, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unread.len() + q.uncommitted.len(), q.uncommitted.len(), q.bytes
}

// takeCommitted removes committed messages in order of arrival, as many as
// group has room for, and returns group with them.
func (q *queue) takeCommitted(group []uncommitted) []uncommitted {
	committed := q.committed.Load()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(group) < cap(group) && q.uncommitted.len() > 0 && q.uncommitted.first().token <= committed {
		u := q.uncommitted.pop()
		q.bytes -= u.size
		group = append(group, u)
	}
	if len(group) > 0 {
		notify(q.room)
	}
	return group
}

// drained waits until no more than half of what may be held is held, and returns
// false when ctx ends first. Nothing may be put meanwhile. Connecting again
// earlier would only bring the same messages.
func (q *queue) drained(ctx context.Context) bool {
	for !q.halfEmpty() {
		select {
		case <-q.room:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (q *queue) halfEmpty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unread.len()+q.uncommitted.len() <= q.maxQoS0/2 && q.bytes <= maxHeldBytes/2
}

// close makes put return from waiting.
func (q *queue) close() { close(q.closed) }
