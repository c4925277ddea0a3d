package avrolibs

import (
	"slices"
	"strings"
	"testing"

	hamba "github.com/hamba/avro/v2"
	twmb "github.com/twmb/avro"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// libraries are what others make of a schema: both read into maps and slices. hamba/avro refuses some defaults that Avro allows, such as
// that of a union's second type; then old is nil.
type libraries struct {
	hamba hamba.API
	old   hamba.Schema
	new   *twmb.Schema
}

func parse(t testing.TB, text string) libraries {
	t.Helper()
	// A cache and an API of its own: both would mix schemas up that differ in defaults alone.
	old, err := hamba.ParseWithCache(text, "", &hamba.SchemaCache{})
	if err != nil && !strings.Contains(err.Error(), "invalid default") {
		t.Fatalf("hamba/avro: %v: %s", err, text)
	}
	new, err := twmb.Parse(text)
	if err != nil {
		t.Fatalf("twmb/avro: %v: %s", err, text)
	}
	return libraries{hamba.Config{DisableCaching: true}.Freeze(), old, new}
}

// What the converter writes other libraries read as the same values, what they write again it reads as the value that it was, and
// schemas come back as they were.
func TestLibrariesAgree(t *testing.T) {
	const records = 6_000
	g := &generator{t: t, state: 8}
	count, both := 0, 0
	for range records / 2 {
		s := g.record(3, false)
		e, err := connectavro.FromConnect(s, connectavro.Options{Enhanced: true})
		if err != nil {
			t.Fatal(err)
		}
		text := e.Schema.Canonical()
		judges := parse(t, text)
		d, err := connectavro.ToConnect(e.Schema, 0, connectavro.Options{Enhanced: true, FailOnTrailing: true})
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if diff := difference(s, d.Schema); diff != "" {
			t.Fatalf("the schema came back with %s: %s", diff, text)
		}
		for range 2 {
			v := g.value(s)
			judge(t, judges, e, d, s, v)
			count++
			if judges.old != nil {
				both++
			}
		}
	}
	t.Logf("%d records, of which hamba/avro read %d", count, both)
	if both < 5_000 {
		t.Errorf("hamba/avro read %d records only", both)
	}
}

func judge(t *testing.T, judges libraries, e *connectavro.Encoder, d *connectavro.Decoder, s *connect.Schema, v connect.Value) {
	t.Helper()
	data, err := e.Append(nil, v)
	if err != nil {
		t.Fatalf("write %v: %v", v, err)
	}
	var second any
	if judges.old != nil {
		var first any
		if err := judges.hamba.Unmarshal(judges.old, data, &first); err != nil {
			t.Fatalf("hamba/avro reads %v: %v: %s", v, err, e.Schema.Canonical())
		}
		if err := same(s, v, first); err != nil {
			t.Fatalf("hamba/avro: %v: %s", err, e.Schema.Canonical())
		}
	}
	if rest, err := judges.new.Decode(data, &second); err != nil || len(rest) > 0 {
		t.Fatalf("twmb/avro reads %v: %v, %d bytes left: %s", v, err, len(rest), e.Schema.Canonical())
	}
	if err := same(s, v, second); err != nil {
		t.Fatalf("twmb/avro: %v: %s", err, e.Schema.Canonical())
	}
	again, err := judges.new.Encode(second)
	if err != nil {
		t.Fatalf("twmb/avro writes: %v: %s", err, e.Schema.Canonical())
	}
	for _, bytes := range [][]byte{data, again} {
		got, err := d.Decode(connect.NewBatch(1, 1<<20), bytes)
		if err != nil {
			t.Fatalf("read %v: %v: %s", v, err, e.Schema.Canonical())
		}
		var plain any
		if _, err := judges.new.Decode(bytes, &plain); err != nil {
			t.Fatal(err)
		}
		if len(bytes) != len(data) || same(s, got, plain) != nil || string(bytes) == string(data) && !got.Equal(v) {
			t.Fatalf("%v came back as %v: %s", v, got, e.Schema.Canonical())
		}
	}
}

// A field that a writer does not have is its default, as another library reads it from the schema's text.
func TestLibrariesReadDefaults(t *testing.T) {
	g := &generator{t: t, state: 9}
	for judged := 0; judged < 500; {
		s := g.record(2, true)
		if unreadable(s) {
			continue
		}
		judged++
		e, err := connectavro.FromConnect(s, connectavro.Options{Enhanced: true})
		if err != nil {
			t.Fatal(err)
		}
		text := e.Schema.Canonical()
		writer, err := twmb.Parse(`{"type":"record","name":"` + s.Name() + `","fields":[]}`)
		if err != nil {
			t.Fatal(err)
		}
		resolved, err := twmb.Resolve(writer, parse(t, text).new)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		var got any
		if _, err := resolved.Decode(nil, &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		cells := make([]connect.Value, len(s.Fields()))
		for i, f := range s.Fields() {
			cells[i], _ = f.Schema.Default()
		}
		if err := same(s, connect.StructValue(cells), got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
}

// unreadable tells whether a default of a field has no form in Avro, as entries of a map whose keys are not strings, or one that the
// library does not read: that of a union's second type.
func unreadable(s *connect.Schema) bool {
	switch s.Type() {
	case connect.Map:
		return s.Key() != connect.StringSchema || unreadable(s.Value())
	case connect.Array:
		return unreadable(s.Value())
	case connect.Struct:
		_, second := s.Default()
		return isUnion(s) || second && s.Optional() || slices.ContainsFunc(s.Fields(), func(f connect.Field) bool { return unreadable(f.Schema) })
	}
	return false
}

const tenColumns = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"customer","type":"string"},` +
	`{"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"price","type":"double"},{"name":"discount","type":["null","double"],"default":null},` +
	`{"name":"paid","type":"boolean"},{"name":"created","type":{"type":"long","logicalType":"timestamp-millis"}},` +
	`{"name":"note","type":["null","string"],"default":null},{"name":"status","type":{"type":"enum","name":"S","symbols":["NEW","SENT","DONE"]}}]}`

// BenchmarkLibraries compares the converter with what others do without types of Go, on an order of ten columns.
func BenchmarkLibraries(b *testing.B) {
	s, err := avro.Parse(tenColumns, avro.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := connectavro.ToConnect(s, 0, connectavro.Options{Enhanced: true})
	if err != nil {
		b.Fatal(err)
	}
	e, err := connectavro.FromConnect(d.Schema, connectavro.Options{Enhanced: true})
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
	judges := parse(b, tenColumns)
	var first, second any
	if err := judges.hamba.Unmarshal(judges.old, data, &first); err != nil {
		b.Fatal(err)
	}
	if _, err := judges.new.Decode(data, &second); err != nil {
		b.Fatal(err)
	}
	cached := hamba.Config{}.Freeze()
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	var out []byte
	batch := connect.NewBatch(1, 1<<20)
	run("encode/ours", func() (err error) { out, err = e.Append(out[:0], v); return err })
	run("encode/hamba", func() (err error) { _, err = cached.Marshal(judges.old, first); return err })
	run("encode/twmb", func() (err error) { out, err = judges.new.AppendEncode(out[:0], second); return err })
	run("decode/ours", func() error { batch.Reset(); _, err := d.Decode(batch, data); return err })
	run("decode/hamba", func() error { var x any; return cached.Unmarshal(judges.old, data, &x) })
	run("decode/twmb", func() error { var x any; _, err := judges.new.Decode(data, &x); return err })
}
