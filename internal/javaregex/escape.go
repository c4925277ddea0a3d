package javaregex

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape reads what follows a backslash outside a class; false after what no
// quantifier can follow.
func (p *parser) escape(f flags) (bool, error) {
	if p.pos == len(p.text) {
		return false, errEnd
	}
	switch c := p.text[p.pos]; {
	case c == 'Q':
		return p.quoted(f)
	case c >= '1' && c <= '9':
		return true, p.backReference(f)
	case c == 'k':
		return true, p.namedReference(f)
	case c == 'R':
		p.pos++
		p.backtracks = true
		p.out.WriteString("(?>\r\n|")
		verticals.write(&p.out)
		p.out.WriteByte(')')
		return true, nil
	case strings.IndexByte("bBAzZG", c) >= 0:
		p.pos++
		p.backtracks = p.backtracks || c == 'Z' || c == 'G'
		p.out.WriteString(`\` + string(c))
		return true, nil
	}
	if s, ok, err := p.namedSet(f); ok || err != nil {
		if err == nil {
			p.writeSet(s)
		}
		return true, err
	}
	c, err := p.escapedRune()
	if err == nil {
		p.literal(c, f)
	}
	return true, err
}

// quoted reads \Q...\E, whose end may be that of the pattern. A quantifier
// belongs to its last character.
func (p *parser) quoted(f flags) (bool, error) {
	text, _, closed := strings.Cut(p.text[p.pos+1:], `\E`)
	p.pos += 1 + len(text)
	if closed {
		p.pos += len(`\E`)
	}
	if text == "" {
		return false, nil
	}
	_, size := utf8.DecodeLastRuneInString(text)
	for _, c := range text[:len(text)-size] {
		p.literal(c, f)
	}
	// The last one stands as an atom of its own, so that a quantifier finds it.
	start := p.out.Len()
	c, _ := utf8.DecodeLastRuneInString(text)
	p.literal(c, f)
	quantifier, err := p.quantifier()
	if err != nil || quantifier == "" {
		return false, err
	}
	if p.pos < len(p.text) && p.text[p.pos] == '+' {
		p.pos++
		p.makeAtomic(start, quantifier)
		return false, nil
	}
	if p.pos < len(p.text) && p.text[p.pos] == '?' {
		p.pos++
		quantifier += "?"
	}
	p.out.WriteString(quantifier)
	return false, nil
}

// backReference reads the longest number of a group that there is so far.
func (p *parser) backReference(f flags) error {
	n := int(p.text[p.pos] - '0')
	p.pos++
	for p.pos < len(p.text) && digits.has(rune(p.text[p.pos])) {
		more := n*10 + int(p.text[p.pos]-'0')
		if more > p.groups {
			break
		}
		n = more
		p.pos++
	}
	if n > p.groups {
		return fmt.Errorf("there is no group %d before its back-reference", n)
	}
	p.reference(n, f)
	return nil
}

func (p *parser) namedReference(f flags) error {
	name, _, ok := strings.Cut(p.text[p.pos+1:], ">")
	if !ok || !strings.HasPrefix(name, "<") {
		return fmt.Errorf(`\k is not followed by '<' for named capturing group near index %d`, p.pos)
	}
	n, ok := p.names[name[1:]]
	if !ok {
		return fmt.Errorf("(named capturing group <%s> does not exist)", name[1:])
	}
	p.pos += len(name) + 2
	p.reference(n, f)
	return nil
}

func (p *parser) reference(n int, f flags) {
	p.backtracks = true
	fold := ""
	if f.fold {
		fold = "i"
	}
	fmt.Fprintf(&p.out, `(?%s:\%d)`, fold, n)
}

// namedSet reads an escape that stands for a set, such as \d or \p{Lu}.
func (p *parser) namedSet(f flags) (set, bool, error) {
	c := p.text[p.pos]
	var s set
	switch unicode.ToLower(rune(c)) {
	case 'd':
		s = digits
	case 's':
		s = spaces
	case 'w':
		s = words
	case 'h':
		s = horizontals
	case 'v':
		s = verticals
	case 'p':
		return p.property(f)
	default:
		return nil, false, nil
	}
	p.pos++
	if unicode.IsUpper(rune(c)) {
		s = s.negate()
	}
	return s, true, nil
}

func (p *parser) property(f flags) (set, bool, error) {
	negated := p.text[p.pos] == 'P'
	rest := p.text[p.pos+1:]
	name, size := "", 0
	switch {
	case rest == "":
		return nil, false, errEnd
	case rest[0] == '{':
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return nil, false, fmt.Errorf("Unclosed character family near index %d", p.pos)
		}
		name, size = rest[1:end], end+1
	default:
		name, size = rest[:1], 1
	}
	if f.fold {
		name = foldProperty(name)
	}
	s, ok := propertySet(name)
	if !ok {
		return nil, false, fmt.Errorf("Unknown character property name {%s} near index %d", name, p.pos)
	}
	p.pos += 1 + size
	if negated {
		s = s.negate()
	}
	return s, true, nil
}

// foldProperty returns the property that takes the place of one about the case of
// letters, when case does not matter.
func foldProperty(name string) string {
	switch strings.TrimPrefix(name, "Is") {
	case "Lower", "Upper":
		return "Alpha"
	case "Ll", "Lu", "Lt", "Lowercase", "Uppercase":
		return "LC"
	}
	return name
}

// escapedRune reads an escape that stands for one character.
func (p *parser) escapedRune() (rune, error) {
	if p.pos == len(p.text) {
		return 0, errEnd
	}
	c, size := utf8.DecodeRuneInString(p.text[p.pos:])
	p.pos += size
	switch c {
	case 't':
		return '\t', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 'f':
		return '\f', nil
	case 'a':
		return '\a', nil
	case 'e':
		return 0x1B, nil
	case '0':
		return p.octal()
	case 'c':
		if p.pos == len(p.text) {
			return 0, errEnd
		}
		p.pos++
		return rune(p.text[p.pos-1]) ^ 64, nil
	case 'x':
		if strings.HasPrefix(p.text[p.pos:], "{") {
			digits, _, ok := strings.Cut(p.text[p.pos+1:], "}")
			if !ok {
				return 0, fmt.Errorf("Unclosed hexadecimal escape sequence near index %d", p.pos)
			}
			p.pos += len(digits) + 2
			return hexRune(digits)
		}
		return p.hex(2)
	case 'u':
		return p.hex(4)
	}
	if c < utf8.RuneSelf && letters.has(c) {
		return 0, fmt.Errorf("Illegal/unsupported escape sequence near index %d", p.pos-1)
	}
	return c, nil
}

func (p *parser) hex(n int) (rune, error) {
	if len(p.text)-p.pos < n {
		return 0, errEnd
	}
	p.pos += n
	return hexRune(p.text[p.pos-n : p.pos])
}

func hexRune(digits string) (rune, error) {
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, fmt.Errorf("Illegal hexadecimal escape sequence %q", digits)
	}
	return rune(n), nil
}

// octal reads up to three digits, at most 0377.
func (p *parser) octal() (rune, error) {
	n, start := rune(0), p.pos
	for p.pos < len(p.text) && p.pos-start < 3 {
		c := p.text[p.pos]
		if c < '0' || c > '7' || n*8+rune(c-'0') > 0o377 {
			break
		}
		n = n*8 + rune(c-'0')
		p.pos++
	}
	if p.pos == start {
		return 0, fmt.Errorf("Illegal octal escape sequence near index %d", start)
	}
	return n, nil
}
