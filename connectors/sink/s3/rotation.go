package s3

import "time"

// Limits of S3 for one object.
const (
	minPartBytes   = 5 << 20 // of every part but the last
	maxPartBytes   = 5 << 30
	partsPerStep   = 1000  // parts until their size doubles
	maxParts       = 9_500 // of 10,000: the rest is for a last record of 2 GiB
	maxObjectBytes = 5<<40 - 1<<32
)

// rotation decides when the files of a topic-partition get no more records. The rules about the record in hand and its
// schema are in place.go; all others are here.
type rotation struct {
	flushSize  int
	flushBytes int64         // of the largest object; 0: no limit
	maxAge     time.Duration // negative: no limit
	idle       time.Duration // without a record; 0: no limit
	interval   int64         // milliseconds of record time; 0: no limit
	onChange   bool          // of the encoded partition
	schedule   time.Duration // 0: none
	zone       *time.Location
}

func newRotation(c *Config) rotation {
	r := rotation{flushSize: c.flushSize, flushBytes: c.flushBytes, maxAge: c.age(), idle: max(c.rotateIdle, 0), zone: c.zone}
	if c.rotateSchedule > 0 {
		r.schedule = c.rotateSchedule
	}
	if c.rotateInterval > 0 && c.timed() {
		r.interval, r.onChange = c.rotateInterval.Milliseconds(), c.rotateOnPartition
	}
	return r
}

// full tells after a record whether the group has to be rotated: by its records, or by the files that got it.
func (r rotation) full(g *group, files []*file, p *packing) bool {
	if g.records >= r.flushSize {
		return true
	}
	for _, f := range files {
		if f != nil && (len(f.up.parts) >= maxParts || f.bytes >= maxObjectBytes || r.flushBytes > 0 && p.size(f) >= r.flushBytes) {
			return true
		}
	}
	return false
}

// over tells before a record whether the group ends: its time is too far from the first one's, or it is for another directory.
func (r rotation) over(g *group, timeMs int64, encoded []byte) bool {
	return r.interval > 0 && g.timed && (timeMs-g.baseMs >= r.interval || r.onChange && g.encoded != string(encoded))
}

// old tells whether the group's time is up. It is asked without records too: an idle one is rotated as well.
func (r rotation) old(g *group, now time.Time) bool {
	at := r.ends(g)
	return !at.IsZero() && !now.Before(at)
}

// ends is when the group's time is up, unless more records come; zero: never.
func (r rotation) ends(g *group) time.Time {
	at := g.due
	if r.maxAge >= 0 {
		at = earlier(at, g.opened.Add(r.maxAge))
	}
	if r.idle > 0 {
		at = earlier(at, g.last.Add(r.idle))
	}
	return at
}

// earlier is the first of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// next is when the scheduled rotation after now is: at a multiple of the interval since midnight, or at midnight. It is
// zero without one.
func (r rotation) next(now time.Time) time.Time {
	if r.schedule == 0 {
		return time.Time{}
	}
	now = now.In(r.zone)
	year, month, day := now.Date()
	midnight, tomorrow := startOfDay(year, month, day, r.zone), startOfDay(year, month, day+1, r.zone)
	due := midnight.Add((now.Sub(midnight)/r.schedule + 1) * r.schedule)
	if due.After(tomorrow) {
		return tomorrow
	}
	return due
}

// startOfDay is the first moment of a day: midnight, or later where the clocks are put forward then.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	start := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if start.Day() != time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Day() {
		_, start = start.ZoneBounds()
	}
	return start
}

// partBytes is the size of the part after n parts. It doubles every 1,000 parts,
// so that 10,000 make an object of any size that memory allows.
func (c *Config) partBytes(n int) int {
	return min(c.firstPartBytes()<<(n/partsPerStep), c.largestPartBytes(), maxPartBytes)
}
