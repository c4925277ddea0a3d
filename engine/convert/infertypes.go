package convert

import (
	"math"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// maxInferDigits is the longest integer that is inferred (I5).
const maxInferDigits = 1000

// inferNumber returns the smallest type that holds a number: INT8 to INT64,
// FLOAT32, FLOAT64, and a Decimal of scale 0 for larger integers.
func inferNumber(token string) (*connect.Schema, connect.Value, bool) {
	whole, ok := wholePart(token)
	if !ok {
		return nil, connect.Value{}, false
	}
	if whole != "" {
		return inferInteger(whole)
	}
	f, err := strconv.ParseFloat(token, 64)
	mantissa, _, _ := cutAny(token, "eE")
	if err != nil || f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return nil, connect.Value{}, false // too large or too small
	}
	if n := int64(f); math.Abs(f) <= 1<<53 && float64(n) == f && strings.ContainsAny(token, "eE") {
		s, v := smallestInt(n)
		return s, v, true
	}
	if short, err := strconv.ParseFloat(token, 32); err == nil && sameDigits(short, f) {
		return connect.Float32Schema, connect.Float32Value(float32(short)), true
	}
	return connect.Float64Schema, connect.Float64Value(f), true
}

// sameDigits tells whether the shortest text of the FLOAT32 means f.
func sameDigits(short, f float64) bool {
	var buf [32]byte
	again, err := strconv.ParseFloat(string(strconv.AppendFloat(buf[:0], short, 'g', -1, 32)), 64)
	return err == nil && again == f
}

// wholePart checks the form of a number, digits first, and returns its integer
// when it has no exponent and no fraction but zeros.
func wholePart(token string) (whole string, ok bool) {
	unsigned := strings.TrimLeft(token, "+-")
	if len(token)-len(unsigned) > 1 {
		return "", false
	}
	mantissa, exponent, scientific := cutAny(unsigned, "eE")
	if scientific && !isDigits(strings.TrimPrefix(strings.TrimPrefix(exponent, "+"), "-")) {
		return "", false
	}
	digits, fraction, hasFraction := strings.Cut(mantissa, ".")
	if !isDigits(digits) || hasFraction && fraction != "" && !isDigits(fraction) {
		return "", false
	}
	if scientific || strings.Trim(fraction, "0") != "" {
		return "", true
	}
	return token[:len(token)-len(unsigned)+len(digits)], true
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

func inferInteger(whole string) (*connect.Schema, connect.Value, bool) {
	if len(whole) > maxInferDigits {
		return nil, connect.Value{}, false
	}
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
		s, v := smallestInt(n)
		return s, v, true
	}
	unscaled, err := connectjson.ParseDecimal(strings.TrimPrefix(whole, "+"), 0)
	return integerSchema, connect.BytesValue(unscaled), err == nil
}

func smallestInt(n int64) (*connect.Schema, connect.Value) {
	switch {
	case n == int64(int8(n)):
		return connect.Int8Schema, connect.Int8Value(int8(n))
	case n == int64(int16(n)):
		return connect.Int16Schema, connect.Int16Value(int16(n))
	case n == int64(int32(n)):
		return connect.Int32Schema, connect.Int32Value(int32(n))
	}
	return connect.Int64Schema, connect.Int64Value(n)
}

// listOf makes a list, with a schema when its elements have one in common.
func (p *inferrer) listOf(elems []typed) (*connect.Schema, connect.Value, bool) {
	elem, ok := common(elems)
	if !ok {
		return nil, connect.Value{}, false
	}
	cells := p.batch.Cells(len(elems))
	for i, e := range elems {
		cells[i] = e.value
	}
	if elem == nil {
		return nil, connect.ArrayValue(cells), true
	}
	s, err := connect.NewArray(elem, connect.Attrs{})
	return s, connect.ArrayValue(cells), err == nil
}

// mapOf makes a map, with a schema when its keys and its values have one.
func (p *inferrer) mapOf(keys, values []typed) (*connect.Schema, connect.Value, bool) {
	key, ok := common(keys)
	if !ok {
		return nil, connect.Value{}, false
	}
	value, ok := common(values)
	if !ok {
		return nil, connect.Value{}, false
	}
	cells := p.batch.Cells(2 * len(keys))
	for i := range keys {
		cells[2*i], cells[2*i+1] = keys[i].value, values[i].value
	}
	if key == nil || value == nil {
		return schemaless(keys, connect.MapValue(cells))
	}
	s, err := connect.NewMap(key, value, connect.Attrs{})
	return s, connect.MapValue(cells), err == nil
}

// schemaless gives up the schema of a map's keys, which is possible when they are
// STRING.
func schemaless(keys []typed, v connect.Value) (*connect.Schema, connect.Value, bool) {
	for _, k := range keys {
		if k.schema != connect.StringSchema {
			return nil, connect.Value{}, false
		}
	}
	return nil, v, true
}

// common returns the schema that fits all elements, whose numbers it widens: nil
// when they differ, and then they are schemaless values. It fails for elements
// that do not say what they are without their schema.
func common(elems []typed) (*connect.Schema, bool) {
	if len(elems) == 0 {
		return nil, true
	}
	s := elems[0].schema
	for _, e := range elems[1:] {
		s = wider(s, e.schema)
	}
	if s != nil {
		for i := range elems {
			elems[i].value = widened(elems[i].value, s.Type())
		}
		return s, true
	}
	widen(elems)
	for _, e := range elems {
		if needsSchema(e.schema) {
			return nil, false
		}
	}
	return nil, true
}

// needsSchema tells whether values of s are not what they are without it: logical
// types, and groups of other than schemaless values.
func needsSchema(s *connect.Schema) bool {
	return s != nil && (s.Name() != "" || s.Type() > connect.Bytes)
}

// wider returns the schema that holds the values of both, or nil.
func wider(a, b *connect.Schema) *connect.Schema {
	switch {
	case a == nil || b == nil:
		return nil
	case a.Equal(b):
		return a
	case isInt(a) && isInt(b), isFloat(a) && isFloat(b):
		if a.Type() > b.Type() {
			return a
		}
		return b
	case isInt(a) && isFloat(b):
		return widerFloat(a, b)
	case isInt(b) && isFloat(a):
		return widerFloat(b, a)
	}
	return nil
}

// widerFloat returns the float that holds all integers of a type too, or nil.
func widerFloat(integer, float *connect.Schema) *connect.Schema {
	switch {
	case integer.Type() <= connect.Int16:
		return float
	case integer.Type() == connect.Int32:
		return connect.Float64Schema
	}
	return nil
}

func isInt(s *connect.Schema) bool {
	return s.Type() >= connect.Int8 && s.Type() <= connect.Int64 && s.Name() == ""
}

func isFloat(s *connect.Schema) bool {
	return s.Type() == connect.Float32 || s.Type() == connect.Float64
}

// widen makes schemaless values: integers INT64, other numbers FLOAT64.
func widen(elems []typed) {
	for i, e := range elems {
		switch {
		case e.schema == nil || needsSchema(e.schema):
		case isInt(e.schema):
			elems[i].value = connect.Int64Value(e.value.Int())
		case isFloat(e.schema):
			elems[i].value = widened(e.value, connect.Float64)
		}
	}
}

// widened returns a number as one of a type that is as wide or wider.
func widened(v connect.Value, t connect.Type) connect.Value {
	switch {
	case v.Type() == t:
		return v
	case t == connect.Int16:
		return connect.Int16Value(int16(v.Int()))
	case t == connect.Int32:
		return connect.Int32Value(int32(v.Int()))
	case t == connect.Int64:
		return connect.Int64Value(v.Int())
	case t == connect.Float32 && v.Type() < connect.Float32:
		return connect.Float32Value(float32(v.Int()))
	case t == connect.Float64 && v.Type() < connect.Float32:
		return connect.Float64Value(float64(v.Int()))
	case t == connect.Float64:
		// By its text: 0.1 as FLOAT32 is 0.1 as FLOAT64 too.
		var buf [32]byte
		f, _ := strconv.ParseFloat(string(strconv.AppendFloat(buf[:0], v.Float(), 'g', -1, 32)), 64)
		return connect.Float64Value(f)
	}
	return v
}
