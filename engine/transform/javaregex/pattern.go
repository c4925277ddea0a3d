package javaregex

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// matchTimeout bounds one match of a pattern that backtracks (I5).
const matchTimeout = 100 * time.Millisecond

// Pattern is a compiled pattern. It may be used by several goroutines.
type Pattern struct {
	groups int
	names  map[string]int

	whole, find *regexp.Regexp // nil when the pattern backtracks
	slowWhole   *regexp2.Regexp
	slowFind    *regexp2.Regexp
}

// Compile reads a pattern in Java's syntax.
func Compile(pattern string) (*Pattern, error) {
	if len(pattern) > maxPatternBytes {
		return nil, fmt.Errorf("the pattern has %d bytes, more than %d", len(pattern), maxPatternBytes)
	}
	if !utf8.ValidString(pattern) {
		return nil, errors.New("the pattern is not UTF-8")
	}
	p := parser{text: pattern}
	if err := p.alternatives(flags{}); err != nil {
		return nil, err
	}
	if p.pos < len(pattern) {
		return nil, fmt.Errorf("Unmatched closing ')' near index %d", p.pos)
	}
	c := &Pattern{groups: p.groups, names: p.names}
	text := p.out.String()
	if !p.backtracks {
		var findErr, wholeErr error
		c.find, findErr = regexp.Compile(text)
		c.whole, wholeErr = regexp.Compile(`\A(?:` + text + `)\z`)
		if findErr == nil && wholeErr == nil {
			return c, nil
		}
		c.find, c.whole = nil, nil
		// Repetitions of repetitions, which only backtracking bounds in memory.
	}
	return c, c.compileSlow(text)
}

func (p *Pattern) compileSlow(text string) (err error) {
	if p.slowFind, err = regexp2.Compile(text, regexp2.None); err != nil {
		return err
	}
	if p.slowWhole, err = regexp2.Compile(`\A(?:`+text+`)\z`, regexp2.None); err != nil {
		return err
	}
	p.slowFind.MatchTimeout, p.slowWhole.MatchTimeout = matchTimeout, matchTimeout
	return nil
}

// RE2 returns a pattern of package regexp that matches the same whole texts, if
// there is one.
func (p *Pattern) RE2() (pattern string, ok bool) {
	if p.whole == nil {
		return "", false
	}
	return p.whole.String(), true
}

// Matches tells whether the pattern matches the whole text. It fails when that
// takes too long to find out.
func (p *Pattern) Matches(text string) (bool, error) {
	if p.whole != nil {
		return p.whole.MatchString(text), nil
	}
	ok, err := p.slowWhole.MatchString(text)
	return ok, tooSlow(err)
}

func tooSlow(err error) error {
	if err != nil {
		return fmt.Errorf("the regular expression took longer than %s; write it without nested repetitions", matchTimeout)
	}
	return nil
}

// ReplaceFirst replaces the first place in text that the pattern matches.
func (p *Pattern) ReplaceFirst(text string, r *Replacement) (string, error) {
	groups, err := p.findFirst(text)
	if err != nil || groups == nil {
		return text, err
	}
	var out strings.Builder
	out.WriteString(text[:groups[0]])
	for _, part := range r.parts {
		out.WriteString(part.text)
		if g := 2 * part.group; part.group >= 0 && groups[g] >= 0 {
			out.WriteString(text[groups[g]:groups[g+1]])
		}
	}
	out.WriteString(text[groups[1]:])
	return out.String(), nil
}

// findFirst returns the byte positions of the first match and of its groups, -1
// for groups that took no part.
func (p *Pattern) findFirst(text string) ([]int, error) {
	if p.find != nil {
		return p.find.FindStringSubmatchIndex(text), nil
	}
	m, err := p.slowFind.FindStringMatch(text)
	if err != nil || m == nil {
		return nil, tooSlow(err)
	}
	// regexp2 counts characters.
	offsets := make([]int, 0, len(text)+1)
	for i := range text {
		offsets = append(offsets, i)
	}
	offsets = append(offsets, len(text))
	groups := make([]int, 0, 2*(p.groups+1))
	for i := range p.groups + 1 {
		g := m.GroupByNumber(i)
		if g == nil || len(g.Captures) == 0 {
			groups = append(groups, -1, -1)
			continue
		}
		groups = append(groups, offsets[g.Index], offsets[g.Index+g.Length])
	}
	return groups, nil
}

// Replacement is the text that takes the place of a match, with references to
// groups: $1, ${name}. A backslash makes the next character itself.
type Replacement struct{ parts []replacementPart }

type replacementPart struct {
	text  string
	group int // -1: none
}

// Replacement reads a replacement for matches of the pattern.
func (p *Pattern) Replacement(text string) (*Replacement, error) {
	r := &Replacement{}
	var literal strings.Builder
	for i := 0; i < len(text); {
		switch text[i] {
		case '\\':
			if i++; i == len(text) {
				return nil, errors.New("character to be escaped is missing")
			}
			literal.WriteByte(text[i])
			i++
		case '$':
			group, size, err := p.groupReference(text[i+1:])
			if err != nil {
				return nil, err
			}
			r.parts = append(r.parts, replacementPart{literal.String(), group})
			literal.Reset()
			i += 1 + size
		default:
			literal.WriteByte(text[i])
			i++
		}
	}
	r.parts = append(r.parts, replacementPart{literal.String(), -1})
	return r, nil
}

// groupReference reads what follows a dollar sign: a name in braces, or the
// longest number of a group that there is.
func (p *Pattern) groupReference(rest string) (group, size int, err error) {
	if strings.HasPrefix(rest, "{") {
		name, _, ok := strings.Cut(rest[1:], "}")
		if group, found := p.names[name]; ok && found {
			return group, len(name) + 2, nil
		}
		return 0, 0, fmt.Errorf("No group with name {%s}", name)
	}
	if rest == "" || !digits.has(rune(rest[0])) {
		return 0, 0, errors.New("Illegal group reference")
	}
	group, size = int(rest[0]-'0'), 1
	if group > p.groups {
		return 0, 0, fmt.Errorf("No group %d", group)
	}
	for size < len(rest) && digits.has(rune(rest[size])) {
		more := group*10 + int(rest[size]-'0')
		if more > p.groups {
			break
		}
		group = more
		size++
	}
	return group, size, nil
}
