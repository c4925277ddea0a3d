package connectjson

import (
	"bytes"
	"fmt"
	"strconv"
	"unsafe"

	"github.com/sluice-data/sluice/connect"
)

// NumberError is a number that the type it has to be does not hold. Parse returns
// it rather than lose digits; raw JSON keeps such a number.
type NumberError struct {
	Offset int    // in bytes
	Number string // its first 40 characters
	Type   connect.Type
}

func (e *NumberError) Error() string {
	return fmt.Sprintf("the number %s at byte %d does not fit %s", e.Number, e.Offset, e.Type)
}

// Parse reads schemaless JSON: integers become INT64, other numbers FLOAT64,
// objects MAP with STRING keys in the order of the text. Where Kafka's converter
// cuts an integer beyond INT64 to its lower 64 bits, and reads a number beyond
// FLOAT64 as infinite, Parse returns a *NumberError. maxDepth 0 means
// DefaultMaxDepth.
//
// Strings without escapes share text; everything else is the batch's memory, at
// most a cell for every byte of text.
func Parse(b *connect.Batch, text []byte, maxDepth int) (connect.Value, error) {
	p := newParser(b, text, maxDepth)
	v, i := p.value(p.space(0), p.maxDepth)
	if p.end(i) == failed {
		return connect.Value{}, p.err()
	}
	return v, nil
}

// parser builds values from one JSON text.
type parser struct {
	lexer
	batch    *connect.Batch
	stack    stack
	maxDepth int
	budget   int   // cells that structs may still take
	scan     int   // bytes that may still be looked through for unions
	other    error // what is wrong when it is not the syntax
}

func newParser(b *connect.Batch, text []byte, maxDepth int) parser {
	if maxDepth <= 0 {
		maxDepth = DefaultMaxDepth
	}
	return parser{lexer: lexer{text: text}, batch: b, maxDepth: maxDepth}
}

func (p *parser) err() error {
	if p.other != nil {
		return p.other
	}
	return p.lexer.err()
}

// failWith notes an error that is not about syntax.
func (p *parser) failWith(i int, err error) (connect.Value, int) {
	p.fail(i, "the value is not what it should be")
	if p.other == nil {
		p.other = err
	}
	return connect.Value{}, failed
}

// value reads the value at i, in which depth more levels may nest.
func (p *parser) value(i, depth int) (connect.Value, int) {
	if i >= len(p.text) {
		return connect.Value{}, p.unexpected(i, "")
	}
	switch c := p.text[i]; c {
	case '"':
		s, end := p.string(i)
		return connect.StringValue(s), end
	case '{', '[':
		if depth == 0 {
			return connect.Value{}, p.fail(i, "nested too deeply")
		}
		if c == '{' {
			return p.object(i, depth-1)
		}
		return p.array(i, depth-1)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.numeric(i)
	case 't':
		return connect.BooleanValue(true), p.literal(i)
	case 'f':
		return connect.BooleanValue(false), p.literal(i)
	}
	return connect.Value{}, p.literal(i)
}

func (p *parser) array(i, depth int) (connect.Value, int) {
	mark := p.open()
	if i = p.space(i + 1); i < len(p.text) && p.text[i] == ']' {
		return connect.ArrayValue(nil), i + 1
	}
	for more := true; more; {
		var v connect.Value
		if v, i = p.value(i, depth); i == failed {
			return v, failed
		}
		p.stack.push(v)
		if i, more = p.next(i, ']'); i == failed {
			return v, failed
		}
	}
	return connect.ArrayValue(p.stack.pop(mark)), i
}

func (p *parser) object(i, depth int) (connect.Value, int) {
	mark := p.open()
	if i = p.space(i + 1); i < len(p.text) && p.text[i] == '}' {
		return connect.MapValue(nil), i + 1
	}
	for more := true; more; {
		var name string
		var v connect.Value
		if name, i = p.name(i); i == failed {
			return v, failed
		}
		if v, i = p.value(i, depth); i == failed {
			return v, failed
		}
		p.stack.push(connect.StringValue(name))
		p.stack.push(v)
		if i, more = p.next(i, '}'); i == failed {
			return v, failed
		}
	}
	return connect.MapValue(p.stack.pop(mark)), i
}

// open starts an array or object on the stack.
func (p *parser) open() int {
	if p.stack.cells == nil {
		p.stack.init(p.batch.Cells(maxCells(p.text)))
	}
	return p.stack.top
}

// name reads the name of a member and the colon.
func (p *parser) name(i int) (string, int) {
	if i >= len(p.text) || p.text[i] != '"' {
		return "", p.unexpected(i, "expected a name in quotes")
	}
	name, i := p.string(i)
	if i == failed {
		return "", failed
	}
	if i = p.space(i); i >= len(p.text) || p.text[i] != ':' {
		return "", p.unexpected(i, "expected a colon")
	}
	return name, p.space(i + 1)
}

// next reads the comma before another element (more is true) or what closes the
// array or object.
func (p *parser) next(i int, closing byte) (_ int, more bool) {
	i = p.space(i)
	if i < len(p.text) {
		switch p.text[i] {
		case ',':
			return p.space(i + 1), true
		case closing:
			return i + 1, false
		}
	}
	return p.unexpected(i, "expected a comma or the end of the array or object"), false
}

// string reads the string whose opening quote is at i.
func (p *parser) string(i int) (string, int) {
	end, plain := p.str(i)
	if end == failed {
		return "", failed
	}
	raw := p.text[i+1 : end-1]
	if !plain {
		raw = unescape(p.batch.Buffer(len(raw))[:0], raw)
	}
	return asString(raw), end
}

// asString shares b, which must not change any more.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func textValue(b []byte) connect.Value { return connect.StringValue(asString(b)) }

// numeric reads the number at i.
func (p *parser) numeric(i int) (connect.Value, int) {
	end, integer := p.number(i)
	if end == failed {
		return connect.Value{}, failed
	}
	token := asString(p.text[i:end])
	if !integer {
		f, err := strconv.ParseFloat(token, 64)
		if err != nil {
			return p.badNumber(i, token, connect.Float64)
		}
		return connect.Float64Value(f), end
	}
	n, ok := parseInt(token)
	if !ok {
		return p.badNumber(i, token, connect.Int64)
	}
	return connect.Int64Value(n), end
}

func (p *parser) badNumber(i int, token string, t connect.Type) (connect.Value, int) {
	return p.failWith(i, &NumberError{Offset: i, Number: shorten(token), Type: t})
}

// shorten returns a copy of what an error shows of text.
func shorten(text string) string { return string([]byte(text[:min(len(text), 40)])) }

// parseInt is strconv.ParseInt for a token that is an integer, without its
// allocation on failure.
func parseInt(token string) (int64, bool) {
	digits, negative := token, token[0] == '-'
	if negative {
		digits = token[1:]
	}
	if len(digits) > 19 {
		return 0, false
	}
	var n uint64 // 19 digits always fit
	for _, c := range []byte(digits) {
		n = n*10 + uint64(c-'0')
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// maxCells returns how many values and names text can have at most: each element
// and name follows a comma, a colon or a bracket. Those within strings are
// counted too, which costs memory, not truth.
func maxCells(text []byte) int {
	return 1 + bytes.Count(text, []byte{','}) + bytes.Count(text, []byte{':'}) +
		bytes.Count(text, []byte{'['}) + bytes.Count(text, []byte{'{'})
}

// stack gathers the cells of arrays and maps. Open ones grow from the left;
// complete ones move to the right, where they stay. Every cell is in one place
// only, so as many as there are values are enough for both.
type stack struct {
	cells []connect.Value
	top   int // cells[:top] belong to open arrays and maps
	done  int // cells[done:] belong to complete ones
}

func (s *stack) init(cells []connect.Value) {
	s.cells, s.done = cells, len(cells)
}

func (s *stack) push(v connect.Value) {
	s.cells[s.top] = v
	s.top++
}

// pop completes the array or map whose cells begin at mark.
func (s *stack) pop(mark int) []connect.Value {
	n := s.top - mark
	s.done -= n
	copy(s.cells[s.done:s.done+n], s.cells[mark:s.top])
	s.top = mark
	return s.cells[s.done : s.done+n : s.done+n]
}
