package connectavro

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// A struct is written by a registered schema: by names, in its order, with its defaults and its wider types.
func TestWrittenByAnotherSchema(t *testing.T) {
	target, err := avro.Parse(`{"type":"record","name":"R","fields":[{"name":"new","type":{"type":"array","items":["null","string"]},"default":[null,"x"]},`+
		`{"name":"b","type":["null","long"],"default":null},{"name":"a","type":"double"},{"name":"s","type":"bytes"},{"name":"f","type":"float"},`+
		`{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},{"name":"u","type":["string","null","int"]},`+
		`{"name":"m","type":{"type":"map","values":"long"}},{"name":"n","type":["null","int"]}]}`, avro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ints, err := connect.NewMap(connect.StringSchema, connect.Int8Schema, connect.Attrs{})
	ints = schema(t, ints, err)
	union := structOf(t, connect.Attrs{Name: unionName}, connect.Field{Name: "int", Schema: connect.OptionalInt32Schema}, connect.Field{Name: "string", Schema: connect.OptionalStringSchema})
	s := connect.MustStruct("R", connect.Field{Name: "a", Schema: connect.Int32Schema}, connect.Field{Name: "gone", Schema: connect.StringSchema},
		connect.Field{Name: "b", Schema: connect.Int16Schema}, connect.Field{Name: "s", Schema: connect.StringSchema}, connect.Field{Name: "f", Schema: connect.Int64Schema},
		connect.Field{Name: "e", Schema: connect.StringSchema}, connect.Field{Name: "u", Schema: union}, connect.Field{Name: "m", Schema: ints},
		connect.Field{Name: "n", Schema: connect.OptionalInt32Schema})
	e, err := FromConnectTo(s, target, Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Append(nil, connect.StructValue([]connect.Value{connect.Int32Value(3), connect.StringValue("gone"), connect.Int16Value(-1), connect.StringValue("ab"),
		connect.Int64Value(2), connect.StringValue("Y"), connect.StructValue([]connect.Value{connect.Int32Value(5), {}}),
		connect.MapValue([]connect.Value{connect.StringValue("k"), connect.Int8Value(7)}), {}}))
	if err != nil {
		t.Fatal(err)
	}
	d, err := ToConnect(target, 0, Options{FailOnTrailing: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Decode(connect.NewBatch(1, 1<<20), data)
	want := connect.StructValue([]connect.Value{connect.ArrayValue([]connect.Value{{}, connect.StringValue("x")}), connect.Int64Value(-1), connect.Float64Value(3),
		connect.BytesValue([]byte("ab")), connect.Float32Value(2), connect.StringValue("Y"), connect.StructValue([]connect.Value{{}, connect.Int32Value(5)}),
		connect.MapValue([]connect.Value{connect.StringValue("k"), connect.Int64Value(7)}), {}})
	if err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// What cannot be written by another schema is an error that says where.
func TestNotWritableByAnotherSchema(t *testing.T) {
	s := connect.MustStruct("R", connect.Field{Name: "a", Schema: connect.Int64Schema})
	for target, want := range map[string]string{
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`:                                      "a: INT64 cannot be written as int",
		`{"type":"record","name":"R","fields":[{"name":"a","type":["null","boolean"]}]}`:                         "a: INT64 cannot be written as union",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":["null","long"]}]}`: "b: the struct does not have the field",
		`"string"`: "STRUCT cannot be written as string",
	} {
		parsed, err := avro.Parse(target, avro.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromConnectTo(s, parsed, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", target, err, want)
		}
	}
}
