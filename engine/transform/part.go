package transform

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// part is what of a record a transform works on: Kafka's $Key and $Value.
type part uint8

const (
	valuePart part = iota
	keyPart
)

// load returns the part. Raw JSON is parsed, so that it can be looked into.
func (p part) load(b *connect.Batch, r *connect.Record) (*connect.Schema, connect.Value, error) {
	s, v := r.ValueSchema, r.Value
	if p == keyPart {
		s, v = r.KeySchema, r.Key
	}
	if s == nil || s.Name() == "" || !connectjson.IsRaw(s) {
		return s, v, nil
	}
	if v.Type() != connect.String {
		return nil, connect.Value{}, nil
	}
	parsed, err := connectjson.Parse(b, []byte(v.Text()), connectjson.DefaultMaxDepth)
	return nil, parsed, err
}

func (p part) store(r *connect.Record, s *connect.Schema, v connect.Value) {
	if p == keyPart {
		r.KeySchema, r.Key = s, v
		return
	}
	r.ValueSchema, r.Value = s, v
}

// maxCompiled is how many schemas a transform keeps what it has compiled for (I5).
// When there are more, all are dropped.
const maxCompiled = 256

// compiled finds what a transform has made of a schema. Records that follow each
// other have mostly the same.
type compiled[T any] struct {
	last    *connect.Schema
	current *T
	all     map[*connect.Schema]*T
}

// of returns what compile makes of the schema. Errors are not kept.
func (c *compiled[T]) of(s *connect.Schema, compile func(*connect.Schema) (*T, error)) (*T, error) {
	if s == c.last && c.current != nil {
		return c.current, nil
	}
	t, ok := c.all[s]
	if !ok {
		var err error
		if t, err = compile(s); err != nil {
			return nil, err
		}
		if c.all == nil || len(c.all) >= maxCompiled {
			c.all = make(map[*connect.Schema]*T)
		}
		c.all[s] = t
	}
	c.last, c.current = s, t
	return t, nil
}

// structCells returns the cells of a struct, or Kafka's error for what is none.
func structCells(s *connect.Schema, v connect.Value, purpose string) ([]connect.Value, error) {
	if v.Type() != connect.Struct {
		return nil, fmt.Errorf("Only Struct objects supported for [%s], found: %s", purpose, className(s, v))
	}
	cells := v.Cells()
	if s.Type() != connect.Struct || len(s.Fields()) != len(cells) {
		return nil, fmt.Errorf("the struct for [%s] has %d fields and not those of its schema", purpose, len(cells))
	}
	return cells, nil
}

// mapPairs returns the pairs of a schemaless map, or Kafka's error for what is
// none.
func mapPairs(v connect.Value, purpose string) ([]connect.Value, error) {
	if v.Type() != connect.Map {
		return nil, fmt.Errorf("Only Map objects supported in absence of schema for [%s], found: %s", purpose, className(nil, v))
	}
	return v.Cells(), nil
}

// nulls is the option replace.null.with.default.
type nulls struct{ replace bool }

func (n *nulls) option() connect.Option {
	return connect.Option{Name: "replace.null.with.default", Var: &n.replace, Default: "true", Importance: connect.Medium,
		Doc: "Whether a field that is null takes the default of its schema, where it has one."}
}

// get returns what a null of the schema is to be.
func (n *nulls) get(s *connect.Schema, v connect.Value) connect.Value {
	if !v.IsNull() || !n.replace {
		return v
	}
	v, _ = s.Default()
	return v
}

// copyTo copies a cell for a field that may not take null.
func (n *nulls) copyTo(dst *connect.Value, f *connect.Field, v connect.Value) error {
	if v.IsNull() {
		if v = n.get(f.Schema, v); v.IsNull() && !f.Schema.Optional() {
			return nullError(f)
		}
	}
	*dst = v
	return nil
}

// nullError is Kafka's error for a null in a field that must not be null.
func nullError(f *connect.Field) error {
	return fmt.Errorf("Invalid value: null used for required field: %q, schema type: %s", f.Name, f.Schema.Type())
}

// basics are the attributes that a schema passes on to the one that a transform
// makes of it. Whether it is optional and its default are not among them.
func basics(s *connect.Schema) connect.Attrs {
	return connect.Attrs{Name: s.Name(), Version: s.Version(), Doc: s.Doc(), Parameters: s.Parameters(), ParameterOrder: s.ParameterNames()}
}

// attrs are all attributes of a schema.
func attrs(s *connect.Schema) connect.Attrs {
	a := basics(s)
	a.Optional = s.Optional()
	if d, ok := s.Default(); ok {
		a.Default = &d
	}
	return a
}

// withAttrs returns a schema of the same type with other attributes.
func withAttrs(s *connect.Schema, a connect.Attrs) (*connect.Schema, error) {
	switch s.Type() {
	case connect.Array:
		return connect.NewArray(s.Value(), a)
	case connect.Map:
		return connect.NewMap(s.Key(), s.Value(), a)
	case connect.Struct:
		return connect.NewStruct(s.Fields(), a)
	}
	return connect.NewPrimitive(s.Type(), a)
}

// find returns the value of a name in the pairs of a schemaless map. Of names that
// repeat the last counts, as for Kafka's parser.
func find(pairs []connect.Value, name string) (connect.Value, bool) {
	if i := index(pairs, name); i >= 0 {
		return pairs[i+1], true
	}
	return connect.Value{}, false
}

func index(pairs []connect.Value, name string) int {
	for i := len(pairs) - 2; i >= 0; i -= 2 {
		if pairs[i].Type() == connect.String && pairs[i].Text() == name {
			return i
		}
	}
	return -1
}

// copyPairs returns a copy of pairs with room for more of them.
func copyPairs(b *connect.Batch, pairs []connect.Value, more int) []connect.Value {
	out := b.Cells(len(pairs) + 2*more)
	copy(out, pairs)
	return out[:len(pairs)]
}

// set sets the value of a name; pairs must have room for it.
func set(pairs []connect.Value, name string, v connect.Value) []connect.Value {
	if i := index(pairs, name); i >= 0 {
		pairs[i+1] = v
		return pairs
	}
	return append(pairs, connect.StringValue(name), v)
}
