package jsonschema

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// ValueKind is the kind of a JSON value.
type ValueKind uint8

// The kinds of values.
const (
	Null ValueKind = iota
	Bool
	Number
	String
	Array
	Object
)

var valueKinds = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

func (k ValueKind) String() string { return valueKinds[k] }

// A Value is a JSON value; objects keep the order of their members.
type Value struct {
	Kind ValueKind
	// Text is a string, the digits of a number as Java writes them, or "true" and "false".
	Text     string
	Elements []Value
	Members  []Member
}

// A Member is a member of an object.
type Member struct {
	Name  string
	Value Value
}

// Get returns the value of a member, nil when there is none.
func (v *Value) Get(name string) *Value {
	for i := range v.Members {
		if v.Members[i].Name == name {
			return &v.Members[i].Value
		}
	}
	return nil
}

// valueParser reads JSON within limits.
type valueParser struct {
	decoder  *json.Decoder
	maxDepth int
	maxWidth int
	depth    int
}

// ParseValue reads one JSON text within the default limits.
func ParseValue(text string) (Value, error) { return parseValue(text, Limits{}.withDefaults()) }

// parseValue reads one JSON text. Of two members with one name the last one's value counts, at the first one's place.
func parseValue(text string, l Limits) (Value, error) {
	if !utf8.ValidString(text) {
		return Value{}, invalid("", "the text is not UTF-8")
	}
	p := valueParser{decoder: json.NewDecoder(strings.NewReader(text)), maxDepth: l.Depth, maxWidth: l.Width}
	p.decoder.UseNumber()
	v, err := p.next()
	if err != nil {
		return Value{}, asParseError(err)
	}
	if _, err := p.decoder.Token(); err != io.EOF {
		return Value{}, invalid("", "there is text after the end of the schema")
	}
	return v, nil
}

func asParseError(err error) error {
	var parse *ParseError
	var limit *LimitError
	if errors.As(err, &parse) || errors.As(err, &limit) {
		return err
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return invalid("", "not JSON: the text ends too early")
	}
	return invalid("", "not JSON: %v", err)
}

func (p *valueParser) next() (Value, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return Value{}, err
	}
	switch t := token.(type) {
	case json.Delim:
		return p.group(t)
	case string:
		return Value{Kind: String, Text: t}, nil
	case json.Number:
		text, err := javaNumber(t.String())
		return Value{Kind: Number, Text: text}, err
	case bool:
		if t {
			return Value{Kind: Bool, Text: "true"}, nil
		}
		return Value{Kind: Bool, Text: "false"}, nil
	}
	return Value{}, nil
}

func (p *valueParser) group(opening json.Delim) (v Value, err error) {
	if p.depth++; p.depth > p.maxDepth { // I5
		return v, &LimitError{Limit: LimitDepth, Max: p.maxDepth}
	}
	if opening == '{' {
		v, err = p.object()
	} else {
		v, err = p.array()
	}
	if err != nil {
		return v, err
	}
	p.depth--
	_, err = p.decoder.Token()
	return v, err
}

func (p *valueParser) array() (Value, error) {
	v := Value{Kind: Array}
	for p.decoder.More() {
		e, err := p.next()
		if err != nil {
			return v, err
		}
		if len(v.Elements) == p.maxWidth { // I5
			return v, &LimitError{Limit: LimitWidth, Max: p.maxWidth}
		}
		v.Elements = append(v.Elements, e)
	}
	return v, nil
}

func (p *valueParser) object() (Value, error) {
	v, at := Value{Kind: Object}, make(map[string]int)
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return v, err
		}
		name, _ := token.(string)
		member, err := p.next()
		if err != nil {
			return v, err
		}
		if i, ok := at[name]; ok {
			v.Members[i].Value = member
			continue
		}
		if len(v.Members) == p.maxWidth { // I5
			return v, &LimitError{Limit: LimitWidth, Max: p.maxWidth}
		}
		at[name] = len(v.Members)
		v.Members = append(v.Members, Member{name, member})
	}
	return v, nil
}

// append writes a value as Jackson does; sorted puts the members of objects in order.
func (v *Value) append(dst []byte, sorted bool) []byte {
	switch v.Kind {
	case Null:
		return append(dst, "null"...)
	case String:
		return appendString(dst, v.Text)
	case Array:
		dst = append(dst, '[')
		for i := range v.Elements {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.Elements[i].append(dst, sorted)
		}
		return append(dst, ']')
	case Object:
		return v.appendObject(dst, sorted)
	}
	return append(dst, v.Text...)
}

func (v *Value) appendObject(dst []byte, sorted bool) []byte {
	members := v.Members
	if sorted {
		members = slices.Clone(members)
		slices.SortFunc(members, func(a, b Member) int { return compareUTF16(a.Name, b.Name) })
	}
	dst = append(dst, '{')
	for i := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, members[i].Name), ':')
		dst = members[i].Value.append(dst, sorted)
	}
	return append(dst, '}')
}

// String returns the canonical text.
func (v *Value) String() string { return string(v.append(nil, false)) }

// same is the text that values have in common whatever the order of their members.
func (v *Value) same() string { return string(v.append(nil, true)) }

const upperHex = "0123456789ABCDEF"

// appendString escapes what Jackson escapes: quotes, backslashes and control characters.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		if short := strings.IndexByte("\"\\\b\f\n\r\t", c); short >= 0 {
			dst = append(dst, '\\', "\"\\bfnrt"[short])
			continue
		}
		dst = append(dst, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&15])
	}
	return append(append(dst, s[start:]...), '"')
}

// compareUTF16 orders as Java orders strings: by their units of UTF-16.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			return int(firstUnit(x, y)) - int(firstUnit(y, x))
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

// firstUnit is what orders r before or after another rune: its first unit, or, when both are pairs, the rune itself.
func firstUnit(r, other rune) rune {
	if r > 0xFFFF && other <= 0xFFFF {
		return 0xD800
	}
	return r
}
