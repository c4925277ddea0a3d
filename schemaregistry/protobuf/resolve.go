package protobuf

import (
	"strings"
)

// scalars are the types that need no definition, each with the group of those that can stand in for it.
var scalars = map[string]scalarKind{
	"int32": generalNumber, "int64": generalNumber, "uint32": generalNumber, "uint64": generalNumber, "bool": generalNumber,
	"sint32": signedNumber, "sint64": signedNumber,
	"string": stringOrBytes, "bytes": stringOrBytes,
	"fixed32": fixed32, "sfixed32": fixed32,
	"fixed64": fixed64, "sfixed64": fixed64,
	"float": floatKind, "double": doubleKind,
}

// scalarKind is a group of scalars that are the same on the wire, as Confluent's registry counts them.
type scalarKind uint8

const (
	generalNumber scalarKind = iota + 1
	signedNumber
	stringOrBytes
	fixed32
	fixed64
	floatKind
	doubleKind
)

// typeInfo is a message or an enum with where it is from.
type typeInfo struct {
	full    string
	pkg     string
	source  *source
	message *message
	enum    *enum
}

// isMap tells whether the type is what a map field is made of.
func (t *typeInfo) isMap() bool { return t.message != nil && t.message.isMapEntry() }

// mapType is the type of a map that the type is an entry of, "" when there is none.
func (t *typeInfo) mapType() string {
	if !t.isMap() {
		return ""
	}
	return mapType(t.message.field("key").typ, t.message.field("value").typ)
}

// local is the name without the package.
func (t *typeInfo) local() string { return strings.TrimPrefix(t.full, t.pkg+".") }

// source is a file that types are from.
type source struct {
	name string // under which it is imported; "" for the schema itself
	text string
	link string // the text in the form that the compiler takes
	file *file
}

// same tells whether types of two sources need no comparing: both are the schema itself, which is compared anyway, or the same text.
func (s *source) same(o *source) bool {
	return s == o || s.name == o.name && (s.name == "" || s.text == o.text)
}

// table has types and extensions by full name.
type table struct {
	types      map[string]*typeInfo
	extensions map[string]*field
	// base has what this one does not have.
	base *table
}

func newTable(base *table) *table {
	return &table{types: make(map[string]*typeInfo), extensions: make(map[string]*field), base: base}
}

func (t *table) typeOf(full string) *typeInfo {
	for ; t != nil; t = t.base {
		if info := t.types[full]; info != nil {
			return info
		}
	}
	return nil
}

func (t *table) extension(full string) *field {
	for ; t != nil; t = t.base {
		if f := t.extensions[full]; f != nil {
			return f
		}
	}
	return nil
}

// add takes in what a file defines.
func (t *table) add(s *source) {
	t.addExtends(s.file.pkg, s.file.extends)
	t.addTypes(s, s.file.pkg, s.file.messages, s.file.enums)
}

func (t *table) addTypes(s *source, prefix string, messages []*message, enums []*enum) {
	for _, m := range messages {
		full := join(prefix, m.name)
		t.types[full] = &typeInfo{full: full, pkg: s.file.pkg, source: s, message: m}
		t.addExtends(full, m.extends)
		t.addTypes(s, full, m.messages, m.enums)
	}
	for _, e := range enums {
		full := join(prefix, e.name)
		t.types[full] = &typeInfo{full: full, pkg: s.file.pkg, source: s, enum: e}
	}
}

func (t *table) addExtends(prefix string, extends []extend) {
	for _, e := range extends {
		for _, f := range e.fields {
			t.extensions[join(prefix, f.name)] = f
		}
	}
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// resolve finds what a name means in a scope, from the inside out: "" when get knows none. A name with a leading dot is full.
func resolve(scope, name string, get func(full string) bool) string {
	if full, ok := strings.CutPrefix(name, "."); ok {
		if get(full) {
			return full
		}
		return ""
	}
	for {
		if full := join(scope, name); get(full) {
			return full
		}
		if scope == "" {
			return ""
		}
		scope = scope[:max(strings.LastIndexByte(scope, '.'), 0)]
	}
}

// find returns the type that a name means in a scope, nil when there is none.
func (t *table) find(scope, name string) *typeInfo {
	return t.typeOf(resolve(scope, name, func(full string) bool { return t.typeOf(full) != nil }))
}

// named is find for the type of a field, nil for scalars and maps.
func (t *table) named(scope, typ string) *typeInfo {
	if scalars[typ] != 0 || strings.HasPrefix(typ, "map<") {
		return nil
	}
	return t.find(scope, typ)
}
