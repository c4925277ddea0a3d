package pgtype

import "strconv"

// anyWidth writes as many decimal places of a second as there are.
const anyWidth = -1

// appendDate appends a date as ISO 8601 has it: a year beyond 9999 with its sign,
// years before the year 1 from 0 down.
func appendDate(dst []byte, days int64) []byte {
	year, month, day := civil(days)
	switch {
	case year > 9999:
		dst = append(dst, '+')
	case year < 0:
		dst, year = append(dst, '-'), -year
	}
	dst = appendYear(dst, year)
	return append2(append(append2(append(dst, '-'), month), '-'), day)
}

// appendYear appends a year with at least four digits.
func appendYear(dst []byte, year int64) []byte {
	if year > 9999 {
		return strconv.AppendInt(dst, year, 10)
	}
	return append4(dst, uint16(year))
}

func append2(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// appendClock appends hh:mm:ss and width decimal places.
func appendClock(dst []byte, micros int64, width int64) []byte {
	seconds := micros / 1_000_000
	dst = append2(append(append2(dst, seconds/3600), ':'), seconds/60%60)
	dst = append2(append(dst, ':'), seconds%60)
	return appendFraction(dst, micros%1_000_000, width)
}

// appendFraction appends decimal places of a second: width of them, or as many as
// there are but for zeros at the end.
func appendFraction(dst []byte, micros int64, width int64) []byte {
	if micros == 0 && width <= 0 {
		return dst
	}
	dst = append(dst, '.')
	start := len(dst)
	dst = append2(append2(append2(dst, micros/10000), micros/100%100), micros%100)
	if width > 0 {
		return dst[:start+min(6, int(width))]
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendISO appends a timestamp in UTC.
func appendISO(dst []byte, micros int64, width int64) []byte {
	days, clock := splitMicros(micros)
	dst = append(appendDate(dst, days), 'T')
	return append(appendClock(dst, clock, width), 'Z')
}

// appendPostgresDate appends a date as PostgreSQL does, and tells whether "BC"
// has to follow.
func appendPostgresDate(dst []byte, days int64) ([]byte, bool) {
	year, month, day := civil(days)
	bc := year < 1
	if bc {
		year = 1 - year
	}
	dst = appendYear(dst, year)
	return append2(append(append2(append(dst, '-'), month), '-'), day), bc
}
