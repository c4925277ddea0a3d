package s3

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// projection turns values of one schema into values of another version of it, by the rules of Kafka Connect's SchemaProjector.
type projection struct {
	from, to *connect.Schema
	project  projector
}

// projector makes a value, in the memory of the batch where it needs some.
type projector func(b *connect.Batch, v connect.Value) connect.Value

// newProjection compiles the way from one schema to another.
func newProjection(from, to *connect.Schema) (*projection, error) {
	p, err := compileProjector(from, to, 0)
	return &projection{from: from, to: to, project: p}, err
}

// apply returns the record with its value projected. It is good until the next call with the batch.
func (p *projection) apply(b *connect.Batch, r *connect.Record) (*connect.Record, error) {
	b.Reset()
	projected := b.Append()
	*projected = *r
	projected.ValueSchema, projected.Value = p.to, p.project(b, r.Value)
	return projected, nil
}

// maxSchemaDepth is how deep schemas may nest (I5).
const maxSchemaDepth = 64

func compileProjector(from, to *connect.Schema, depth int) (projector, error) {
	switch {
	case depth > maxSchemaDepth:
		return nil, fmt.Errorf("the schemas nest deeper than %d levels", maxSchemaDepth)
	case from == to:
		return same, nil
	case from.Name() != to.Name():
		return nil, fmt.Errorf("the schema %s became %s", schemaText(from), schemaText(to))
	case from.Optional() && !to.Optional():
		if _, ok := to.Default(); !ok {
			return nil, fmt.Errorf("%s is optional, and the file's is not and has no default", schemaText(from))
		}
	}
	project, err := compileType(from, to, depth)
	if err != nil {
		return nil, err
	}
	null := connect.Value{}
	if d, ok := to.Default(); ok && !to.Optional() {
		null = d
	}
	return func(b *connect.Batch, v connect.Value) connect.Value {
		if v.IsNull() {
			return null
		}
		return project(b, v)
	}, nil
}

func same(_ *connect.Batch, v connect.Value) connect.Value { return v }

func compileType(from, to *connect.Schema, depth int) (projector, error) {
	switch {
	case from.Type() == connect.Struct && to.Type() == connect.Struct:
		return compileStruct(from, to, depth)
	case from.Type() == connect.Array && to.Type() == connect.Array:
		element, err := compileProjector(from.Value(), to.Value(), depth+1)
		return elements(connect.ArrayValue, element, element), err
	case from.Type() == connect.Map && to.Type() == connect.Map:
		key, err := compileProjector(from.Key(), to.Key(), depth+1)
		if err != nil {
			return nil, err
		}
		value, err := compileProjector(from.Value(), to.Value(), depth+1)
		return elements(connect.MapValue, key, value), err
	case from.Type() == to.Type():
		return same, nil
	case from.Type() >= connect.Int8 && to.Type() <= connect.Float64 && from.Type() < to.Type():
		return widen(from.Type(), to.Type()), nil
	}
	return nil, fmt.Errorf("%s cannot become %s", schemaText(from), schemaText(to))
}

// widen turns a number into one of a larger type.
func widen(from, to connect.Type) projector {
	return func(_ *connect.Batch, v connect.Value) connect.Value {
		switch {
		case to == connect.Int16:
			return connect.Int16Value(int16(v.Int()))
		case to == connect.Int32:
			return connect.Int32Value(int32(v.Int()))
		case to == connect.Int64:
			return connect.Int64Value(v.Int())
		case to == connect.Float32:
			return connect.Float32Value(float32(v.Int()))
		case from == connect.Float32:
			return connect.Float64Value(v.Float())
		}
		return connect.Float64Value(float64(v.Int()))
	}
}

// elements projects cells by two projectors in turn.
func elements(wrap func([]connect.Value) connect.Value, even, odd projector) projector {
	return func(b *connect.Batch, v connect.Value) connect.Value {
		cells := b.Cells(len(v.Cells()))
		for i, c := range v.Cells() {
			if i%2 == 0 {
				cells[i] = even(b, c)
			} else {
				cells[i] = odd(b, c)
			}
		}
		return wrap(cells)
	}
}

// fieldSource is where a field's cell comes from.
type fieldSource struct {
	index   int // of the other struct; -1: missing is its value
	project projector
	missing connect.Value
}

func compileStruct(from, to *connect.Schema, depth int) (projector, error) {
	sources := make([]fieldSource, len(to.Fields()))
	for i, f := range to.Fields() {
		source := fieldSource{index: from.Index(f.Name)}
		if source.index >= 0 {
			var err error
			if source.project, err = compileProjector(from.Fields()[source.index].Schema, f.Schema, depth+1); err != nil {
				return nil, fmt.Errorf("field %s: %w", f.Name, err)
			}
		} else if d, ok := f.Schema.Default(); ok {
			source.missing = d
		} else if !f.Schema.Optional() {
			return nil, fmt.Errorf("field %s is missing, and is neither optional nor has a default", f.Name)
		}
		sources[i] = source
	}
	return func(b *connect.Batch, v connect.Value) connect.Value {
		cells, old := b.Cells(len(sources)), v.Cells()
		for i := range sources {
			if s := &sources[i]; s.index < 0 {
				cells[i] = s.missing
			} else {
				cells[i] = s.project(b, old[s.index])
			}
		}
		return connect.StructValue(cells)
	}, nil
}

func schemaText(s *connect.Schema) string {
	if s.Name() != "" {
		return s.Type().String() + " " + s.Name()
	}
	return s.Type().String()
}
