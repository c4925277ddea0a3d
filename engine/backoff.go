package engine

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"
)

// retryDelay is the first delay of a retry; each further one doubles (KIP-298).
const retryDelay = 300 * time.Millisecond

// backoff is the delay between attempts: 300 ms × 2^n, once over the limit a
// random time below it, so that tasks that failed together do not come back
// together (KIP-298).
type backoff struct {
	limit   time.Duration
	attempt int
}

// next returns the delay before the next attempt.
func (b *backoff) next() time.Duration {
	attempt := min(b.attempt, 30) // 2^30 × 300 ms is ten years
	b.attempt++
	if d := retryDelay << attempt; d <= b.limit {
		return d
	}
	return rand.N(b.limit)
}

// sleep waits for d or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// trouble logs an error that is retried when it comes or changes, and its end,
// not every attempt.
type trouble struct {
	logger *slog.Logger
	what   string
	hide   *strings.Replacer // of secrets (I6); may be nil
	last   string
}

func newTrouble(logger *slog.Logger, what string) *trouble {
	return &trouble{logger: logger, what: what}
}

func (t *trouble) note(err error) {
	text := err.Error()
	if t.hide != nil {
		text = t.hide.Replace(text)
	}
	if text != t.last {
		t.last = text
		t.logger.Warn(t.what+": it is tried again until it works", logError, text)
	}
}

func (t *trouble) over() {
	if t.last != "" {
		t.last = ""
		t.logger.Info(t.what + ": it works again")
	}
}
