package pgtype

import "math"

// Days and microseconds here count from 2000-01-01, as PostgreSQL's do, so that
// all its dates and timestamps fit. The calendar is the proleptic Gregorian one
// with a year 0.
const (
	epochDays   = 10957                          // from 1970-01-01 to 2000-01-01
	microsDay   = 24 * 60 * 60 * 1_000_000       //
	epochMicros = epochDays * int64(microsDay)   //
	epochMillis = epochMicros / 1000             //
	infinity    = math.MaxInt64                  // the timestamp "infinity"
	minInfinity = math.MinInt64                  // the timestamp "-infinity"
	maxYear     = 5874897                        // of a date
	minDay      = -2451545                       // 4714-11-24 BC, the first day of all types
	maxDay      = 2145031948                     // the last day of a date
	maxMicros   = int64(9223371331200000000) - 1 // the last moment of a timestamp
)

// What Debezium 3.7 has for infinity where a number must stand: a date and, as
// milliseconds since 1970, a timestamp that PostgreSQL's JDBC driver means it by. As
// microseconds and nanoseconds a timestamp's is the limit of INT64.
const (
	infiniteDay       = 2146033979  // 5877611-06-21, since 1970
	minInfiniteDay    = -2147472691 // -5877611-06-22
	infiniteMillis    = 9223372036825200000
	minInfiniteMillis = -9223372036832400000
	millisDay         = microsDay / 1000
)

// civilDays returns the days from 2000-01-01 to a date.
func civilDays(year, month, day int64) int64 {
	// Count years from March, so that the leap day is the last of its year.
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 730425
}

// civil is the inverse of civilDays.
func civil(days int64) (year, month, day int64) {
	days += 730425
	era := floorDiv(days, 146097)
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / 153
	year, month, day = yoe+era*400, m+3, doy-(153*m+2)/5+1
	if month > 12 {
		year++
		month -= 12
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// number reads the digits at the start of text, as many as min to max.
func number(text []byte, low, high int) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(text) && i < high && text[i]-'0' <= 9 {
		n = n*10 + int64(text[i]-'0')
		i++
	}
	return n, text[i:], i >= low
}

func literal(text []byte, c byte) ([]byte, bool) {
	if len(text) == 0 || text[0] != c {
		return text, false
	}
	return text[1:], true
}

// ymd is a date as it is written; whether the year is before Christ stands at the
// end of the text.
type ymd struct{ year, month, day int64 }

// two reads two digits, as a number above 99 if they are none.
func two(text []byte) int64 {
	a, b := text[0]-'0', text[1]-'0'
	if a > 9 || b > 9 {
		return 1 << 20
	}
	return int64(a)*10 + int64(b)
}

func parseYMD(text []byte) (d ymd, rest []byte, ok bool) {
	if len(text) >= 10 && text[4] == '-' && text[7] == '-' { // nearly always
		d = ymd{two(text)*100 + two(text[2:]), two(text[5:]), two(text[8:])}
		return d, text[10:], d.year <= 9999 && d.month >= 1 && d.month <= 12
	}
	return parseLongYMD(text)
}

func parseLongYMD(text []byte) (d ymd, rest []byte, ok bool) {
	var ok1, ok2, ok3, ok4, ok5 bool
	d.year, rest, ok1 = number(text, 4, 7)
	rest, ok2 = literal(rest, '-')
	d.month, rest, ok3 = number(rest, 2, 2)
	rest, ok4 = literal(rest, '-')
	d.day, rest, ok5 = number(rest, 2, 2)
	return d, rest, ok1 && ok2 && ok3 && ok4 && ok5 && d.month >= 1 && d.month <= 12
}

// days ends the reading of a date with its era. The limits are those of a date.
func (d ymd) days(rest []byte) (int64, bool) {
	if len(rest) > 0 {
		if view(rest) != " BC" {
			return 0, false
		}
		d.year = 1 - d.year
	}
	if d.year > maxYear || d.day < 1 || d.day > daysIn(d.year, d.month) {
		return 0, false
	}
	n := civilDays(d.year, d.month, d.day)
	return n, n >= minDay && n <= maxDay
}

// parseClock reads hh:mm:ss[.ffffff] as microseconds.
func parseClock(text []byte) (micros int64, rest []byte, ok bool) {
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return 0, text, false
	}
	h, m, s := two(text), two(text[3:]), two(text[6:])
	rest, ok = text[8:], h <= 24 && m < 60 && s <= 60
	micros = ((h*60+m)*60 + s) * 1_000_000
	if r, more := literal(rest, '.'); more && ok {
		var f int64
		f, rest, ok = parseFraction(r)
		micros += f
	}
	return micros, rest, ok && micros <= microsDay
}

// parseFraction reads up to six digits of a second as microseconds.
func parseFraction(text []byte) (micros int64, rest []byte, ok bool) {
	n, rest, ok := number(text, 1, 6)
	return n * int64(pow10[6-(len(text)-len(rest))]), rest, ok
}

// parseOffset reads +hh[:mm[:ss]] as seconds east of Greenwich.
func parseOffset(text []byte) (seconds int64, rest []byte, ok bool) {
	if len(text) == 3 && text[1] == '0' && text[2] == '0' && text[0] == '+' { // UTC, as the settings have it
		return 0, nil, true
	}
	if len(text) == 0 || text[0] != '+' && text[0] != '-' {
		return 0, text, false
	}
	h, rest, ok := number(text[1:], 2, 2)
	seconds = h * 3600
	for unit := int64(60); unit > 0 && ok; unit /= 60 {
		r, more := literal(rest, ':')
		if !more {
			break
		}
		var n int64
		n, rest, ok = number(r, 2, 2)
		ok = ok && n < 60
		seconds += n * unit
	}
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, rest, ok && h < 24
}

// parseTimestamp reads a timestamp, with an offset when zoned.
func parseTimestamp(text []byte, zoned bool) (micros int64, ok bool) {
	d, rest, ok := parseYMD(text)
	if !ok {
		switch view(text) {
		case "infinity":
			return infinity, true
		case "-infinity":
			return minInfinity, true
		}
		return 0, false
	}
	rest, ok = literal(rest, ' ')
	clock, rest, ok2 := parseClock(rest)
	if !ok || !ok2 {
		return 0, false
	}
	if zoned {
		var offset int64
		offset, rest, ok = parseOffset(rest)
		if !ok {
			return 0, false
		}
		clock -= offset * 1_000_000
	}
	days, ok := d.days(rest)
	if !ok || days > maxMicros/microsDay+1 {
		return 0, false
	}
	return days*microsDay + clock, true
}

// parseDate reads a date as days; math.MaxInt32 and math.MinInt32 are infinite.
func parseDate(text []byte) (days int64, ok bool) {
	d, rest, ok := parseYMD(text)
	if !ok {
		switch view(text) {
		case "infinity":
			return math.MaxInt32, true
		case "-infinity":
			return math.MinInt32, true
		}
		return 0, false
	}
	return d.days(rest)
}
