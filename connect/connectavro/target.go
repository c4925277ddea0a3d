package connectavro

import (
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// FromConnectTo compiles a Connect schema whose values are written by an Avro schema that somebody else has registered. Fields are
// found by their names: those that the Avro schema does not have are left out, those that the struct does not have get their default.
// (Confluent's converter goes by position, so that other fields than the last ones end up in the wrong place.)
//
// Errors: a type that cannot be written as the Avro schema's, and a field that neither has a value nor a default.
func FromConnectTo(s *connect.Schema, target *avro.Schema, o Options) (*Encoder, error) {
	if s == nil {
		ok, err := isAnything(target)
		if err == nil && !ok {
			err = errors.New("data without a schema cannot be written by this Avro schema")
		}
		return &Encoder{Schema: target, root: &part{kind: kindAnything, null: -1, some: -1}}, err
	}
	m := targetMapper{fromMapper: fromMapper{o: o}}
	root, err := m.part(target.Root(), s, 0)
	if err != nil {
		return nil, fmt.Errorf("write the Connect schema by the registered Avro schema: %w", err)
	}
	return &Encoder{Schema: target, root: root, raw: target.Root().Kind == avro.Bytes}, nil
}

type targetMapper struct {
	fromMapper
	parts int
}

// part returns how values of a schema are written as a type.
func (m *targetMapper) part(t *avro.Type, s *connect.Schema, depth int) (*part, error) {
	if m.parts++; m.parts > maxTypes || depth > maxNesting {
		return nil, errTypes
	}
	switch {
	case t.Kind == avro.Union && isUnion(s):
		return m.union(t, s, depth)
	case t.Kind == avro.Union:
		return m.branch(t, s, depth)
	}
	p, err := m.plain(t, s, depth)
	if err != nil {
		return nil, err
	}
	p.typ, p.null, p.some = s.Type(), -1, -1
	return p, nil
}

func mismatch(t *avro.Type, s *connect.Schema) error {
	return fmt.Errorf("%s cannot be written as %s", s.Type(), t.Kind)
}

// branch writes by the first type of a union that takes the schema.
func (m *targetMapper) branch(t *avro.Type, s *connect.Schema, depth int) (*part, error) {
	null := -1
	for i, b := range t.Branches {
		if b.Kind == avro.Null {
			null = i
		}
	}
	for i, b := range t.Branches {
		if b.Kind == avro.Null || i >= 64 { // the branch is one byte
			continue
		}
		if p, err := m.part(b, s, depth+1); err == nil {
			p.null, p.some = null, i
			return p, nil
		}
	}
	return nil, mismatch(t, s)
}

// union finds the branch of each field of a struct that stands for a union.
func (m *targetMapper) union(t *avro.Type, s *connect.Schema, depth int) (*part, error) {
	p := &part{kind: kindUnion, typ: connect.Struct, null: -1, some: -1}
	to := toMapper{o: m.o}
	for i, b := range t.Branches {
		if b.Kind == avro.Null {
			p.null = i
		}
	}
	for _, f := range s.Fields() {
		found := -1
		for i, b := range t.Branches {
			if b.Kind != avro.Null && to.branchField(b, i) == f.Name {
				found = i
			}
		}
		if found < 0 {
			return nil, fmt.Errorf("the union has no type for %s", f.Name)
		}
		item, err := m.part(t.Branches[found], f.Schema, depth+1)
		if err != nil {
			return nil, in(f.Name, err)
		}
		m.replaceNull(item, f.Schema)
		p.parts, p.names, p.branches = append(p.parts, item), append(p.names, f.Name), append(p.branches, found)
	}
	return p, nil
}

func (m *targetMapper) plain(t *avro.Type, s *connect.Schema, depth int) (*part, error) {
	switch t.Kind {
	case avro.Array:
		return m.array(t, s, depth)
	case avro.Map:
		if s.Type() != connect.Map || s.Key().Type() != connect.String {
			return nil, mismatch(t, s)
		}
		item, err := m.part(t.Items, s.Value(), depth+1)
		return &part{kind: kindMap, item: item}, err
	case avro.Record:
		return m.record(t, s, depth)
	case avro.Enum:
		p := &part{kind: kindEnum, symbols: make(map[string]int)}
		for i, symbol := range t.Symbols {
			p.symbols[symbol] = i
		}
		return p, only(t, s, s.Type() == connect.String)
	case avro.Fixed:
		return &part{kind: kindFixed, size: t.Size, padded: s.Name() == connect.DecimalName}, only(t, s, s.Type() == connect.Bytes)
	}
	k, ok := promoted(t.Kind, s.Type())
	return &part{kind: k}, only(t, s, ok)
}

func only(t *avro.Type, s *connect.Schema, ok bool) error {
	if ok {
		return nil
	}
	return mismatch(t, s)
}

// promoted is how a primitive is written as a type that it can be promoted to.
func promoted(to avro.Kind, from connect.Type) (kind, bool) {
	whole := from >= connect.Int8 && from <= connect.Int32
	switch to {
	case avro.Boolean:
		return kindBoolean, from == connect.Boolean
	case avro.Int:
		return kindInt, whole
	case avro.Long:
		return kindLong, whole || from == connect.Int64
	case avro.Float:
		if from == connect.Float32 {
			return kindFloat, true
		}
		return kindIntAsFloat, whole || from == connect.Int64
	case avro.Double:
		if from == connect.Float32 || from == connect.Float64 {
			return kindDouble, true
		}
		return kindIntAsDouble, whole || from == connect.Int64
	case avro.String, avro.Bytes: // the same bytes
		if from == connect.String {
			return kindString, true
		}
		return kindBytes, from == connect.Bytes
	}
	return 0, false
}

// array: a map whose keys are not strings is an array of entries.
func (m *targetMapper) array(t *avro.Type, s *connect.Schema, depth int) (*part, error) {
	if s.Type() == connect.Array {
		item, err := m.part(t.Items, s.Value(), depth+1)
		return &part{kind: kindArray, item: item}, err
	}
	if s.Type() != connect.Map || !isEntry(t.Items) {
		return nil, mismatch(t, s)
	}
	key, err := m.part(t.Items.Fields[0].Type, s.Key(), depth+1)
	if err != nil {
		return nil, err
	}
	value, err := m.part(t.Items.Fields[1].Type, s.Value(), depth+1)
	return &part{kind: kindEntries, parts: []*part{key, value}, names: []string{"key", "value"}}, err
}

// isEntry tells whether a record is a key and a value.
func isEntry(t *avro.Type) bool {
	return t.Kind == avro.Record && len(t.Fields) == 2 && t.Fields[0].Name == "key" && t.Fields[1].Name == "value"
}

func (m *targetMapper) record(t *avro.Type, s *connect.Schema, depth int) (*part, error) {
	if s.Type() != connect.Struct {
		return nil, mismatch(t, s)
	}
	from := make(map[string]int, len(s.Fields()))
	for i, f := range s.Fields() {
		from[m.scrub(f.Name)] = i
	}
	p := &part{kind: kindProjected, size: len(s.Fields())}
	for _, f := range t.Fields {
		i, ok := from[f.Name]
		var item *part
		var err error
		if ok {
			item, err = m.part(f.Type, s.Fields()[i].Schema, depth+1)
		} else {
			i = -1
			item, err = m.missing(f, depth)
		}
		if err != nil {
			return nil, in(f.Name, err)
		}
		if ok {
			m.replaceNull(item, s.Fields()[i].Schema)
		}
		p.parts, p.names, p.branches = append(p.parts, item), append(p.names, f.Name), append(p.branches, i)
	}
	return p, nil
}

// missing writes the default of a field that the struct does not have, the same bytes each time.
func (m *targetMapper) missing(f *avro.Field, depth int) (*part, error) {
	if f.Default == nil {
		return nil, errors.New("the struct does not have the field, and the Avro schema has no default for it")
	}
	to := toMapper{o: m.o}
	s, err := to.schema(f.Type, about{})
	if err != nil {
		return nil, err
	}
	v, ok := defaultValue(f.Type, s, *f.Default)
	if !ok {
		return nil, errors.New("the default of the field is no value of its type")
	}
	item, err := m.part(f.Type, s, depth+1)
	if err != nil {
		return nil, err
	}
	constant, err := item.write(nil, v)
	return &part{kind: kindConstant, constant: constant}, err
}
