package connectjson

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// group reads the array, map or struct at i, whose elements may nest depth levels.
func (p *parser) group(i int, s *connect.Schema, depth int) (connect.Value, int) {
	c := p.text[i]
	switch {
	case s.Type() == connect.Array && c == '[':
		return p.arrayAs(i, s.Value(), depth)
	case s.Type() == connect.Struct && c == '{':
		return p.structAs(i, s, depth)
	case s.Type() != connect.Map:
	case keyedByText(s, connect.Value{}):
		if c == '{' {
			return p.mapAs(i, s.Value(), depth)
		}
		return p.mismatch(i, "a MAP, which is an object")
	case c == '[':
		return p.pairsAs(i, s, depth)
	default:
		return p.mismatch(i, "a MAP, which is an array of pairs")
	}
	return p.mismatch(i, s.Type().String())
}

func (p *parser) arrayAs(i int, elem *connect.Schema, depth int) (connect.Value, int) {
	mark := p.open()
	if i = p.space(i + 1); i < len(p.text) && p.text[i] == ']' {
		return connect.ArrayValue(nil), i + 1
	}
	for more := true; more; {
		var v connect.Value
		if v, i = p.as(i, elem, depth); i == failed {
			return v, p.within("element %d", p.stack.top-mark)
		}
		p.stack.push(v)
		if i, more = p.next(i, ']'); i == failed {
			return v, failed
		}
	}
	return connect.ArrayValue(p.stack.pop(mark)), i
}

func (p *parser) mapAs(i int, value *connect.Schema, depth int) (connect.Value, int) {
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
		if v, i = p.as(i, value, depth); i == failed {
			return v, p.within("key %q", shorten(name))
		}
		p.stack.push(connect.StringValue(name))
		p.stack.push(v)
		if i, more = p.next(i, '}'); i == failed {
			return v, failed
		}
	}
	return connect.MapValue(p.stack.pop(mark)), i
}

// pairsAs reads a map that is written as an array of pairs, its keys not being
// STRING.
func (p *parser) pairsAs(i int, s *connect.Schema, depth int) (connect.Value, int) {
	mark := p.open()
	if i = p.space(i + 1); i < len(p.text) && p.text[i] == ']' {
		return connect.MapValue(nil), i + 1
	}
	for more := true; more; {
		if i = p.pair(i, s, depth); i == failed {
			return connect.Value{}, p.within("pair %d", (p.stack.top-mark)/2)
		}
		if i, more = p.next(i, ']'); i == failed {
			return connect.Value{}, failed
		}
	}
	return connect.MapValue(p.stack.pop(mark)), i
}

// pair reads one [key,value] onto the stack.
func (p *parser) pair(i int, s *connect.Schema, depth int) int {
	if i >= len(p.text) || p.text[i] != '[' {
		return p.unexpected(i, "expected a pair of key and value")
	}
	k, i := p.as(p.space(i+1), s.Key(), depth)
	if i == failed {
		return failed
	}
	i, more := p.next(i, ']')
	if i == failed || !more {
		return p.fail(max(i, 0), "a pair needs a key and a value")
	}
	v, i := p.as(i, s.Value(), depth)
	if i == failed {
		return failed
	}
	if i, more = p.next(i, ']'); more {
		return p.fail(i, "a pair has only a key and a value")
	}
	p.stack.push(k)
	p.stack.push(v)
	return i
}

func (p *parser) structAs(i int, s *connect.Schema, depth int) (connect.Value, int) {
	start := i
	fields := s.Fields()
	if p.budget -= len(fields); p.budget < 0 {
		return p.failWith(i, errTooManyCells)
	}
	cells := p.batch.Cells(len(fields))
	if i = p.space(i + 1); i < len(p.text) && p.text[i] == '}' {
		i++
	} else if i = p.members(i, s, cells, depth); i == failed {
		return connect.Value{}, failed
	}
	for f := range fields {
		if !cells[f].IsNull() {
			continue
		}
		var err error
		if cells[f], err = p.missing(fields[f].Schema); err != nil {
			return p.failWith(start, fmt.Errorf("field %s: %w", fields[f].Name, err))
		}
	}
	return connect.StructValue(cells), i
}

// members reads the members of a struct into its cells. It expects them in the
// order of the schema, in which they were written most likely.
func (p *parser) members(i int, s *connect.Schema, cells []connect.Value, depth int) int {
	fields := s.Fields()
	likely := 0
	for more := true; more; {
		var name string
		if name, i = p.name(i); i == failed {
			return failed
		}
		f := likely
		if f >= len(fields) || fields[f].Name != name {
			f = s.Index(name)
		}
		if i = p.member(i, s, f, cells, depth); i == failed {
			return failed
		}
		likely = f + 1
		if i, more = p.next(i, '}'); i == failed {
			return failed
		}
	}
	return i
}

// member reads the value of field f, or skips one that the schema does not have.
func (p *parser) member(i int, s *connect.Schema, f int, cells []connect.Value, depth int) int {
	if f < 0 {
		return p.skip(i, depth)
	}
	field := s.Fields()[f]
	if i < len(p.text) && p.text[i] == 'n' && !p.isRawText(i, field.Schema) {
		cells[f] = connect.Value{} // what null stands for is settled at the end
		return p.literal(i)
	}
	if cells[f], i = p.as(i, field.Schema, depth); i == failed {
		return p.within("field %s", field.Name)
	}
	return i
}

// within says where in the value an error that is not about syntax is.
func (p *parser) within(format string, arg any) int {
	if p.other != nil {
		p.other = fmt.Errorf(format+": %w", arg, p.other)
	}
	return failed
}
