package javadate

import "strings"

// zones are the abbreviations and names that are read, with their offsets in
// minutes. The longest that fits counts.
var zones = []struct {
	name    string
	minutes int64
}{
	{"UTC", 0}, {"GMT", 0}, {"UT", 0}, {"Z", 0}, {"WET", 0}, {"WEST", 60}, {"BST", 60}, {"CET", 60}, {"CEST", 120}, {"EET", 120}, {"EEST", 180},
	{"MSK", 180}, {"IST", 330}, {"JST", 540}, {"AKST", -540}, {"AKDT", -480}, {"HST", -600},
	{"PST", -480}, {"PDT", -420}, {"MST", -420}, {"MDT", -360}, {"CST", -360}, {"CDT", -300}, {"EST", -300}, {"EDT", -240},
	{"Coordinated Universal Time", 0}, {"Greenwich Mean Time", 0},
	{"Pacific Standard Time", -480}, {"Pacific Daylight Time", -420}, {"Mountain Standard Time", -420}, {"Mountain Daylight Time", -360},
	{"Central Standard Time", -360}, {"Central Daylight Time", -300}, {"Eastern Standard Time", -300}, {"Eastern Daylight Time", -240},
	{"Central European Standard Time", 60}, {"Central European Summer Time", 120},
}

// zone reads +hhmm, GMT+h:mm or a name.
func (p *parser) zone() bool {
	if sign := signOf(p.text[p.pos]); sign != 0 {
		p.pos++
		return p.offset(sign, 0, false)
	}
	if rest := p.text[p.pos:]; len(rest) > 3 && strings.EqualFold(rest[:3], "GMT") && signOf(rest[3]) != 0 {
		p.pos += 4
		return p.offset(signOf(rest[3]), 0, true)
	}
	size, minutes := 0, int64(0)
	for _, z := range zones {
		if rest := p.text[p.pos:]; len(z.name) > size && len(rest) >= len(z.name) && strings.EqualFold(rest[:len(z.name)], z.name) {
			size, minutes = len(z.name), z.minutes
		}
	}
	if size == 0 {
		return false
	}
	p.pos += size
	p.put(zone, minutes*minute)
	return true
}

// isoZone reads Z, or an offset: hours for one X, minutes too for two, and with a
// colon between them for three.
func (p *parser) isoZone(count int) bool {
	c := p.text[p.pos]
	p.pos++
	if c == 'Z' {
		p.put(zone, 0)
		return true
	}
	sign := signOf(c)
	return sign != 0 && p.offset(sign, count, count == 3)
}

func signOf(c byte) int64 {
	switch c {
	case '+':
		return 1
	case '-':
		return -1
	}
	return 0
}

// offset reads the digits of an offset. count is that of X, 0 for other letters.
func (p *parser) offset(sign int64, count int, colon bool) bool {
	hours, n := p.digits(2)
	if n == 0 || n == 1 && (count > 0 || !colon) || hours > 23 {
		return false
	}
	mins := int64(0)
	if count != 1 {
		if colon {
			if p.pos == len(p.text) || p.text[p.pos] != ':' {
				return false
			}
			p.pos++
		}
		if mins, n = p.digits(2); n != 2 || mins > 59 {
			return false
		}
	}
	p.put(zone, sign*(hours*60+mins)*minute)
	return true
}

// digits reads at most n digits and returns how many there were.
func (p *parser) digits(n int) (v int64, read int) {
	for read < n && p.pos < len(p.text) && isDigit(p.text[p.pos]) {
		v = v*10 + int64(p.text[p.pos]-'0')
		p.pos++
		read++
	}
	return v, read
}
