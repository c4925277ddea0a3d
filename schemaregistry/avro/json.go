package avro

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What Jackson takes at most.
const (
	maxNumberLength = 1000
	maxKeyLength    = 50_000
)

// parseJSON reads a text of JSON as Java's Avro does: comments are white space,
// of two members with one key the last one's value counts at the first one's
// place. After the value only white space may follow, not even a comment.
func parseJSON(text string, maxDepth int) (Value, error) {
	if !utf8.ValidString(text) {
		return Value{}, invalid("the text is not UTF-8")
	}
	p := jsonParser{text: text, maxDepth: maxDepth}
	if err := p.space(); err != nil {
		return Value{}, err
	}
	v, err := p.value()
	if err != nil {
		return Value{}, err
	}
	if strings.TrimLeft(text[p.pos:], blanks) != "" {
		return Value{}, p.errorf("text after the end of the schema")
	}
	return v, nil
}

// blanks is what Java's String.trim takes off.
const blanks = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "

type jsonParser struct {
	text     string
	pos      int
	depth    int
	maxDepth int
}

// errorf makes an error that says where in the text it is.
func (p *jsonParser) errorf(format string, args ...any) error {
	before := p.text[:min(p.pos, len(p.text))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return invalid("not JSON: %s (line %d, column %d)", fmt.Sprintf(format, args...), line, column)
}

// next is the byte at the position, 0 at the end of the text.
func (p *jsonParser) next() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// space skips white space and comments.
func (p *jsonParser) space() error {
	for {
		switch p.next() {
		case ' ', '\t', '\r', '\n':
			p.pos++
		case '/':
			if err := p.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (p *jsonParser) comment() error {
	rest := p.text[p.pos:]
	switch {
	case strings.HasPrefix(rest, "//"):
		end := strings.IndexAny(rest, "\r\n")
		if end < 0 {
			end = len(rest)
		}
		p.pos += end
		return nil
	case strings.HasPrefix(rest, "/*"):
		end := strings.Index(rest[2:], "*/")
		if end < 0 {
			return p.errorf("a comment without an end")
		}
		p.pos += 2 + end + 2
		return nil
	}
	return p.errorf("a single /")
}

func (p *jsonParser) value() (Value, error) {
	switch c := p.next(); {
	case c == '{':
		return p.nested(p.object)
	case c == '[':
		return p.nested(p.array)
	case c == '"':
		s, err := p.str()
		return Value{kind: StringValue, text: s}, err
	case c == '-' || isDigit(c):
		return p.number()
	}
	return p.literal()
}

func (p *jsonParser) nested(parse func() (Value, error)) (Value, error) {
	if p.depth++; p.depth > p.maxDepth {
		return Value{}, &LimitError{Limit: LimitDepth, Max: p.maxDepth}
	}
	defer func() { p.depth-- }()
	p.pos++
	return parse()
}

func (p *jsonParser) literal() (Value, error) {
	end := p.pos
	for end < len(p.text) && isLetter(p.text[end]) {
		end++
	}
	word := p.text[p.pos:end]
	switch {
	case word == "null":
		p.pos = end
		return Value{kind: NullValue}, nil
	case word == "true" || word == "false":
		p.pos = end
		return Value{kind: BooleanValue, text: word}, nil
	case p.pos == len(p.text):
		return Value{}, p.errorf("the text ends where a value should be")
	case word != "":
		return Value{}, p.errorf("unknown word %.40q; strings need quotes", word)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return Value{}, p.errorf("unexpected %q", r)
}

func (p *jsonParser) array() (Value, error) {
	v := Value{kind: ArrayValue}
	err := p.list(']', func() error {
		item, err := p.value()
		v.items = append(v.items, item)
		return err
	})
	return v, err
}

func (p *jsonParser) object() (Value, error) {
	v := Value{kind: ObjectValue}
	seen := keyIndex{}
	err := p.list('}', func() error {
		m, err := p.member()
		if err != nil {
			return err
		}
		if i, ok := seen.find(v.members, m.Key); ok {
			v.members[i].Value = m.Value
		} else {
			v.members = append(v.members, m)
		}
		return nil
	})
	return v, err
}

// list reads items with commas between them up to the closing bracket.
func (p *jsonParser) list(closing byte, item func() error) error {
	for first := true; ; first = false {
		if err := p.space(); err != nil {
			return err
		}
		if first && p.next() == closing {
			p.pos++
			return nil
		}
		if err := item(); err != nil {
			return err
		}
		if err := p.space(); err != nil {
			return err
		}
		switch p.next() {
		case ',':
			p.pos++
		case closing:
			p.pos++
			return nil
		default:
			return p.errorf("a , or %c should be here", closing)
		}
	}
}

func (p *jsonParser) member() (Member, error) {
	if p.next() != '"' {
		return Member{}, p.errorf("a key in quotes should be here")
	}
	key, err := p.str()
	if err != nil {
		return Member{}, err
	}
	if len(key) > maxKeyLength {
		return Member{}, p.errorf("a key is longer than %d bytes", maxKeyLength)
	}
	if err := p.space(); err != nil {
		return Member{}, err
	}
	if p.next() != ':' {
		return Member{}, p.errorf("a : should be here")
	}
	p.pos++
	if err := p.space(); err != nil {
		return Member{}, err
	}
	v, err := p.value()
	return Member{Key: key, Value: v}, err
}

// A keyIndex finds keys among members: by looking at each while they are few.
type keyIndex map[string]int

func (x *keyIndex) find(members []Member, key string) (int, bool) {
	const few = 16
	if len(members) < few {
		for i := range members {
			if members[i].Key == key {
				return i, true
			}
		}
		return 0, false
	}
	for i := len(*x); i < len(members); i++ {
		(*x)[members[i].Key] = i
	}
	i, ok := (*x)[key]
	return i, ok
}

func (p *jsonParser) number() (Value, error) {
	start := p.pos
	kind := IntegerValue
	if p.next() == '-' {
		p.pos++
	}
	switch {
	case p.next() == '0':
		p.pos++
	case p.digits() == 0:
		return Value{}, p.errorf("a number without digits")
	}
	if p.next() == '.' {
		p.pos++
		if kind = DecimalValue; p.digits() == 0 {
			return Value{}, p.errorf("a number without digits after its point")
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.next(); c == '+' || c == '-' {
			p.pos++
		}
		if kind = DecimalValue; p.digits() == 0 {
			return Value{}, p.errorf("a number without digits in its exponent")
		}
	}
	text := p.text[start:p.pos]
	switch {
	case len(text) > maxNumberLength:
		return Value{}, p.errorf("a number of more than %d digits", maxNumberLength)
	case isDigit(p.next()) || isLetter(p.next()):
		return Value{}, p.errorf("a number that is none")
	case text == "-0":
		text = "0"
	}
	return Value{kind: kind, text: text}, nil
}

func (p *jsonParser) digits() int {
	start := p.pos
	for isDigit(p.next()) {
		p.pos++
	}
	return p.pos - start
}

func (p *jsonParser) str() (string, error) {
	p.pos++
	rest := p.text[p.pos:]
	for i := range len(rest) {
		switch c := rest[i]; {
		case c == '"':
			p.pos += i + 1
			return rest[:i], nil
		case c == '\\':
			p.pos += i
			return p.escaped([]byte(rest[:i]))
		case c < ' ':
			p.pos += i
			return "", p.errorf("a control character in a string; write it as \\u%04x", c)
		}
	}
	return "", p.errorf("a string without an end")
}

// escaped reads on in a string with escapes, of which b is the beginning.
func (p *jsonParser) escaped(b []byte) (string, error) {
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(b), nil
		case c < ' ':
			return "", p.errorf("a control character in a string; write it as \\u%04x", c)
		case c != '\\':
			b = append(b, c)
			p.pos++
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		b = utf8.AppendRune(b, r)
	}
	return "", p.errorf("a string without an end")
}

func (p *jsonParser) escape() (rune, error) {
	p.pos++
	c := p.next()
	if c == 'u' {
		return p.unicode()
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := strings.IndexByte(from, c)
	if i < 0 || c == 0 {
		return 0, p.errorf("an unknown escape in a string")
	}
	p.pos++
	return rune(to[i]), nil
}

// unicode reads \uXXXX, or two of them that make one character.
func (p *jsonParser) unicode() (rune, error) {
	r, err := p.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if strings.HasPrefix(p.text[p.pos:], `\u`) {
		p.pos++
		low, err := p.hex()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, p.errorf("half a surrogate pair in a string, which no UTF-8 can hold")
}

func (p *jsonParser) hex() (rune, error) {
	var r rune
	for range 4 {
		p.pos++
		const digits = "0123456789abcdefABCDEF"
		i := strings.IndexByte(digits, p.next())
		if i < 0 {
			return 0, p.errorf("four hexadecimal digits should follow \\u")
		}
		if i >= 16 {
			i -= 6
		}
		r = r<<4 | rune(i)
	}
	p.pos++
	return r, nil
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
