package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// fieldReference is an element of add.fields or add.headers.
type fieldReference struct {
	parent string // the envelope's field that has it; "": the envelope itself
	field  string
	name   string // of the new field or header
}

func fieldReferences(prefix string, texts []string) ([]fieldReference, error) {
	var all []fieldReference
	for _, text := range texts {
		path, name, renamed := strings.Cut(text, ":")
		parent, field, nested := strings.Cut(path, ".")
		if path == "" || strings.Contains(name, ":") || nested && field == "" {
			return nil, fmt.Errorf("Unexpected field name: %s", text)
		}
		f := fieldReference{parent: parent, field: field}
		if !nested {
			f.parent, f.field = parentOf(path), path
		} else {
			f.field, _, _ = strings.Cut(field, ".")
		}
		switch {
		case renamed:
			f.name = prefix + name
		case nested:
			f.name = prefix + f.parent + "_" + f.field
		default:
			f.name = prefix + f.field
		}
		all = append(all, f)
	}
	return all, nil
}

// parentOf is where a field without a parent is looked for.
func parentOf(field string) string {
	switch field {
	case "id", "data_collection_order", "total_order":
		return "transaction"
	case "op", "ts_ms", "ts_us", "ts_ns":
		return ""
	}
	return "source"
}

// statePlan is what is compiled for an envelope.
type statePlan struct {
	before, after    int
	created, deleted *rowPlan
	fields, headers  []place
}

// rowPlan is the schema of a row and of the value that is made of it.
type rowPlan struct{ from, to *connect.Schema }

// place is where an additional field or header comes from.
type place struct {
	name   string
	schema *connect.Schema // optional
	parent int             // -1: the envelope
	field  int
}

func (t *extractNewRecordState) compile(s *connect.Schema) (*statePlan, error) {
	p := &statePlan{before: s.Index("before"), after: s.Index("after")}
	if p.before < 0 || p.after < 0 {
		return nil, fmt.Errorf("the envelope %s has no fields before and after", s.Name())
	}
	var err error
	if p.fields, err = places(s, t.addFields); err != nil {
		return nil, err
	}
	if p.headers, err = places(s, t.addHeaders); err != nil {
		return nil, err
	}
	if p.created, err = t.rowPlan(p, s.Fields()[p.after].Schema); err != nil {
		return nil, err
	}
	p.deleted, err = t.rowPlan(p, s.Fields()[p.before].Schema)
	return p, err
}

func (t *extractNewRecordState) rowPlan(p *statePlan, from *connect.Schema) (*rowPlan, error) {
	if from.Type() != connect.Struct {
		return nil, fmt.Errorf("the row is no struct but %s", from.Type())
	}
	fields := slices.Clone(from.Fields())
	if t.rewrites() {
		fields = append(fields, connect.Field{Name: "__deleted", Schema: connect.OptionalStringSchema})
	}
	for _, f := range p.fields {
		fields = append(fields, connect.Field{Name: f.name, Schema: f.schema})
	}
	to, err := connect.NewStruct(fields, basics(from))
	return &rowPlan{from, to}, err
}

// places finds the fields in an envelope. One that is not where it should be is looked
// for in the envelope itself; one that is nowhere is left out.
func places(s *connect.Schema, references []fieldReference) ([]place, error) {
	var all []place
	for _, f := range references {
		p := place{name: f.name, parent: -1, field: -1}
		if f.parent != "" {
			if p.parent = s.Index(f.parent); p.parent < 0 {
				return nil, fmt.Errorf("the envelope %s has no field %s", s.Name(), f.parent)
			}
			p.field = s.Fields()[p.parent].Schema.Index(f.field)
		}
		if p.field < 0 {
			p.parent, p.field = -1, s.Index(f.field)
		}
		if p.field < 0 {
			continue
		}
		found := s
		if p.parent >= 0 {
			found = s.Fields()[p.parent].Schema
		}
		a := basics(found.Fields()[p.field].Schema)
		a.Optional = true
		var err error
		if p.schema, err = withAttrs(found.Fields()[p.field].Schema, a); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// value returns the field's value, null where its parent is.
func (p *place) value(envelope []connect.Value) connect.Value {
	if p.parent < 0 {
		return envelope[p.field]
	}
	parent := envelope[p.parent]
	if parent.Type() != connect.Struct || p.field >= parent.Len() {
		return connect.Value{}
	}
	return parent.Cells()[p.field]
}

func (p *statePlan) addHeaders(b *connect.Batch, r *connect.Record, envelope []connect.Value) {
	if len(p.headers) == 0 {
		return
	}
	out := addHeaders(b, r.Headers, len(p.headers))
	for _, h := range p.headers {
		out = append(out, connect.Header{Key: h.name, Schema: h.schema, Value: h.value(envelope)})
	}
	r.Headers = out
}

// droppedSchemas are schemas without the fields that headers named, by both.
type droppedSchemas map[droppedKey]*droppedPlan

type droppedKey struct {
	schema *connect.Schema
	fields string
}

type droppedPlan struct {
	schema *connect.Schema
	stay   []int
}

// dropFields leaves out the fields that the record's header names.
func (t *extractNewRecordState) dropFields(b *connect.Batch, r *connect.Record) error {
	if t.dropHeader == "" {
		return nil
	}
	i := slices.IndexFunc(r.Headers, func(h connect.Header) bool { return h.Key == t.dropHeader })
	if i < 0 || r.Headers[i].Value.Type() != connect.Array {
		return nil
	}
	var names []string
	for _, v := range r.Headers[i].Value.Cells() {
		if v.Type() == connect.String {
			names = append(names, strings.Clone(v.Text()))
		}
	}
	var err error
	if t.dropKey && r.Key.Type() == connect.Struct {
		if r.KeySchema, r.Key, err = t.drop(b, r.KeySchema, r.Key, names); err != nil {
			return err
		}
	}
	r.ValueSchema, r.Value, err = t.drop(b, r.ValueSchema, r.Value, names)
	return err
}

func (t *extractNewRecordState) drop(b *connect.Batch, s *connect.Schema, v connect.Value, names []string) (*connect.Schema, connect.Value, error) {
	cells, err := structCells(s, v, "field replacement")
	if err != nil {
		return s, v, err
	}
	plan, err := t.dropPlan(s, names)
	if err != nil {
		return s, v, err
	}
	out := b.Cells(len(plan.stay))
	for i, at := range plan.stay {
		out[i] = cells[at]
	}
	return plan.schema, connect.StructValue(out), nil
}

func (t *extractNewRecordState) dropPlan(s *connect.Schema, names []string) (*droppedPlan, error) {
	key := droppedKey{s, strings.Join(names, "\x00")}
	if p := t.dropped[key]; p != nil {
		return p, nil
	}
	p := &droppedPlan{schema: s}
	var fields []connect.Field
	for i, f := range s.Fields() {
		if slices.Contains(names, f.Name) && (f.Schema.Optional() || !t.dropCompatible) {
			continue
		}
		fields, p.stay = append(fields, f), append(p.stay, i)
	}
	if len(fields) < len(s.Fields()) {
		var err error
		if p.schema, err = connect.NewStruct(fields, basics(s)); err != nil {
			return nil, err
		}
	}
	if t.dropped == nil || len(t.dropped) >= maxCompiled {
		t.dropped = make(droppedSchemas)
	}
	t.dropped[key] = p
	return p, nil
}
