package mqtt

import (
	"slices"
	"testing"

	"github.com/sluice-data/sluice/connect"
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

// What is committed when the source is closed is acknowledged before the acker ends, and
// an older mark that comes after a newer one takes nothing back.
func TestLastAcknowledgements(t *testing.T) {
	s := newSource(Config{QueueSize: 10})
	s.session = &session{clean: true}
	acks := new(recorder)
	for id := range uint16(3) {
		if _, err := s.queue.put(message{id: id + 1, qos: 1, ack: acks}); err != nil {
			t.Fatal(err)
		}
		s.queue.take(nil, 1, uint64(id)+1)
	}
	s.Commit(connect.Mark{Token: 2})
	s.Commit(connect.Mark{Token: 1})
	<-s.commits // the acker has not come to it
	close(s.stopAcker)
	s.acknowledge()
	if want := []uint16{1, 2}; !slices.Equal(acks.acks, want) {
		t.Errorf("got acknowledgements of %v, want %v", acks.acks, want)
	}
}
