package connectjson

import (
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// entriesAs reads a map that is written as an array of objects with key and value.
func (p *parser) entriesAs(i int, n *node, depth int) (connect.Value, int) {
	mark := p.open()
	if i = p.space(i + 1); i < len(p.text) && p.text[i] == ']' {
		return connect.MapValue(nil), i + 1
	}
	for more := true; more; {
		if i = p.entry(i, n.entry, depth); i == failed {
			return connect.Value{}, p.within("entry %d", (p.stack.top-mark)/2)
		}
		if i, more = p.next(i, ']'); i == failed {
			return connect.Value{}, failed
		}
	}
	return connect.MapValue(p.stack.pop(mark)), i
}

// entry reads one object onto the stack.
func (p *parser) entry(i int, n *node, depth int) int {
	switch {
	case i >= len(p.text) || p.text[i] != '{':
		return p.unexpected(i, "expected an object with key and value")
	case depth == 0:
		return p.fail(i, "nested too deeply")
	}
	v, i := p.structAs(i, n, depth-1)
	if i == failed {
		return failed
	}
	for _, cell := range v.Cells() {
		p.stack.push(cell)
	}
	return i
}

var (
	errNoBranch  = errors.New("no field of the union has a type that fits")
	errAmbiguous = errors.New("the unions have too many fields that may fit so long a text")
)

// A text may be looked through so many times, and so many bytes besides, to find the fields of unions that fit it (I5).
const (
	unionPasses = 256
	freeScan    = 1 << 20
)

// unionAs reads a value into the field that fits it.
func (p *parser) unionAs(i int, n *node, depth int) (connect.Value, int) {
	end := p.skip(i, depth)
	if end == failed {
		return connect.Value{}, failed
	}
	f := p.branch(n, p.text[i:end], depth)
	switch {
	case p.scan < 0:
		return p.failWith(i, errAmbiguous)
	case f < 0:
		return p.failWith(i, fmt.Errorf("%w at byte %d", errNoBranch, i))
	}
	if p.budget -= len(n.fields); p.budget < 0 {
		return p.failWith(i, errTooManyCells)
	}
	cells := p.batch.Cells(len(n.fields))
	if cells[f], i = p.as(i, n.fields[f].node, depth); i == failed {
		return connect.Value{}, p.within("field %s", n.fields[f].name)
	}
	return connect.StructValue(cells), i
}

// branch returns the field of a union that fits a value's text, -1 for none: the first of a type that is no struct, else the struct that has
// the most names in common with the value.
func (p *parser) branch(n *node, text []byte, depth int) int {
	best, most := -1, 0
	for f := range n.fields {
		in := n.fields[f].node
		if p.fits(in, text, depth) {
			return f
		}
		if common := p.common(in, text, depth); common > most {
			best, most = f, common
		}
	}
	return best
}

// fits tells whether a value's text has the type of a node that is no struct.
func (p *parser) fits(n *node, text []byte, depth int) bool {
	switch c := text[0]; n.op {
	case opRaw:
		return true
	case opBoolean:
		return c == 't' || c == 'f'
	case opInteger:
		l := lexer{text: text}
		end, integer := l.number(0)
		return isNumber(c) && end == len(text) && integer
	case opFloat32, opFloat64, opNumeric:
		return isNumber(c)
	case opString, opBytes:
		return c == '"'
	case opDecimal:
		return c == '"' || isNumber(c)
	case opArray, opPairs, opEntries:
		return c == '['
	case opObject:
		return c == '{'
	case opUnion:
		return depth > 0 && p.branch(n, text, depth-1) >= 0
	}
	return false
}

// common counts the names that a struct and a value's text have in common, those of structs within it too.
func (p *parser) common(n *node, text []byte, depth int) (count int) {
	if n.op != opStruct || text[0] != '{' || depth == 0 {
		return 0
	}
	if p.scan -= len(text); p.scan < 0 {
		return 0
	}
	_ = Members(text, func(name string, value []byte) error { // it is known to be JSON
		if f := n.schema.Index(name); f >= 0 {
			count += 1 + p.common(n.fields[f].node, value, depth-1)
		}
		return nil
	})
	return count
}
