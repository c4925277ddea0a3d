package s3

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// maxQuickPause bounds the doubling of s3.retry.backoff.ms.
	maxQuickPause = 20 * time.Second
	// minPause keeps a backoff of 0 from becoming a busy loop.
	minPause = time.Millisecond
)

// requestTimeout is how long a request with a body of n bytes may take: 30 s and
// 1 s for each MiB.
func requestTimeout(n int) time.Duration {
	return 30*time.Second + time.Duration(n)*time.Second/(1<<20)
}

// completeTimeout is for making one object of n parts.
func completeTimeout(n int) time.Duration { return requestTimeout(n << 20) }

// retrier repeats requests that fail for a passing reason.
type retrier struct {
	quick      int           // repetitions with a short pause: s3.part.retries
	quickPause time.Duration // before the first of them at most: s3.retry.backoff.ms
	pause      time.Duration // between the ones after that: retry.backoff.ms
	health     *health
	// timeout, when set, limits every request more than its own timeout does.
	timeout time.Duration
}

func newRetrier(c *Config, logger *slog.Logger) *retrier {
	return &retrier{quick: c.partRetries, quickPause: c.partRetryBackoff, pause: c.retryBackoff,
		health: &health{logger: logger}}
}

// try calls step until it succeeds, fails for good or ctx ends. Trouble that
// outlasts the quick repetitions is noted in health.
func (r *retrier) try(ctx context.Context, timeout time.Duration, key string, step func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		err := r.once(ctx, timeout, step)
		if err == nil || ctx.Err() != nil || !transient(err) {
			if attempt > r.quick {
				r.health.ended()
			}
			return err
		}
		if attempt >= r.quick {
			r.health.failed(key, err, attempt == r.quick)
		}
		if err := sleep(ctx, r.delay(attempt)); err != nil {
			if attempt >= r.quick {
				r.health.ended()
			}
			return err
		}
	}
}

func (r *retrier) once(ctx context.Context, timeout time.Duration, step func(context.Context) error) error {
	if r.timeout > 0 {
		timeout = min(timeout, r.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return step(ctx)
}

// within is try for no longer than a time limit.
func (r *retrier) within(ctx context.Context, limit time.Duration, key string, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return r.try(ctx, limit, key, step)
}

// delay is the pause after an attempt: full jitter, so that many tasks do not
// come back at once.
func (r *retrier) delay(attempt int) time.Duration {
	most := r.pause
	if attempt < r.quick {
		most = min(r.quickPause<<min(attempt, 16), maxQuickPause)
	}
	return max(minPause, most/2+rand.N(most/2+1))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// health is whether uploads work. It logs when that changes.
type health struct {
	logger *slog.Logger
	mu     sync.Mutex // guards the rest
	steps  int        // that have trouble
	err    error      // of the last attempt that failed; nil when steps is 0
}

// failed notes an attempt of a step that failed; first, that the step has just
// come into trouble.
func (h *health) failed(key string, err error, first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first {
		h.steps++
	}
	if h.err == nil {
		h.logger.Warn("uploads fail and are tried again until they work", "key", key, "error", err)
	}
	h.err = err
}

// ended notes that a step in trouble ended.
func (h *health) ended() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.steps--; h.steps == 0 {
		h.err = nil
		h.logger.Info("no upload fails any more")
	}
}

// trouble returns the last error while uploads do not work.
func (h *health) trouble() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}
