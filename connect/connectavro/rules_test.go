package connectavro

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

func primitive(t testing.TB, typ connect.Type, a connect.Attrs) *connect.Schema {
	t.Helper()
	s, err := connect.NewPrimitive(typ, a)
	return schema(t, s, err)
}

func structOf(t testing.TB, a connect.Attrs, fields ...connect.Field) *connect.Schema {
	t.Helper()
	s, err := connect.NewStruct(fields, a)
	return schema(t, s, err)
}

// The finer rules of Confluent's AvroData for schemas that are written.
func TestWrittenSchemas(t *testing.T) {
	two := connect.StructValue([]connect.Value{connect.Int32Value(2)})
	entry := connect.MapValue([]connect.Value{connect.Int32Value(1), connect.StringValue("x")})
	nan := connect.Float64Value(0).Float()
	notANumber := connect.Float64Value(nan / nan)
	withDefault := func(v connect.Value, m *connect.Schema, err error) *connect.Schema { return schema(t, m, err) }
	intMap, err := connect.NewMap(connect.Int32Schema, connect.StringSchema, connect.Attrs{Default: &entry})
	entries := withDefault(entry, intMap, err)
	enum := primitive(t, connect.String, connect.Attrs{Name: "a.Color", Parameters: map[string]string{enumName: "a.Color",
		enumName + ".RED": "RED", enumName + ".BLUE": "BLUE", "p": "q"}, ParameterOrder: []string{enumName, enumName + ".RED", enumName + ".BLUE"}})
	inner := connect.MustStruct("we-ird.In ner", connect.Field{Name: "a b", Schema: connect.Int32Schema})
	for name, c := range map[string]struct {
		schema *connect.Schema
		o      Options
		want   string
	}{
		"null comes first in an optional struct with a default": {
			connect.MustStruct("R", connect.Field{Name: "f", Schema: structOf(t, connect.Attrs{Name: "S", Optional: true, Default: &two}, connect.Field{Name: "x", Schema: connect.Int32Schema})}),
			Options{NoMetadata: true},
			`{"type":"record","name":"R","fields":[{"name":"f","type":["null",{"type":"record","name":"S","fields":[{"name":"x","type":"int"}]}],"default":{"x":2}}]}`},
		"a default that Avro does not take is not the field's": {
			connect.MustStruct("R", connect.Field{Name: "f", Schema: entries}), Options{},
			`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro",` +
				`"fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}]},"connect.default":[[1,"x"]]}}],"connect.name":"R"}`},
		"no number as a default": {
			connect.MustStruct("R", connect.Field{Name: "f", Schema: primitive(t, connect.Float64, connect.Attrs{Default: &notANumber})}), Options{},
			`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"double","connect.default":"NaN"}}],"connect.name":"R"}`},
		"an enum keeps the order of its symbols, and a second place its parameters": {
			connect.MustStruct("R", connect.Field{Name: "f", Schema: enum}, connect.Field{Name: "g", Schema: enum}), Options{Enhanced: true},
			`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"enum","name":"Color","namespace":"a","symbols":["RED","BLUE"],` +
				`"connect.parameters":{"io.confluent.connect.avro.Enum":"a.Color","io.confluent.connect.avro.Enum.RED":"RED","io.confluent.connect.avro.Enum.BLUE":"BLUE","p":"q"},` +
				`"connect.name":"a.Color"}},{"name":"g","type":"a.Color","connect.parameters":{"io.confluent.connect.avro.Enum":"a.Color",` +
				`"io.confluent.connect.avro.Enum.RED":"RED","io.confluent.connect.avro.Enum.BLUE":"BLUE","p":"q"}}],"connect.name":"R"}`},
		"scrubbed names are referred to as they are written": {
			connect.MustStruct("1.R", connect.Field{Name: "f", Schema: inner}, connect.Field{Name: "g", Schema: inner}), Options{ScrubNames: true, NoMetadata: true},
			`{"type":"record","name":"R","namespace":"x1","fields":[{"name":"f","type":{"type":"record","name":"In_ner","namespace":"we_ird","fields":[{"name":"a_b","type":"int"}]}},` +
				`{"name":"g","type":"we_ird.In_ner"}]}`},
		"a name without a namespace within one": {
			connect.MustStruct("a.R", connect.Field{Name: "f", Schema: connect.MustStruct("S", connect.Field{Name: "x", Schema: connect.Int32Schema})}), Options{NoMetadata: true},
			`{"type":"record","name":"R","namespace":"a","fields":[{"name":"f","type":{"type":"record","name":"S","namespace":"","fields":[{"name":"x","type":"int"}]}}]}`},
	} {
		e, err := FromConnect(c.schema, c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := e.Schema.Canonical(); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// Only a field's default stands for null: not that of an element, nor that of the whole.
func TestDefaultForNull(t *testing.T) {
	seven := connect.Int32Value(7)
	number := primitive(t, connect.Int32, connect.Attrs{Default: &seven})
	list, err := connect.NewArray(number, connect.Attrs{})
	list = schema(t, list, err)
	record := connect.MustStruct("R", connect.Field{Name: "f", Schema: number})
	optional := primitive(t, connect.Int32, connect.Attrs{Optional: true, Default: &seven})
	entries, err := connect.NewMap(connect.Int32Schema, optional, connect.Attrs{})
	entries = schema(t, entries, err)
	for name, c := range map[string]struct {
		schema *connect.Schema
		value  connect.Value
		o      Options
		want   string // "": an error
	}{
		"field":                    {record, connect.StructValue([]connect.Value{{}}), Options{}, "\x0e"},
		"field, nulls are kept":    {record, connect.StructValue([]connect.Value{{}}), Options{KeepNull: true}, ""},
		"element":                  {list, connect.ArrayValue([]connect.Value{{}}), Options{}, ""},
		"value of an entry":        {entries, connect.MapValue([]connect.Value{seven, {}}), Options{}, "\x02\x0e\x02\x00"},
		"the whole":                {number, connect.Value{}, Options{}, ""},
		"a struct without schema":  {nil, connect.StructValue([]connect.Value{seven}), Options{}, ""},
		"a list of structs so too": {nil, connect.ArrayValue([]connect.Value{connect.StructValue(nil)}), Options{}, ""},
	} {
		e, err := FromConnect(c.schema, c.o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := e.Append(nil, c.value)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// A union's default is of the first type that has such a value.
func TestUnionDefault(t *testing.T) {
	s, err := avro.Parse(`{"type":"record","name":"R","fields":[{"name":"f","type":["int","string","null"],"default":"x"}]}`, avro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := ToConnect(s, 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, ok := d.Schema.Fields()[0].Schema.Default()
	if want := connect.StructValue([]connect.Value{{}, connect.StringValue("x")}); !ok || !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A small schema whose names stand for very many types, and small data that stands for very many cells (I5).
func TestAmplification(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"record","name":"R0","fields":[{"name":"x","type":"int"}]}`)
	nested := b.String()
	for i := range 40 {
		n := string(rune('A'+i%26)) + strings.Repeat("x", i/26)
		nested = `{"type":"record","name":"` + n + `","fields":[{"name":"l","type":` + nested + `},{"name":"r","type":"` + last(nested) + `"}]}`
	}
	s, err := avro.Parse(nested, avro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ToConnect(s, 0, Options{}); err == nil {
		t.Error("a schema of 2^40 types is mapped")
	}
	// Many small blocks must not copy what came before each time.
	list, err := avro.Parse(`{"type":"array","items":"boolean"}`, avro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := ToConnect(list, 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 200_000
	v, err := d.Decode(connect.NewBatch(1, 1<<20), append([]byte(strings.Repeat("\x02\x01", n)), 0))
	if err != nil || v.Len() != n {
		t.Errorf("read %d of %d, %v", v.Len(), n, err)
	}
	// Elements of one byte with a thousand fields that take none.
	var wide strings.Builder
	wide.WriteString(`{"type":"array","items":{"type":"record","name":"W","fields":[{"name":"b","type":"boolean"},{"name":"e0","type":{"type":"record","name":"E","fields":[]}}`)
	for i := range 1000 {
		wide.WriteString(`,{"name":"f` + strings.Repeat("x", i) + `","type":"E"}`)
	}
	w, err := avro.Parse(wide.String()+"]}}", avro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d, err = ToConnect(w, 0, Options{}); err != nil {
		t.Fatal(err)
	}
	data := append([]byte{0xa0, 0x9c, 0x01}, make([]byte, 10_001)...) // 10,000 elements and the end
	if _, err := d.Decode(connect.NewBatch(1, 1<<20), data); err == nil {
		t.Error("ten million cells out of ten thousand bytes")
	}
}

// last is the name of the outermost record of a text.
func last(text string) string {
	name := strings.TrimPrefix(text, `{"type":"record","name":"`)
	return name[:strings.IndexByte(name, '"')]
}

// A record that only has the name of Anything is a record.
func TestNotAnything(t *testing.T) {
	s, err := avro.Parse(`{"type":"record","name":"io.confluent.connect.avro.Anything","fields":[{"name":"x","type":"int"}]}`, avro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := ToConnect(s, 0, Options{}); err != nil || d.Schema == nil || d.Schema.Index("x") != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
}
