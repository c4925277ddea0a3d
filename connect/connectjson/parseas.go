package connectjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// freeCells is how many cells of structs ParseAs takes for any text, beyond two
// for each byte of it: a struct costs as many cells as its schema has fields
// however short its text is (I5).
const freeCells = 1 << 16

// ParseAs reads JSON text that schema s describes, the inverse of Append; with a
// nil schema it is Parse. Decimals may be base64 or numbers, whatever o says.
// Names that a struct's schema does not have are skipped, the last of equal ones
// counts. Where Kafka's converter makes 0, false or fewer bits of a value of
// another type, ParseAs returns an error that names the field. Memory is as for
// Parse.
func ParseAs(b *connect.Batch, s *connect.Schema, text []byte, o Options) (connect.Value, error) {
	p := newParser(b, text, 0)
	p.opts = o
	p.budget = freeCells + 2*len(text)
	v, i := p.as(p.space(0), s, p.maxDepth)
	if p.end(i) == failed {
		return connect.Value{}, p.err()
	}
	return v, nil
}

// as reads the value at i, which s describes.
func (p *parser) as(i int, s *connect.Schema, depth int) (connect.Value, int) {
	switch {
	case s == nil:
		return p.value(i, depth)
	case i >= len(p.text):
		return connect.Value{}, p.unexpected(i, "")
	case p.isRawText(i, s):
		return p.raw(i, depth)
	case p.text[i] == 'n':
		return p.null(i, s)
	case s.Name() == connect.DecimalName && s.Type() == connect.Bytes:
		return p.decimal(i, s)
	}
	switch s.Type() {
	case connect.Array, connect.Map, connect.Struct:
		if depth == 0 {
			return connect.Value{}, p.fail(i, "nested too deeply")
		}
		return p.group(i, s, depth-1)
	}
	return p.scalar(i, s)
}

// mismatch fails because the value at i is of another type.
func (p *parser) mismatch(i int, want string) (connect.Value, int) {
	var found string
	switch c := p.text[i]; {
	case isNumber(c):
		found = "a number"
	case c == '"':
		found = "a string"
	case c == '{':
		found = "an object"
	case c == '[':
		found = "an array"
	case p.literal(i) == failed:
		return connect.Value{}, failed
	default:
		found = "a boolean"
	}
	return p.failWith(i, fmt.Errorf("expected %s but found %s at byte %d", want, found, i))
}

func (p *parser) null(i int, s *connect.Schema) (connect.Value, int) {
	end := p.literal(i)
	if end == failed {
		return connect.Value{}, failed
	}
	v, err := p.missing(s)
	if err != nil {
		return p.failWith(i, err)
	}
	return v, end
}

// missing returns what stands for a value that is null or not there.
func (p *parser) missing(s *connect.Schema) (connect.Value, error) {
	if def, ok := s.Default(); ok && !p.opts.KeepNull {
		return def, nil
	}
	if s.Optional() {
		return connect.Value{}, nil
	}
	return connect.Value{}, fmt.Errorf("null for a required %s", s.Type())
}

// isRawText tells whether the value at i is kept as text: null is text too unless
// the schema has room for a null.
func (p *parser) isRawText(i int, s *connect.Schema) bool {
	return IsRaw(s) && !p.opts.RawAsText && (p.text[i] != 'n' || !s.Optional())
}

// raw keeps the text of the value at i, compact. Its memory is in proportion to
// the value, not to the whole text (I5).
func (p *parser) raw(i, depth int) (connect.Value, int) {
	end := p.skip(i, depth)
	if end == failed {
		return connect.Value{}, failed
	}
	v, _ := Raw(p.batch, p.text[i:end])
	return v, end
}

// skip recognises the value at i.
func (p *parser) skip(i, depth int) int {
	c := compactor{lexer: lexer{text: p.text}, discard: true}
	if i = c.value(i, depth); i == failed {
		return p.fail(c.failAt, c.reason)
	}
	return i
}

func (p *parser) scalar(i int, s *connect.Schema) (connect.Value, int) {
	switch c := p.text[i]; s.Type() {
	case connect.Boolean:
		if c == 't' || c == 'f' {
			return connect.BooleanValue(c == 't'), p.literal(i)
		}
	case connect.String:
		if c == '"' {
			return p.textAs(i, s)
		}
	case connect.Bytes:
		if c == '"' {
			return p.base64(i)
		}
	case connect.Float32, connect.Float64:
		if c == '"' {
			return p.notFinite(i, s.Type())
		}
		if isNumber(c) {
			return p.float(i, s.Type())
		}
	default:
		if isNumber(c) {
			return p.integer(i, s.Type())
		}
	}
	return p.mismatch(i, s.Type().String())
}

func isNumber(c byte) bool { return c == '-' || c-'0' <= 9 }

func (p *parser) textAs(i int, s *connect.Schema) (connect.Value, int) {
	text, end := p.string(i)
	if end != failed && IsRaw(s) && !Valid([]byte(text)) {
		return p.failWith(i, fmt.Errorf("the string at byte %d is not the JSON text that its schema %s says it is", i, Name))
	}
	return connect.StringValue(text), end
}

func (p *parser) base64(i int) (connect.Value, int) {
	text, end := p.string(i)
	if end == failed {
		return connect.Value{}, failed
	}
	out := p.batch.Buffer(base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, []byte(text))
	if err != nil {
		return p.failWith(i, fmt.Errorf("the string at byte %d is not base64, which BYTES are written in", i))
	}
	return connect.BytesValue(out[:n]), end
}

// notFinite reads what Append writes for numbers that JSON does not have.
func (p *parser) notFinite(i int, t connect.Type) (connect.Value, int) {
	text, end := p.string(i)
	var f float64
	switch {
	case end == failed:
		return connect.Value{}, failed
	case text == "NaN":
		f = math.NaN()
	case text == "Infinity":
		f = math.Inf(1)
	case text == "-Infinity":
		f = math.Inf(-1)
	default:
		return p.mismatch(i, t.String())
	}
	return floatValue(f, t), end
}

func floatValue(f float64, t connect.Type) connect.Value {
	if t == connect.Float32 {
		return connect.Float32Value(float32(f))
	}
	return connect.Float64Value(f)
}

func (p *parser) float(i int, t connect.Type) (connect.Value, int) {
	end, _ := p.number(i)
	if end == failed {
		return connect.Value{}, failed
	}
	bitSize := 64
	if t == connect.Float32 {
		bitSize = 32
	}
	token := asString(p.text[i:end])
	f, err := strconv.ParseFloat(token, bitSize)
	if err != nil {
		return p.badNumber(i, token, t)
	}
	return floatValue(f, t), end
}

// integer reads an integer, also when it is written like 1.0 or 1e3.
func (p *parser) integer(i int, t connect.Type) (connect.Value, int) {
	end, plain := p.number(i)
	if end == failed {
		return connect.Value{}, failed
	}
	token := asString(p.text[i:end])
	var n int64
	var ok bool
	if plain {
		n, ok = parseInt(token)
	} else if f, err := strconv.ParseFloat(token, 64); err == nil {
		n = int64(f)
		ok = math.Abs(f) <= 1<<53 && float64(n) == f
	}
	v, fits := intValue(n, t)
	if !ok || !fits {
		return p.badNumber(i, token, t)
	}
	return v, end
}

// intValue returns n as a cell of an integer type and whether it fits.
func intValue(n int64, t connect.Type) (connect.Value, bool) {
	switch t {
	case connect.Int8:
		return connect.Int8Value(int8(n)), n == int64(int8(n))
	case connect.Int16:
		return connect.Int16Value(int16(n)), n == int64(int16(n))
	case connect.Int32:
		return connect.Int32Value(int32(n)), n == int64(int32(n))
	}
	return connect.Int64Value(n), true
}

func (p *parser) decimal(i int, s *connect.Schema) (connect.Value, int) {
	if p.text[i] == '"' {
		return p.base64(i)
	}
	if !isNumber(p.text[i]) {
		return p.mismatch(i, "a Decimal")
	}
	end, _ := p.number(i)
	if end == failed {
		return connect.Value{}, failed
	}
	scale, err := Scale(s)
	if err != nil {
		return p.failWith(i, err)
	}
	unscaled, err := ParseDecimal(asString(p.text[i:end]), scale)
	if err != nil {
		return p.failWith(i, err)
	}
	return connect.BytesValue(unscaled), end
}

var errTooManyCells = errors.New("the structs have too many fields for so short a text")
