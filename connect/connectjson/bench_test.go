package connectjson

import (
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

// operations are what runs for each record; none may allocate once its batch and
// buffer have grown.
func operations(t testing.TB) map[string]struct {
	bytes int
	run   func()
} {
	b := connect.NewBatch(1, 1<<20)
	buf := make([]byte, 0, 4096)
	compact, loose := []byte(payload), []byte(spaced)
	s, v := row(t)
	text, err := Append(nil, s, v, Options{})
	must(t, err)
	op := func(n int, f func() error) struct {
		bytes int
		run   func()
	} {
		return struct {
			bytes int
			run   func()
		}{n, func() { b.Reset(); must(t, f()) }}
	}
	return map[string]struct {
		bytes int
		run   func()
	}{
		"Append":  op(len(text), func() (err error) { buf, err = Append(buf[:0], s, v, Options{}); return err }),
		"ParseAs": op(len(text), func() error { _, err := ParseAs(b, s, text, Options{}); return err }),
		"Parse":   op(len(compact), func() error { _, err := Parse(b, compact, 0); return err }),
		"Compact/compact": op(len(compact), func() (err error) {
			buf, err = Compact(buf[:0], compact)
			return err
		}),
		"Compact/spaced": op(len(loose), func() (err error) { buf, err = Compact(buf[:0], loose); return err }),
		"Raw/compact":    op(len(compact), func() error { Raw(b, compact); return nil }),
		"Raw/spaced":     op(len(loose), func() error { Raw(b, loose); return nil }),
	}
}

func must(t testing.TB, err error) {
	if err != nil { // Helper is too slow to come first
		t.Helper()
		t.Fatal(err)
	}
}

func TestOperationsDoNotAllocate(t *testing.T) {
	for name, op := range operations(t) {
		if got := testing.AllocsPerRun(100, op.run); got != 0 {
			t.Errorf("%s allocates %v times, want 0", name, got)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	for name, op := range operations(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(op.bytes))
			b.ReportAllocs()
			for b.Loop() {
				op.run()
			}
		})
	}
}
