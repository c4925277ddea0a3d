package broker

import (
	"log/slog"
	"sync"
	"time"
)

// rareLogInterval is the time between two lines of a rareLog.
const rareLogInterval = 10 * time.Second

// rareLog tells what clients can cause at will: at most one line in ten seconds,
// with the number of those left out (I5). The zero value is ready.
type rareLog struct {
	mu      sync.Mutex // guards the fields below
	next    time.Time
	skipped int
}

func (l *rareLog) warn(logger *slog.Logger, text string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.next) {
		l.skipped++
		return
	}
	if l.skipped > 0 {
		args = append(args, "not_logged", l.skipped)
	}
	l.next, l.skipped = now.Add(rareLogInterval), 0
	logger.Warn(text, args...)
}
