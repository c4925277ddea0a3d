package transform

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// valueToKey is ValueToKey.
type valueToKey struct {
	nulls
	fields []string
	plans  compiled[keyPlan]
}

// keyPlan says which cells of the value make the key.
type keyPlan struct {
	schema *connect.Schema
	from   []int
}

func (t *valueToKey) options() []connect.Option {
	return []connect.Option{
		{Name: "fields", Var: &t.fields, Required: true, Importance: connect.High, Doc: "Fields of the value that make the key."},
		t.nulls.option(),
	}
}

func (t *valueToKey) prepare() error { return nil }

func (t *valueToKey) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	const purpose = "copying fields from value to key"
	s, v, err := valuePart.load(b, r)
	if err != nil {
		return false, err
	}
	if s == nil {
		pairs, err := mapPairs(v, purpose)
		if err != nil {
			return false, err
		}
		key := b.Cells(2 * len(t.fields))[:0]
		for _, name := range t.fields {
			value, _ := find(pairs, name)
			key = set(key, name, value)
		}
		keyPart.store(r, nil, connect.MapValue(key))
		return true, nil
	}
	cells, err := structCells(s, v, purpose)
	if err != nil {
		return false, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	key := b.Cells(len(plan.from))
	fields := plan.schema.Fields()
	for i, at := range plan.from {
		if err := t.copyTo(&key[i], &fields[i], cells[at]); err != nil {
			return false, err
		}
	}
	keyPart.store(r, plan.schema, connect.StructValue(key))
	return true, nil
}

func (t *valueToKey) compile(s *connect.Schema) (*keyPlan, error) {
	p := &keyPlan{}
	var fields []connect.Field
	for _, name := range t.fields {
		i := s.Index(name)
		if i < 0 {
			return nil, fmt.Errorf("Field does not exist: %s", name)
		}
		fields = append(fields, s.Fields()[i])
		p.from = append(p.from, i)
	}
	var err error
	p.schema, err = newStruct(fields, connect.Attrs{})
	return p, err
}
