package transform

import (
	"errors"

	"github.com/sluice-data/sluice/connect"
)

// setSchemaMetadata is SetSchemaMetadata.
type setSchemaMetadata struct {
	part
	nulls
	name    string
	version int
	plans   compiled[connect.Schema]
}

func (t *setSchemaMetadata) options() []connect.Option {
	return []connect.Option{
		{Name: "schema.name", Var: &t.name, NoDefault: true, Importance: connect.High, Doc: "New name of the schema."},
		{Name: "schema.version", Var: &t.version, NoDefault: true, Importance: connect.High, Doc: "New version of the schema."},
		t.nulls.option(),
	}
}

func (t *setSchemaMetadata) prepare() error {
	if t.name == "" && t.version == 0 {
		return &connect.ConfigError{Option: "schema.name", Reason: "Neither schema name nor version configured"}
	}
	return nil
}

func (t *setSchemaMetadata) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	if err != nil {
		return false, err
	}
	if s == nil {
		if v.IsNull() {
			return true, nil
		}
		return false, errors.New("Schema required for [updating schema metadata]")
	}
	out, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	if v.Type() == connect.Struct {
		if v, err = t.copyStruct(b, s, v); err != nil {
			return false, err
		}
	}
	t.store(r, out, v)
	return true, nil
}

// copyStruct replaces nulls, where there are any.
func (t *setSchemaMetadata) copyStruct(b *connect.Batch, s *connect.Schema, v connect.Value) (connect.Value, error) {
	cells, err := structCells(s, v, "updating schema metadata")
	if err != nil {
		return v, err
	}
	out := b.Cells(len(cells))
	fields := s.Fields()
	for i := range cells {
		if err := t.copyTo(&out[i], &fields[i], cells[i]); err != nil {
			return v, err
		}
	}
	return connect.StructValue(out), nil
}

func (t *setSchemaMetadata) compile(s *connect.Schema) (*connect.Schema, error) {
	a := attrs(s)
	if t.name != "" {
		a.Name = t.name
	}
	if t.version != 0 {
		a.Version = t.version
	}
	return withAttrs(s, a)
}
