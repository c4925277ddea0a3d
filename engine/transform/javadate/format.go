package javadate

import "strconv"

var (
	months   = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	eras     = [...]string{"BC", "AD"}
	halves   = [...]string{"AM", "PM"}
)

// shortLen is the length of a short name of a month or a day.
const shortLen = 3

// Append appends the time, in milliseconds since the Unix epoch, as the pattern
// says.
func (f *Format) Append(dst []byte, ms int64) []byte {
	t := split(ms)
	for i := range f.items {
		it := &f.items[i]
		if it.letter == 0 {
			dst = append(dst, it.literal...)
			continue
		}
		dst = it.append(dst, &t)
	}
	return dst
}

func (it *item) append(dst []byte, t *fields) []byte {
	switch it.letter {
	case 'G':
		return append(dst, eraOf(t)...)
	case 'y':
		return it.appendYear(dst, yearOfEra(t.year))
	case 'Y':
		_, year := t.weekOfYear()
		return it.appendYear(dst, year)
	case 'M', 'L':
		if it.count < 3 {
			return pad(dst, t.month+1, it.count)
		}
		return append(dst, it.name(months[t.month])...)
	case 'E':
		return append(dst, it.name(weekdays[t.dayOfWeek])...)
	case 'a':
		return append(dst, halves[t.millis/(12*hour)]...)
	case 'z':
		if it.count > 3 {
			return append(dst, "Coordinated Universal Time"...)
		}
		return append(dst, "UTC"...)
	case 'Z':
		return append(dst, "+0000"...)
	case 'X':
		return append(dst, 'Z')
	}
	return pad(dst, it.number(t), it.count)
}

// number returns the value of a field that is always a number.
func (it *item) number(t *fields) int64 {
	switch it.letter {
	case 'w':
		w, _ := t.weekOfYear()
		return w
	case 'W':
		return week(t.dayOfMonth, t.dayOfWeek)
	case 'D':
		return t.dayOfYear
	case 'd':
		return t.dayOfMonth
	case 'F':
		return (t.dayOfMonth-1)/7 + 1
	case 'u':
		return floorMod(t.dayOfWeek-1, 7) + 1
	case 'H':
		return t.millis / hour
	case 'k':
		return fromOne(t.millis/hour, 24)
	case 'K':
		return t.millis / hour % 12
	case 'h':
		return fromOne(t.millis/hour%12, 12)
	case 'm':
		return t.millis / minute % 60
	case 's':
		return t.millis / second % 60
	}
	return t.millis % second
}

// fromOne counts hours from 1 to n.
func fromOne(h, n int64) int64 {
	if h == 0 {
		return n
	}
	return h
}

func yearOfEra(year int64) int64 {
	if year <= 0 {
		return 1 - year
	}
	return year
}

func eraOf(t *fields) string {
	if t.year <= 0 {
		return eras[0]
	}
	return eras[1]
}

func (it *item) appendYear(dst []byte, year int64) []byte {
	if it.count == 2 {
		return pad(dst, year%100, 2)
	}
	return pad(dst, year, it.count)
}

func (it *item) name(long string) string {
	if it.count > 3 {
		return long
	}
	return long[:shortLen]
}

// pad appends n with at least width digits.
func pad(dst []byte, n int64, width int) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	for i := len(text); i < width; i++ {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}
