package mqtt

import (
	"slices"
	"testing"
)

// recorder is an acknowledger that notes packet ids.
type recorder struct{ acks []uint16 }

func (r *recorder) acknowledge(group []uncommitted) {
	for _, u := range group {
		r.acks = append(r.acks, u.id)
	}
}

// Only what came on the present connection is acknowledged on it.
func TestSendOfPresentGeneration(t *testing.T) {
	s := newSource(Config{})
	s.generation.Store(3)
	old, present := new(recorder), new(recorder)
	s.send([]uncommitted{{ack: old, generation: 2, id: 1}, {ack: present, generation: 3, id: 2}, {ack: present, generation: 3, id: 3}})
	if want := []uint16{2, 3}; len(old.acks) != 0 || !slices.Equal(present.acks, want) {
		t.Errorf("got acknowledgements of %v and %v, want %v of the present connection", old.acks, present.acks, want)
	}
}

// After one message found no room, those that follow on the same connection are
// not taken either, even when there is room.
func TestNothingIsTakenAfterAGap(t *testing.T) {
	s := newSource(Config{QueueSize: 1, FullTimeout: 0})
	overflows := 0
	r := s.receiver(func(error) { overflows++ })
	receive := func(m message) { r.publish(&m) }
	big := string(make([]byte, maxHeldBytes))
	receive(textMessage(1, "a"))
	receive(textMessage(1, big))
	receive(textMessage(1, "after the gap"))
	if got := s.queue.takeAll(); !slices.Equal(got, []string{"a"}) || overflows != 1 {
		t.Errorf("got %q and %d overflows, want a alone and one", got, overflows)
	}
}

// A topic that is not UTF-8 becomes a key that is.
func TestInvalidTopic(t *testing.T) {
	var n names
	for range 2 {
		if got, want := n.of([]byte("t/\xff")), "t/\uFFFD"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
