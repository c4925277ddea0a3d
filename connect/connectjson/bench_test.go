package connectjson

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// payload is a reading as devices send it, about 200 bytes, compact.
const payload = `{"device":"thermo-0042","site":"plant-7/hall-3","temperature":21.53,"humidity":48.1,` +
	`"battery":97,"status":"ok","ts":1763769600123,"tags":{"fw":"1.4.2","model":"TX-9"},"alarm":false,"seq":182736}`

// spaced is the same as most libraries print it.
var spaced = strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(payload)

func row(t testing.TB) (*connect.Schema, connect.Value) {
	t.Helper()
	s := connect.MustStruct("row",
		connect.Field{Name: "id", Schema: connect.Int64Schema},
		connect.Field{Name: "customer", Schema: connect.StringSchema},
		connect.Field{Name: "city", Schema: connect.OptionalStringSchema},
		connect.Field{Name: "price", Schema: connect.Float64Schema},
		connect.Field{Name: "quantity", Schema: connect.Int32Schema},
		connect.Field{Name: "paid", Schema: connect.BooleanSchema},
		connect.Field{Name: "comment", Schema: connect.OptionalStringSchema},
		connect.Field{Name: "sku", Schema: connect.StringSchema},
		connect.Field{Name: "created", Schema: connect.Int64Schema},
		connect.Field{Name: "tags", Schema: mustArray(t, connect.StringSchema)})
	return s, connect.StructValue([]connect.Value{connect.Int64Value(1234567), connect.StringValue("Müller & Söhne GmbH"),
		connect.StringValue("Friedrichshafen"), connect.Float64Value(1299.95), connect.Int32Value(3), connect.BooleanValue(true),
		connect.Value{}, connect.StringValue("SKU-0099-1234-AB"), connect.Int64Value(1763769600123),
		connect.ArrayValue([]connect.Value{connect.StringValue("express"), connect.StringValue("fragile")})})
}

func mustArray(t testing.TB, elem *connect.Schema) *connect.Schema {
	t.Helper()
	s, err := connect.NewArray(elem, connect.Attrs{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nested is an envelope as change data capture has it: a struct within a struct, with
// an array of structs and a map.
func nested(t testing.TB) (*connect.Schema, connect.Value) {
	t.Helper()
	s, v := row(t)
	line := connect.MustStruct("line", connect.Field{Name: "sku", Schema: connect.StringSchema}, connect.Field{Name: "count", Schema: connect.Int32Schema})
	labels, err := connect.NewMap(connect.StringSchema, connect.StringSchema, connect.Attrs{})
	must(t, err)
	var lines []connect.Value
	for i := range 8 {
		lines = append(lines, connect.StructValue([]connect.Value{connect.StringValue("SKU-0099-1234-AB"), connect.Int32Value(int32(i))}))
	}
	return connect.MustStruct("envelope", connect.Field{Name: "after", Schema: s}, connect.Field{Name: "lines", Schema: mustArray(t, line)},
			connect.Field{Name: "labels", Schema: labels}, connect.Field{Name: "op", Schema: connect.StringSchema}),
		connect.StructValue([]connect.Value{v, connect.ArrayValue(lines), connect.MapValue([]connect.Value{connect.StringValue("env"),
			connect.StringValue("prod"), connect.StringValue("zone"), connect.StringValue("b")}), connect.StringValue("c")})
}

func numbers(t testing.TB) (*connect.Schema, connect.Value) {
	t.Helper()
	var elems []connect.Value
	for i := range 32 {
		elems = append(elems, connect.Float64Value(20+float64(i)/100))
	}
	return mustArray(t, connect.Float64Schema), connect.ArrayValue(elems)
}

// operation is what runs for a record of so many bytes of JSON.
type operation struct {
	name  string
	bytes int
	run   func()
}

// operations may not allocate once their batch and buffer have grown.
func operations(t testing.TB) []operation {
	b := connect.NewBatch(1, 1<<20)
	buf := make([]byte, 0, 4096)
	compact, loose := []byte(payload), []byte(spaced)
	var all []operation
	op := func(name string, n int, f func() error) {
		all = append(all, operation{name, n, func() { b.Reset(); must(t, f()) }})
	}
	for name, make := range map[string]func(testing.TB) (*connect.Schema, connect.Value){"row": row, "nested": nested, "array": numbers} {
		s, v := make(t)
		plans := NewPlans(Options{}, 10)
		plan, err := plans.Of(s)
		must(t, err)
		text, err := plan.Append(nil, v)
		must(t, err)
		op("Plan/write/"+name, len(text), func() (err error) { buf, err = plans.Append(buf[:0], s, v); return err })
		op("Plan/read/"+name, len(text), func() error { _, err := plan.Parse(b, text); return err })
	}
	op("Parse", len(compact), func() error { _, err := Parse(b, compact, 0); return err })
	op("Compact/compact", len(compact), func() (err error) { buf, err = Compact(buf[:0], compact); return err })
	op("Compact/spaced", len(loose), func() (err error) { buf, err = Compact(buf[:0], loose); return err })
	op("Raw/compact", len(compact), func() error { Raw(b, compact); return nil })
	op("Raw/spaced", len(loose), func() error { Raw(b, loose); return nil })
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	return all
}

func must(t testing.TB, err error) {
	if err != nil { // Helper is too slow to come first
		t.Helper()
		t.Fatal(err)
	}
}

func TestOperationsDoNotAllocate(t *testing.T) {
	for _, op := range operations(t) {
		if got := testing.AllocsPerRun(100, op.run); got != 0 {
			t.Errorf("%s allocates %v times, want 0", op.name, got)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	for _, op := range operations(b) {
		b.Run(op.name, func(b *testing.B) {
			b.SetBytes(int64(op.bytes))
			b.ReportAllocs()
			for b.Loop() {
				op.run()
			}
		})
	}
}
