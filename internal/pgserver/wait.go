package pgserver

import (
	"fmt"
	"time"
)

// patience is for a start with recovery on a busy machine.
const patience = waiter(60 * time.Second)

// waiter is how long a change of a server may take.
type waiter time.Duration

// until polls until check returns nil, and returns its last error otherwise.
func (w waiter) until(check func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Duration(w))
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v: %w", time.Duration(w), err)
		}
		<-tick.C
	}
}
