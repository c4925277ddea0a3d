package postgres

import (
	"context"
	"sync"
)

// inbox is where signals that do not come with the stream wait for Read's goroutine:
// those of the file and of the topic. It has few, and who brings more waits (I5).
type inbox struct {
	room chan struct{} // capacity 1: there may be some

	mu      sync.Mutex // guards what follows
	signals []signal
	bytes   int
	// passed is where the topic is read on: all before it was put here or is not for
	// this connector. 0: it was not read.
	passed int64
}

// maxInbox is how many signals an inbox has.
const maxInbox = 64

func newInbox() *inbox { return &inbox{room: make(chan struct{}, 1)} }

// put puts a signal there, once there is room.
func (i *inbox) put(ctx context.Context, s signal) error {
	for !i.add(s) {
		select {
		case <-i.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (i *inbox) add(s signal) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.signals); n >= maxInbox || n > 0 && i.bytes+s.size() > maxWaitingSize {
		return false
	}
	i.signals = append(i.signals, s)
	i.bytes += s.size()
	if s.topicOffset >= 0 {
		i.passed = s.topicOffset + 1
	}
	return true
}

// pass notes that a record of the topic is not for this connector.
func (i *inbox) pass(offset int64) {
	i.mu.Lock()
	i.passed = offset + 1
	i.mu.Unlock()
}

// take appends the signals to list, and returns where the topic is read on.
func (i *inbox) take(list []signal) (_ []signal, passed int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	list = append(list, i.signals...)
	clear(i.signals)
	i.signals, i.bytes = i.signals[:0], 0
	notify(i.room)
	return list, i.passed
}
