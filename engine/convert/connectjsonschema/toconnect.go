package connectjsonschema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// Decoder reads values of one JSON Schema. It may be used by any number of goroutines.
type Decoder struct {
	// Schema is what the values are.
	Schema *connect.Schema
	plan   *connectjson.Plan
}

// Decode reads one value. Its memory is the batch's or that of data, which must not change until the batch is reset.
func (d *Decoder) Decode(b *connect.Batch, data []byte) (*connect.Schema, connect.Value, error) {
	v, err := d.plan.Parse(b, data)
	if err != nil {
		return nil, v, fmt.Errorf("read JSON data: %w", err)
	}
	return d.Schema, v, nil
}

// ToConnect compiles a JSON Schema. The version is its number in the subject, 0: not known.
//
// Errors: what Connect has no type for.
func ToConnect(schema *jsonschema.Schema, version int, o Options) (*Decoder, error) {
	root, err := schema.RootOf(o.Classic)
	if err != nil {
		return nil, err
	}
	m := toMapper{o: &o, done: make(map[mapped]*connect.Schema), busy: make(map[*jsonschema.Node]bool)}
	s, err := m.schema(root, version, false)
	if err != nil {
		return nil, fmt.Errorf("make a Connect schema of the JSON Schema: %w", err)
	}
	plan, err := connectjson.Compile(s, o.json(false))
	if err != nil {
		return nil, err
	}
	return &Decoder{Schema: s, plan: plan}, nil
}

// maxSchemas bounds the schemas that one becomes (I5).
const maxSchemas = 50_000

// toMapper makes Connect schemas.
type toMapper struct {
	o *Options
	// done are the schemas that were made: a place that many refer to becomes one.
	done map[mapped]*connect.Schema
	// busy are the schemas that are being made: within themselves they are raw JSON.
	busy   map[*jsonschema.Node]bool
	unions int // that got a number
	depth  int
}

type mapped struct {
	node     *jsonschema.Node
	optional bool
}

// schema returns the Connect schema of a Node.
func (m *toMapper) schema(n *jsonschema.Node, version int, optional bool) (*connect.Schema, error) {
	for n.Kind == jsonschema.KindReference && n.Target != nil && n.Target != n {
		n = n.Target
		if m.depth++; m.depth > maxNesting {
			return nil, fmt.Errorf("the references lead through more than %d others", maxNesting)
		}
		defer func() { m.depth-- }()
	}
	if m.busy[n] || n.Kind == jsonschema.KindReference {
		return raw(optional), nil
	}
	k := mapped{n, optional}
	if s := m.done[k]; s != nil {
		return s, nil
	}
	if m.depth++; m.depth > maxNesting {
		return nil, fmt.Errorf("the schema nests deeper than %d levels", maxNesting)
	}
	if len(m.done) >= maxSchemas {
		return nil, fmt.Errorf("the schema has more than %d parts", maxSchemas)
	}
	m.busy[n] = true
	s, err := m.make(n, version, optional)
	delete(m.busy, n)
	m.depth--
	m.done[k] = s
	return s, err
}

func raw(optional bool) *connect.Schema {
	if optional {
		return connectjson.OptionalSchema
	}
	return connectjson.Schema
}

// builder is a Connect schema in the making.
type builder struct {
	typ        connect.Type
	attrs      connect.Attrs
	fields     []connect.Field
	key, value *connect.Schema
}

func (b *builder) build() (*connect.Schema, error) {
	switch b.typ {
	case connect.Struct:
		return connect.NewStruct(b.fields, b.attrs)
	case connect.Array:
		return connect.NewArray(b.value, b.attrs)
	case connect.Map:
		return connect.NewMap(b.key, b.value, b.attrs)
	}
	return connect.NewPrimitive(b.typ, b.attrs)
}

func (b *builder) parameter(name, value string) {
	if b.attrs.Parameters == nil {
		b.attrs.Parameters = make(map[string]string)
	}
	if _, ok := b.attrs.Parameters[name]; !ok {
		b.attrs.ParameterOrder = append(b.attrs.ParameterOrder, name)
	}
	b.attrs.Parameters[name] = value
}

func (m *toMapper) make(n *jsonschema.Node, version int, optional bool) (*connect.Schema, error) {
	var b *builder
	var err error
	switch n.Kind {
	case jsonschema.KindEmpty, jsonschema.KindTrue:
		return raw(optional), nil
	case jsonschema.KindBoolean:
		b = &builder{typ: connect.Boolean}
	case jsonschema.KindNumber:
		b, err = numberOf(n)
	case jsonschema.KindString:
		b = &builder{typ: connect.String}
		if n.ExtraText(propType) == "bytes" {
			b.typ = connect.Bytes
		}
	case jsonschema.KindConst, jsonschema.KindEnum:
		b = m.enum(n.Values)
	case jsonschema.KindArray:
		b, err = m.array(n)
	case jsonschema.KindObject:
		b, err = m.object(n)
	case jsonschema.KindCombined:
		return m.combined(n, version, optional)
	default:
		err = errNoType
	}
	if err != nil {
		return nil, err
	}
	return m.finish(n, b, version, optional)
}

var errNoType = errors.New("Connect has no type for a schema that is only null, false, not or if")

// finish adds what every schema may have.
func (m *toMapper) finish(n *jsonschema.Node, b *builder, version int, optional bool) (*connect.Schema, error) {
	if n.Title != nil && b.attrs.Name == "" {
		b.attrs.Name = *n.Title
	}
	b.attrs.Version = version
	if own, ok := n.ExtraInteger(propVersion); ok {
		b.attrs.Version = own
	}
	if n.Description != nil {
		b.attrs.Doc = *n.Description
	}
	for _, p := range n.ExtraMembers(propParameters) {
		b.parameter(p.Name, p.Value.Text)
	}
	s, err := b.build()
	if err != nil {
		return nil, err
	}
	if b.attrs.Default, err = readDefault(n, s, m.o); err != nil {
		return nil, err
	}
	b.attrs.Optional = b.attrs.Optional || optional
	if b.attrs.Default == nil && b.attrs.Optional == s.Optional() {
		return s, nil
	}
	return b.build()
}

// numberTypes are the types of connect.type.
var numberTypes = map[string]connect.Type{"int8": connect.Int8, "int16": connect.Int16, "int32": connect.Int32, "int64": connect.Int64,
	"float32": connect.Float32, "float64": connect.Float64, "bytes": connect.Bytes}

func numberOf(n *jsonschema.Node) (*builder, error) {
	name := n.ExtraText(propType)
	switch {
	case name == "" && n.Numbers.Integer:
		return &builder{typ: connect.Int64}, nil
	case name == "":
		return &builder{typ: connect.Float64}, nil
	}
	t, ok := numberTypes[name]
	if !ok {
		return nil, fmt.Errorf("%s is %q; it can be int8, int16, int32, int64, float32, float64 or bytes", propType, name)
	}
	return &builder{typ: t}, nil
}

// enum is a string with the symbols as parameters.
func (m *toMapper) enum(values []jsonschema.Value) *builder {
	b := &builder{typ: connect.String}
	name := m.o.enumParameter()
	b.parameter(name, "") // JSON's enums have no name
	for i := range values {
		symbol := values[i].Text
		switch values[i].Kind {
		case jsonschema.Null:
			symbol = nullSymbol
		case jsonschema.Array, jsonschema.Object:
			symbol = values[i].String()
		}
		if m.o.Generalized {
			b.parameter(name+"."+symbol, strconv.Itoa(i))
		} else {
			b.parameter(name+"."+symbol, symbol)
		}
	}
	return b
}

func (m *toMapper) array(n *jsonschema.Node) (*builder, error) {
	items := n.Array.Items
	if items == nil {
		return nil, errors.New("Array schema did not specify the items type")
	}
	if n.ExtraText(propType) == "map" && items.Kind == jsonschema.KindObject {
		key, value := items.Object.Property("key"), items.Object.Property("value")
		if key == nil || value == nil {
			return nil, errors.New("a map that is an array needs items with key and value")
		}
		k, err := m.schema(key, 0, false)
		if err != nil {
			return nil, err
		}
		v, err := m.schema(value, 0, false)
		return &builder{typ: connect.Map, key: k, value: v}, err
	}
	v, err := m.schema(items, 0, false)
	return &builder{typ: connect.Array, value: v}, err
}

func (m *toMapper) object(n *jsonschema.Node) (*builder, error) {
	if n.ExtraText(propType) == "map" {
		if n.Object.Additional == nil {
			return &builder{typ: connect.Map, key: connect.StringSchema, value: connectjson.Schema}, nil
		}
		v, err := m.schema(n.Object.Additional, 0, false)
		return &builder{typ: connect.Map, key: connect.StringSchema, value: v}, err
	}
	b := &builder{typ: connect.Struct}
	for _, p := range inOrder(n.Object.Properties) {
		if err := m.property(b, p, n.Object.Required(p.Name)); err != nil {
			return nil, err
		}
	}
	if m.o.Preserve && !n.Object.Closed {
		if n.Object.Property(additionalField) != nil {
			return nil, fmt.Errorf("property %s has the name of the field for properties that the schema does not name; rename it, or set preserve.additional.properties=false", additionalField)
		}
		additional, err := connect.NewMap(connect.StringSchema, connectjson.Schema, connect.Attrs{Optional: true})
		if err != nil {
			return nil, err
		}
		b.fields = append(b.fields, connect.Field{Name: additionalField, Schema: additional})
	}
	return b, nil
}

func (m *toMapper) property(b *builder, p jsonschema.Property, required bool) error {
	s, err := m.schema(p.Node, 0, m.o.OptionalFields && !required)
	if err != nil {
		return fmt.Errorf("property %s: %w", p.Name, err)
	}
	b.fields = append(b.fields, connect.Field{Name: p.Name, Schema: s})
	return nil
}

// inOrder has properties by their connect.index. One without keeps its place in the text.
func inOrder(properties []jsonschema.Property) []jsonschema.Property {
	type placed struct {
		jsonschema.Property
		at int
	}
	sorted := make([]placed, len(properties))
	for i, p := range properties {
		sorted[i] = placed{p, i}
		if at, ok := p.Node.ExtraInteger(propIndex); ok {
			sorted[i].at = at
		}
	}
	slices.SortStableFunc(sorted, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	ordered := make([]jsonschema.Property, len(sorted))
	for i := range sorted {
		ordered[i] = sorted[i].Property
	}
	return ordered
}
