package connectjson

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// group reads the array, map or struct at i, whose elements may nest depth levels.
func (p *parser) group(i int, n *node, depth int) (connect.Value, int) {
	c := p.text[i]
	switch {
	case n.op == opArray && c == '[':
		return p.arrayAs(i, n.elem, depth)
	case n.op == opStruct && c == '{':
		return p.structAs(i, n, depth)
	case n.op == opObject && c == '{':
		return p.mapAs(i, n.elem, depth)
	case n.op == opPairs && c == '[':
		return p.pairsAs(i, n, depth)
	case n.op == opEntries && c == '[':
		return p.entriesAs(i, n, depth)
	case n.op == opUnion:
		return p.unionAs(i, n, depth)
	case n.op == opObject:
		return p.mismatch(i, "a MAP, which is an object")
	case n.op == opEntries:
		return p.mismatch(i, "a MAP, which is an array of objects with key and value")
	case n.op == opPairs:
		return p.mismatch(i, "a MAP, which is an array of pairs")
	}
	return p.mismatch(i, n.typ.String())
}

func (p *parser) arrayAs(i int, elem *node, depth int) (connect.Value, int) {
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

func (p *parser) mapAs(i int, value *node, depth int) (connect.Value, int) {
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
func (p *parser) pairsAs(i int, n *node, depth int) (connect.Value, int) {
	mark := p.open()
	if i = p.space(i + 1); i < len(p.text) && p.text[i] == ']' {
		return connect.MapValue(nil), i + 1
	}
	for more := true; more; {
		if i = p.pair(i, n, depth); i == failed {
			return connect.Value{}, p.within("pair %d", (p.stack.top-mark)/2)
		}
		if i, more = p.next(i, ']'); i == failed {
			return connect.Value{}, failed
		}
	}
	return connect.MapValue(p.stack.pop(mark)), i
}

// pair reads one [key,value] onto the stack.
func (p *parser) pair(i int, n *node, depth int) int {
	if i >= len(p.text) || p.text[i] != '[' {
		return p.unexpected(i, "expected a pair of key and value")
	}
	k, i := p.as(p.space(i+1), n.key, depth)
	if i == failed {
		return failed
	}
	i, more := p.next(i, ']')
	if i == failed || !more {
		return p.fail(max(i, 0), "a pair needs a key and a value")
	}
	v, i := p.as(i, n.elem, depth)
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

func (p *parser) structAs(i int, n *node, depth int) (connect.Value, int) {
	start := i
	if p.budget -= len(n.fields); p.budget < 0 {
		return p.failWith(i, errTooManyCells)
	}
	cells := p.batch.Cells(len(n.fields))
	mark := p.stack.top
	if n.others > 0 {
		mark = p.open()
	}
	if i = p.members(i, n, cells, depth); i == failed {
		return connect.Value{}, failed
	}
	if p.stack.top > mark { // members that are no fields
		cells[n.others-1] = connect.MapValue(p.stack.pop(mark))
	}
	for f := range n.fields {
		if !cells[f].IsNull() {
			continue
		}
		in := n.fields[f].node
		if in.missingErr != nil && !in.absent {
			return p.failWith(start, fmt.Errorf("field %s: %w", n.fields[f].name, in.missingErr))
		}
		cells[f] = in.missing
	}
	return connect.StructValue(cells), i
}

// members reads the object at i into the cells of a struct: as it was written most
// likely, with the members in the order of the schema and without white space, and
// the rest by name.
func (p *parser) members(i int, n *node, cells []connect.Value, depth int) int {
	f := 0
	for ; f < len(n.fields); f++ {
		prefix := n.fields[f].prefix
		if f == n.others-1 || len(p.text)-i < len(prefix) || string(p.text[i:i+len(prefix)]) != prefix {
			break
		}
		if i = p.member(p.space(i+len(prefix)), n, f, cells, depth); i == failed {
			return failed
		}
	}
	more := true
	if f > 0 {
		i, more = p.next(i, '}')
	} else if i = p.space(i + 1); i < len(p.text) && p.text[i] == '}' {
		i, more = i+1, false
	}
	for more && i != failed {
		i, more = p.named(i, n, &f, cells, depth)
	}
	return i
}

// named reads one member and what follows it. The field likely comes first.
func (p *parser) named(i int, n *node, likely *int, cells []connect.Value, depth int) (_ int, more bool) {
	name, i := p.name(i)
	if i == failed {
		return failed, false
	}
	f := *likely
	if f >= len(n.fields) || n.fields[f].name != name {
		f = n.schema.Index(name)
	}
	switch {
	case f < 0 && n.others > 0:
		i = p.unnamed(i, name, depth)
	case n.others > 0 && f == n.others-1:
		_, i = p.failWith(i, fmt.Errorf("the name of the member %q is that of the field with the members that the schema does not name", name))
	default:
		i = p.member(i, n, f, cells, depth)
	}
	if i == failed {
		return failed, false
	}
	*likely = f + 1
	return p.next(i, '}')
}

// unnamed keeps a member that is no field on the stack.
func (p *parser) unnamed(i int, name string, depth int) int {
	v, i := p.raw(i, depth)
	if i != failed {
		p.stack.push(connect.StringValue(name))
		p.stack.push(v)
	}
	return i
}

// member reads the value of field f, or skips one that the schema does not have.
func (p *parser) member(i int, n *node, f int, cells []connect.Value, depth int) int {
	if f < 0 {
		return p.skip(i, depth)
	}
	in := n.fields[f].node
	if i < len(p.text) && p.text[i] == 'n' && !in.nullIsText {
		cells[f] = connect.Value{} // what null stands for is settled at the end
		if in.absent && in.missingErr != nil {
			_, i = p.failWith(i, fmt.Errorf("field %s: %w", n.fields[f].name, in.missingErr))
			return i
		}
		return p.literal(i)
	}
	if cells[f], i = p.as(i, in, depth); i == failed {
		return p.within("field %s", n.fields[f].name)
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
