package javadate

import (
	"math"
	"strings"
)

// field is what a letter sets.
type field uint8

const (
	era field = iota
	year
	weekYear
	month
	weekInYear
	weekInMonth
	dayInYear
	dayInMonth
	dayOfWeekInMonth
	dayOfWeek
	half
	hourOfDay
	hourOfHalf
	minutes
	seconds
	millis
	zone
	fieldCount
)

var fieldOf = map[byte]field{'G': era, 'y': year, 'Y': weekYear, 'M': month, 'L': month, 'w': weekInYear, 'W': weekInMonth,
	'D': dayInYear, 'd': dayInMonth, 'F': dayOfWeekInMonth, 'E': dayOfWeek, 'u': dayOfWeek, 'a': half, 'H': hourOfDay, 'k': hourOfDay,
	'K': hourOfHalf, 'h': hourOfHalf, 'm': minutes, 's': seconds, 'S': millis, 'z': zone, 'Z': zone, 'X': zone}

// parser reads one text. set says in which order fields came, since the later of
// two that contradict each other counts.
type parser struct {
	text  string
	pos   int
	value [fieldCount]int64
	set   [fieldCount]int // 0: not set
	order int
	// ambiguous: a year of two digits is that of the century's start.
	ambiguous bool
}

func (p *parser) put(f field, v int64) {
	p.order++
	p.value[f], p.set[f] = v, p.order
}

// Parse returns the time that text begins with, in milliseconds since the Unix
// epoch, and whether it begins with one.
func (f *Format) Parse(text string) (int64, bool) {
	p := parser{text: text}
	for i := range f.items {
		it := &f.items[i]
		if it.letter == 0 {
			if !strings.HasPrefix(text[p.pos:], it.literal) {
				return 0, false
			}
			p.pos += len(it.literal)
			continue
		}
		var next *item
		if i+1 < len(f.items) {
			next = &f.items[i+1]
		}
		if !p.field(f, it, next) {
			return 0, false
		}
	}
	if p.pos == 0 {
		return 0, false
	}
	ms := p.time()
	if p.ambiguous && ms < f.centuryStart {
		p.value[year] += 100
		ms = p.time()
	}
	return ms, true
}

// field reads one field. It is next to another one without a literal between them
// when next is a field: then its digits are counted.
func (p *parser) field(f *Format, it, next *item) bool {
	before := p.pos
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
	if p.pos == len(p.text) {
		return false
	}
	switch it.letter {
	case 'G':
		return p.name(era, eras[:])
	case 'E':
		return p.name(dayOfWeek, weekdays[:])
	case 'a':
		return p.name(half, halves[:])
	case 'M', 'L':
		if it.count > 2 {
			return p.name(month, months[:])
		}
	case 'z', 'Z':
		return p.zone()
	case 'X':
		return p.isoZone(it.count)
	}
	return p.numeric(f, it, next, before)
}

// numeric reads a number. Digits are counted with the white space before them.
func (p *parser) numeric(f *Format, it, next *item, before int) bool {
	limit := len(p.text)
	counted := next != nil && next.letter != 0
	if counted {
		if limit = before + it.count; limit > len(p.text) {
			return false
		}
	}
	start := p.pos
	v, ok := p.number(limit)
	if !ok {
		return false
	}
	// A minus sign between two fields is a literal, not the sign of the second.
	if next != nil && next.letter == 0 && next.literal[0] == '-' && v < 0 &&
		(p.pos < len(p.text) && p.text[p.pos] != '-' || p.pos == len(p.text) && p.text[p.pos-1] == '-') {
		v = -v
		p.pos--
	}
	p.put(fieldOf[it.letter], p.adjust(f, it, v, start))
	return true
}

// adjust turns what is written into the value of the field.
func (p *parser) adjust(f *Format, it *item, v int64, start int) int64 {
	switch it.letter {
	case 'y', 'Y':
		if it.count <= 2 && p.pos-start == 2 && isDigit(p.text[start]) && isDigit(p.text[start+1]) {
			first := int64(f.century)
			p.ambiguous = v == first%100
			if v < first%100 {
				v += 100
			}
			v += first / 100 * 100
		}
	case 'M', 'L':
		v--
	case 'k':
		if v == 24 {
			v = 0
		}
	case 'h':
		if v == 12 {
			v = 0
		}
	case 'u':
		v = floorMod(v, 7)
	}
	return v
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// number reads an integer that ends before limit. One that is too large for an int
// keeps its low bits or becomes the largest, as in Java.
func (p *parser) number(limit int) (int64, bool) {
	i := p.pos
	negative := i < limit && p.text[i] == '-'
	if negative {
		i++
	}
	first := i
	var v int64
	huge := false
	for ; i < limit && isDigit(p.text[i]); i++ {
		d := int64(p.text[i] - '0')
		if v > (math.MaxInt64-d)/10 {
			huge = true
			continue
		}
		v = v*10 + d
	}
	if i == first {
		return 0, false
	}
	p.pos = i
	switch {
	case huge && negative:
		return math.MinInt32, true
	case huge:
		return math.MaxInt32, true
	case negative:
		v = -v
	}
	return int64(int32(v)), true
}

// name reads the longest name, in any case. Months and days have short names too.
func (p *parser) name(f field, names []string) bool {
	best, size := -1, 0
	try := func(i int, name string) {
		if n := len(name); n > size && len(p.text)-p.pos >= n && strings.EqualFold(p.text[p.pos:p.pos+n], name) {
			best, size = i, n
		}
	}
	for i, name := range names {
		try(i, name)
		if f == month || f == dayOfWeek {
			try(i, name[:shortLen])
		}
	}
	if best < 0 {
		return false
	}
	p.pos += size
	p.put(f, int64(best))
	return true
}
