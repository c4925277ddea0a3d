package transform

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// jsonExpander makes structs of JSON objects, with a schema that it infers.
type jsonExpander struct {
	on    bool
	nulls string
	known []*connect.Schema // inferred before: equal ones are the same pointer
}

// maxInferred is how many schemas are remembered (I5).
const maxInferred = 64

var errNoObject = errors.New("the payload is no JSON object")

// expand returns the schema and the struct of an object's text. The name is that of the
// schema.
func (e *jsonExpander) expand(b *connect.Batch, name, text string) (*connect.Schema, connect.Value, error) {
	if !strings.HasPrefix(text, "{") {
		return nil, connect.Value{}, errNoObject
	}
	v, err := connectjson.Parse(b, []byte(text), connectjson.DefaultMaxDepth)
	if err != nil {
		return nil, v, err
	}
	s, err := e.schemaOf(strings.Clone(name), v)
	if err != nil {
		return nil, v, err
	}
	s = e.intern(s)
	v, err = shaped(b, s, v)
	return s, v, err
}

// intern returns a schema that was inferred before where there is an equal one, so that
// caches of converters find it.
func (e *jsonExpander) intern(s *connect.Schema) *connect.Schema {
	for _, k := range e.known {
		if k.Equal(s) {
			return k
		}
	}
	if len(e.known) >= maxInferred {
		e.known = e.known[:0]
	}
	e.known = append(e.known, s)
	return s
}

// schemaOf infers a schema, nil for what has none: null, an empty array.
func (e *jsonExpander) schemaOf(name string, v connect.Value) (*connect.Schema, error) {
	switch v.Type() {
	case connect.String:
		return connect.OptionalStringSchema, nil
	case connect.Boolean:
		return connect.OptionalBooleanSchema, nil
	case connect.Int64:
		if v.Int() >= math.MinInt32 && v.Int() <= math.MaxInt32 {
			return connect.OptionalInt32Schema, nil
		}
		return connect.OptionalInt64Schema, nil
	case connect.Float64:
		return connect.OptionalFloat64Schema, nil
	case connect.Array:
		return e.arrayOf(name, v.Cells())
	case connect.Map:
		return e.structOf(name, v.Cells())
	}
	if e.nulls == "optional_bytes" {
		return connect.OptionalBytesSchema, nil
	}
	return nil, nil
}

func (e *jsonExpander) structOf(name string, pairs []connect.Value) (*connect.Schema, error) {
	var fields []connect.Field
	seen := make(map[string]bool)
	for i := 0; i < len(pairs); i += 2 {
		field := pairs[i].Text()
		if seen[field] {
			continue
		}
		seen[field] = true
		value, _ := find(pairs, field)
		below := field
		if strings.TrimSpace(name) != "" {
			below = name + "." + field
		}
		s, err := e.schemaOf(strings.Clone(below), value)
		if err != nil {
			return nil, err
		}
		if s != nil {
			fields = append(fields, connect.Field{Name: strings.Clone(field), Schema: s})
		}
	}
	return connect.NewStruct(fields, connect.Attrs{Name: name, Optional: true})
}

// arrayOf infers the schema of an array. Its elements are of one type; of objects the
// fields are put together.
func (e *jsonExpander) arrayOf(name string, elems []connect.Value) (*connect.Schema, error) {
	if len(elems) == 0 {
		return nil, nil
	}
	var elem *connect.Schema
	for _, v := range elems {
		if v.IsNull() {
			continue
		}
		below := ""
		if v.Type() == connect.Map {
			below = name
		}
		s, err := e.schemaOf(below, v)
		if err != nil {
			return nil, err
		}
		if elem, err = together(elem, s); err != nil {
			return nil, err
		}
	}
	if elem == nil && e.nulls == "optional_bytes" {
		elem = connect.OptionalBytesSchema
	}
	if elem == nil {
		return nil, fmt.Errorf("Array '%s' has unrecognized member schema.", name)
	}
	return connect.NewArray(elem, connect.Attrs{Optional: true})
}

// together is the schema of an array with elements of both. Of arrays the first counts.
func together(a, b *connect.Schema) (*connect.Schema, error) {
	switch {
	case a == nil || b == nil:
		return b, nil
	case a.Type() != b.Type():
		return nil, fmt.Errorf("Field is not a homogenous array (%s x %s).", a.Type(), b.Type())
	case a.Type() != connect.Struct:
		return a, nil
	}
	fields := append([]connect.Field(nil), a.Fields()...)
	for _, f := range b.Fields() {
		switch i := a.Index(f.Name); {
		case i < 0:
			fields = append(fields, f)
		case fields[i].Schema.Type() == connect.Bytes && f.Schema.Type() != connect.Bytes:
			fields[i] = f
		}
	}
	return connect.NewStruct(fields, connect.Attrs{Name: a.Name()})
}

// shaped returns a parsed value in the shape of its schema.
func shaped(b *connect.Batch, s *connect.Schema, v connect.Value) (connect.Value, error) {
	switch {
	case v.IsNull():
		return v, nil
	case s.Type() == connect.Struct && v.Type() == connect.Map:
		return shapedStruct(b, s, v.Cells())
	case s.Type() == connect.Array && v.Type() == connect.Array:
		out := b.Cells(v.Len())
		for i, elem := range v.Cells() {
			var err error
			if out[i], err = shaped(b, s.Value(), elem); err != nil {
				return v, err
			}
		}
		return connect.ArrayValue(out), nil
	case s.Type() == connect.Int32 && v.Type() == connect.Int64 && v.Int() == int64(int32(v.Int())):
		return connect.Int32Value(int32(v.Int())), nil
	case s.Type() != v.Type():
		return v, fmt.Errorf("a value is %s where others are %s", v.Type(), s.Type())
	}
	return v, nil
}

func shapedStruct(b *connect.Batch, s *connect.Schema, pairs []connect.Value) (connect.Value, error) {
	cells := b.Cells(len(s.Fields()))
	for i, f := range s.Fields() {
		v, ok := find(pairs, f.Name)
		if !ok {
			continue
		}
		var err error
		if cells[i], err = shaped(b, f.Schema, v); err != nil {
			return connect.Value{}, fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return connect.StructValue(cells), nil
}
