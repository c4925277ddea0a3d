package mqtt

import (
	"slices"
	"testing"
)

// recorder is an acknowledger that notes its name.
type recorder struct {
	name string
	acks *[]string
}

func (r recorder) Ack() { *r.acks = append(*r.acks, r.name) }

// Only what came on the present connection is acknowledged on it.
func TestSendOfPresentGeneration(t *testing.T) {
	var acks []string
	s := newSource(Config{})
	s.generation.Store(3)
	s.send([]uncommitted{{ack: recorder{"old", &acks}, generation: 2}, {ack: recorder{"a", &acks}, generation: 3},
		{ack: recorder{"b", &acks}, generation: 3}})
	if want := []string{"a", "b"}; !slices.Equal(acks, want) {
		t.Errorf("got acknowledgements of %v, want %v", acks, want)
	}
}

// After one message found no room, those that follow on the same connection are
// not taken either, even when there is room.
func TestNothingIsTakenAfterAGap(t *testing.T) {
	s := newSource(Config{QueueSize: 1, FullTimeout: 0})
	overflows := 0
	receive := s.receiver(1, func(error) { overflows++ })
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
	s := newSource(Config{QueueSize: 1})
	m := textMessage(1, "a")
	m.topic = "t/\xff"
	s.receiver(1, nil)(m)
	if got, want := s.queue.unread.first().topic, "t/\uFFFD"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
