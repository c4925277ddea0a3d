package format

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// maxLevels is how deep repeated and optional fields may nest: what half a byte counts.
const maxLevels = 14

// maxPrecision is the most digits of a Decimal that most readers take, and the precision of one that does not tell its own.
const maxPrecision = 38

// group is a node of Parquet with its fields in the order of the schema; parquet.Group sorts them by name.
type group struct {
	fields []parquet.Field
	typ    parquet.Type // of a group that is a list; nil
}

func (g *group) ID() int        { return 0 }
func (g *group) String() string { return fmt.Sprintf("group of %d fields", len(g.fields)) }
func (g *group) Type() parquet.Type {
	if g.typ != nil {
		return g.typ
	}
	return parquet.Group{}.Type()
}
func (g *group) Optional() bool              { return false }
func (g *group) Repeated() bool              { return false }
func (g *group) Required() bool              { return true }
func (g *group) Leaf() bool                  { return false }
func (g *group) Fields() []parquet.Field     { return g.fields }
func (g *group) Encoding() encoding.Encoding { return nil }
func (g *group) Compression() compress.Codec { return nil }
func (g *group) GoType() reflect.Type        { return reflect.TypeFor[struct{}]() }

// field is a node with a name.
type field struct {
	parquet.Node
	name string
}

func (f *field) Name() string { return f.name }

// Value is for Go structs, which are not written here.
func (f *field) Value(base reflect.Value) reflect.Value { return base }

// column is a leaf of a schema and the way to it.
type column struct {
	kind       parquet.Kind
	way        []step
	maxDef     int
	repeated   bool
	dictionary bool
	scale      int // of a Decimal
}

// plainColumns has a byte for each column, not 0 for those of text that have no dictionary. Empty, all of them have one.
type plainColumns string

func (p plainColumns) has(column int) bool { return p != "" && p[column] != 0 }

// step leads from a value to one below it.
type step struct {
	kind     stepKind
	index    int // of a struct's field
	optional bool
}

type stepKind uint8

const (
	stepField   stepKind = iota // a cell of a struct
	stepElement                 // the elements of an array
	stepKey                     // the keys of a map
	stepValue                   // the values of a map
)

// schemaMaker makes a schema of Parquet and its columns from one of Kafka Connect.
type schemaMaker struct {
	legacyLists bool
	plain       plainColumns
	columns     []column
}

// place is where the maker is.
type place struct {
	way    []step
	def    int
	levels int
	repeat bool
}

// with is the place below, by one more step.
func (p place) with(s step) place {
	p.way = append(append([]step(nil), p.way...), s)
	if s.optional {
		p.def, p.levels = p.def+1, p.levels+1
	}
	if s.kind != stepField {
		p.def, p.levels, p.repeat = p.def+1, p.levels+1, true
	}
	return p
}

var (
	errNoStruct    = errors.New("ParquetFormat needs a value with a STRUCT as its schema; use a converter that has schemas, such as AvroConverter, or JsonFormat")
	errEmptyStruct = errors.New("a STRUCT without fields has no columns in Parquet")
	errTooDeep     = fmt.Errorf("arrays, maps and optional fields nest deeper than %d levels", maxLevels)
)

// root makes the schema of a file.
func (m *schemaMaker) root(s *connect.Schema) (*parquet.Schema, error) {
	if s == nil || s.Type() != connect.Struct {
		return nil, errNoStruct
	}
	node, err := m.structNode(s, place{})
	if err != nil {
		return nil, err
	}
	name := s.Name()
	if name == "" {
		name = "ConnectDefault"
	}
	return parquet.NewSchema(name, node), nil
}

// node makes the node of a schema that a step has led to.
func (m *schemaMaker) node(s *connect.Schema, at place) (parquet.Node, error) {
	if at.levels > maxLevels {
		return nil, errTooDeep
	}
	var node parquet.Node
	var err error
	switch s.Type() {
	case connect.Struct:
		node, err = m.structNode(s, at)
	case connect.Array:
		node, err = m.listNode(s, at)
	case connect.Map:
		node, err = m.mapNode(s, at)
	default:
		node, err = m.leaf(s, at)
	}
	if err == nil && s.Optional() {
		node = parquet.Optional(node)
	}
	return node, err
}

func (m *schemaMaker) structNode(s *connect.Schema, at place) (parquet.Node, error) {
	if len(s.Fields()) == 0 {
		return nil, errEmptyStruct
	}
	g := new(group)
	for i, f := range s.Fields() {
		node, err := m.node(f.Schema, at.with(step{kind: stepField, index: i, optional: f.Schema.Optional()}))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		g.fields = append(g.fields, &field{node, f.Name})
	}
	return g, nil
}

// listNode has three levels; two as old writers make them, when elements cannot be null.
func (m *schemaMaker) listNode(s *connect.Schema, at place) (parquet.Node, error) {
	element, err := m.node(s.Value(), at.with(step{kind: stepElement, optional: s.Value().Optional()}))
	if err != nil {
		return nil, fmt.Errorf("element: %w", err)
	}
	list := parquet.List(element)
	if !m.legacyLists || s.Value().Optional() {
		return list, nil
	}
	return &group{fields: []parquet.Field{&field{parquet.Repeated(element), "array"}}, typ: list.Type()}, nil
}

func (m *schemaMaker) mapNode(s *connect.Schema, at place) (parquet.Node, error) {
	key, err := m.node(required(s.Key()), at.with(step{kind: stepKey}))
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	value, err := m.node(s.Value(), at.with(step{kind: stepValue, optional: s.Value().Optional()}))
	if err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	return parquet.Map(key, value), nil
}

// required is the schema of a map's keys, which cannot be null in Parquet.
func required(s *connect.Schema) *connect.Schema {
	if !s.Optional() || s.Type() > connect.Bytes {
		return s
	}
	r, err := connect.NewPrimitive(s.Type(), connect.Attrs{Name: s.Name(), Parameters: s.Parameters()})
	if err != nil {
		return s
	}
	return r
}

func (m *schemaMaker) leaf(s *connect.Schema, at place) (parquet.Node, error) {
	c := column{way: at.way, maxDef: at.def, repeated: at.repeat, dictionary: s.Type() == connect.String && !m.plain.has(len(m.columns))}
	node, err := leafNode(s, &c)
	if err != nil {
		return nil, err
	}
	c.kind = node.Type().Kind()
	m.columns = append(m.columns, c)
	return node, nil
}

// leafNode has the logical types of Kafka Connect.
func leafNode(s *connect.Schema, c *column) (parquet.Node, error) {
	switch s.Name() {
	case connect.DecimalName:
		return decimalNode(s, c)
	case connect.DateName:
		return parquet.Date(), nil
	case connect.TimeName:
		return parquet.Time(parquet.Millisecond), nil
	case connect.TimestampName:
		return parquet.Timestamp(parquet.Millisecond), nil
	}
	switch s.Type() {
	case connect.Boolean:
		return parquet.Leaf(parquet.BooleanType), nil
	case connect.Int8, connect.Int16, connect.Int32:
		return parquet.Leaf(parquet.Int32Type), nil
	case connect.Int64:
		return parquet.Leaf(parquet.Int64Type), nil
	case connect.Float32:
		return parquet.Leaf(parquet.FloatType), nil
	case connect.Float64:
		return parquet.Leaf(parquet.DoubleType), nil
	case connect.String:
		if c.dictionary {
			return parquet.Encoded(parquet.String(), &parquet.RLEDictionary), nil
		}
		return parquet.Encoded(parquet.String(), &parquet.Plain), nil
	}
	return parquet.Encoded(parquet.Leaf(parquet.ByteArrayType), &parquet.Plain), nil
}

func decimalNode(s *connect.Schema, c *column) (parquet.Node, error) {
	scale, err := connectjson.Scale(s)
	if err != nil {
		return nil, err
	}
	precision := maxPrecision
	if text, ok := s.Parameter("connect.decimal.precision"); ok {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			precision = n
		}
	}
	if scale < 0 || scale > precision {
		return nil, fmt.Errorf("a Decimal of scale %d and precision %d has no form in Parquet", scale, precision)
	}
	c.scale = scale
	return parquet.Encoded(parquet.Decimal(scale, precision, parquet.ByteArrayType), &parquet.Plain), nil
}
