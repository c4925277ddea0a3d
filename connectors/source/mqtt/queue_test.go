package mqtt

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connect"
)

func textMessage(qos byte, payload string) message {
	return message{topic: "t", payload: []byte(payload), qos: qos}
}

func (q *queue) takeAll() []string {
	var out []string
	for _, m := range q.take(nil, 1<<20, 1) {
		out = append(out, string(m.payload))
	}
	return out
}

// QoS 0 waits once, then the oldest gives way at once until there is room again.
func TestQueueDropsOldestQoS0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(3, time.Hour)
		began := time.Now()
		dropped := 0
		for _, p := range []string{"a", "b", "c", "d", "e"} {
			n, err := q.put(textMessage(0, p))
			if err != nil {
				t.Fatal(err)
			}
			dropped += n
		}
		if waited := time.Since(began); waited != maxWait {
			t.Errorf("waited %v, want %v once", waited, maxWait)
		}
		if got, want := q.takeAll(), []string{"c", "d", "e"}; !slices.Equal(got, want) || dropped != 2 {
			t.Errorf("got %v and %d dropped, want %v and 2", got, dropped, want)
		}
		if q.stalled = true; q.bytes != 0 || q.unreadBytes != 0 {
			t.Errorf("%d bytes are held by an empty queue, %d of them unread", q.bytes, q.unreadBytes)
		}
		q.put(textMessage(0, "f"))
		if q.stalled {
			t.Error("room does not end the stall")
		}
	})
}

// QoS 1 waits for room, and gets it when another message is committed.
func TestQueueWaitsForCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(3, time.Second)
		big := strings.Repeat("x", maxHeldBytes)
		q.put(textMessage(1, big))
		q.take(nil, 10, 7)
		go func() {
			<-time.After(500 * time.Millisecond) // of the bubble
			q.committed.Store(7)
			q.takeCommitted(make([]uncommitted, 0, 10))
		}()
		if _, err := q.put(textMessage(1, "next")); err != nil {
			t.Errorf("put: %v", err)
		}
		if _, err := q.put(textMessage(1, big)); !errors.Is(err, errQueueFull) {
			t.Errorf("got %v, want %v", err, errQueueFull)
		}
		go q.close()
		if _, err := q.put(textMessage(2, big)); !errors.Is(err, errQueueClosed) {
			t.Errorf("got %v, want %v", err, errQueueClosed)
		}
	})
}

// What a broker keeps waits for Read, so that little of it is held unread.
func TestQueueWaitsForRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(100_000, time.Hour)
		ended, most := make(chan struct{}), 0
		go func() {
			for {
				select {
				case <-time.After(100 * time.Millisecond): // of the bubble
					synctest.Wait()
					most = max(most, q.unreadBytes)
					q.take(nil, 100, 1)
				case <-ended:
					return
				}
			}
		}()
		for range 6000 {
			if _, err := q.put(textMessage(1, "x")); err != nil {
				t.Fatal(err)
			}
		}
		close(ended)
		synctest.Wait()
		if least := paceBytes - 1000; most < least || most > paceBytes+1000 {
			t.Errorf("%d bytes were unread, want about %d", most, paceBytes)
		}
	})
}

// A Read that stands still holds a message up once: what a broker sends within its
// window has room until the queue is full. One of QoS 0 is not held up at all.
func TestQueueWaitsOnceForRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10, time.Hour)
		put := func(qos byte) time.Duration {
			began := time.Now()
			if _, err := q.put(textMessage(qos, strings.Repeat("x", paceBytes))); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		var waited []time.Duration
		for _, qos := range []byte{1, 0, 1, 2} {
			waited = append(waited, put(qos))
		}
		q.take(nil, 1, 1)
		waited = append(waited, put(1))
		if want := []time.Duration{0, 0, paceWait, 0, paceWait}; !slices.Equal(waited, want) {
			t.Errorf("waited %v, want %v", waited, want)
		}
		for len(q.take(nil, 10, 2)) > 0 {
		}
		if q.unreadBytes != 0 {
			t.Errorf("%d bytes are unread in a queue that is empty", q.unreadBytes)
		}
	})
}

func TestQueueTakesCommittedOnly(t *testing.T) {
	q := newQueue(10, 0)
	for range 5 {
		q.put(textMessage(1, "x"))
	}
	q.put(textMessage(0, "needs no acknowledgement"))
	for token := uint64(1); token <= 3; token++ {
		q.take(nil, 2, token)
	}
	q.committed.Store(2)
	if got := len(q.takeCommitted(make([]uncommitted, 0, 3))); got != 3 {
		t.Errorf("first group: got %d, want the 3 that it has room for", got)
	}
	if got := len(q.takeCommitted(make([]uncommitted, 0, 3))); got != 1 {
		t.Errorf("second group: got %d, want 1", got)
	}
	if q.waiting() != 1 {
		t.Errorf("%d held, want the one that is not committed", q.waiting())
	}
}

func TestFIFO(t *testing.T) {
	var f fifo[int]
	next, want := 0, 0
	for round := range 200 {
		for range round {
			f.push(next)
			next++
		}
		for range round / 2 {
			if got := f.pop(); got != want {
				t.Fatalf("got %d, want %d", got, want)
			}
			want++
		}
	}
	for f.len() > 0 {
		if got := *f.first(); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
		f.pop()
		want++
	}
	if want != next {
		t.Errorf("%d elements came out, %d went in", want, next)
	}
	if len(f.ring) > fifoKeep {
		t.Errorf("an empty queue keeps %d places", len(f.ring))
	}
}

// Reading and acknowledging make no garbage.
func TestNoGarbagePerRecord(t *testing.T) {
	k := parse(t, fast("tcp://broker"))
	s := k.Source().(*Source)
	s.session = &session{clean: true}
	s.records, _ = newRecordMaker(k, "id", slog.Default(), &s.numbers)
	q := s.queue
	b := connect.NewBatch(1000, 1<<20)
	group := make([]uncommitted, 0, acksAtOnce)
	m := textMessage(1, strings.Repeat("x", 100))
	token := uint64(0)
	round := func() {
		for range 1000 {
			q.put(m)
		}
		token++
		b.Reset()
		for b.Len() < 1000 {
			if _, err := s.fill(b); err != nil {
				t.Fatal(err)
			}
		}
		q.committed.Store(token)
		for group = q.takeCommitted(group[:0]); len(group) > 0; group = q.takeCommitted(group[:0]) {
		}
	}
	round()
	if allocs := testing.AllocsPerRun(20, round); allocs > 0 {
		t.Errorf("%v allocations for 1000 records, want none", allocs)
	}
}
