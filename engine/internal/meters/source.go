package meters

import (
	"time"

	"github.com/sluice-data/sluice/connect"
)

type sourceCounts struct {
	polled, written     int64
	pollRate, writeRate window
	pollTimes           window // in nanoseconds
	transactions        window // records of each
	// lag is how old the last durable record was when it became durable, in
	// milliseconds.
	lag       int64
	lagKnown  bool
	timestamp int64     // of the last durable record, at its source
	delivered time.Time // when it became durable
	// waiting is the timestamp of a record that is not durable yet, and no newer
	// than any of them; NoTimestamp when there is none.
	waiting int64
}

// Polled counts a batch that the source gave: how long that took, and the
// timestamp of its last record in Unix milliseconds, -1 for none.
func (r *Run) Polled(records int, took time.Duration, newest int64) {
	defer r.unlock()
	c := r.lock()
	if c == nil {
		return
	}
	now, n := time.Now(), int64(records)
	s := &c.source
	s.polled += n
	s.pollRate.observe(now, n)
	s.pollTimes.observe(now, took.Nanoseconds())
	c.batches.observe(now, n)
	if c.active == 0 {
		s.waiting = newest
	}
	c.active += n
	c.actives.observe(now, c.active)
}

// Delivered counts records that are handled and whose offsets are durable: how
// many the source gave, how many of them the log has, and the timestamp of the
// last.
func (r *Run) Delivered(polled, written int, newest int64) {
	defer r.unlock()
	c := r.lock()
	if c == nil {
		return
	}
	now := time.Now()
	s := &c.source
	s.written += int64(written)
	s.writeRate.observe(now, int64(written))
	s.delivered = now
	if newest >= 0 {
		s.timestamp, s.lag, s.lagKnown = newest, max(now.UnixMilli()-newest, 0), true
	}
	c.active = max(c.active-int64(polled), 0)
	s.waiting = connect.NoTimestamp
	if c.active > 0 {
		s.waiting = newest // what waits is newer
	}
}

// Transaction counts a transaction by its records.
func (r *Run) Transaction(records int) {
	defer r.unlock()
	if c := r.lock(); c != nil {
		c.source.transactions.observe(time.Now(), int64(records))
	}
}

// lagSeconds is how far the log is behind the source: the age that the last
// durable record had then, or the age of what waits when that is more.
func (s *sourceCounts) lagSeconds(now time.Time) (float64, bool) {
	lag, known := s.lag, s.lagKnown
	if s.waiting >= 0 {
		lag, known = max(lag, now.UnixMilli()-s.waiting), true
	}
	return float64(lag) / 1000, known
}
