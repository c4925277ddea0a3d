package connectavro

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

func schema(t testing.TB, s *connect.Schema, err error) *connect.Schema {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// samples are schemas with a value of each and the Avro schema that Confluent's converter makes of them.
func samples(t testing.TB) []struct {
	name   string
	schema *connect.Schema
	value  connect.Value
	avro   string
} {
	dec, err := connect.NewPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Version: 1, Parameters: map[string]string{"scale": "2"}})
	decimal := schema(t, dec, err)
	ts, err := connect.NewPrimitive(connect.Int64, connect.Attrs{Name: connect.TimestampName, Version: 1, Optional: true})
	timestamp := schema(t, ts, err)
	seven := connect.Int32Value(7)
	di, err := connect.NewPrimitive(connect.Int32, connect.Attrs{Optional: true, Default: &seven})
	withDefault := schema(t, di, err)
	inner := connect.MustStruct("a.b.Inner", connect.Field{Name: "x", Schema: connect.Int16Schema})
	im, err := connect.NewMap(connect.Int32Schema, connect.OptionalStringSchema, connect.Attrs{})
	intMap := schema(t, im, err)
	sm, err := connect.NewMap(connect.StringSchema, inner, connect.Attrs{})
	textMap := schema(t, sm, err)
	ar, err := connect.NewArray(connect.OptionalInt64Schema, connect.Attrs{Optional: true})
	array := schema(t, ar, err)
	return []struct {
		name   string
		schema *connect.Schema
		value  connect.Value
		avro   string
	}{
		{"string", connect.StringSchema, connect.StringValue("é"), `"string"`},
		{"optional", connect.OptionalBooleanSchema, connect.BooleanValue(true), `["null","boolean"]`},
		{"null", connect.OptionalFloat64Schema, connect.Value{}, `["null","double"]`},
		{"int8", connect.Int8Schema, connect.Int8Value(-3), `{"type":"int","connect.type":"int8"}`},
		{"decimal", decimal, connect.BytesValue([]byte{0xff, 1}), `{"type":"bytes","scale":2,"precision":64,"connect.version":1,` +
			`"connect.parameters":{"scale":"2"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`},
		{"timestamp", timestamp, connect.Int64Value(1 << 40), `["null",{"type":"long","connect.version":1,` +
			`"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}]`},
		{"record", connect.MustStruct("a.b.R", connect.Field{Name: "i", Schema: inner}, connect.Field{Name: "d", Schema: withDefault},
			connect.Field{Name: "j", Schema: inner}, connect.Field{Name: "a", Schema: array}),
			connect.StructValue([]connect.Value{connect.StructValue([]connect.Value{connect.Int16Value(5)}), connect.Int32Value(9),
				connect.StructValue([]connect.Value{connect.Int16Value(6)}), connect.ArrayValue([]connect.Value{connect.Int64Value(1), {}})}),
			`{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"i","type":{"type":"record","name":"Inner","fields":[` +
				`{"name":"x","type":{"type":"int","connect.type":"int16"}}],"connect.name":"a.b.Inner"}},` +
				`{"name":"d","type":[{"type":"int","connect.default":7},"null"],"default":7},{"name":"j","type":"Inner"},` +
				`{"name":"a","type":["null",{"type":"array","items":["null","long"]}],"default":null}],"connect.name":"a.b.R"}`},
		{"entries", intMap, connect.MapValue([]connect.Value{connect.Int32Value(1), connect.StringValue("x"), connect.Int32Value(2), {}}),
			`{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[` +
				`{"name":"key","type":"int"},{"name":"value","type":["null","string"],"default":null}]}}`},
		{"map", textMap, connect.MapValue([]connect.Value{connect.StringValue("k"), connect.StructValue([]connect.Value{connect.Int16Value(1)})}),
			`{"type":"map","values":{"type":"record","name":"Inner","namespace":"a.b","fields":[{"name":"x","type":{"type":"int","connect.type":"int16"}}],"connect.name":"a.b.Inner"}}`},
		{"unnamed", connect.MustStruct("", connect.Field{Name: "f", Schema: connect.MustStruct("", connect.Field{Name: "g", Schema: connect.BytesSchema})}),
			connect.StructValue([]connect.Value{connect.StructValue([]connect.Value{connect.BytesValue([]byte{1, 2})})}),
			`{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"f","type":{"type":"record",` +
				`"name":"ConnectDefault2","fields":[{"name":"g","type":"bytes"}]}}]}`},
	}
}

// Connect schemas become the Avro schemas that Confluent's converter makes, and come back as they were, with their values.
func TestRoundTrip(t *testing.T) {
	for _, c := range samples(t) {
		e, err := FromConnect(c.schema, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := e.Schema.Canonical(); got != c.avro {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.avro)
		}
		data, err := e.Append(nil, c.value)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		d, err := ToConnect(e.Schema, 0, Options{FailOnTrailing: true})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !d.Schema.Equal(c.schema) {
			t.Errorf("%s: the schema came back as %+v, want %+v", c.name, d.Schema, c.schema)
		}
		got, err := d.Decode(connect.NewBatch(1, 1<<20), data)
		if err != nil || !got.Equal(c.value) {
			t.Errorf("%s: the value came back as %v, %v", c.name, got, err)
		}
	}
}

// Data without a schema is the record Anything.
func TestSchemaless(t *testing.T) {
	v := connect.MapValue([]connect.Value{connect.StringValue("a"), connect.ArrayValue([]connect.Value{connect.Int64Value(1), {}}),
		connect.StringValue("b"), connect.BooleanValue(false)})
	e, err := FromConnect(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ToConnect(e.Schema, 0, Options{FailOnTrailing: true})
	if err != nil || d.Schema != nil {
		t.Fatalf("%v, %v", d.Schema, err)
	}
	if got, err := d.Decode(connect.NewBatch(1, 1<<20), data); err != nil || !got.Equal(v) {
		t.Errorf("got %v, %v", got, err)
	}
}

// Hostile bytes cost no more than an error.
func TestHostile(t *testing.T) {
	for name, c := range map[string]struct {
		schema string
		data   []byte
	}{
		"nulls without end": {`{"type":"array","items":{"type":"record","name":"E","fields":[]}}`, []byte{0x80, 0x84, 0xaf, 0x5f, 0}},
		"long array":        {`{"type":"array","items":"int"}`, []byte{0x80, 0x84, 0xaf, 0x5f}},
		"negative block":    {`{"type":"array","items":"int"}`, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00")},
		"long string":       {`"string"`, []byte{0x80, 0x84, 0xaf, 0x5f, 'x'}},
		"nothing":           {`"long"`, nil},
		"eleven bytes":      {`"long"`, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
		"branch":            {`["null","int","string"]`, []byte{8}},
		"enum":              {`{"type":"enum","name":"E","symbols":["A"]}`, []byte{4}},
		"anything deep":     {anythingText, []byte(strings.Repeat("\x00\x00\x00\x00\x00\x00\x00\x02\x02", 10000))},
	} {
		s, err := avro.Parse(c.schema, avro.Options{Registered: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d, err := ToConnect(s, 0, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if v, err := d.Decode(connect.NewBatch(1, 1<<20), c.data); err == nil {
			t.Errorf("%s: read as %v", name, v)
		}
	}
}

// A record within itself is the JSON of what it would be, and comes back as that text.
func TestRecursive(t *testing.T) {
	s := mustSchema(t, `{"type":"record","name":"L","fields":[{"name":"v","type":["long","string"]},{"name":"d","type":{"type":"bytes","logicalType":"decimal","scale":1,"precision":4}},`+
		`{"name":"next","type":["null","L"],"default":null},{"name":"rest","type":{"type":"array","items":"L"}},{"name":"by","type":{"type":"map","values":["null","L"]}}]}`)
	d, err := ToConnect(s, 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf := "\x00\x02" + "\x02\x0f" + "\x00" + "\x00" + "\x00" // v=1, d=1.5, nothing else
	data := "\x02\x02x" + "\x02\x10" + "\x02" + strings.Replace(leaf, "\x00\x00\x00", "\x02"+leaf+"\x00\x00", 1) + "\x04" + leaf + leaf + "\x00" + "\x04\x02a\x02" + leaf + "\x02b\x00\x00"
	v, err := d.Decode(connect.NewBatch(1, 1<<20), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"v":1,"d":1.5,"next":null,"rest":[],"by":{}}`
	cells := v.Cells()
	if got, want := cells[2].Text(), strings.Replace(text, `"next":null`, `"next":`+text, 1); got != want {
		t.Errorf("next is %s, want %s", got, want)
	}
	if got := cells[3].Cells(); len(got) != 2 || got[0].Text() != text || got[1].Text() != text {
		t.Errorf("rest is %v", got)
	}
	if got := cells[4].Cells(); len(got) != 4 || got[1].Text() != text || !got[3].IsNull() {
		t.Errorf("by is %v", got)
	}
	for i, optional := range map[int]bool{2: true, 3: false, 4: true} {
		f := d.Schema.Fields()[i].Schema
		if f.Value() != nil {
			f = f.Value()
		}
		if !connectjson.IsRaw(f) || f.Optional() != optional {
			t.Errorf("%s is %s %q, optional %t", d.Schema.Fields()[i].Name, f.Type(), f.Name(), f.Optional())
		}
	}
}

// However deep data nests, and whatever little data stands for much text, reading it is bounded.
func TestRecursiveLimits(t *testing.T) {
	long := strings.Repeat("n", 1000)
	for name, c := range map[string]struct{ schema, data, want string }{
		"depth":    {`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`, strings.Repeat("\x02", 100_000), "nests deeper"},
		"itself":   {`{"type":"record","name":"L","fields":[{"name":"next","type":"L"}]}`, "", "nests deeper"},
		"text":     {`{"type":"record","name":"L","fields":[{"name":"` + long + `","type":["null",{"type":"array","items":"L"}]}]}`, "\x02" + "\x80\x80\x10" + strings.Repeat("\x00", 1<<17+1), "as JSON"},
		"elements": {`{"type":"record","name":"L","fields":[{"name":"next","type":["null",{"type":"array","items":"L"}]}]}`, "\x02\xfe\xff\xff\xff\x0f", "longer than the data"},
	} {
		d, err := ToConnect(mustSchema(t, c.schema), 0, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(connect.NewBatch(1, 1<<20), []byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func mustSchema(t *testing.T, text string) *avro.Schema {
	t.Helper()
	s, err := avro.Parse(text, avro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const tenColumns = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"customer","type":"string"},` +
	`{"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"price","type":"double"},{"name":"discount","type":["null","double"],"default":null},` +
	`{"name":"paid","type":"boolean"},{"name":"created","type":{"type":"long","logicalType":"timestamp-millis"}},` +
	`{"name":"note","type":["null","string"],"default":null},{"name":"status","type":{"type":"enum","name":"S","symbols":["NEW","SENT","DONE"]}}]}`

func BenchmarkTenColumns(b *testing.B) {
	s, err := avro.Parse(tenColumns, avro.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := ToConnect(s, 0, Options{})
	if err != nil {
		b.Fatal(err)
	}
	e, err := FromConnect(d.Schema, Options{Enhanced: true})
	if err != nil {
		b.Fatal(err)
	}
	v := connect.StructValue([]connect.Value{connect.Int64Value(123456789), connect.StringValue("customer-0042"), connect.StringValue("SKU-99-XYZ-1234"),
		connect.Int32Value(3), connect.Float64Value(19.99), {}, connect.BooleanValue(true), connect.Int64Value(1764100000000),
		connect.StringValue("leave at the door, please"), connect.StringValue("SENT")})
	data, err := e.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			data, err = e.Append(data[:0], v)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		batch := connect.NewBatch(1, 1<<20)
		for b.Loop() {
			batch.Reset()
			if _, err := d.Decode(batch, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
