package connectjsonschema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// Encoder writes values of one Connect schema. It may be used by any number of goroutines.
type Encoder struct {
	// Schema is what the JSON is.
	Schema *jsonschema.Schema
	plan   *connectjson.Plan // nil for data without a schema
}

// Append appends the JSON of a value to dst.
func (e *Encoder) Append(dst []byte, v connect.Value) ([]byte, error) {
	if e.plan == nil {
		return connectjson.AppendSchemaless(dst, v)
	}
	return e.plan.Append(dst, v)
}

// FromConnect compiles a Connect schema, nil for data that has none, which becomes a JSON Schema that says nothing.
//
// Errors: a schema that nests too deeply.
func FromConnect(s *connect.Schema, o Options) (*Encoder, error) {
	e := &Encoder{}
	m := fromMapper{o: o, ids: make(map[string]bool)}
	text := jsonschema.Value{Kind: jsonschema.Object}
	if s != nil {
		var err error
		if e.plan, err = connectjson.Compile(s, o.json(true)); err != nil {
			return nil, err
		}
		if text, err = m.schema(s, noIndex, false); err != nil {
			return nil, err
		}
	}
	var err error
	e.Schema, err = jsonschema.Parse(text.String(), jsonschema.Options{Registered: true, Limits: jsonschema.Limits{Bytes: maxText}})
	return e, err
}

// maxText bounds the text of a schema, in bytes (I5). A registry takes less.
const maxText = 4 << 20

// noIndex is the index of what is no field.
const noIndex = -1

// fromMapper makes JSON Schemas.
type fromMapper struct {
	o     Options
	ids   map[string]bool // that have been written
	depth int
}

// parts are a schema as Java puts it together: what comes first, what describes it, what JSON Schema does not know, what comes last.
type parts struct {
	head, tail []jsonschema.Member
	extra      []jsonschema.Member
	late       bool // the head comes after the description
}

func str(s string) jsonschema.Value { return jsonschema.Value{Kind: jsonschema.String, Text: s} }

func number(n int) jsonschema.Value {
	return jsonschema.Value{Kind: jsonschema.Number, Text: strconv.Itoa(n)}
}

func object(members ...jsonschema.Member) jsonschema.Value {
	return jsonschema.Value{Kind: jsonschema.Object, Members: members}
}

func typed(name string) []jsonschema.Member {
	return []jsonschema.Member{{Name: "type", Value: str(name)}}
}

// schema returns the JSON Schema of s. With plain it is not made optional, because a union around it is.
func (m *fromMapper) schema(s *connect.Schema, index int, plain bool) (jsonschema.Value, error) {
	if m.depth++; m.depth > maxNesting {
		return jsonschema.Value{}, fmt.Errorf("the schema nests deeper than %d levels", maxNesting)
	}
	defer func() { m.depth-- }()
	id, hasID := s.Parameter(idParameter)
	if hasID {
		m.ids[id] = true
	}
	switch {
	case m.isUnion(s):
		return m.union(s, index, id)
	case s.Type() == connect.Struct && s.Optional() && !plain:
		inner, err := m.schema(s, noIndex, true)
		return m.optional(inner, index, id), err
	}
	p, err := m.base(s)
	if err != nil {
		return jsonschema.Value{}, err
	}
	optional := s.Optional() && !plain
	if index != noIndex && !optional {
		p.extra = append(p.extra, jsonschema.Member{Name: propIndex, Value: number(index)})
	}
	inner, err := m.assemble(s, p, id)
	if err != nil || !optional {
		return inner, err
	}
	return m.optional(inner, index, id), nil
}

// optional is oneOf null and a schema.
func (m *fromMapper) optional(inner jsonschema.Value, index int, id string) jsonschema.Value {
	return m.oneOf([]jsonschema.Value{object(typed("null")...), inner}, index, id)
}

func (*fromMapper) oneOf(branches []jsonschema.Value, index int, id string) jsonschema.Value {
	var members []jsonschema.Member
	if id != "" {
		members = append(members, jsonschema.Member{Name: "id", Value: str(id)})
	}
	if index != noIndex {
		members = append(members, jsonschema.Member{Name: propIndex, Value: number(index)})
	}
	return object(append(members, jsonschema.Member{Name: "oneOf", Value: jsonschema.Value{Kind: jsonschema.Array, Elements: branches}})...)
}

func (m *fromMapper) isUnion(s *connect.Schema) bool {
	if s.Type() != connect.Struct {
		return false
	}
	_, general := s.Parameter(connectjson.UnionParameter)
	return general || s.Name() == unionName
}

// union is oneOf the fields of a struct.
func (m *fromMapper) union(s *connect.Schema, index int, id string) (jsonschema.Value, error) {
	var branches []jsonschema.Value
	if s.Optional() {
		branches = append(branches, object(typed("null")...))
	}
	for i, f := range s.Fields() {
		b, err := m.schema(f.Schema, i, true)
		if err != nil {
			return jsonschema.Value{}, fmt.Errorf("field %s: %w", f.Name, err)
		}
		branches = append(branches, b)
	}
	return m.oneOf(branches, index, id), nil
}

// base is a schema as if it were not optional.
func (m *fromMapper) base(s *connect.Schema) (parts, error) {
	connectType := func(p parts, name string) parts {
		p.extra = append(p.extra, jsonschema.Member{Name: propType, Value: str(name)})
		return p
	}
	switch t := s.Type(); t {
	case connect.Boolean:
		return parts{head: typed("boolean"), late: true}, nil
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return connectType(parts{head: typed("integer")}, strings.ToLower(t.String())), nil
	case connect.Float32, connect.Float64:
		return connectType(parts{head: typed("number")}, strings.ToLower(t.String())), nil
	case connect.Bytes:
		if s.Name() == connect.DecimalName && m.o.Decimal == connectjson.DecimalNumeric {
			return connectType(parts{head: typed("number")}, "bytes"), nil
		}
		return connectType(parts{head: typed("string")}, "bytes"), nil
	case connect.String:
		return m.text(s), nil
	case connect.Array:
		items, err := m.element(s.Value())
		return parts{head: typed("array"), tail: []jsonschema.Member{{Name: "items", Value: items}}}, err
	case connect.Map:
		p, err := m.mapOf(s)
		return connectType(p, "map"), err
	}
	return m.structOf(s)
}

// text is a string, one of the symbols of an enum, or anything.
func (m *fromMapper) text(s *connect.Schema) parts {
	if connectjson.IsRaw(s) {
		return parts{}
	}
	_, isEnum := s.Parameter(enumParameter)
	_, isGeneral := s.Parameter(generalEnum)
	if !isEnum && !isGeneral {
		return parts{head: typed("string")}
	}
	var symbols []jsonschema.Member
	for _, name := range s.ParameterNames() {
		if symbol, ok := strings.CutPrefix(name, m.o.enumParameter()+"."); ok {
			symbols = append(symbols, jsonschema.Member{Name: symbol, Value: str(symbol)})
		}
	}
	enum := jsonschema.Value{Kind: jsonschema.Array}
	for _, symbol := range hashOrder(symbols, defaultCapacity) {
		if symbol.Name == nullSymbol {
			symbol.Value = jsonschema.Value{}
		}
		enum.Elements = append(enum.Elements, symbol.Value)
	}
	return parts{head: []jsonschema.Member{{Name: "enum", Value: enum}}}
}

// element is the schema of elements and fields: a reference if it has been written already.
func (m *fromMapper) element(s *connect.Schema) (jsonschema.Value, error) { return m.field(s, noIndex) }

func (m *fromMapper) field(s *connect.Schema, index int) (jsonschema.Value, error) {
	if id, ok := s.Parameter(idParameter); ok && m.ids[id] {
		return object(jsonschema.Member{Name: "$ref", Value: str(id)}), nil
	}
	return m.schema(s, index, false)
}

// mapOf is an object, or an array of objects when the keys are no texts.
func (m *fromMapper) mapOf(s *connect.Schema) (parts, error) {
	if s.Key().Type() == connect.String && !s.Key().Optional() {
		values, err := m.schema(s.Value(), noIndex, false)
		return parts{head: typed("object"), tail: []jsonschema.Member{{Name: "additionalProperties", Value: values}}}, err
	}
	key, err := m.schema(s.Key(), 0, false)
	if err != nil {
		return parts{}, err
	}
	value, err := m.schema(s.Value(), 1, false)
	entry := hashOrder([]jsonschema.Member{{Name: "key", Value: key}, {Name: "value", Value: value}}, defaultCapacity)
	items := object(append(typed("object"), jsonschema.Member{Name: "properties", Value: object(entry...)})...)
	return parts{head: typed("array"), tail: []jsonschema.Member{{Name: "items", Value: items}}}, err
}

func (m *fromMapper) structOf(s *connect.Schema) (parts, error) {
	p := parts{head: typed("object")}
	if m.o.Closed {
		p.head = append(p.head, jsonschema.Member{Name: "additionalProperties", Value: jsonschema.Value{Kind: jsonschema.Bool, Text: "false"}})
	}
	var properties []jsonschema.Member
	values := m.o.json(true)
	for i, f := range s.Fields() {
		if values.IsOthers(f) {
			continue
		}
		v, err := m.field(f.Schema, i)
		if err != nil {
			return p, fmt.Errorf("field %s: %w", f.Name, err)
		}
		properties = append(properties, jsonschema.Member{Name: f.Name, Value: v})
	}
	if len(properties) > 0 {
		p.tail = []jsonschema.Member{{Name: "properties", Value: object(hashOrder(properties, defaultCapacity)...)}}
	}
	return p, nil
}

// assemble puts the members of a schema in Java's order.
func (m *fromMapper) assemble(s *connect.Schema, p parts, id string) (jsonschema.Value, error) {
	var members []jsonschema.Member
	add := func(name, text string) {
		if text != "" {
			members = append(members, jsonschema.Member{Name: name, Value: str(text)})
		}
	}
	if !p.late {
		members = append(members, p.head...)
	}
	if connectjson.IsRaw(s) {
		add("title", connectjson.Name)
	} else {
		add("title", s.Name())
	}
	add("description", s.Doc())
	def, err := m.defaultOf(s)
	if err != nil {
		return jsonschema.Value{}, err
	}
	members = append(members, def...)
	if !s.Optional() {
		add("id", id)
	}
	members = append(members, m.extra(s, p.extra)...)
	if p.late {
		members = append(members, p.head...)
	}
	return object(append(members, p.tail...)...), nil
}

// extra are the connect.* members.
func (m *fromMapper) extra(s *connect.Schema, extra []jsonschema.Member) []jsonschema.Member {
	if s.Version() != 0 {
		extra = append(extra, jsonschema.Member{Name: propVersion, Value: number(s.Version())})
	}
	var parameters []jsonschema.Member
	for _, name := range s.ParameterNames() {
		if value, _ := s.Parameter(name); !strings.HasPrefix(name, namespace) {
			parameters = append(parameters, jsonschema.Member{Name: name, Value: str(value)})
		}
	}
	if len(parameters) > 0 {
		inMap := hashOrder(parameters, defaultCapacity)
		extra = append(extra, jsonschema.Member{Name: propParameters, Value: object(hashOrder(inMap, powerOfTwo(len(inMap)))...)})
	}
	return copyOrder(hashOrder(extra, defaultCapacity))
}
