package connecttest

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// patience is how long a check waits for something that should happen at once. It is
// long, for machines that others use, too; the suite's own tests shorten it.
var patience = time.Minute

// within runs f with a context that ends after patience and fails the test when
// f has not returned a while later.
func within(t testing.TB, what string, f func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return returns(t, what, func() error { return f(ctx) })
}

// returns fails the test when f does not return.
func returns(t testing.TB, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience + patience/2):
		t.Fatalf("%s did not return", what)
		return nil
	}
}

// noLeak fails the test when there are more goroutines at its end than now. A
// goroutine that is on its way out gets time to end.
func noLeak(t testing.TB) (check func()) {
	before := runtime.NumGoroutine()
	return func() {
		t.Helper()
		deadline := time.Now().Add(patience)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<16)
				t.Errorf("%d goroutines more than before:\n%s", runtime.NumGoroutine()-before, buf[:runtime.Stack(buf, true)])
				return
			}
			<-time.After(time.Millisecond)
		}
	}
}
