package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// maxTrace limits the text of a trace, in bytes (I5).
const maxTrace = 16 << 10

// panicError is a panic in connector code, with the stack.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guard calls f and turns a panic into an error (I5).
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
	}()
	return f()
}

// guardFor is guard for code that may never return: after the timeout the call
// is left to itself and its result is dropped.
func guardFor(ctx context.Context, timeout time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- guard(f) }()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("the connector's code did not return within %s", timeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// trace is the text of an error for a status: with the stack if it was a panic.
func trace(err error) string {
	text := err.Error()
	var p *panicError
	if errors.As(err, &p) {
		text += "\n" + string(p.stack)
	}
	if len(text) > maxTrace {
		text = text[:maxTrace] + "..."
	}
	return text
}
