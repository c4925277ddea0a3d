package partitioner

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Pattern formats times by a pattern of Joda-Time's DateTimeFormat. Text is English.
type Pattern struct {
	parts      []func(dst []byte, t time.Time) []byte
	expression string // a regular expression of what comes out
}

// ParsePattern reads a pattern: letters are fields, all else stands for itself, in single quotes letters too.
func ParsePattern(text string) (*Pattern, error) {
	p := new(Pattern)
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\'':
			literal, n := quoted(text[i:])
			p.literal(literal)
			i += n
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 1
			for i+n < len(text) && text[i+n] == c {
				n++
			}
			field, err := newField(c, n)
			if err != nil {
				return nil, err
			}
			p.parts = append(p.parts, field)
			p.expression += expressionOf(c, n)
			i += n
		default:
			p.literal(text[i : i+1])
			i++
		}
	}
	return p, nil
}

// quoted reads text in single quotes, in which two stand for one. It returns how long it is with them.
func quoted(text string) (literal string, n int) {
	if strings.HasPrefix(text, "''") {
		return "'", 2
	}
	var b strings.Builder
	for n = 1; n < len(text); n++ {
		if text[n] == '\'' {
			if n+1 == len(text) || text[n+1] != '\'' {
				return b.String(), n + 1
			}
			n++
		}
		b.WriteByte(text[n])
	}
	return b.String(), n
}

func (p *Pattern) literal(text string) {
	p.parts = append(p.parts, func(dst []byte, _ time.Time) []byte { return append(dst, text...) })
	p.expression += regexp.QuoteMeta(text)
}

// expressionOf is a regular expression of a field: words, or digits behind a sign.
func expressionOf(letter byte, n int) string {
	if letter == 'M' && n >= 3 || strings.IndexByte("GaEzZ", letter) >= 0 {
		return ".+"
	}
	return "-?[0-9]+"
}

// Append formats t in its own zone.
func (p *Pattern) Append(dst []byte, t time.Time) []byte {
	for _, part := range p.parts {
		dst = part(dst, t)
	}
	return dst
}

// number pads a number to n digits, a negative one behind its sign.
func number(n int, get func(time.Time) int) func([]byte, time.Time) []byte {
	return func(dst []byte, t time.Time) []byte { return appendPadded(dst, get(t), n) }
}

func appendPadded(dst []byte, v, n int) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	digits := strconv.Itoa(v)
	for range n - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// year is a kind of year; two letters are its last two digits.
func year(n int, get func(time.Time) int) func([]byte, time.Time) []byte {
	if n != 2 {
		return number(n, get)
	}
	return number(2, func(t time.Time) int { return abs(get(t)) % 100 })
}

func textOf(n int, short, long func(time.Time) string) func([]byte, time.Time) []byte {
	get := short
	if n >= 4 {
		get = long
	}
	return func(dst []byte, t time.Time) []byte { return append(dst, get(t)...) }
}

func newField(letter byte, n int) (func([]byte, time.Time) []byte, error) {
	switch letter {
	case 'G', 'a', 'E', 'z':
		return textField(letter, n), nil
	case 'C':
		return number(n, func(t time.Time) int { return yearOfEra(t) / 100 }), nil
	case 'Y':
		if n == 2 {
			return year(n, time.Time.Year), nil // Joda-Time has it so
		}
		return year(n, yearOfEra), nil
	case 'x':
		return year(n, func(t time.Time) int { y, _ := t.ISOWeek(); return y }), nil
	case 'y':
		return year(n, time.Time.Year), nil
	case 'M':
		if n >= 3 {
			return textOf(n, func(t time.Time) string { return t.Month().String()[:3] }, func(t time.Time) string { return t.Month().String() }), nil
		}
		return number(n, func(t time.Time) int { return int(t.Month()) }), nil
	case 'S':
		return fractionOfSecond(n), nil
	case 'Z':
		return offset(n), nil
	}
	if get := numbers[letter]; get != nil {
		return number(n, get), nil
	}
	return nil, fmt.Errorf("Illegal pattern component: %c", letter)
}

// numbers are the fields that always are one.
var numbers = map[byte]func(time.Time) int{
	'w': func(t time.Time) int { _, w := t.ISOWeek(); return w },
	'e': isoWeekday,
	'D': time.Time.YearDay,
	'd': time.Time.Day,
	'K': func(t time.Time) int { return t.Hour() % 12 },
	'h': func(t time.Time) int { return (t.Hour()+11)%12 + 1 },
	'H': time.Time.Hour,
	'k': func(t time.Time) int { return (t.Hour()+23)%24 + 1 },
	'm': time.Time.Minute,
	's': time.Time.Second,
}

func textField(letter byte, n int) func([]byte, time.Time) []byte {
	same := func(get func(time.Time) string) func([]byte, time.Time) []byte { return textOf(n, get, get) }
	switch letter {
	case 'G':
		return same(func(t time.Time) string {
			if t.Year() <= 0 {
				return "BC"
			}
			return "AD"
		})
	case 'a':
		return same(func(t time.Time) string { return t.Format("PM") })
	case 'E':
		return textOf(n, func(t time.Time) string { return t.Weekday().String()[:3] }, func(t time.Time) string { return t.Weekday().String() })
	}
	return same(func(t time.Time) string { name, _ := t.Zone(); return name })
}

func fractionOfSecond(n int) func([]byte, time.Time) []byte {
	return func(dst []byte, t time.Time) []byte {
		digits := appendPadded(nil, t.Nanosecond()/1_000_000, 3)
		for len(digits) < n {
			digits = append(digits, '0')
		}
		return append(dst, digits[:n]...)
	}
}

// offset is +0100 for one letter, +01:00 for two, the zone's id for more.
func offset(n int) func([]byte, time.Time) []byte {
	switch n {
	case 1:
		return func(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, "-0700") }
	case 2:
		return func(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, "-07:00") }
	}
	return func(dst []byte, t time.Time) []byte { return append(dst, t.Location().String()...) }
}

// yearOfEra counts from 1 in both eras.
func yearOfEra(t time.Time) int {
	if y := t.Year(); y <= 0 {
		return 1 - y
	}
	return t.Year()
}

func abs(n int) int { return max(n, -n) }
