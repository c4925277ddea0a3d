package javaregex

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// class reads what follows an opening bracket: a union of characters, ranges,
// escapes and classes, intersections of such unions, all of it negated by ^.
func (p *parser) class(f flags) (set, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("classes nest deeper than %d levels", maxNesting)
	}
	defer func() { p.depth-- }()
	negated := p.take("^")
	var whole *set
	for {
		operand, err := p.operand(f, whole == nil)
		if err != nil {
			return nil, err
		}
		switch {
		case whole == nil || *whole == nil: // nothing on one side of && is no side
			whole = &operand
		case operand != nil:
			*whole = whole.intersect(operand)
		}
		if p.take("&&") {
			continue
		}
		p.pos++ // the closing bracket
		if negated {
			return whole.negate(), nil
		}
		return *whole, nil
	}
}

func (p *parser) take(text string) bool {
	if strings.HasPrefix(p.text[p.pos:], text) {
		p.pos += len(text)
		return true
	}
	return false
}

// operand reads up to && or the closing bracket, which it leaves. It is nil when
// there is nothing.
func (p *parser) operand(f flags, first bool) (set, error) {
	var s set
	seen := false
	for p.pos < len(p.text) {
		rest := p.text[p.pos:]
		if strings.HasPrefix(rest, "&&") || rest[0] == ']' && (seen || !first) {
			return s, nil
		}
		more, err := p.member(f)
		if err != nil {
			return nil, err
		}
		seen = true
		s = s.union(more)
	}
	return nil, errors.New("Unclosed character class near the end")
}

// member reads one class, escape, character or range.
func (p *parser) member(f flags) (set, error) {
	if p.take("[") {
		return p.class(f)
	}
	if strings.HasPrefix(p.text[p.pos:], `\Q`) {
		return p.quotedMembers(f), nil
	}
	if strings.HasPrefix(p.text[p.pos:], `\`) && p.pos+1 < len(p.text) {
		p.pos++
		if s, ok, err := p.namedSet(f); ok || err != nil {
			return s, err
		}
		p.pos--
	}
	lo, err := p.classRune()
	if err != nil {
		return nil, err
	}
	hi := lo
	if rest := p.text[p.pos:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' && rest[1] != '[' {
		p.pos++
		if hi, err = p.classRune(); err != nil {
			return nil, err
		}
		if hi < lo {
			return nil, fmt.Errorf("Illegal character range near index %d", p.pos)
		}
	}
	s := set{{lo, hi}}.intersect(universe)
	if f.fold {
		s = s.foldCase()
	}
	return s, nil
}

func (p *parser) quotedMembers(f flags) set {
	text, _, closed := strings.Cut(p.text[p.pos+2:], `\E`)
	p.pos += 2 + len(text)
	if closed {
		p.pos += 2
	}
	var s set
	for _, c := range text {
		s = s.union(set{{c, c}})
	}
	if f.fold {
		s = s.foldCase()
	}
	return s
}

func (p *parser) classRune() (rune, error) {
	if p.take(`\`) {
		return p.escapedRune()
	}
	c, size := utf8.DecodeRuneInString(p.text[p.pos:])
	p.pos += size
	return c, nil
}
