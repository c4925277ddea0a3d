package partitioner

import (
	"errors"
	"fmt"
	"time"
)

var errISO = errors.New("it is no date and time of ISO 8601")

// isoReader takes a text apart.
type isoReader struct {
	rest string
	err  error
}

// parseISO reads what Joda-Time's ISODateTimeFormat.dateTimeParser reads, as milliseconds since 1970: a date (yyyy, yyyy-MM, yyyy-MM-dd,
// yyyy-DDD, xxxx-Www, xxxx-Www-e), a T with a time (HH, HH:mm, HH:mm:ss, a fraction behind any of them) or both, and an offset. Without an
// offset it is UTC.
func parseISO(text string) (int64, error) {
	r := &isoReader{rest: text}
	day := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	if !r.at('T') {
		day = r.date()
	}
	ms := day.UnixMilli()
	if r.take('T') {
		ms += r.timeOfDay() - r.offset()
	}
	if r.err != nil || r.rest != "" {
		return 0, fmt.Errorf("%w: %q", errISO, text)
	}
	return ms, nil
}

func (r *isoReader) at(c byte) bool { return r.rest != "" && r.rest[0] == c }

func (r *isoReader) take(c byte) bool {
	if !r.at(c) {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// digits counts the digits at the front.
func (r *isoReader) digits() int {
	n := 0
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	return n
}

// number reads so many digits, or the fewer that there are, a number between two others.
func (r *isoReader) number(digits, low, high int) int {
	digits = min(digits, r.digits())
	if digits == 0 || digits > 9 {
		r.err = errISO
		return low
	}
	n := 0
	for _, c := range r.rest[:digits] {
		n = 10*n + int(c-'0')
	}
	r.rest = r.rest[digits:]
	if n < low || n > high {
		r.err = errISO
		return low
	}
	return n
}

func (r *isoReader) date() time.Time {
	negative := r.take('-')
	if r.digits() < 4 {
		r.err = errISO
	}
	year := r.number(r.digits(), 0, 292_278_993)
	if negative {
		year = -year
	}
	month, day := time.January, 1
	switch {
	case !r.take('-'):
	case r.take('W'):
		return r.week(year)
	case r.digits() >= 3:
		t := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.number(3, 1, 366)-1)
		if t.Year() != year {
			r.err = errISO
		}
		return t
	default:
		month = time.Month(r.number(2, 1, 12))
		if r.take('-') {
			day = r.number(2, 1, 31)
		}
	}
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if t.Month() != month {
		r.err = errISO
	}
	return t
}

// week is a day of a week of a week year.
func (r *isoReader) week(year int) time.Time {
	n, day := r.number(2, 1, 53), 1
	if r.take('-') {
		day = r.number(1, 1, 7)
	}
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC) // always in week 1
	return fourth.AddDate(0, 0, (n-1)*7+day-isoWeekday(fourth))
}

// timeOfDay is in milliseconds. A fraction is one of the last unit.
func (r *isoReader) timeOfDay() int64 {
	units := []struct {
		ms   int64
		high int
	}{{3_600_000, 23}, {60_000, 59}, {1000, 59}}
	var ms int64
	if r.rest == "" || r.at('Z') || r.at('+') || r.at('-') {
		return 0 // a T and no time is midnight
	}
	for i, u := range units {
		if i > 0 && !r.take(':') {
			break
		}
		ms += int64(r.number(2, 0, u.high)) * u.ms
		if r.take('.') || r.take(',') {
			return ms + r.fraction(u.ms)
		}
	}
	return ms
}

func (r *isoReader) fraction(unit int64) int64 {
	n := r.digits()
	if n == 0 {
		r.err = errISO
	}
	f, scale := int64(0), int64(1)
	for _, c := range r.rest[:min(n, 9)] {
		f, scale = 10*f+int64(c-'0'), scale*10
	}
	r.rest = r.rest[n:]
	return f * unit / scale
}

// offset is in milliseconds east of Greenwich.
func (r *isoReader) offset() int64 {
	sign := int64(1)
	switch {
	case r.take('Z'), r.rest == "":
		return 0
	case r.take('-'):
		sign = -1
	case !r.take('+'):
		r.err = errISO
		return 0
	}
	h, m := r.number(2, 0, 23), 0
	if r.take(':') || r.rest != "" {
		m = r.number(2, 0, 59)
	}
	return sign * int64(60*h+m) * 60_000
}

// isoWeekday is 1 for Monday to 7 for Sunday.
func isoWeekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }
