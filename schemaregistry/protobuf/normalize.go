package protobuf

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// Normalized is the canonical text with full names and in an order that does not depend on who wrote it. Messages, enums and services
// keep theirs: it is what clients count messages by.
//
// Errors: *ParseError, a type that nobody defines.
func (s *Schema) Normalized() (string, error) {
	n := normalizer{table: s.table(), scope: s.file.pkg, zeroFirst: s.file.syntax == "proto3" || s.file.edition != ""}
	f := n.file(s.file)
	if n.err != nil {
		return "", n.err
	}
	return f.text(), nil
}

// normalizer makes normalized copies.
type normalizer struct {
	table *table
	scope string
	// zeroFirst keeps the value 0 of enums in front of negative ones, as proto3 wants it.
	zeroFirst bool
	err       error
}

func (n *normalizer) file(f *file) *file {
	c := *f
	if c.syntax == "proto2" {
		c.syntax = "" // which is what a file without one is
	}
	c.imports, c.publicImports, c.weakImports = set(f.imports), set(f.publicImports), set(f.weakImports)
	c.options = n.options(f.options)
	c.messages, c.enums = n.types(f.messages, f.enums)
	c.extends = n.extends(f.extends)
	c.services = nil
	for _, s := range f.services {
		c.services = append(c.services, n.service(s))
	}
	return &c
}

// set is a sorted copy without doubles.
func set(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// in runs f with names looked up from within a type.
func (n *normalizer) in(name string, f func()) {
	scope := n.scope
	n.scope = join(scope, name)
	f()
	n.scope = scope
}

// full is the full name of a type, with a dot in front.
func (n *normalizer) full(name string) string {
	info := n.table.find(n.scope, name)
	if info == nil {
		n.err = &ParseError{Reason: fmt.Sprintf("nobody defines the type %s", name)}
		return name
	}
	return "." + info.full
}

// types leaves out the messages of maps, which fields have as map types.
func (n *normalizer) types(messages []*message, enums []*enum) (ms []*message, es []*enum) {
	for _, m := range messages {
		if !m.isMapEntry() {
			n.in(m.name, func() { ms = append(ms, n.message(m)) })
		}
	}
	for _, e := range enums {
		n.in(e.name, func() { es = append(es, n.enum(e)) })
	}
	return ms, es
}

func (n *normalizer) message(m *message) *message {
	c := &message{name: m.name, reserved: n.ranges(m.reserved), options: n.options(m.options), fields: n.fields(m.fields),
		groups: n.groups(m.groups), extensions: n.ranges(m.extensions), extends: n.extends(m.extends)}
	for _, o := range m.oneofs {
		c.oneofs = append(c.oneofs, &oneof{name: o.name, options: n.options(o.options), fields: n.fields(o.fields), groups: n.groups(o.groups)})
	}
	slices.SortStableFunc(c.oneofs, func(a, b *oneof) int { return cmp.Compare(a.first(), b.first()) })
	c.messages, c.enums = n.types(m.messages, m.enums)
	return c
}

// first is the lowest number of a field.
func (o *oneof) first() int64 {
	if len(o.fields) == 0 {
		return maxTag + 1
	}
	return o.fields[0].tag
}

func (n *normalizer) fields(list []*field) (fields []*field) {
	for _, f := range list {
		c := *f
		n.fieldType(&c)
		c.options, c.defaultValue, c.jsonName = n.options(f.allOptions()), nil, nil
		fields = append(fields, &c)
	}
	slices.SortStableFunc(fields, func(a, b *field) int { return cmp.Compare(a.tag, b.tag) })
	return fields
}

func (n *normalizer) fieldType(f *field) {
	key, of, isMap := mapTypes(f.typ)
	switch {
	case scalars[f.typ] != 0:
		return
	case !isMap:
		f.typ = n.full(f.typ)
		if info := n.table.typeOf(f.typ[1:]); info != nil && info.mapType() != "" {
			f.label = ""
			key, of, isMap = mapTypes(info.mapType())
			// What the entry says is said from within it.
			n.in(strings.TrimPrefix(info.full, n.scope+"."), func() { f.typ = n.mapOf(key, of) })
		}
	default:
		f.typ = n.mapOf(key, of)
	}
}

func (n *normalizer) mapOf(key, of string) string {
	// A type that nobody defines stays as it is, as in Confluent's registry.
	if info := n.table.named(n.scope, of); info != nil {
		of = "." + info.full
	}
	return mapType(key, of)
}

func (n *normalizer) groups(list []*group) (groups []*group) {
	for _, g := range list {
		n.in(g.name, func() {
			groups = append(groups, &group{label: g.label, name: g.name, tag: g.tag, options: n.options(g.options), body: n.message(g.body)})
		})
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(a.tag, b.tag) })
	return groups
}

func (n *normalizer) enum(e *enum) *enum {
	c := &enum{name: e.name, reserved: n.ranges(e.reserved), options: n.options(e.options)}
	for _, v := range e.values {
		c.values = append(c.values, enumValue{v.name, v.number, n.options(v.options)})
	}
	rank := func(v enumValue) int64 {
		if n.zeroFirst && v.number == 0 {
			return math.MinInt64
		}
		return v.number
	}
	slices.SortStableFunc(c.values, func(a, b enumValue) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.name, b.name))
	})
	return c
}

// ranges has a statement for each range, by their starts, names last.
func (n *normalizer) ranges(list []ranges) (single []ranges) {
	for _, r := range list {
		for _, item := range r.items {
			item.span = item.span && item.start != item.end
			single = append(single, ranges{[]rangeItem{item}, n.options(r.options)})
		}
	}
	slices.SortStableFunc(single, func(a, b ranges) int {
		x, y := a.items[0], b.items[0]
		named := func(i rangeItem) int64 {
			if i.name != "" {
				return maxTag + 1
			}
			return i.start
		}
		return cmp.Or(cmp.Compare(named(x), named(y)), strings.Compare(x.name, y.name))
	})
	return single
}

// extends brings the extensions of one message together.
func (n *normalizer) extends(list []extend) (all []extend) {
	for _, e := range list {
		name := n.full(e.name)
		i := slices.IndexFunc(all, func(e extend) bool { return e.name == name })
		if i < 0 {
			i, all = len(all), append(all, extend{name: name})
		}
		all[i].fields = append(all[i].fields, e.fields...)
		all[i].groups = append(all[i].groups, e.groups...)
	}
	for i := range all {
		all[i].fields, all[i].groups = n.fields(all[i].fields), n.groups(all[i].groups)
	}
	return all
}

func (n *normalizer) service(s service) service {
	c := service{name: s.name, options: n.options(s.options)}
	for _, m := range s.methods {
		m.input, m.output, m.options = n.full(m.input), n.full(m.output), n.options(m.options)
		c.methods = append(c.methods, m)
	}
	return c
}

// plainNumber is a number without exponent, sign of plus and needless zeros. What is no number stays.
func plainNumber(text string) string {
	if len(text) > 40 {
		return text
	}
	if i, ok := new(big.Int).SetString(text, 0); ok {
		return i.String()
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || r.Denom().BitLen() > 256 || r.Num().BitLen() > 256 {
		return text
	}
	digits, exact := r.FloatPrec()
	if !exact {
		return text
	}
	return r.FloatString(digits)
}
