package pgtest

import (
	"fmt"
	"iter"
	"os"
	"strings"
	"time"
)

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

func fields(s string) iter.Seq[string] { return strings.FieldsSeq(s) }

// zombie reports whether a process has ended and waits for its parent to notice.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(state, "Z")
}
