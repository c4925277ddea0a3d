package connect

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Type is the type of a Schema and of a Value. The names are Kafka Connect's.
type Type uint8

// The types. Null is the type of a Value that is absent; no Schema has it.
const (
	Null Type = iota
	Boolean
	Int8
	Int16
	Int32
	Int64
	Float32
	Float64
	String
	Bytes
	Array
	Map
	Struct
)

var typeNames = [...]string{"NULL", "BOOLEAN", "INT8", "INT16", "INT32", "INT64",
	"FLOAT32", "FLOAT64", "STRING", "BYTES", "ARRAY", "MAP", "STRUCT"}

// String returns Kafka Connect's name of the type, such as INT32.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("TYPE(%d)", uint8(t))
}

// Names of Kafka Connect's logical types: the Schema.Name of the type that
// carries them.
const (
	// DecimalName is carried by BYTES: the unscaled value as big-endian two's
	// complement; the parameter "scale" has the number of decimal places.
	DecimalName = "org.apache.kafka.connect.data.Decimal"
	// DateName is carried by INT32: days since the Unix epoch.
	DateName = "org.apache.kafka.connect.data.Date"
	// TimeName is carried by INT32: milliseconds since midnight.
	TimeName = "org.apache.kafka.connect.data.Time"
	// TimestampName is carried by INT64: milliseconds since the Unix epoch.
	TimestampName = "org.apache.kafka.connect.data.Timestamp"
)

// Schema describes a Value. It is immutable and may be shared by any number of
// goroutines; compare with Equal, which looks at the pointers first. The nil
// *Schema belongs to schemaless data.
type Schema struct {
	typ        Type
	attrs      Attrs
	fields     []Field
	index      map[string]int
	key, value *Schema
}

// Attrs are the attributes that any schema may have.
type Attrs struct {
	Name       string            // of a struct or a logical type
	Version    int               // 0: none
	Doc        string            //
	Optional   bool              // the value may be null
	Default    *Value            // nil: none
	Parameters map[string]string // copied by the constructor
	// ParameterOrder has names of parameters whose order says something, such as that of an enum's symbols. It does not count for Equal.
	ParameterOrder []string
}

// Field is one field of a STRUCT schema.
type Field struct {
	Name   string
	Schema *Schema
}

// Schemas of the primitive types, required and optional.
var (
	BooleanSchema = &Schema{typ: Boolean}
	Int8Schema    = &Schema{typ: Int8}
	Int16Schema   = &Schema{typ: Int16}
	Int32Schema   = &Schema{typ: Int32}
	Int64Schema   = &Schema{typ: Int64}
	Float32Schema = &Schema{typ: Float32}
	Float64Schema = &Schema{typ: Float64}
	StringSchema  = &Schema{typ: String}
	BytesSchema   = &Schema{typ: Bytes}

	OptionalBooleanSchema = &Schema{typ: Boolean, attrs: Attrs{Optional: true}}
	OptionalInt8Schema    = &Schema{typ: Int8, attrs: Attrs{Optional: true}}
	OptionalInt16Schema   = &Schema{typ: Int16, attrs: Attrs{Optional: true}}
	OptionalInt32Schema   = &Schema{typ: Int32, attrs: Attrs{Optional: true}}
	OptionalInt64Schema   = &Schema{typ: Int64, attrs: Attrs{Optional: true}}
	OptionalFloat32Schema = &Schema{typ: Float32, attrs: Attrs{Optional: true}}
	OptionalFloat64Schema = &Schema{typ: Float64, attrs: Attrs{Optional: true}}
	OptionalStringSchema  = &Schema{typ: String, attrs: Attrs{Optional: true}}
	OptionalBytesSchema   = &Schema{typ: Bytes, attrs: Attrs{Optional: true}}
)

// NewPrimitive returns a schema of a primitive type (BOOLEAN to BYTES).
func NewPrimitive(t Type, a Attrs) (*Schema, error) {
	if t == Null || t > Bytes {
		return nil, fmt.Errorf("%s is not a primitive type", t)
	}
	return &Schema{typ: t, attrs: a.clone()}, nil
}

// NewArray returns the schema of an array with elements of the given schema.
func NewArray(elem *Schema, a Attrs) (*Schema, error) {
	if elem == nil {
		return nil, errors.New("an array schema needs the schema of its elements")
	}
	return &Schema{typ: Array, attrs: a.clone(), value: elem}, nil
}

// NewMap returns the schema of a map.
func NewMap(key, value *Schema, a Attrs) (*Schema, error) {
	if key == nil || value == nil {
		return nil, errors.New("a map schema needs the schemas of its keys and values")
	}
	return &Schema{typ: Map, attrs: a.clone(), key: key, value: value}, nil
}

// NewStruct returns the schema of a struct. Field names must be unique and not
// empty; the order of the fields is the order of the cells.
func NewStruct(fields []Field, a Attrs) (*Schema, error) {
	s := &Schema{typ: Struct, attrs: a.clone(), fields: append([]Field(nil), fields...),
		index: make(map[string]int, len(fields))}
	for i, f := range s.fields {
		if f.Name == "" || f.Schema == nil {
			return nil, fmt.Errorf("field %d of struct %q needs a name and a schema", i, a.Name)
		}
		if _, dup := s.index[f.Name]; dup {
			return nil, fmt.Errorf("struct %q has two fields named %q", a.Name, f.Name)
		}
		s.index[f.Name] = i
	}
	return s, nil
}

// MustStruct is NewStruct for literals in a program; it panics on an error.
func MustStruct(name string, fields ...Field) *Schema {
	s, err := NewStruct(fields, Attrs{Name: name})
	if err != nil {
		panic(err)
	}
	return s
}

func (a Attrs) clone() Attrs {
	a.Parameters = maps.Clone(a.Parameters)
	a.ParameterOrder = slices.Clone(a.ParameterOrder)
	return a
}

// Type returns the type of the values that s describes.
func (s *Schema) Type() Type { return s.typ }

// Name returns the name of a struct or logical type, or "".
func (s *Schema) Name() string { return s.attrs.Name }

// Version returns the schema's version, or 0.
func (s *Schema) Version() int { return s.attrs.Version }

// Doc returns the schema's documentation, or "".
func (s *Schema) Doc() string { return s.attrs.Doc }

// Optional tells whether a value may be null.
func (s *Schema) Optional() bool { return s.attrs.Optional }

// Default returns the default value and whether there is one.
func (s *Schema) Default() (Value, bool) {
	if s.attrs.Default == nil {
		return Value{}, false
	}
	return *s.attrs.Default, true
}

// Parameter returns one parameter of the schema and whether it is set.
func (s *Schema) Parameter(name string) (string, bool) {
	v, ok := s.attrs.Parameters[name]
	return v, ok
}

// Parameters returns a copy of all parameters.
func (s *Schema) Parameters() map[string]string { return maps.Clone(s.attrs.Parameters) }

// ParameterNames returns the names of all parameters: those that the schema was made with an order for, then the others sorted.
func (s *Schema) ParameterNames() []string {
	left := maps.Clone(s.attrs.Parameters)
	names := make([]string, 0, len(left))
	for _, name := range s.attrs.ParameterOrder {
		if _, ok := left[name]; ok {
			names = append(names, name)
			delete(left, name)
		}
	}
	return append(names, slices.Sorted(maps.Keys(left))...)
}

// Fields returns the fields of a STRUCT in order. The slice is shared: it must
// not be changed.
func (s *Schema) Fields() []Field { return s.fields }

// Index returns the position of a field in a STRUCT, or -1.
func (s *Schema) Index(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Key returns the schema of the keys of a MAP, nil otherwise.
func (s *Schema) Key() *Schema { return s.key }

// Value returns the schema of the elements of an ARRAY or the values of a MAP,
// nil otherwise.
func (s *Schema) Value() *Schema { return s.value }

// Equal tells whether two schemas describe the same values with the same
// attributes. Equal pointers answer at once, so hold on to a schema that is used
// again.
func (s *Schema) Equal(o *Schema) bool {
	if s == o {
		return true
	}
	if s == nil || o == nil || s.typ != o.typ || !s.attrs.equal(o.attrs) || len(s.fields) != len(o.fields) {
		return false
	}
	for i, f := range s.fields {
		if f.Name != o.fields[i].Name || !f.Schema.Equal(o.fields[i].Schema) {
			return false
		}
	}
	return s.key.Equal(o.key) && s.value.Equal(o.value)
}

func (a Attrs) equal(b Attrs) bool {
	if a.Name != b.Name || a.Version != b.Version || a.Doc != b.Doc || a.Optional != b.Optional ||
		(a.Default == nil) != (b.Default == nil) || !maps.Equal(a.Parameters, b.Parameters) {
		return false
	}
	return a.Default == nil || a.Default.Equal(*b.Default)
}
