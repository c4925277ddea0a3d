package javadate

// Milliseconds of units of time.
const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// cutover is the first day of the Gregorian calendar, 15 October 1582, in days
// since the Unix epoch.
const cutover = -141427

// floorDiv is the quotient rounded down, floorMod what is left.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// fields are a time taken apart.
type fields struct {
	year       int64 // 0 is 1 BC
	month      int64 // from 0
	dayOfMonth int64
	dayOfYear  int64 // from 1
	dayOfWeek  int64 // 0 is Sunday
	millis     int64 // of the day
	epochDay   int64
}

func split(ms int64) fields {
	f := fields{epochDay: floorDiv(ms, day), millis: floorMod(ms, day)}
	f.year, f.month, f.dayOfMonth = civil(f.epochDay)
	f.dayOfYear = f.epochDay - newYear(f.year) + 1
	f.dayOfWeek = floorMod(f.epochDay+4, 7)
	return f
}

// newYear is the first day of a year.
func newYear(year int64) int64 { return epochDay(year, 0, 1) }

// epochDay returns the day of a date whose month and day may be out of range,
// Julian before the cutover.
func epochDay(year, month, dayOfMonth int64) int64 {
	year += floorDiv(month, 12)
	month = floorMod(month, 12)
	if d := gregorianDay(year, month) + dayOfMonth - 1; d >= cutover {
		return d
	}
	return julianDay(year, month) + dayOfMonth - 1
}

// gregorianDay and julianDay return the first day of a month. Years begin in
// March here, so that a leap day is the last one.
func gregorianDay(year, month int64) int64 {
	y, m := march(year, month)
	return 365*y + floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400) + (153*m+2)/5 - 719468
}

func julianDay(year, month int64) int64 {
	y, m := march(year, month)
	return 365*y + floorDiv(y, 4) + (153*m+2)/5 - 719470
}

func march(year, month int64) (y, m int64) {
	if month < 2 {
		return year - 1, month + 10
	}
	return year, month - 2
}

// civil returns the date of a day.
func civil(d int64) (year, month, dayOfMonth int64) {
	first := julianDay
	year = floorDiv(d*4, 1461) + 1970
	if d >= cutover {
		first = gregorianDay
		year = floorDiv(d*400, 146097) + 1970
	}
	for first(year, 0) > d {
		year--
	}
	for first(year+1, 0) <= d {
		year++
	}
	month = 11
	for first(year, month) > d {
		month--
	}
	return year, month, d - first(year, month) + 1
}

// week returns the week that holds a day of a period, whose first week is the one
// with the period's first day. Weeks begin on Sunday.
func week(dayOfPeriod, dayOfWeek int64) int64 {
	return (dayOfPeriod-1+floorMod(dayOfWeek-(dayOfPeriod-1), 7))/7 + 1
}

// weekOfYear returns the week and the year it belongs to: a week with a first of
// January is the first of its year.
func (f *fields) weekOfYear() (week_, year int64) {
	next := newYear(f.year + 1)
	if f.epochDay-f.dayOfWeek+6 >= next {
		return 1, f.year + 1
	}
	return week(f.dayOfYear, f.dayOfWeek), f.year
}
