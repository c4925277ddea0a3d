package pgtype

import (
	"slices"

	"github.com/sluice-data/sluice/connect"
)

// kind is what a type of PostgreSQL becomes, with one type modifier and one set of
// options.
type kind struct {
	shape
	text, binary decode        // binary is nil where only the text form can be read
	zero         connect.Value // see Codec.Zero
	placeholder  connect.Value // see Codec.Placeholder
	// defaults tells that default expressions become the schema's default, and
	// generated is the text form of what stands for the result of a function.
	defaults  bool
	generated string
}

// param is a parameter of a schema. Their order shows in the JSON of a schema.
type param struct{ name, value string }

// shape is a schema in the making.
type shape struct {
	typ        connect.Type
	name       string
	version    int
	doc        string
	optional   bool // whatever the column says: some of Debezium's schemas are
	params     []param
	fields     []connect.Field
	key, value *connect.Schema
}

// schema makes the schema.
func (s *shape) schema(a connect.Attrs, params []param) (*connect.Schema, error) {
	a.Name, a.Version = s.name, s.version
	if a.Doc == "" {
		a.Doc = s.doc
	}
	a.Optional = a.Optional || s.optional
	for _, p := range slices.Concat(s.params, params) {
		if a.Parameters == nil {
			a.Parameters = make(map[string]string)
		}
		if _, dup := a.Parameters[p.name]; !dup {
			a.ParameterOrder = append(a.ParameterOrder, p.name)
		}
		a.Parameters[p.name] = p.value
	}
	switch s.typ {
	case connect.Struct:
		return connect.NewStruct(s.fields, a)
	case connect.Array:
		return connect.NewArray(s.value, a)
	case connect.Map:
		return connect.NewMap(s.key, s.value, a)
	default:
		return connect.NewPrimitive(s.typ, a)
	}
}

// plain is the shape of a primitive type without a name.
func plain(t connect.Type) shape { return shape{typ: t} }

// named is the shape of a primitive type with one of Debezium's names, all of
// which have version 1.
func named(t connect.Type, name string) shape { return shape{typ: t, name: name, version: 1} }

// logical is the shape of one of Kafka Connect's logical types.
func logical(t connect.Type, name string) shape { return shape{typ: t, name: name, version: 1} }
