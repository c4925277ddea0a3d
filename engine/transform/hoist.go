package transform

import "github.com/sluice-data/sluice/connect"

// hoistField is HoistField.
type hoistField struct {
	part
	field string
	plans compiled[connect.Schema]
}

func (t *hoistField) options() []connect.Option {
	return []connect.Option{{Name: "field", Var: &t.field, Required: true, Importance: connect.Medium,
		Doc: "Name of the only field of the new struct or map."}}
}

func (t *hoistField) prepare() error { return nil }

func (t *hoistField) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	if err != nil {
		return false, err
	}
	if s == nil {
		pairs := b.Cells(2)
		pairs[0], pairs[1] = connect.StringValue(t.field), v
		t.store(r, nil, connect.MapValue(pairs))
		return true, nil
	}
	out, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	cells := b.Cells(1)
	if err := (&nulls{}).copyTo(&cells[0], &out.Fields()[0], v); err != nil {
		return false, err
	}
	t.store(r, out, connect.StructValue(cells))
	return true, nil
}

func (t *hoistField) compile(s *connect.Schema) (*connect.Schema, error) {
	return connect.NewStruct([]connect.Field{{Name: t.field, Schema: s}}, connect.Attrs{})
}
