package connectjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// errTooDeep ends Append in values that nest deeper than DefaultMaxDepth (I5).
var errTooDeep = errors.New("the value nests too deeply for JSON")

// Append appends v, which schema s describes (nil: schemaless), to dst as JSON
// text in one line and without white space. On an error dst comes back as it
// was.
//
// Numbers are written as Java writes them, so that 1.0 stays a FLOAT64; NaN and
// infinities, which JSON has no numbers for, as "NaN", "Infinity" and
// "-Infinity". A STRING that is not UTF-8 gets U+FFFD in the bad places.
func Append(dst []byte, s *connect.Schema, v connect.Value, o Options) ([]byte, error) {
	out, err := o.append(dst, s, v, DefaultMaxDepth)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (o *Options) append(dst []byte, s *connect.Schema, v connect.Value, depth int) ([]byte, error) {
	if s != nil && s.Name() != "" {
		return o.appendNamed(dst, s, v, depth)
	}
	return o.appendPlain(dst, s, v, depth)
}

// appendNamed writes a value whose schema may be a logical type. Date, Time and
// Timestamp are the numbers that carry them.
func (o *Options) appendNamed(dst []byte, s *connect.Schema, v connect.Value, depth int) ([]byte, error) {
	switch {
	case v.Type() == connect.String && IsRaw(s) && !o.RawAsText:
		return append(dst, v.Text()...), nil
	case v.Type() == connect.Bytes && s.Name() == connect.DecimalName && o.Decimal == DecimalNumeric:
		scale, err := Scale(s)
		if err != nil {
			return dst, err
		}
		return AppendDecimal(dst, v.Bytes(), scale)
	}
	return o.appendPlain(dst, s, v, depth)
}

// appendPlain writes a value without regard to the name of its schema.
func (o *Options) appendPlain(dst []byte, s *connect.Schema, v connect.Value, depth int) ([]byte, error) {
	if s != nil && s.Type() != v.Type() && !v.IsNull() {
		return dst, fmt.Errorf("the schema says %s, the value is %s", s.Type(), v.Type())
	}
	switch v.Type() {
	case connect.Null:
		return o.appendNull(dst, s, depth)
	case connect.Boolean:
		return strconv.AppendBool(dst, v.Boolean()), nil
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case connect.Float32:
		return appendFloat(dst, v.Float(), 32), nil
	case connect.Float64:
		return appendFloat(dst, v.Float(), 64), nil
	case connect.String:
		return AppendString(dst, v.Text()), nil
	case connect.Bytes:
		return appendBase64(dst, v.Bytes()), nil
	}
	if depth == 0 {
		return dst, errTooDeep
	}
	return o.appendGroup(dst, s, v, depth-1)
}

// appendNull writes the default in place of a null, as Kafka does.
func (o *Options) appendNull(dst []byte, s *connect.Schema, depth int) ([]byte, error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	if def, ok := s.Default(); ok && !o.KeepNull && !def.IsNull() && depth > 0 {
		return o.append(dst, s, def, depth-1)
	}
	if !s.Optional() {
		return dst, errors.New("null for a value that is required and has no default")
	}
	return append(dst, "null"...), nil
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

func (o *Options) appendGroup(dst []byte, s *connect.Schema, v connect.Value, depth int) ([]byte, error) {
	switch {
	case v.Type() == connect.Struct:
		return o.appendStruct(dst, s, v.Cells(), depth)
	case v.Type() == connect.Array:
		return o.appendArray(dst, s, v.Cells(), depth)
	case keyedByText(s, v):
		return o.appendObject(dst, s, v.Cells(), depth)
	}
	return o.appendPairs(dst, s, v.Cells(), depth)
}

func (o *Options) appendStruct(dst []byte, s *connect.Schema, cells []connect.Value, depth int) ([]byte, error) {
	if s == nil || len(s.Fields()) != len(cells) {
		return dst, fmt.Errorf("a struct of %d cells without the schema for them", len(cells))
	}
	dst = append(dst, '{')
	var err error
	for i, f := range s.Fields() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, f.Name), ':')
		if dst, err = o.append(dst, f.Schema, cells[i], depth); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return append(dst, '}'), nil
}

func (o *Options) appendArray(dst []byte, s *connect.Schema, elems []connect.Value, depth int) ([]byte, error) {
	var elem *connect.Schema
	if s != nil {
		elem = s.Value()
	}
	dst = append(dst, '[')
	var err error
	for i, e := range elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = o.append(dst, elem, e, depth); err != nil {
			return dst, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

// keyedByText tells whether a map is written as an object.
func keyedByText(s *connect.Schema, v connect.Value) bool {
	if s != nil {
		return s.Key().Type() == connect.String
	}
	pairs := v.Cells()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].Type() != connect.String {
			return false
		}
	}
	return true
}

func (o *Options) appendObject(dst []byte, s *connect.Schema, pairs []connect.Value, depth int) ([]byte, error) {
	_, val := pairSchemas(s)
	dst = append(dst, '{')
	var err error
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if pairs[i].Type() != connect.String {
			return dst, fmt.Errorf("a map key is %s instead of STRING", pairs[i].Type())
		}
		dst = append(AppendString(dst, pairs[i].Text()), ':')
		if dst, err = o.append(dst, val, pairs[i+1], depth); err != nil {
			return dst, fmt.Errorf("key %.40q: %w", pairs[i].Text(), err)
		}
	}
	return append(dst, '}'), nil
}

func (o *Options) appendPairs(dst []byte, s *connect.Schema, pairs []connect.Value, depth int) ([]byte, error) {
	key, val := pairSchemas(s)
	dst = append(dst, '[')
	var err error
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = o.append(append(dst, '['), key, pairs[i], depth); err != nil {
			return dst, fmt.Errorf("map key: %w", err)
		}
		if dst, err = o.append(append(dst, ','), val, pairs[i+1], depth); err != nil {
			return dst, fmt.Errorf("map value: %w", err)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']'), nil
}

func pairSchemas(s *connect.Schema) (key, value *connect.Schema) {
	if s == nil {
		return nil, nil
	}
	return s.Key(), s.Value()
}

// appendFloat writes a number as Java's Double.toString does: with a fraction
// always, and with an exponent outside 0.001 to 10 million.
func appendFloat(dst []byte, f float64, bitSize int) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	case abs == 0 || abs >= 1e-3 && abs < 1e7:
		return appendFraction(strconv.AppendFloat(dst, f, 'f', -1, bitSize), len(dst))
	}
	return appendExponent(dst, f, bitSize)
}

// appendFraction adds ".0" to the number that begins at start if it has no
// fraction.
func appendFraction(dst []byte, start int) []byte {
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendExponent writes 1.0E10 and 1.5E-7 where Go writes 1e+10 and 1.5e-07.
func appendExponent(dst []byte, f float64, bitSize int) []byte {
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bitSize)
	e := len(text) - 3
	for text[e] != 'e' {
		e--
	}
	dst = appendFraction(append(dst, text[:e]...), len(dst))
	dst = append(dst, 'E')
	e++
	if text[e] == '-' {
		dst = append(dst, '-')
	}
	for e++; text[e] == '0'; e++ {
	}
	return append(dst, text[e:]...)
}
