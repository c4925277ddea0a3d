package mqtt

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	w := watch{longest: 30 * time.Second}
	bounds := []time.Duration{1, 2, 4, 8, 16, 30, 30}
	for attempt, bound := range bounds {
		bound *= time.Second
		w.attempt = attempt
		longest := time.Duration(0)
		for range 200 {
			d := w.backoff()
			if d <= 0 || d > bound {
				t.Fatalf("attempt %d: %v is not within %v", attempt, d, bound)
			}
			longest = max(longest, d)
		}
		if longest < bound/2 {
			t.Errorf("attempt %d: the longest of 200 waits is %v, want more than half of %v", attempt, longest, bound)
		}
	}
	w.attempt = 1 << 30
	if d := w.backoff(); d <= 0 || d > w.longest {
		t.Errorf("after very many attempts: %v", d)
	}
}

// A connection that lasted starts the waits anew; connections that are short let them
// grow, as failed attempts do, until the log asks for another client with the same id.
func TestBackoffBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := new(logLines)
		s := newSource(Config{QueueSize: 1})
		s.log, s.session = slog.New(slog.NewTextHandler(lines, nil)), new(session)
		w := watch{source: s, longest: time.Minute, attempt: 10, short: takeoverHint}
		began := time.Now()
		w.wait(t.Context(), true, 3*time.Minute, errQueueClosed)
		if waited := time.Since(began); waited > firstBackoff || w.attempt != 1 || w.short != 0 {
			t.Errorf("waited %v after a long connection, at attempt %d after %d short connections, want the first attempt", waited, w.attempt, w.short)
		}
		for range takeoverHint {
			w.down = false
			w.wait(t.Context(), true, time.Second, errQueueClosed)
		}
		w.wait(t.Context(), false, 0, errQueueClosed)
		if w.attempt != 2+takeoverHint || lines.count("does another client use the same") != 1 {
			t.Errorf("attempt %d after %d short connections and one that failed; log:\n%s", w.attempt, takeoverHint, lines)
		}
	})
}

// Drops are logged at once and then now and then, with their number.
func TestDropLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := new(logLines)
		d := dropLog{log: slog.New(slog.NewTextHandler(lines, nil))}
		for range 100 {
			d.add(1)
		}
		<-time.After(dropLogInterval) // of the bubble
		d.add(0)
		d.add(0)
		if lines.count("level=WARN") != 2 || lines.count("dropped=1\n") != 1 || lines.count("dropped=99\n") != 1 {
			t.Errorf("got\n%s\nwant two lines, with 1 and with 99 dropped", lines)
		}
	})
}
