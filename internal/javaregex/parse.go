package javaregex

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limits of a pattern (I5).
const (
	maxPatternBytes = 4096
	maxNesting      = 100
	maxGroups       = 100
)

// parser reads a Java pattern and writes one that both engines read alike, but
// for what only one of them has.
type parser struct {
	text   string
	pos    int
	out    strings.Builder
	groups int
	names  map[string]int
	// backtracks: the pattern has what package regexp has not.
	backtracks bool
	depth      int
}

// flags are the inline flags that hold at a place.
type flags struct{ fold, dotAll, multiline bool }

var errEnd = errors.New("it ends too early")

// alternatives reads up to a closing parenthesis or the end.
func (p *parser) alternatives(f flags) error {
	if p.depth++; p.depth > maxNesting {
		return fmt.Errorf("groups nest deeper than %d levels", maxNesting)
	}
	defer func() { p.depth-- }()
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ')':
			return nil
		case '|':
			p.pos++
			p.out.WriteByte('|')
		default:
			if err := p.quantified(&f); err != nil {
				return err
			}
		}
	}
	return nil
}

// quantified reads one atom and its quantifier.
func (p *parser) quantified(f *flags) error {
	start := p.out.Len()
	atom, err := p.atom(f)
	if err != nil || !atom {
		return err
	}
	quantifier, err := p.quantifier()
	if err != nil || quantifier == "" {
		return err
	}
	if p.pos < len(p.text) && p.text[p.pos] == '?' {
		p.pos++
		quantifier += "?"
	} else if p.pos < len(p.text) && p.text[p.pos] == '+' {
		p.pos++
		p.makeAtomic(start, quantifier)
		return nil
	}
	p.out.WriteString(quantifier)
	return nil
}

// makeAtomic writes X*+ as (?>X*).
func (p *parser) makeAtomic(start int, quantifier string) {
	p.backtracks = true
	text := p.out.String()
	p.out.Reset()
	p.out.WriteString(text[:start] + "(?>" + text[start:] + quantifier + ")")
}

var counted = regexp.MustCompile(`^\{(\d{1,9})(,(\d{1,9})?)?\}`)

func (p *parser) quantifier() (string, error) {
	if p.pos == len(p.text) {
		return "", nil
	}
	switch c := p.text[p.pos]; c {
	case '*', '+', '?':
		p.pos++
		return string(c), nil
	case '{':
		m := counted.FindStringSubmatch(p.text[p.pos:])
		if m == nil {
			return "", fmt.Errorf("Illegal repetition near index %d", p.pos)
		}
		p.pos += len(m[0])
		if len(m[1]) > 3 || len(m[3]) > 3 {
			p.backtracks = true // regexp counts to 1000
		}
		return m[0], nil
	}
	return "", nil
}

// atom reads what a quantifier can follow; false after what it cannot.
func (p *parser) atom(f *flags) (bool, error) {
	c, size := utf8.DecodeRuneInString(p.text[p.pos:])
	start := p.pos
	p.pos += size
	switch c {
	case '(':
		return p.group(f)
	case '[':
		s, err := p.class(*f)
		if err == nil {
			p.writeSet(s)
		}
		return true, err
	case '.':
		if f.dotAll {
			universe.write(&p.out)
		} else {
			lineEnds.negate().write(&p.out)
		}
	case '^':
		p.anchor(*f, `\A`, `(?m:^)`)
	case '$':
		p.anchor(*f, `$`, `(?m:$)`)
	case '\\':
		return p.escape(*f)
	case '*', '+', '?':
		return false, fmt.Errorf("Dangling meta character '%c' near index %d", c, start)
	case '{':
		return false, fmt.Errorf("Illegal repetition near index %d", start)
	default:
		p.literal(c, *f)
	}
	return true, nil
}

func (p *parser) anchor(f flags, single, multi string) {
	if f.multiline {
		p.out.WriteString(multi)
	} else {
		p.out.WriteString(single)
	}
}

func (p *parser) literal(c rune, f flags) {
	if f.fold && c < utf8.RuneSelf && letters.has(c) {
		set{{c, c}}.foldCase().write(&p.out)
		return
	}
	p.out.WriteString(regexp.QuoteMeta(string(c)))
}

func (s set) has(c rune) bool {
	for _, r := range s {
		if c >= r.lo && c <= r.hi {
			return true
		}
	}
	return false
}

func (p *parser) writeSet(s set) {
	if len(s) == 0 {
		p.backtracks = true
		p.out.WriteString("(?!)")
		return
	}
	s.write(&p.out)
}

// The openings of groups that are written as they are.
var openings = []struct {
	text       string
	backtracks bool
}{{"?:", false}, {"?=", true}, {"?!", true}, {"?<=", true}, {"?<!", true}, {"?>", true}}

// group reads what follows a parenthesis.
func (p *parser) group(f *flags) (bool, error) {
	rest := p.text[p.pos:]
	for _, o := range openings {
		if strings.HasPrefix(rest, o.text) {
			p.backtracks = p.backtracks || o.backtracks
			return true, p.body("("+o.text, len(o.text), *f)
		}
	}
	if strings.HasPrefix(rest, "?<") {
		return true, p.named(*f)
	}
	if strings.HasPrefix(rest, "?") {
		return p.inlineFlags(f)
	}
	return true, p.capture(0, *f)
}

func (p *parser) capture(skip int, f flags) error {
	if p.groups++; p.groups > maxGroups {
		return fmt.Errorf("it has more than %d groups", maxGroups)
	}
	return p.body("(", skip, f)
}

// body skips an opening, writes another and reads the group to its end.
func (p *parser) body(opening string, skip int, f flags) error {
	p.pos += skip
	p.out.WriteString(opening)
	if err := p.alternatives(f); err != nil {
		return err
	}
	if p.pos == len(p.text) {
		return errors.New("Unclosed group near the end")
	}
	p.pos++
	p.out.WriteByte(')')
	return nil
}

var groupName = regexp.MustCompile(`^\?<([a-zA-Z][a-zA-Z0-9]*)>`)

func (p *parser) named(f flags) error {
	m := groupName.FindStringSubmatch(p.text[p.pos:])
	if m == nil {
		return fmt.Errorf("bad group name near index %d", p.pos)
	}
	if _, dup := p.names[m[1]]; dup {
		return fmt.Errorf("Named capturing group <%s> is already defined", m[1])
	}
	if p.names == nil {
		p.names = make(map[string]int)
	}
	p.names[m[1]] = p.groups + 1
	return p.capture(len(m[0]), f)
}

var inline = regexp.MustCompile(`^\?([a-zA-Z]*)(-[a-zA-Z]*)?([:)])`)

// inlineFlags reads (?i) and (?i:...).
func (p *parser) inlineFlags(f *flags) (bool, error) {
	m := inline.FindStringSubmatch(p.text[p.pos:])
	if m == nil {
		return false, fmt.Errorf("Unknown inline modifier near index %d", p.pos)
	}
	changed := *f
	for _, part := range []struct {
		letters string
		on      bool
	}{{m[1], true}, {strings.TrimPrefix(m[2], "-"), false}} {
		for _, c := range part.letters {
			switch c {
			case 'i':
				changed.fold = part.on
			case 's':
				changed.dotAll = part.on
			case 'm':
				changed.multiline = part.on
			default:
				return false, fmt.Errorf("the flag %c is not supported; i, s and m are", c)
			}
		}
	}
	if m[3] == ":" {
		return true, p.body("(?:", len(m[0]), changed)
	}
	p.pos += len(m[0])
	*f = changed
	return false, nil
}
