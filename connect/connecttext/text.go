// Package connecttext writes connect values as the text that Kafka makes of its Java
// objects: for a string converter, a header, a line of a file. Package connectjson is
// for JSON.
package connecttext

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// maxDepth is how deep groups may nest in text (I5).
const maxDepth = 64

// Style is a way to write values as text.
type Style struct {
	quote      bool // strings within groups, and base64 for BYTES
	skipNull   bool // fields of structs that are null
	separator  string
	pair       string // between a key and its value
	structOpen string
	fieldComma string
}

// Java is the style of toString of Kafka's Java objects: Struct{a=1,b=2}, {k=v},
// [1, 2]. BYTES must be UTF-8.
func Java() Style {
	return Style{skipNull: true, separator: ", ", pair: "=", structOpen: "Struct{", fieldComma: ","}
}

// Header is the style of Kafka's Values.convertToString: {"k":"v"}, [1,2], BYTES in
// base64.
func Header() Style {
	return Style{quote: true, separator: ",", pair: ":", structOpen: "{", fieldComma: ","}
}

var (
	errDepth  = errors.New("the value nests too deeply for text")
	errBytes  = errors.New("the BYTES are not UTF-8 text; use ByteArrayConverter")
	errStruct = errors.New("a struct without the schema for its cells")
)

// Append appends v, which s describes (nil: schemaless), to dst as text. On an error
// dst comes back as it was.
func (t *Style) Append(dst []byte, s *connect.Schema, v connect.Value) ([]byte, error) {
	out, err := t.append(dst, s, v, false, maxDepth)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (t *Style) append(dst []byte, s *connect.Schema, v connect.Value, within bool, depth int) ([]byte, error) {
	if out, ok, err := appendLogical(dst, s, v); ok {
		return out, err
	}
	switch v.Type() {
	case connect.Null:
		return append(dst, "null"...), nil
	case connect.String:
		if within && t.quote {
			return appendQuoted(dst, v.Text()), nil
		}
		return append(dst, v.Text()...), nil
	case connect.Bytes:
		return t.bytes(dst, v.Bytes(), within)
	case connect.Float32, connect.Float64:
		return appendFloat(dst, v)
	case connect.Array, connect.Map, connect.Struct:
		if depth == 0 {
			return dst, errDepth
		}
		return t.group(dst, s, v, depth-1)
	}
	return connectjson.Append(dst, nil, v, connectjson.Options{})
}

func (t *Style) bytes(dst, b []byte, within bool) ([]byte, error) {
	switch {
	case t.quote && within:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), b)
		return append(dst, '"'), nil
	case t.quote:
		return base64.StdEncoding.AppendEncode(dst, b), nil
	case !utf8.Valid(b):
		return dst, errBytes
	}
	return append(dst, b...), nil
}

// appendFloat writes what JSON has, but NaN and infinities without quotes.
func appendFloat(dst []byte, v connect.Value) ([]byte, error) {
	start := len(dst)
	dst, err := connectjson.Append(dst, nil, v, connectjson.Options{})
	if err == nil && dst[start] == '"' {
		copy(dst[start:], dst[start+1:len(dst)-1])
		dst = dst[:len(dst)-2]
	}
	return dst, err
}

func appendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for {
		i := strings.IndexAny(text, `"\`)
		if i < 0 {
			dst = append(dst, text...)
			return append(dst, '"')
		}
		dst = append(append(dst, text[:i]...), '\\', text[i])
		text = text[i+1:]
	}
}

func (t *Style) group(dst []byte, s *connect.Schema, v connect.Value, depth int) ([]byte, error) {
	switch v.Type() {
	case connect.Array:
		return t.array(append(dst, '['), s, v.Cells(), depth)
	case connect.Map:
		return t.pairs(append(dst, '{'), s, v.Cells(), depth)
	}
	if s == nil || len(s.Fields()) != v.Len() {
		return dst, errStruct
	}
	return t.fields(append(dst, t.structOpen...), s.Fields(), v.Cells(), depth)
}

func (t *Style) array(dst []byte, s *connect.Schema, elems []connect.Value, depth int) ([]byte, error) {
	var elem *connect.Schema
	if s != nil {
		elem = s.Value()
	}
	var err error
	for i, e := range elems {
		if i > 0 {
			dst = append(dst, t.separator...)
		}
		if dst, err = t.append(dst, elem, e, true, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (t *Style) pairs(dst []byte, s *connect.Schema, pairs []connect.Value, depth int) ([]byte, error) {
	var key, value *connect.Schema
	if s != nil {
		key, value = s.Key(), s.Value()
	}
	var err error
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, t.separator...)
		}
		if dst, err = t.append(dst, key, pairs[i], true, depth); err != nil {
			return dst, err
		}
		if dst, err = t.append(append(dst, t.pair...), value, pairs[i+1], true, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func (t *Style) fields(dst []byte, fields []connect.Field, cells []connect.Value, depth int) ([]byte, error) {
	first := true
	for i, f := range fields {
		if t.skipNull && cells[i].IsNull() {
			continue
		}
		if !first {
			dst = append(dst, t.fieldComma...)
		}
		first = false
		var err error
		if dst, err = t.append(dst, nil, connect.StringValue(f.Name), true, depth); err != nil {
			return dst, err
		}
		if dst, err = t.append(append(dst, t.pair...), f.Schema, cells[i], true, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// Layouts of the temporal types in text, always UTC.
const (
	DateLayout      = "2006-01-02"
	TimeLayout      = "15:04:05.000Z"
	TimestampLayout = "2006-01-02T15:04:05.000Z"
)

const millisPerDay = 24 * 60 * 60 * 1000

// appendLogical appends a value of one of Kafka's logical types, if it is one.
func appendLogical(dst []byte, s *connect.Schema, v connect.Value) (_ []byte, ok bool, err error) {
	if s == nil || s.Name() == "" || v.IsNull() {
		return dst, false, nil
	}
	switch {
	case s.Name() == connect.DecimalName && v.Type() == connect.Bytes:
		scale, err := connectjson.Scale(s)
		if err == nil {
			dst, err = connectjson.AppendDecimal(dst, v.Bytes(), scale)
		}
		return dst, true, err
	case s.Name() == connect.DateName && v.Type() == connect.Int32:
		return appendTime(dst, v.Int()*millisPerDay, DateLayout), true, nil
	case s.Name() == connect.TimeName && v.Type() == connect.Int32:
		return appendTime(dst, v.Int(), TimeLayout), true, nil
	case s.Name() == connect.TimestampName && v.Type() == connect.Int64:
		return appendTime(dst, v.Int(), TimestampLayout), true, nil
	}
	return dst, false, nil
}

func appendTime(dst []byte, millis int64, layout string) []byte {
	return time.UnixMilli(millis).UTC().AppendFormat(dst, layout)
}
