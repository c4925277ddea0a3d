package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// cast is Cast.
type cast struct {
	part
	nulls
	spec []string

	whole  connect.Type // Null: fields are cast
	fields []castField
	plans  compiled[castPlan]
	value  caster
}

// castField is a field and the type it is cast to.
type castField struct {
	name string
	to   connect.Type
}

// castPlan is what becomes of a schema: to has a type for each field, Null for one
// that stays.
type castPlan struct {
	schema *connect.Schema
	to     []connect.Type
}

var castTypes = map[string]connect.Type{"INT8": connect.Int8, "INT16": connect.Int16, "INT32": connect.Int32, "INT64": connect.Int64,
	"FLOAT32": connect.Float32, "FLOAT64": connect.Float64, "BOOLEAN": connect.Boolean, "STRING": connect.String,
	"BYTES": connect.Bytes, "ARRAY": connect.Array, "MAP": connect.Map, "STRUCT": connect.Struct}

func (t *cast) options() []connect.Option {
	return []connect.Option{
		{Name: "spec", Var: &t.spec, Required: true, Check: t.checkSpec, Importance: connect.High,
			Doc: "Fields and their new types, field:type,field:type, or one type for the whole key or value: int8, int16, int32, int64, float32, float64, boolean or string. BYTES become base64 text only."},
		t.nulls.option(),
	}
}

func (t *cast) checkSpec() error {
	t.whole, t.fields = connect.Null, nil
	seen := make(map[string]int)
	for _, mapping := range t.spec {
		parts := splitColons(mapping)
		if len(parts) == 0 || len(parts) > 2 {
			return fmt.Errorf("Invalid cast: %s; write field:type", mapping)
		}
		to, err := castType(parts[len(parts)-1])
		if err != nil {
			return err
		}
		if len(parts) == 1 {
			t.whole = to
			continue
		}
		name := strings.TrimSpace(parts[0])
		if i, dup := seen[name]; dup {
			t.fields[i].to = to
			continue
		}
		seen[name] = len(t.fields)
		t.fields = append(t.fields, castField{name, to})
	}
	if t.whole != connect.Null && len(t.spec) > 1 {
		return errors.New("Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec")
	}
	return nil
}

func castType(text string) (connect.Type, error) {
	text = strings.TrimSpace(text)
	to, ok := castTypes[strings.ToUpper(text)]
	switch {
	case !ok:
		return to, fmt.Errorf("Invalid type found in casting spec: %s", text)
	case to >= connect.Bytes:
		return to, fmt.Errorf("Cast transformation does not support casting to %s; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]", to)
	}
	return to, nil
}

func (t *cast) prepare() error { return nil }

func (t *cast) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	if err != nil || v.IsNull() {
		return true, err
	}
	switch {
	case t.whole != connect.Null:
		s, v, err = t.castWhole(b, s, v)
	case s == nil:
		v, err = t.castPairs(b, v)
	default:
		s, v, err = t.castCells(b, s, v)
	}
	if err != nil {
		return false, err
	}
	t.store(r, s, v)
	return true, nil
}

func (t *cast) castWhole(b *connect.Batch, s *connect.Schema, v connect.Value) (*connect.Schema, connect.Value, error) {
	if s == nil {
		v, err := t.value.cast(b, nil, v, t.whole)
		return nil, schemalessNumber(v), err
	}
	plan, err := t.plans.of(s, t.compileWhole)
	if err != nil {
		return s, v, err
	}
	v, err = t.value.cast(b, s, v, t.whole)
	return plan.schema, v, err
}

// schemalessNumber widens a number to one of the types of schemaless data.
func schemalessNumber(v connect.Value) connect.Value {
	switch v.Type() {
	case connect.Int8, connect.Int16, connect.Int32:
		return connect.Int64Value(v.Int())
	case connect.Float32:
		return connect.Float64Value(v.Float())
	}
	return v
}

func (t *cast) castPairs(b *connect.Batch, v connect.Value) (connect.Value, error) {
	pairs, err := mapPairs(v, "cast types")
	if err != nil {
		return v, err
	}
	out := copyPairs(b, pairs, len(t.fields))
	for _, f := range t.fields {
		old, _ := find(pairs, f.name)
		to, err := t.value.cast(b, nil, old, f.to)
		if err != nil {
			return v, err
		}
		out = set(out, f.name, schemalessNumber(to))
	}
	return connect.MapValue(out), nil
}

func (t *cast) castCells(b *connect.Batch, s *connect.Schema, v connect.Value) (*connect.Schema, connect.Value, error) {
	cells, err := structCells(s, v, "cast types")
	if err != nil {
		return s, v, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return s, v, err
	}
	out := b.Cells(len(cells))
	from, to := s.Fields(), plan.schema.Fields()
	for i := range cells {
		c := t.get(from[i].Schema, cells[i])
		if plan.to[i] != connect.Null {
			if c, err = t.value.cast(b, from[i].Schema, c, plan.to[i]); err != nil {
				return s, v, err
			}
		}
		if c.IsNull() && !to[i].Schema.Optional() {
			return s, v, nullError(&to[i])
		}
		out[i] = c
	}
	return plan.schema, connect.StructValue(out), nil
}

func (t *cast) compile(s *connect.Schema) (*castPlan, error) {
	p := &castPlan{to: make([]connect.Type, len(s.Fields()))}
	fields := append([]connect.Field(nil), s.Fields()...)
	for _, f := range t.fields {
		i := s.Index(f.name)
		if i < 0 {
			continue
		}
		p.to[i] = f.to
		var err error
		if fields[i].Schema, err = t.castSchema(fields[i].Schema, f.to, connect.Attrs{}); err != nil {
			return nil, err
		}
	}
	a := attrs(s)
	if a.Default != nil {
		return nil, castFrom(connect.Struct)
	}
	var err error
	p.schema, err = connect.NewStruct(fields, a)
	return p, err
}

// compileWhole passes the schema's attributes on, but for those of a logical type,
// which the result is not.
func (t *cast) compileWhole(s *connect.Schema) (*castPlan, error) {
	a := basics(s)
	if isTime(s) || isDecimal(s) {
		a = connect.Attrs{Doc: a.Doc}
	}
	out, err := t.castSchema(s, t.whole, a)
	return &castPlan{schema: out}, err
}

// castSchema returns the schema of another type with whether s is optional and its
// default, cast.
func (t *cast) castSchema(s *connect.Schema, to connect.Type, a connect.Attrs) (*connect.Schema, error) {
	a.Optional = s.Optional()
	if d, ok := s.Default(); ok {
		// A batch of its own: the default lives as long as the schema.
		d, err := t.value.cast(connect.NewBatch(1, 1), s, d, to)
		if err != nil {
			return nil, err
		}
		a.Default = &d
	}
	return connect.NewPrimitive(to, a)
}
