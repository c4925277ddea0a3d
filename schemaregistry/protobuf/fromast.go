package protobuf

import (
	"fmt"
	"math"
	"strings"

	"github.com/bufbuild/protocompile/ast"
)

// reader turns a syntax tree into a file.
type reader struct {
	tree *ast.FileNode
	err  error
}

// fromAST reads a tree. The parser leaves out some of what must be there, for others to find.
func fromAST(tree *ast.FileNode) (*file, error) {
	r := &reader{tree: tree}
	f := &file{}
	if tree.Syntax != nil {
		if f.syntax = tree.Syntax.Syntax.AsString(); f.syntax != "proto2" && f.syntax != "proto3" {
			return nil, &ParseError{Line: 1, Column: 1, Reason: fmt.Sprintf("syntax must be proto2 or proto3, not %q", f.syntax)}
		}
	}
	if tree.Edition != nil {
		f.edition = tree.Edition.Edition.AsString()
	}
	for _, d := range tree.Decls {
		r.declaration(f, d)
	}
	return f, r.err
}

func (r *reader) missing(at ast.Node, what string) {
	if r.err == nil {
		pos := r.tree.NodeInfo(at).Start()
		r.err = &ParseError{Line: pos.Line, Column: pos.Col, Reason: "there is no " + what}
	}
}

func (r *reader) tag(of ast.Node, n *ast.UintLiteralNode) int64 {
	if n == nil {
		r.missing(of, "number of the field")
		return 0
	}
	return int64(min(n.Val, math.MaxInt64))
}

func (r *reader) declaration(f *file, d ast.FileElement) {
	switch d := d.(type) {
	case *ast.PackageNode:
		f.pkg = string(d.Name.AsIdentifier())
	case *ast.ImportNode:
		to := &f.imports
		if d.Public != nil {
			to = &f.publicImports
		} else if d.Weak != nil {
			to = &f.weakImports
		}
		*to = append(*to, d.Name.AsString())
	case *ast.OptionNode:
		f.options = append(f.options, r.option(d))
	case *ast.MessageNode:
		f.messages = append(f.messages, r.message(d.Name.Val, d.Decls))
	case *ast.EnumNode:
		f.enums = append(f.enums, r.enum(d))
	case *ast.ExtendNode:
		f.extends = append(f.extends, r.extend(d))
	case *ast.ServiceNode:
		f.services = append(f.services, r.service(d))
	}
}

func (r *reader) message(name string, declarations []ast.MessageElement) *message {
	m := &message{name: name}
	for _, d := range declarations {
		switch d := d.(type) {
		case *ast.OptionNode:
			m.options = append(m.options, r.option(d))
		case *ast.FieldNode:
			m.fields = append(m.fields, r.field(d))
		case *ast.MapFieldNode:
			m.fields = append(m.fields, r.mapField(d))
		case *ast.OneofNode:
			m.oneofs = append(m.oneofs, r.oneof(d))
		case *ast.GroupNode:
			m.groups = append(m.groups, r.group(d))
		case *ast.MessageNode:
			m.messages = append(m.messages, r.message(d.Name.Val, d.Decls))
		case *ast.EnumNode:
			m.enums = append(m.enums, r.enum(d))
		case *ast.ExtendNode:
			m.extends = append(m.extends, r.extend(d))
		case *ast.ExtensionRangeNode:
			m.extensions = append(m.extensions, ranges{items: r.ranges(d.Ranges, maxTag), options: r.compact(d.Options)})
		case *ast.ReservedNode:
			m.reserved = append(m.reserved, r.reserved(d, maxTag))
		}
	}
	return m
}

func label(l ast.FieldLabel) string {
	if !l.IsPresent() {
		return ""
	}
	return l.Val
}

func (r *reader) field(n *ast.FieldNode) *field {
	f := &field{label: label(n.Label), typ: string(n.FldType.AsIdentifier()), name: n.Name.Val, tag: r.tag(n, n.Tag)}
	f.takeOptions(r.compact(n.Options))
	return f
}

func (r *reader) mapField(n *ast.MapFieldNode) *field {
	typ := mapType(n.MapType.KeyType.Val, string(n.MapType.ValueType.AsIdentifier()))
	f := &field{typ: typ, name: n.Name.Val, tag: r.tag(n, n.Tag)}
	f.takeOptions(r.compact(n.Options))
	return f
}

func mapType(key, value string) string { return "map<" + key + ", " + value + ">" }

// mapTypes returns the types of keys and values; ok is false for another type than a map.
func mapTypes(typ string) (key, value string, ok bool) {
	inner, isMap := strings.CutPrefix(typ, "map<")
	if !isMap {
		return "", "", false
	}
	return strings.Cut(strings.TrimSuffix(inner, ">"), ", ")
}

// takeOptions keeps options apart from the default and the name in JSON, which are written as such but are none.
func (f *field) takeOptions(options []option) {
	for i := range options {
		o := &options[i]
		plain := !o.extension && len(o.path) == 0 && o.value.kind != mapValue && o.value.kind != listValue
		switch {
		case plain && o.name == "default":
			f.defaultValue = &o.value.text
		case plain && o.name == "json_name":
			f.jsonName = &o.value.text
		default:
			f.options = append(f.options, *o)
		}
	}
}

func (r *reader) oneof(n *ast.OneofNode) *oneof {
	o := &oneof{name: n.Name.Val}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.OptionNode:
			o.options = append(o.options, r.option(d))
		case *ast.FieldNode:
			o.fields = append(o.fields, r.field(d))
		case *ast.GroupNode:
			o.groups = append(o.groups, r.group(d))
		}
	}
	return o
}

func (r *reader) group(n *ast.GroupNode) *group {
	return &group{label: label(n.Label), name: n.Name.Val, tag: r.tag(n, n.Tag), options: r.compact(n.Options),
		body: r.message(n.Name.Val, n.Decls)}
}

func (r *reader) extend(n *ast.ExtendNode) extend {
	e := extend{name: string(n.Extendee.AsIdentifier())}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.FieldNode:
			e.fields = append(e.fields, r.field(d))
		case *ast.GroupNode:
			e.groups = append(e.groups, r.group(d))
		}
	}
	return e
}

func (r *reader) enum(n *ast.EnumNode) *enum {
	e := &enum{name: n.Name.Val}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.OptionNode:
			e.options = append(e.options, r.option(d))
		case *ast.EnumValueNode:
			e.values = append(e.values, enumValue{name: d.Name.Val, number: number(d.Number), options: r.compact(d.Options)})
		case *ast.ReservedNode:
			e.reserved = append(e.reserved, r.reserved(d, math.MaxInt32))
		}
	}
	return e
}

func number(n ast.IntValueNode) int64 {
	if i, ok := n.AsInt64(); ok {
		return i
	}
	return math.MaxInt64
}

func (r *reader) reserved(n *ast.ReservedNode, most int64) ranges {
	items := r.ranges(n.Ranges, most)
	for _, name := range n.Names {
		items = append(items, rangeItem{name: name.AsString(), quoted: true})
	}
	for _, name := range n.Identifiers {
		items = append(items, rangeItem{name: name.Val})
	}
	return ranges{items: items}
}

func (r *reader) ranges(nodes []*ast.RangeNode, most int64) []rangeItem {
	var items []rangeItem
	for _, n := range nodes {
		item := rangeItem{start: number(n.StartVal)}
		item.end = item.start
		if n.EndVal != nil {
			item.end, item.span = number(n.EndVal), true
		}
		if n.Max != nil {
			item.end, item.span = most, true
		}
		items = append(items, item)
	}
	return items
}

func (r *reader) service(n *ast.ServiceNode) service {
	s := service{name: n.Name.Val}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.OptionNode:
			s.options = append(s.options, r.option(d))
		case *ast.RPCNode:
			s.methods = append(s.methods, r.method(d))
		}
	}
	return s
}

func (r *reader) method(n *ast.RPCNode) method {
	m := method{name: n.Name.Val, input: string(n.Input.MessageType.AsIdentifier()), output: string(n.Output.MessageType.AsIdentifier()),
		inputStream: n.Input.Stream != nil, outputStream: n.Output.Stream != nil}
	for _, d := range n.Decls {
		if o, ok := d.(*ast.OptionNode); ok {
			m.options = append(m.options, r.option(o))
		}
	}
	return m
}

func (r *reader) compact(n *ast.CompactOptionsNode) []option {
	var options []option
	if n != nil {
		for _, o := range n.Options {
			options = append(options, r.option(o))
		}
	}
	return options
}

// option reads a name such as features.presence, which is one word, or (extension).field.
func (r *reader) option(n *ast.OptionNode) option {
	var o option
	if n.Val == nil {
		r.missing(n, "value of the option")
		return o
	}
	o.value = unwrapped(r.value(n.Val))
	for i, part := range n.Name.Parts {
		name := string(part.Name.AsIdentifier())
		switch {
		case i == 0:
			o.name, o.extension = name, part.IsExtension()
		case part.IsExtension():
			o.path = append(o.path, "("+name+")")
		case len(o.path) == 0 && !o.extension:
			o.name += "." + name
		default:
			o.path = append(o.path, name)
		}
	}
	return o
}

// unwrapped takes a list out of what wrapLists has made of it.
func unwrapped(v value) value {
	if v.kind == mapValue && len(v.entries) == 1 && v.entries[0].name == listField {
		return v.entries[0].value
	}
	return v
}

func (r *reader) value(n ast.ValueNode) value {
	switch n := n.(type) {
	case ast.StringValueNode:
		return value{kind: stringValue, text: n.AsString()}
	case ast.IdentValueNode:
		return value{kind: wordValue, text: string(n.AsIdentifier())}
	case *ast.ArrayLiteralNode:
		v := value{kind: listValue}
		for _, e := range n.Elements {
			v.list = append(v.list, r.value(e))
		}
		return v
	case *ast.MessageLiteralNode:
		return r.literal(n)
	case *ast.NegativeIntLiteralNode:
		return value{kind: numberValue, text: "-" + r.raw(n.Uint)}
	case *ast.SignedFloatLiteralNode:
		return value{kind: numberValue, text: "-" + r.raw(n.Float)}
	case *ast.SpecialFloatLiteralNode:
		return value{kind: wordValue, text: r.raw(n)}
	}
	return value{kind: numberValue, text: r.raw(n)}
}

// raw is a number as it is written.
func (r *reader) raw(n ast.Node) string { return r.tree.NodeInfo(n).RawText() }

// literal reads a message literal. What one name is set to several times becomes a list.
func (r *reader) literal(n *ast.MessageLiteralNode) value {
	v := value{kind: mapValue}
	at := make(map[string]int)
	for _, e := range n.Elements {
		name := string(e.Name.Name.AsIdentifier())
		if e.Name.IsAnyTypeReference() {
			name = string(e.Name.URLPrefix.AsIdentifier()) + "/" + name
		}
		if e.Name.Open != nil {
			name = "[" + name + "]"
		}
		next := r.value(e.Val)
		if i, ok := at[name]; ok {
			v.entries[i].value = v.entries[i].value.with(next)
			continue
		}
		at[name] = len(v.entries)
		v.entries = append(v.entries, entry{name, next})
	}
	return v
}

// with is a list that another value, or those of another list, are added to. It takes v over.
func (v value) with(more value) value {
	if v.kind != listValue {
		v = value{kind: listValue, list: []value{v}}
	}
	if more.kind == listValue {
		v.list = append(v.list, more.list...)
	} else {
		v.list = append(v.list, more)
	}
	return v
}
