package format

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// headerSchema describes headers: an array of keys and values, all of them text.
var headerSchema, _ = connect.NewArray(connect.MustStruct("", connect.Field{Name: "key", Schema: connect.StringSchema},
	connect.Field{Name: "value", Schema: connect.OptionalStringSchema}), connect.Attrs{})

// content takes a part of records, for formats that write values by their schema.
type content struct {
	part  Part
	batch *connect.Batch // of headers
}

func newContent(part Part) content { return content{part, connect.NewBatch(1, 1)} }

// schema is that of the part of a record.
func (c content) schema(r *connect.Record) *connect.Schema {
	switch c.part {
	case Keys:
		return r.KeySchema
	case Headers:
		return headerSchema
	}
	return r.ValueSchema
}

// value is good until the next call.
func (c content) value(r *connect.Record) (connect.Value, error) {
	switch c.part {
	case Keys:
		return r.Key, nil
	case Headers:
		return c.headers(r.Headers)
	}
	return r.Value, nil
}

func (c content) headers(headers []connect.Header) (connect.Value, error) {
	c.batch.Reset()
	list := c.batch.Cells(len(headers))
	for i, h := range headers {
		pair := c.batch.Cells(2)
		pair[0] = connect.StringValue(h.Key)
		if !h.Value.IsNull() {
			text, err := headerText(h)
			if err != nil {
				return connect.Value{}, err
			}
			pair[1] = connect.StringValue(text)
		}
		list[i] = connect.StructValue(pair)
	}
	return connect.ArrayValue(list), nil
}

// cache keeps what was compiled for schemas, at most so much of it (I5).
type cache[T any] struct{ bySchema map[*connect.Schema]T }

func (c *cache[T]) of(s *connect.Schema, compile func(*connect.Schema) (T, error)) (T, error) {
	if v, ok := c.bySchema[s]; ok {
		return v, nil
	}
	v, err := compile(s)
	if err != nil {
		return v, fmt.Errorf("compile the schema: %w", err)
	}
	if len(c.bySchema) >= maxPlans || c.bySchema == nil {
		c.bySchema = make(map[*connect.Schema]T)
	}
	c.bySchema[s] = v
	return v, nil
}
