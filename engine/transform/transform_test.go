package transform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// tenColumns is a record of a table and the settings of a chain that is usual for
// one.
func tenColumns(tb testing.TB) (*Chain, connect.Record) {
	tb.Helper()
	var fields []connect.Field
	cells := make([]connect.Value, 10)
	for i := range cells {
		fields = append(fields, connect.Field{Name: fmt.Sprint("c", i), Schema: connect.OptionalInt64Schema})
		cells[i] = connect.Int64Value(int64(i))
	}
	plan, err := planOf(map[string]string{"transforms": "in,re", "transforms.in.type": "InsertField$Value", "transforms.in.topic.field": "topic",
		"transforms.in.timestamp.field": "at", "transforms.re.type": "ReplaceField$Value", "transforms.re.exclude": "c3", "transforms.re.renames": "c1:id"}, true)
	if err != nil {
		tb.Fatal(err)
	}
	return plan.Chain(), connect.Record{Topic: "rows", Timestamp: 1, ValueSchema: connect.MustStruct("Row", fields...), Value: connect.StructValue(cells)}
}

// TestChainDoesNotAllocate wants cells from the batch and nothing else.
func TestChainDoesNotAllocate(t *testing.T) {
	chain, record := tenColumns(t)
	b := connect.NewBatch(1, 1)
	if n := testing.AllocsPerRun(100, func() {
		b.Reset()
		r := record
		if keep, err := chain.Apply(b, &r); !keep || err != nil {
			t.Fatal(keep, err)
		}
	}); n > 1 { // the test's own copy of the record
		t.Errorf("%v allocations per record", n)
	}
}

// TestFailureLeavesTheRecord wants a record as it came when the second transform
// fails.
func TestFailureLeavesTheRecord(t *testing.T) {
	plan, err := planOf(map[string]string{"transforms": "a,b", "transforms.a.type": "HoistField$Value", "transforms.a.field": "x",
		"transforms.b.type": "ExtractField$Value", "transforms.b.field": "missing"}, false)
	if err != nil {
		t.Fatal(err)
	}
	r := connect.Record{Topic: "t", ValueSchema: connect.StringSchema, Value: connect.StringValue("v")}
	_, err = plan.Chain().Apply(connect.NewBatch(1, 1), &r)
	e, ok := err.(*Error)
	if !ok || e.Alias != "b" || e.Class != transformPackage+"ExtractField$Value" {
		t.Errorf("got %v, want an error of b", err)
	}
	if r.ValueSchema != connect.StringSchema || r.Value.Type() != connect.String {
		t.Errorf("the record was changed to %s", r.Value)
	}
}

// TestFlattenNames wants names that repeat a long one to be bounded (I5).
func TestFlattenNames(t *testing.T) {
	plan, err := planOf(map[string]string{"transforms": "f", "transforms.f.type": "Flatten$Value"}, false)
	if err != nil {
		t.Fatal(err)
	}
	inner := make([]connect.Value, 2*2000)
	for i := range inner {
		inner[i] = connect.StringValue(fmt.Sprint(i))
	}
	r := connect.Record{Value: connect.MapValue([]connect.Value{connect.StringValue(strings.Repeat("x", 64<<10)), connect.MapValue(inner)})}
	if _, err := plan.Chain().Apply(connect.NewBatch(1, 1), &r); err == nil {
		t.Error("2000 names of 64 KiB were made")
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"a.b", "`a.b`.c", "`a\\`.b`", "a.", "`", "``.`x`y`"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		names, err := parsePath(path)
		if err == nil && len(names) == 0 {
			t.Fatalf("%q has no name", path)
		}
	})
}

// FuzzConfig puts the recorded records through any transform with any options.
func FuzzConfig(f *testing.F) {
	f.Add("Cast$Value", "spec", "s:int32,i8:string")
	f.Add("ReplaceField$Value", "renames", "a:b,c:")
	f.Add("InsertField$Value", "topic.field", "a!")
	f.Add("Flatten$Value", "delimiter", "")
	f.Add("MaskField$Value", "fields", "s,dec,i8")
	f.Add("InsertHeader", "value.literal", "[1,{")
	records := readRecords(f)
	f.Fuzz(func(t *testing.T, class, option, value string) {
		answers([]string{class, option + "=" + value, "header=h", "fields=s,i8,dec", "replacement=1e3"}, records)
	})
}

func BenchmarkChain(b *testing.B) {
	chain, record := tenColumns(b)
	batch := connect.NewBatch(1, 1)
	var r connect.Record
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		r = record
		if _, err := chain.Apply(batch, &r); err != nil {
			b.Fatal(err)
		}
	}
}
