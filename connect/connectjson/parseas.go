package connectjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// freeCells is how many cells of structs Plan.Parse takes for any text, beyond two
// for each byte of it: a struct costs as many cells as its schema has fields
// however short its text is (I5).
const freeCells = 1 << 16

// Parse reads JSON text that the plan's schema describes, the inverse of Append.
// Decimals may be base64 or numbers, whatever the options say. Names that a
// struct's schema does not have are skipped, the last of equal ones counts. Where
// Kafka's converter makes 0, false or fewer bits of a value of another type, Parse
// returns an error that names the field. Memory is as for the function Parse.
func (p *Plan) Parse(b *connect.Batch, text []byte) (connect.Value, error) {
	r := newParser(b, text, 0)
	r.budget, r.scan = freeCells+2*len(text), freeScan+unionPasses*len(text)
	v, i := r.as(r.space(0), p.root, r.maxDepth)
	if r.end(i) == failed {
		return connect.Value{}, r.err()
	}
	return v, nil
}

// as reads the value at i, which n describes.
func (p *parser) as(i int, n *node, depth int) (connect.Value, int) {
	if i >= len(p.text) {
		return connect.Value{}, p.unexpected(i, "")
	}
	if p.text[i] == 'n' && !n.nullIsText {
		return p.null(i, n)
	}
	switch n.op {
	case opRaw:
		return p.raw(i, depth)
	case opDecimal, opNumeric:
		return p.decimal(i, n)
	case opArray, opObject, opPairs, opEntries, opStruct, opUnion:
		if depth == 0 {
			return connect.Value{}, p.fail(i, "nested too deeply")
		}
		return p.group(i, n, depth-1)
	}
	return p.scalar(i, n)
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

func (p *parser) null(i int, n *node) (connect.Value, int) {
	end := p.literal(i)
	if end == failed {
		return connect.Value{}, failed
	}
	if n.missingErr != nil {
		return p.failWith(i, n.missingErr)
	}
	return n.missing, end
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

func (p *parser) scalar(i int, n *node) (connect.Value, int) {
	switch c := p.text[i]; n.op {
	case opBoolean:
		if c == 't' || c == 'f' {
			return connect.BooleanValue(c == 't'), p.literal(i)
		}
	case opString:
		if c == '"' {
			return p.textAs(i, n)
		}
	case opBytes:
		if c == '"' {
			return p.base64(i)
		}
	case opFloat32, opFloat64:
		if c == '"' {
			return p.notFinite(i, n.typ)
		}
		if isNumber(c) {
			return p.float(i, n.typ)
		}
	default:
		if isNumber(c) {
			return p.integer(i, n.typ)
		}
	}
	return p.mismatch(i, n.typ.String())
}

func isNumber(c byte) bool { return c == '-' || c-'0' <= 9 }

func (p *parser) textAs(i int, n *node) (connect.Value, int) {
	text, end := p.string(i)
	if end != failed && n.isRaw && !Valid([]byte(text)) {
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

func (p *parser) decimal(i int, n *node) (connect.Value, int) {
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
	if n.scaleErr != nil {
		return p.failWith(i, n.scaleErr)
	}
	unscaled, err := ParseDecimal(asString(p.text[i:end]), n.scale)
	if err != nil {
		return p.failWith(i, err)
	}
	return connect.BytesValue(unscaled), end
}

var errTooManyCells = errors.New("the structs have too many fields for so short a text")
