package connectjsonschema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

func parse(t testing.TB, text string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.Parse(text, jsonschema.Options{Registered: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t testing.TB, text string, o Options) *Decoder {
	t.Helper()
	d, err := ToConnect(parse(t, text), 0, o)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

// TestRecursive has schemas that contain themselves: there the value is raw JSON.
func TestRecursive(t *testing.T) {
	d := read(t, `{"type":"object","properties":{"v":{"type":"integer"},"next":{"oneOf":[{"type":"null"},{"$ref":"#"}]}}}`, Options{})
	_, v, err := d.Decode(connect.NewBatch(1, 1), []byte(`{"v":1,"next":{"v":2,"next":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Cells()[1].Text(); got != `{"v":2,"next":null}` || !connectjson.IsRaw(d.Schema.Fields()[1].Schema) || !d.Schema.Fields()[1].Schema.Optional() {
		t.Errorf("read %v", v)
	}
}

// TestAnything reads a schema that says nothing as raw JSON, and writes that as such a schema.
func TestAnything(t *testing.T) {
	for _, text := range []string{`{}`, `true`, `{"title":"whatever"}`} {
		d := read(t, text, Options{})
		_, v, err := d.Decode(connect.NewBatch(1, 1), []byte(`{"a": [1.50, null]}`))
		if err != nil || v.Text() != `{"a":[1.50,null]}` {
			t.Errorf("%s: read %v, %v", text, v, err)
		}
		e, err := FromConnect(d.Schema, Options{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := e.Append(nil, v)
		if err != nil || string(data) != v.Text() || e.Schema.Canonical() != `{"title":"sluice.data.Json"}` {
			t.Errorf("wrote %s by %s, %v", data, e.Schema.Canonical(), err)
		}
	}
}

// TestAbsent: what is not there is null, also where it is required; a null that is there is an error then.
func TestAbsent(t *testing.T) {
	d := read(t, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string","default":"x"}}}`, Options{})
	_, v, err := d.Decode(connect.NewBatch(1, 1), []byte(`{}`))
	if err != nil || !v.Cells()[0].IsNull() || v.Cells()[1].Text() != "x" {
		t.Errorf("read %v, %v", v, err)
	}
	if _, _, err := d.Decode(connect.NewBatch(1, 1), []byte(`{"a":null}`)); err == nil || !strings.Contains(err.Error(), "field a") {
		t.Errorf("got %v", err)
	}
}

// TestUnion reads values into the field of a type that fits.
func TestUnion(t *testing.T) {
	d := read(t, `{"oneOf":[{"type":"null"},{"type":"integer"},{"type":"string"},{"type":"array","items":{"type":"boolean"}},
		{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}},{"type":"object","properties":{"a":{"type":"string"},"c":{"type":"object","properties":{"d":{"type":"string"}}}}}]}`, Options{})
	for _, c := range []struct {
		text string
		want int // field, -1: null, -2: an error
	}{
		{`5`, 0}, {`"x"`, 1}, {`[true]`, 2}, {`{"a":"1","b":"2"}`, 3}, {`{"a":"1","c":{"d":"2"}}`, 4}, {`{"c":{"d":"2"},"b":"1"}`, 4}, {`null`, -1},
		{`true`, -2}, {`1.5`, -2}, {`{"z":1}`, -2}, {`[5]`, -2}, {`{`, -2},
	} {
		_, v, err := d.Decode(connect.NewBatch(1, 1), []byte(c.text))
		switch {
		case c.want == -2:
			if err == nil {
				t.Errorf("%s: read %v", c.text, v)
			}
		case err != nil:
			t.Errorf("%s: %v", c.text, err)
		case c.want == -1:
			if !v.IsNull() {
				t.Errorf("%s: read %v", c.text, v)
			}
		default:
			for f, cell := range v.Cells() {
				if cell.IsNull() == (f == c.want) {
					t.Errorf("%s: read %v, want it in field %d", c.text, v, c.want)
				}
			}
		}
	}
}

// TestDialects reads a schema of 2020-12 by its rules and, with ignore.modern.dialects, by those of draft 7, where $ref hides what stands
// beside it.
func TestDialects(t *testing.T) {
	const text = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"a":{"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"string"}}}}`
	if _, err := ToConnect(parse(t, text), 0, Options{}); err == nil || !strings.Contains(err.Error(), "items type") {
		t.Errorf("a tuple was read: %v", err)
	}
	d := read(t, text, Options{Classic: true})
	if got := d.Schema.Fields()[0].Schema.Value().Type(); got != connect.String {
		t.Errorf("the elements are %s", got)
	}
}

func TestNoType(t *testing.T) {
	for text, why := range map[string]string{
		`{"type":"null"}`:           "no type",
		`false`:                     "no type",
		`{"not":{"type":"string"}}`: "no type",
		`{"type":"array"}`:          "items type",
		`{"type":"integer","connect.type":"int128"}`: "int128",
		`{"allOf":[{"minimum":1},{"not":{}}]}`:       "allOf",
		`{"type":"integer","default":"x"}`:           "default",
		`{"$ref":"#/definitions/none"}`:              "leads nowhere",
		`{"properties":{"a":{"type":"null"}}}`:       "property a",
		`{"properties":{"":{"type":"string"}}}`:      "needs a name",
	} {
		if _, err := ToConnect(parse(t, text), 0, Options{}); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, want %q in it", text, err, why)
		}
	}
}

// TestHostileSchemas has schemas that would become Connect schemas without end (I5).
func TestHostileSchemas(t *testing.T) {
	var doubled []string
	for i := range 60 {
		doubled = append(doubled, fmt.Sprintf(`"d%d":{"type":"object","properties":{"a":{"$ref":"#/definitions/d%d"},"b":{"$ref":"#/definitions/d%d"}}}`, i, i+1, i+1))
	}
	doubled = append(doubled, `"d60":{"type":"string"}`)
	d := read(t, `{"$ref":"#/definitions/d0","definitions":{`+strings.Join(doubled, ",")+`}}`, Options{})
	if _, _, err := d.Decode(connect.NewBatch(1, 1), []byte(`{"a":{"b":{}}}`)); err != nil {
		t.Error(err)
	}
	var chain []string
	for i := range 1000 {
		chain = append(chain, fmt.Sprintf(`"d%d":{"type":"array","items":{"$ref":"#/definitions/d%d"}}`, i, i+1))
	}
	chain = append(chain, `"d1000":{"type":"string"}`)
	if _, err := ToConnect(parse(t, `{"$ref":"#/definitions/d0","definitions":{`+strings.Join(chain, ",")+`}}`), 0, Options{}); err == nil {
		t.Error("a schema of 1,000 levels was read")
	}
	s := connect.StringSchema
	for range 300 {
		var err error
		if s, err = connect.NewArray(s, connect.Attrs{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := FromConnect(s, Options{}); err == nil {
		t.Error("a schema of 300 levels was written")
	}
}

// row is what the benchmarks write and read.
func row(t testing.TB) (*Encoder, *Decoder, connect.Value, []byte) {
	decimal, err := connect.NewPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Parameters: map[string]string{"scale": "2"}, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := connect.NewPrimitive(connect.Int64, connect.Attrs{Name: connect.TimestampName, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	tags, err := connect.NewArray(connect.StringSchema, connect.Attrs{})
	if err != nil {
		t.Fatal(err)
	}
	s := connect.MustStruct("shop.Order", connect.Field{Name: "id", Schema: connect.Int64Schema}, connect.Field{Name: "customer", Schema: connect.StringSchema},
		connect.Field{Name: "city", Schema: connect.OptionalStringSchema}, connect.Field{Name: "price", Schema: connect.Float64Schema},
		connect.Field{Name: "quantity", Schema: connect.Int32Schema}, connect.Field{Name: "paid", Schema: connect.BooleanSchema},
		connect.Field{Name: "comment", Schema: connect.OptionalStringSchema}, connect.Field{Name: "total", Schema: decimal},
		connect.Field{Name: "created", Schema: stamp}, connect.Field{Name: "tags", Schema: tags})
	v := connect.StructValue([]connect.Value{connect.Int64Value(1234567), connect.StringValue("Müller & Söhne GmbH"), connect.StringValue("Friedrichshafen"),
		connect.Float64Value(1299.95), connect.Int32Value(3), connect.BooleanValue(true), {}, connect.BytesValue([]byte{5, 245, 225}), connect.Int64Value(1763769600123),
		connect.ArrayValue([]connect.Value{connect.StringValue("express"), connect.StringValue("fragile")})})
	e, err := FromConnect(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := ToConnect(e.Schema, 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return e, d, v, data
}

func TestNoAllocations(t *testing.T) {
	e, d, v, data := row(t)
	buf, b := make([]byte, 0, 4096), connect.NewBatch(1, 1<<20)
	for name, run := range map[string]func(){
		"write": func() { buf, _ = e.Append(buf[:0], v) },
		"read":  func() { b.Reset(); _, _, _ = d.Decode(b, data) },
	} {
		run()
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s allocates %v times for each record, want 0", name, got)
		}
	}
}

func BenchmarkRow(b *testing.B) {
	e, d, v, data := row(b)
	buf, batch := make([]byte, 0, 4096), connect.NewBatch(1, 1<<20)
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			buf, _ = e.Append(buf[:0], v)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			batch.Reset()
			if _, _, err := d.Decode(batch, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// FuzzRead: no schema and no data panics, and what was read is written and read again as the same.
func FuzzRead(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"oneOf":[{"type":"null"},{"$ref":"#"}]},"b":{"type":"string","enum":["x"]}}}`, `{"a":{"a":null},"b":"x"}`)
	f.Add(`{"oneOf":[{"type":"integer"},{"type":"object","properties":{"a":{}}},{"type":"array","connect.type":"map","items":{"type":"object","properties":{"key":{"type":"integer"},"value":{}}}}]}`, `[{"key":1,"value":{}}]`)
	f.Add(`{"allOf":[{"properties":{"a":{"type":["string","number"]}}},{"$ref":"#/definitions/d"}],"definitions":{"d":{"properties":{"b":{"default":1,"type":"integer"}}}}}`, `{"a":1.5}`)
	f.Add(`{"type":"number","connect.type":"bytes","title":"org.apache.kafka.connect.data.Decimal","connect.parameters":{"scale":"2"}}`, `1.50`)
	f.Fuzz(func(t *testing.T, schema, data string) {
		js, err := jsonschema.Parse(schema, jsonschema.Options{Registered: true, Limits: jsonschema.Limits{Bytes: 8 << 10}})
		if err != nil {
			return
		}
		for _, o := range []Options{{}, {OptionalFields: true, Generalized: true, KeepSingletons: true, Classic: true, Decimal: connectjson.DecimalNumeric}} {
			d, err := ToConnect(js, 0, o)
			if err != nil {
				continue
			}
			s, v, err := d.Decode(connect.NewBatch(1, 1), []byte(data))
			if err != nil {
				continue
			}
			e, err := FromConnect(s, o)
			if err != nil {
				continue
			}
			_, _ = e.Append(nil, v) // what is required may be missing
			if _, err := ToConnect(e.Schema, 0, o); err != nil {
				t.Fatalf("%s became %s: %v", schema, e.Schema.Canonical(), err)
			}
		}
	})
}
