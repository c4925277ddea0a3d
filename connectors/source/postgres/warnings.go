package postgres

import (
	"log/slog"
	"time"
)

// warnings logs what would be logged for every record once a minute for each place,
// with the number of times.
type warnings struct {
	log   *slog.Logger
	now   func() time.Time
	since map[string]*warning // by message and place
}

type warning struct {
	logged time.Time
	hidden int // since then
}

const (
	warningInterval = time.Minute
	maxWarnings     = 10000 // places that are remembered (I5)
)

func (w *warnings) warn(message, place string, err error) {
	key := message + "\x00" + place
	one := w.since[key]
	now := w.now()
	if one == nil {
		if w.since == nil || len(w.since) >= maxWarnings {
			w.since = make(map[string]*warning)
		}
		one = new(warning)
		w.since[key] = one
	} else if now.Sub(one.logged) < warningInterval {
		one.hidden++
		return
	}
	attrs := []any{"at", place}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	if one.hidden > 0 {
		attrs = append(attrs, "more", one.hidden)
	}
	w.log.Warn(message, attrs...)
	one.logged, one.hidden = now, 0
}
