package transform

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// Limits of Flatten (I5). A long name with many fields under it is repeated in the
// name of each.
const (
	maxFlattenDepth = 100
	maxNameBytes    = 16 << 20 // of the names of one record or schema together
)

var errNames = fmt.Errorf("the names of the flattened fields have more than %d bytes together", maxNameBytes)

// flatten is Flatten.
type flatten struct {
	part
	delimiter string
	plans     compiled[flatPlan]
	name      []byte
	nameBytes int // of the record so far
}

// flatPlan is what becomes of a struct: its fields in the order of the cells of the
// new one.
type flatPlan struct {
	schema *connect.Schema
	root   []flatField
	width  int // cells of the new struct
}

// flatField is a field: one cell of the new struct, or those of its own fields.
type flatField struct {
	schema *connect.Schema
	to     connect.Field // of a cell
	within []flatField   // of a struct
	cells  int           // that it takes
	nested bool
}

func (t *flatten) options() []connect.Option {
	return []connect.Option{{Name: "delimiter", Var: &t.delimiter, Default: ".", Importance: connect.Medium,
		Doc: "What stands between the names of the old fields in the name of a new one."}}
}

func (t *flatten) prepare() error { return nil }

func (t *flatten) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	if err != nil || v.IsNull() {
		return true, err
	}
	if s == nil {
		v, err = t.flattenMap(b, v)
	} else {
		s, v, err = t.flattenStruct(b, s, v)
	}
	if err != nil {
		return false, err
	}
	t.store(r, s, v)
	return true, nil
}

func (t *flatten) flattenStruct(b *connect.Batch, s *connect.Schema, v connect.Value) (*connect.Schema, connect.Value, error) {
	cells, err := structCells(s, v, "flattening")
	if err != nil {
		return s, v, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return s, v, err
	}
	out := b.Cells(plan.width)
	if err := fillFlat(out, plan.root, cells); err != nil {
		return s, v, err
	}
	return plan.schema, connect.StructValue(out), nil
}

// fillFlat sets the cells of fields, which come one after the other.
func fillFlat(out []connect.Value, fields []flatField, cells []connect.Value) error {
	n := nulls{true}
	for i := range fields {
		f := &fields[i]
		if !f.nested {
			if err := n.copyTo(&out[0], &f.to, n.get(f.schema, cells[i])); err != nil {
				return err
			}
		} else if v := n.get(f.schema, cells[i]); !v.IsNull() {
			inner, err := structCells(f.schema, v, "flattening")
			if err != nil {
				return err
			}
			if err := fillFlat(out, f.within, inner); err != nil {
				return err
			}
		}
		out = out[f.cells:]
	}
	return nil
}

// flattener makes a plan.
type flattener struct {
	delimiter string
	fields    []connect.Field
	nameBytes int
}

func (t *flatten) compile(s *connect.Schema) (*flatPlan, error) {
	c := flattener{delimiter: t.delimiter}
	var defaults []connect.Value
	if d, ok := s.Default(); ok && d.Type() == connect.Struct {
		defaults = d.Cells()
	}
	root, err := c.all(s, "", s.Optional(), defaults, maxFlattenDepth)
	if err != nil {
		return nil, err
	}
	out, err := newStruct(c.fields, basics(s))
	return &flatPlan{out, root, len(c.fields)}, err
}

// all takes the fields of a struct. defaults are the cells of the default of the
// struct around them, if it has one.
func (c *flattener) all(s *connect.Schema, prefix string, optional bool, defaults []connect.Value, depth int) ([]flatField, error) {
	if depth == 0 {
		return nil, fmt.Errorf("the struct nests deeper than %d levels", maxFlattenDepth)
	}
	fields := make([]flatField, len(s.Fields()))
	for i, f := range s.Fields() {
		name := f.Name
		if prefix != "" {
			name = prefix + c.delimiter + f.Name
		}
		d, ok := f.Schema.Default()
		if !ok && i < len(defaults) {
			d = defaults[i]
		}
		first := len(c.fields)
		err := c.one(&fields[i], name, f.Schema, optional || f.Schema.Optional(), d, depth)
		if err != nil {
			return nil, err
		}
		fields[i].cells = len(c.fields) - first
	}
	return fields, nil
}

func (c *flattener) one(to *flatField, name string, s *connect.Schema, optional bool, d connect.Value, depth int) (err error) {
	to.schema = s
	if c.nameBytes += len(name); c.nameBytes > maxNameBytes {
		return errNames
	}
	switch s.Type() {
	case connect.Map:
		return fmt.Errorf("Flatten transformation does not support MAP for record with schemas (for field %s).", name)
	case connect.Struct:
		var defaults []connect.Value
		if d.Type() == connect.Struct {
			defaults = d.Cells()
		}
		to.nested = true
		to.within, err = c.all(s, name, optional, defaults, depth-1)
		return err
	}
	a := basics(s)
	a.Optional = optional
	if !d.IsNull() {
		a.Default = &d
	}
	flat, err := withAttrs(s, a)
	to.to = connect.Field{Name: name, Schema: flat}
	c.fields = append(c.fields, to.to)
	return err
}

func (t *flatten) flattenMap(b *connect.Batch, v connect.Value) (connect.Value, error) {
	pairs, err := mapPairs(v, "flattening")
	if err != nil {
		return v, err
	}
	n, err := countFlat(pairs, maxFlattenDepth)
	if err != nil {
		return v, err
	}
	t.name, t.nameBytes = t.name[:0], 0
	out, err := t.appendFlat(b, b.Cells(2 * n)[:0], pairs)
	return connect.MapValue(out), err
}

// countFlat returns how many pairs there will be.
func countFlat(pairs []connect.Value, depth int) (int, error) {
	if depth == 0 {
		return 0, fmt.Errorf("the map nests deeper than %d levels", maxFlattenDepth)
	}
	n := 0
	for i := 1; i < len(pairs); i += 2 {
		if pairs[i].Type() != connect.Map {
			n++
			continue
		}
		more, err := countFlat(pairs[i].Cells(), depth-1)
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

// appendFlat appends the pairs under the name so far.
func (t *flatten) appendFlat(b *connect.Batch, out, pairs []connect.Value) (_ []connect.Value, err error) {
	prefix := len(t.name)
	for i := 0; i < len(pairs); i += 2 {
		key := pairs[i]
		if prefix > 0 {
			t.name = append(t.name, t.delimiter...)
		}
		if key.Type() == connect.String {
			t.name = append(t.name, key.Text()...)
		}
		if v := pairs[i+1]; v.Type() == connect.Map {
			if out, err = t.appendFlat(b, out, v.Cells()); err != nil {
				return out, err
			}
		} else {
			if prefix > 0 {
				if t.nameBytes += len(t.name); t.nameBytes > maxNameBytes {
					return out, errNames
				}
				key = connect.StringValue(b.Text(t.name))
			}
			out = append(out, key, v)
		}
		t.name = t.name[:prefix]
	}
	return out, nil
}
