package engine

import "time"

// minTurnDistance is how long after a turn the next one comes at the earliest when the sink asks for it.
const minTurnDistance = 100 * time.Millisecond

// turns are when the sink makes durable and visible what is due: regularly, and soon after it has asked for it. What it asks for waits for the rest
// after the turn before, so that a sink that always has something does not commit all the time, and while the log or the sink's system is slow
// four fifths of the time are left for Write.
type turns struct {
	regular *time.Ticker
	due     <-chan struct{} // has a token when the sink has asked
	rest    *time.Timer
	resting bool
}

func newTurns(interval time.Duration, due <-chan struct{}) *turns {
	t := &turns{regular: time.NewTicker(interval), due: due, rest: time.NewTimer(0)}
	t.rest.Stop()
	return t
}

func (t *turns) stop() {
	t.regular.Stop()
	t.rest.Stop()
}

// asked has a token when it is the sink's turn because it has asked for it.
func (t *turns) asked() <-chan struct{} {
	if t.resting {
		return nil
	}
	return t.due
}

// take takes a turn, and rests.
func (t *turns) take(turn func() error) error {
	began := time.Now()
	err := turn()
	t.resting = true
	t.rest.Reset(max(minTurnDistance, 4*time.Since(began)))
	return err
}

// askForTurn is connect.SinkContext.Due.
func (s *sinkTask) askForTurn() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}
