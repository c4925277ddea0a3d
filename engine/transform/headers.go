package transform

import (
	"fmt"
	"slices"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

// dropHeaders is DropHeaders.
type dropHeaders struct{ headers []string }

func (t *dropHeaders) options() []connect.Option {
	return []connect.Option{{Name: "headers", Var: &t.headers, Required: true, Importance: connect.High, Doc: "Names of the headers to remove."}}
}

func (t *dropHeaders) prepare() error { return nil }

func (t *dropHeaders) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	drops := func(h connect.Header) bool { return slices.Contains(t.headers, h.Key) }
	if !slices.ContainsFunc(r.Headers, drops) {
		return true, nil
	}
	out := b.Headers(len(r.Headers))[:0]
	for _, h := range r.Headers {
		if !drops(h) {
			out = append(out, h)
		}
	}
	r.Headers = out
	return true, nil
}

// addHeaders returns a copy of headers with room for n more.
func addHeaders(b *connect.Batch, headers []connect.Header, n int) []connect.Header {
	out := b.Headers(len(headers) + n)
	copy(out, headers)
	return out[:len(headers)]
}

// insertHeader is InsertHeader.
type insertHeader struct {
	header, literal string
	inserted        connect.Header
}

func (t *insertHeader) options() []connect.Option {
	return []connect.Option{
		{Name: "header", Var: &t.header, Required: true, Importance: connect.High, Doc: "Name of the header."},
		{Name: "value.literal", Var: &t.literal, Required: true, AllowEmpty: true, Importance: connect.High,
			Doc: "Value of the header: a number, true, false, null, a date, a [list] or a {map} if it looks like one, text otherwise."},
	}
}

// prepare infers the value as SimpleHeaderConverter does, in memory that lives as
// long as the transform.
func (t *insertHeader) prepare() error {
	c, err := convert.NewHeader("", nil)
	if err == nil {
		t.inserted.Key = t.header
		t.inserted.Schema, t.inserted.Value, err = c.ToConnectHeader(connect.NewBatch(1, 1), "", t.header, []byte(t.literal))
	}
	if err != nil {
		return &connect.ConfigError{Option: "value.literal", Reason: err.Error()}
	}
	return nil
}

func (t *insertHeader) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	r.Headers = append(addHeaders(b, r.Headers, 1), t.inserted)
	return true, nil
}

// headerFrom is HeaderFrom.
type headerFrom struct {
	part
	nulls
	fields, headers []string
	operation       string

	moved map[string]bool
	plans compiled[headerPlan]
}

// headerPlan says which cells of a struct become headers and which stay.
type headerPlan struct {
	from   []int           // of each header
	schema *connect.Schema // of what stays, nil when everything does
	stay   []int
}

const moveFields = "move"

func (t *headerFrom) options() []connect.Option {
	return []connect.Option{
		{Name: "fields", Var: &t.fields, Required: true, Importance: connect.High, Doc: "Fields that become headers."},
		{Name: "headers", Var: &t.headers, Required: true, Importance: connect.High, Doc: "Names of the headers, in the order of fields."},
		{Name: "operation", Var: &t.operation, Required: true, OneOf: []string{moveFields, "copy"}, Importance: connect.High,
			Doc: "Whether the fields are moved, and are fields no more, or copied."},
		t.nulls.option(),
	}
}

func (t *headerFrom) prepare() error {
	t.moved = make(map[string]bool)
	if len(t.fields) != len(t.headers) {
		return &connect.ConfigError{Option: "headers", Reason: "'fields' config must have the same number of elements as 'headers' config."}
	}
	if t.operation == moveFields {
		t.moved = names(t.fields)
	}
	return nil
}

func (t *headerFrom) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	if err != nil {
		return false, err
	}
	if s == nil {
		return true, t.fromPairs(b, r, v)
	}
	cells, err := structCells(s, v, "header "+t.operation)
	if err != nil {
		return false, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	out := addHeaders(b, r.Headers, len(t.headers))
	for i, at := range plan.from {
		schema := s.Fields()[at].Schema
		out = append(out, connect.Header{Key: t.headers[i], Schema: schema, Value: t.get(schema, cells[at])})
	}
	if plan.schema != nil {
		if v, err = t.remaining(b, plan, cells); err != nil {
			return false, err
		}
		s = plan.schema
	}
	r.Headers = out
	t.store(r, s, v)
	return true, nil
}

func (t *headerFrom) remaining(b *connect.Batch, plan *headerPlan, cells []connect.Value) (connect.Value, error) {
	out := b.Cells(len(plan.stay))
	fields := plan.schema.Fields()
	for i, at := range plan.stay {
		if err := t.copyTo(&out[i], &fields[i], cells[at]); err != nil {
			return connect.Value{}, err
		}
	}
	return connect.StructValue(out), nil
}

func (t *headerFrom) compile(s *connect.Schema) (*headerPlan, error) {
	p := &headerPlan{}
	for _, name := range t.fields {
		i := s.Index(name)
		if i < 0 {
			return nil, fmt.Errorf("Unknown field: %s", name)
		}
		p.from = append(p.from, i)
	}
	if t.operation != moveFields {
		return p, nil
	}
	var fields []connect.Field
	for i, f := range s.Fields() {
		if !t.moved[f.Name] {
			fields = append(fields, f)
			p.stay = append(p.stay, i)
		}
	}
	var err error
	p.schema, err = connect.NewStruct(fields, basics(s))
	return p, err
}

func (t *headerFrom) fromPairs(b *connect.Batch, r *connect.Record, v connect.Value) error {
	pairs, err := mapPairs(v, "header "+t.operation)
	if err != nil {
		return err
	}
	headers := addHeaders(b, r.Headers, len(t.headers))
	for i, name := range t.fields {
		value, _ := find(pairs, name)
		headers = append(headers, connect.Header{Key: t.headers[i], Value: value})
	}
	out := b.Cells(len(pairs))[:0]
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].Type() != connect.String || !t.moved[pairs[i].Text()] {
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	r.Headers = headers
	t.store(r, nil, connect.MapValue(out))
	return nil
}
