package avro

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf16"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// ValueKind is the kind of a JSON value. Integers and decimals are told apart as
// Java tells them: a number with a point or an exponent is a decimal.
type ValueKind uint8

// The kinds of JSON values.
const (
	NullValue ValueKind = iota
	BooleanValue
	IntegerValue
	DecimalValue
	StringValue
	ArrayValue
	ObjectValue
)

// A Value is a JSON value of a schema, a default or an attribute that Avro does
// not know, as it was written: order of members and digits of numbers are kept.
type Value struct {
	kind ValueKind
	// The text of a string, the digits of a number, "true" or "false".
	text    string
	items   []Value
	members []Member
}

// A Member is a key of a JSON object with its value.
type Member struct {
	Key   string
	Value Value
}

// Kind is the value's kind.
func (v Value) Kind() ValueKind { return v.kind }

// Text is the text of a string and the digits of a number.
func (v Value) Text() string { return v.text }

// Bool is the value of a boolean.
func (v Value) Bool() bool { return v.text == "true" }

// Int is the value of an integer; ok is false if it is none or has no place in 64
// bits.
func (v Value) Int() (n int64, ok bool) {
	if v.kind != IntegerValue {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, err == nil
}

// Float is the double that is nearest to a number.
func (v Value) Float() float64 {
	f, _ := strconv.ParseFloat(v.text, 64) // out of range: an infinity, as in Java
	return f
}

// Items are the elements of an array.
func (v Value) Items() []Value { return v.items }

// Members are the members of an object in their order.
func (v Value) Members() []Member { return v.members }

// Get is the value of an object's member; ok is false if there is none.
func (v Value) Get(key string) (Value, bool) { return Props(v.members).Get(key) }

// String is the value as JSON.
func (v Value) String() string { return string(v.append(nil)) }

// Props are attributes of a type or field that Avro does not know, in their order.
type Props []Member

// Get is an attribute's value; ok is false if there is none.
func (p Props) Get(key string) (Value, bool) {
	for i := range p {
		if p[i].Key == key {
			return p[i].Value, true
		}
	}
	return Value{}, false
}

// Text is the value of an attribute that is a string, or empty.
func (p Props) Text(key string) string {
	if v, ok := p.Get(key); ok && v.kind == StringValue {
		return v.text
	}
	return ""
}

// sorted returns the members in the order of Java's strings, which is that of
// UTF-16.
func sorted(members []Member) []Member {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b Member) int { return compareJava(a.Key, b.Key) })
	return members
}

func compareJava(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// append writes the value as Java does: no white space, doubles as Java writes
// them, which Jackson makes of every decimal.
func (v Value) append(b []byte) []byte {
	switch v.kind {
	case NullValue:
		return append(b, "null"...)
	case DecimalValue:
		return appendDouble(b, v.Float())
	case StringValue:
		return connectjson.AppendString(b, v.text)
	case ArrayValue:
		b = append(b, '[')
		for i := range v.items {
			b = v.items[i].append(appendComma(b, i))
		}
		return append(b, ']')
	case ObjectValue:
		b = append(b, '{')
		for i := range v.members {
			b = appendKey(appendComma(b, i), v.members[i].Key)
			b = v.members[i].Value.append(b)
		}
		return append(b, '}')
	}
	return append(b, v.text...)
}

// appendDouble writes a double as Java does, NaN and infinities as strings.
func appendDouble(b []byte, f float64) []byte {
	out, err := connectjson.Append(b, nil, connect.Float64Value(f), connectjson.Options{})
	if err != nil {
		return strconv.AppendFloat(b, f, 'g', -1, 64)
	}
	return out
}

func appendComma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

func appendKey(b []byte, key string) []byte {
	return append(connectjson.AppendString(b, key), ':')
}

// equal compares as Jackson's nodes are compared: members in any order, decimals
// as doubles.
func (v Value) equal(w Value) bool {
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case NullValue:
		return true
	case DecimalValue:
		return math.Float64bits(v.Float()) == math.Float64bits(w.Float())
	case ArrayValue:
		return slices.EqualFunc(v.items, w.items, Value.equal)
	case ObjectValue:
		return equalMembers(v.members, w.members)
	}
	return v.text == w.text
}

func equalMembers(a, b []Member) bool {
	if len(a) != len(b) {
		return false
	}
	other := make(map[string]Value, len(b))
	for _, m := range b {
		other[m.Key] = m.Value
	}
	for _, m := range a {
		if w, ok := other[m.Key]; !ok || !m.Value.equal(w) {
			return false
		}
	}
	return true
}
