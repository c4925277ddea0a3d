package partitioner

import (
	"fmt"
	"time"
	_ "time/tzdata" // of the zones: a machine or a container may have none

	"github.com/sluice-data/sluice/connect"
)

// Time divides records by a time of theirs, cut down to a multiple of a duration.
type Time struct {
	duration int64 // milliseconds
	pattern  *Pattern
	zone     *time.Location
	extract  Extractor

	// The bucket of the last record, which most records share.
	from, until int64
	encoded     []byte
}

// NewTime returns a partitioner by time. duration is a millisecond at least.
func NewTime(duration time.Duration, pattern *Pattern, zone *time.Location, extract Extractor) *Time {
	return &Time{duration: duration.Milliseconds(), pattern: pattern, zone: zone, extract: extract}
}

// Time is what the extractor finds.
func (p *Time) Time(r *connect.Record) (int64, error) { return p.extract(r) }

// Timed is true.
func (*Time) Timed() bool { return true }

// Append formats the time that the record's bucket begins with.
func (p *Time) Append(dst []byte, _ *connect.Record, _ int32, timeMs int64) ([]byte, error) {
	if timeMs < p.from || timeMs >= p.until {
		if timeMs < minMillis || timeMs > maxMillis {
			return dst, fmt.Errorf("the record's time %d is beyond the years that can be written", timeMs)
		}
		p.encoded = p.pattern.Append(p.encoded[:0], time.UnixMilli(p.bucket(timeMs)).In(p.zone))
		p.remember(timeMs)
	}
	return append(dst, p.encoded...), nil
}

// Expression is that of the pattern.
func (p *Time) Expression(int32) string { return p.pattern.expression }

// Times that have a year which can be written, in milliseconds.
const (
	minMillis = -8_640_000_000_000_000
	maxMillis = 8_640_000_000_000_000
)

// bucket cuts the local time down and finds the instant that has it, as Confluent's partitioner does.
func (p *Time) bucket(ms int64) int64 {
	local := ms + offsetAt(p.zone, ms)
	return utc(p.zone, local/p.duration*p.duration)
}

// remember notes how far the encoded partition holds: as long as neither the local time reaches the next multiple of the duration nor the
// zone's offset changes.
func (p *Time) remember(ms int64) {
	local := ms + offsetAt(p.zone, ms)
	if local < 0 { // cut towards 1970, which is the other end of the bucket
		p.from, p.until = ms, ms+1
		return
	}
	begin := local / p.duration * p.duration
	p.from, p.until = ms-(local-begin), ms+(begin+p.duration-local)
	start, end := time.UnixMilli(ms).In(p.zone).ZoneBounds()
	if !start.IsZero() {
		p.from = max(p.from, start.UnixMilli())
	}
	if !end.IsZero() {
		p.until = min(p.until, end.UnixMilli())
	}
}

// offsetAt is how far local time is ahead of UTC, in milliseconds.
func offsetAt(zone *time.Location, ms int64) int64 {
	_, seconds := time.UnixMilli(ms).In(zone).Zone()
	return int64(seconds) * 1000
}

// utc finds the instant of a local time as Joda-Time's convertLocalToUTC does when it is not strict: the earlier one of two, and
// one after the gap for a local time that the zone leaves out.
func utc(zone *time.Location, local int64) int64 {
	atLocal := offsetAt(zone, local)
	offset := offsetAt(zone, local-atLocal)
	if atLocal != offset && atLocal < 0 && nextTransition(zone, local-atLocal) != nextTransition(zone, local-offset) {
		offset = atLocal
	}
	return local - offset
}

// nextTransition is the next change of the offset; 0 when there is none.
func nextTransition(zone *time.Location, ms int64) int64 {
	_, end := time.UnixMilli(ms).In(zone).ZoneBounds()
	if end.IsZero() {
		return 0
	}
	return end.UnixMilli()
}

// ParseZone reads a zone's id, such as Europe/Berlin or UTC, or an offset, such as +05:30.
func ParseZone(text string) (*time.Location, error) {
	if text != "" && (text[0] == '+' || text[0] == '-') {
		t, err := time.Parse("-07:00", text)
		if err != nil {
			return nil, fmt.Errorf("the offset %q is not like +05:30", text)
		}
		_, seconds := t.Zone()
		return time.FixedZone(text, seconds), nil
	}
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" || text == "Local" {
		return nil, fmt.Errorf("the time zone %q is not known; Europe/Berlin, UTC and +05:30 are examples", text)
	}
	return zone, nil
}
