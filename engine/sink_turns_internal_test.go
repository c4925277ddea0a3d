package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// askingSink notes when it is its turn.
type askingSink struct {
	slowSink
	took  time.Duration // by each turn
	turns chan time.Time
}

func (s *askingSink) Prepare(context.Context) ([]connect.PartitionState, error) {
	<-time.After(s.took) // of the bubble
	s.turns <- time.Now()
	return nil, nil
}

// TestSinkAsksForItsTurn wants the turn of a sink that asks for it at once, the next ones at a distance that leaves most of the time for Write, and the regular
// ones when it does not ask.
func TestSinkAsksForItsTurn(t *testing.T) {
	for _, test := range []struct {
		name string
		took time.Duration
		want []time.Duration // when turns end
	}{
		{"quick", 0, []time.Duration{0, minTurnDistance, 2 * minTurnDistance, 3 * minTurnDistance}},
		{"slow", 80 * time.Millisecond, []time.Duration{80 * time.Millisecond, 480 * time.Millisecond, 580 * time.Millisecond, 980 * time.Millisecond}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop, cancel := context.WithCancel(t.Context())
				s := quietSinkTask(t, stop, "")
				sink := &askingSink{took: test.took, turns: make(chan time.Time)}
				s.sink, s.twoPhase = sink, sink
				began := time.Now()
				done := make(chan error)
				go func() { done <- s.writeAll(nil) }()
				for i, want := range test.want {
					s.context().Due()
					s.context().Due() // it does not matter how often
					if got := (<-sink.turns).Sub(began); got != want {
						t.Errorf("turn %d ends after %s, want %s", i, got, want)
					}
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestSinkHasRegularTurns wants turns from a sink that never asks.
func TestSinkHasRegularTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		s := quietSinkTask(t, stop, "")
		sink := &askingSink{turns: make(chan time.Time)}
		s.sink, s.twoPhase = sink, sink
		began := time.Now()
		done := make(chan error)
		go func() { done <- s.writeAll(nil) }()
		for i := range 3 {
			if got, want := (<-sink.turns).Sub(began), time.Duration(i+1)*prepareInterval; got != want {
				t.Errorf("turn %d after %s, want %s", i, got, want)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
