package transform

import (
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// insertField is InsertField.
type insertField struct {
	part
	nulls
	topic, partition, offset, timestamp, static string
	staticValue                                 string

	inserts []insertion
	plans   compiled[insertPlan]
}

// insertion is one field to insert.
type insertion struct {
	what   inserted
	name   string
	schema *connect.Schema
}

type inserted uint8

const (
	insertTopic inserted = iota
	insertPartition
	insertOffset
	insertTimestamp
	insertStatic
)

// insertPlan is what becomes of a struct's schema. The fields of the old one come
// first.
type insertPlan struct{ schema *connect.Schema }

func (t *insertField) options() []connect.Option {
	option := func(name string, v *string, doc string) connect.Option {
		return connect.Option{Name: name, Var: v, NoDefault: true, Importance: connect.Medium, Doc: doc}
	}
	const suffix = " With the suffix ! the field is required, with ? optional (the default)."
	return []connect.Option{
		option("topic.field", &t.topic, "Field for the topic of the record."+suffix),
		option("partition.field", &t.partition, "Field for the partition of the record."+suffix),
		option(offsetField, &t.offset, "Field for the offset of the record; sinks only."+suffix),
		option("timestamp.field", &t.timestamp, "Field for the timestamp of the record."+suffix),
		option("static.field", &t.static, "Field for a fixed text."+suffix),
		option("static.value", &t.staticValue, "The fixed text."),
		t.nulls.option(),
	}
}

const offsetField = "offset.field"

func (t *insertField) prepare() error {
	t.add(insertTopic, t.topic, connect.StringSchema, connect.OptionalStringSchema)
	t.add(insertPartition, t.partition, connect.Int32Schema, connect.OptionalInt32Schema)
	t.add(insertOffset, t.offset, connect.Int64Schema, connect.OptionalInt64Schema)
	t.add(insertTimestamp, t.timestamp, timestampSchemas[0], timestampSchemas[1])
	t.add(insertStatic, t.static, connect.StringSchema, connect.OptionalStringSchema)
	switch {
	case len(t.inserts) == 0:
		return &connect.ConfigError{Option: "static.field", Reason: "No field insertion configured; name a field to insert"}
	case t.static != "" && t.staticValue == "":
		return &connect.ConfigError{Option: "static.value", Reason: "No value specified for static field: " + t.static}
	}
	return nil
}

func (t *insertField) add(what inserted, spec string, required, optional *connect.Schema) {
	if spec == "" {
		return
	}
	schema := optional
	name, must := strings.CutSuffix(spec, "!")
	if must {
		schema = required
	} else {
		name = strings.TrimSuffix(spec, "?")
	}
	t.inserts = append(t.inserts, insertion{what, name, schema})
}

// onlySinks names the option that has no meaning for a source.
func (t *insertField) onlySinks() string {
	if t.offset != "" {
		return offsetField
	}
	return ""
}

func (t *insertField) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	switch {
	case err != nil:
		return false, err
	case v.IsNull():
		return true, nil
	case s == nil:
		return true, t.applySchemaless(b, r, v)
	}
	cells, err := structCells(s, v, "field insertion")
	if err != nil {
		return false, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	out := b.Cells(len(cells) + len(t.inserts))
	fields := plan.schema.Fields()
	for i := range cells {
		if err := t.copyTo(&out[i], &fields[i], cells[i]); err != nil {
			return false, err
		}
	}
	for i := range t.inserts {
		out[len(cells)+i] = t.value(&t.inserts[i], r)
	}
	t.store(r, plan.schema, connect.StructValue(out))
	return true, nil
}

func (t *insertField) compile(s *connect.Schema) (*insertPlan, error) {
	fields := append([]connect.Field(nil), s.Fields()...)
	for _, in := range t.inserts {
		fields = append(fields, connect.Field{Name: in.name, Schema: in.schema})
	}
	out, err := newStruct(fields, basics(s))
	return &insertPlan{out}, err
}

// value is null for a partition or timestamp that the record has not.
func (t *insertField) value(in *insertion, r *connect.Record) connect.Value {
	switch in.what {
	case insertTopic:
		return connect.StringValue(r.Topic)
	case insertPartition:
		if r.Partition != connect.AnyPartition {
			return connect.Int32Value(r.Partition)
		}
	case insertOffset:
		return connect.Int64Value(r.Offset)
	case insertTimestamp:
		if r.Timestamp != connect.NoTimestamp {
			return connect.Int64Value(r.Timestamp)
		}
	case insertStatic:
		return connect.StringValue(t.staticValue)
	}
	return connect.Value{}
}

func (t *insertField) applySchemaless(b *connect.Batch, r *connect.Record, v connect.Value) error {
	pairs, err := mapPairs(v, "field insertion")
	if err != nil {
		return err
	}
	out := copyPairs(b, pairs, len(t.inserts))
	for i := range t.inserts {
		in := &t.inserts[i]
		value := t.value(in, r)
		if value.Type() == connect.Int32 {
			value = connect.Int64Value(value.Int()) // schemaless integers are INT64
		}
		if !value.IsNull() {
			out = set(out, in.name, value)
		}
	}
	t.store(r, nil, connect.MapValue(out))
	return nil
}
