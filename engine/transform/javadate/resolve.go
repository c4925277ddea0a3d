package javadate

// time puts the fields together as Java's lenient calendar does.
func (p *parser) time() int64 {
	y := int64(1970)
	if p.set[year] > 0 {
		y = p.value[year]
	}
	if p.set[era] > 0 && p.value[era] == 0 {
		y = 1 - y
	}
	return p.day(y)*day + p.timeOfDay() - p.value[zone]
}

// both returns when two fields were complete, 0 when one is not set.
func (p *parser) both(a, b field) int {
	if p.set[a] == 0 || p.set[b] == 0 {
		return 0
	}
	return max(p.set[a], p.set[b])
}

// day finds the fields that the day goes by, those that were complete last, and
// returns it.
func (p *parser) day(y int64) int64 {
	if p.set[weekYear] > p.set[year] {
		return p.weekDate()
	}
	inMonth := p.set[dayInMonth]
	week := p.both(weekInMonth, dayOfWeek)
	nth := p.both(dayOfWeekInMonth, dayOfWeek)
	inYear := p.set[dayInYear]
	weekOf := p.both(weekInYear, dayOfWeek)
	best := max(inMonth, week, nth, inYear, weekOf)
	if best == 0 {
		week, nth, weekOf = p.set[weekInMonth], max(p.set[dayOfWeekInMonth], p.set[dayOfWeek]), p.set[weekInYear]
		best = max(week, nth, weekOf)
	}
	switch {
	case best == inMonth:
		return epochDay(y, p.value[month], p.or(dayInMonth, 1))
	case best == week && best != nth && p.set[weekInMonth] >= p.set[weekInYear],
		best == week && best == nth && p.set[weekInMonth] >= p.set[dayOfWeekInMonth]:
		return p.weekDay(epochDay(y, p.value[month], 1), p.value[weekInMonth])
	case best == nth && p.set[dayOfWeekInMonth] >= p.set[weekInYear]:
		return p.nthWeekDay(y)
	case best == inYear:
		return epochDay(y, 0, 1) + p.value[dayInYear] - 1
	}
	return p.weekDay(newYear(y), p.value[weekInYear])
}

func (p *parser) or(f field, otherwise int64) int64 {
	if p.set[f] == 0 {
		return otherwise
	}
	return p.value[f]
}

// weekDate returns the day of a week of a week year.
func (p *parser) weekDate() int64 {
	return p.weekDay(newYear(p.value[weekYear]), p.or(weekInYear, 1))
}

// weekDay returns the day of the week, Sunday when none is set, in the n-th week of
// the period that begins with first.
func (p *parser) weekDay(first, n int64) int64 {
	sunday := first - floorMod(first+4, 7)
	return sunday + 7*(n-1) + p.or(dayOfWeek, 0)
}

// nthWeekDay returns the n-th of a day of the week in a month.
func (p *parser) nthWeekDay(y int64) int64 {
	n := p.or(dayOfWeekInMonth, 1)
	m := p.value[month]
	if n < 0 {
		m++ // counts from the end
		n++
	}
	first := epochDay(y, m, 1)
	return first + floorMod(p.or(dayOfWeek, 0)-(first+4), 7) + 7*(n-1)
}

// timeOfDay returns milliseconds, which may be more than a day has.
func (p *parser) timeOfDay() int64 {
	ms := p.value[minutes]*minute + p.value[seconds]*second + p.value[millis]
	ofHalf := p.both(hourOfHalf, half)
	best := max(p.set[hourOfDay], ofHalf)
	if best == 0 {
		best = max(p.set[hourOfHalf], p.set[half])
	}
	if best == p.set[hourOfDay] {
		return ms + p.value[hourOfDay]*hour
	}
	return ms + p.value[hourOfHalf]*hour + p.value[half]*12*hour
}
