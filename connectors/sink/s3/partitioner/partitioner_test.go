package partitioner

import (
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

var (
	city = connect.MustStruct("City", connect.Field{Name: "name", Schema: connect.OptionalStringSchema}, connect.Field{Name: "area", Schema: connect.Float64Schema})
	row  = connect.MustStruct("Row",
		connect.Field{Name: "id", Schema: connect.Int32Schema},
		connect.Field{Name: "on", Schema: connect.BooleanSchema},
		connect.Field{Name: "at", Schema: connect.Int64Schema},
		connect.Field{Name: "when", Schema: connect.OptionalStringSchema},
		connect.Field{Name: "city", Schema: city},
	)
)

func text(s string) connect.Value { return connect.StringValue(s) }

// record has a value by row.
func record(name connect.Value) *connect.Record {
	return &connect.Record{Timestamp: 1_700_000_000_000, ValueSchema: row, Value: connect.StructValue([]connect.Value{
		connect.Int32Value(7), connect.BooleanValue(true), connect.Int64Value(1_600_000_000_000), text("2026-11-26T10:00:00+01:00"),
		connect.StructValue([]connect.Value{name, connect.Float64Value(1.5)})})}
}

// loose has a schemaless value.
func loose() *connect.Record {
	return &connect.Record{Timestamp: connect.NoTimestamp, Value: connect.MapValue([]connect.Value{text("id"), connect.Int64Value(7),
		text("city"), connect.MapValue([]connect.Value{text("name"), text("Ulm/Donau")}), text("at"), text("1600000000000")})}
}

// numbered has a schemaless value with a number as n.
func numbered(n float64) *connect.Record {
	return &connect.Record{Value: connect.MapValue([]connect.Value{text("n"), connect.Float64Value(n)})}
}

// nowhere has a value in which a struct on the way to a field is null.
func nowhere(t *testing.T) *connect.Record {
	t.Helper()
	optional, err := connect.NewStruct(city.Fields(), connect.Attrs{Name: "City", Optional: true})
	if err != nil {
		t.Fatal(err)
	}
	schema := connect.MustStruct("Row", connect.Field{Name: "city", Schema: optional})
	return &connect.Record{ValueSchema: schema, Value: connect.StructValue([]connect.Value{{}})}
}

// TestFieldOfSeveralSchemas: records whose schemas have the field at different places come in turns.
func TestFieldOfSeveralSchemas(t *testing.T) {
	later := connect.MustStruct("Row", connect.Field{Name: "note", Schema: connect.StringSchema}, connect.Field{Name: "id", Schema: connect.Int32Schema})
	changed := &connect.Record{ValueSchema: later, Value: connect.StructValue([]connect.Value{text("none"), connect.Int32Value(8)})}
	f, err := NewField([]string{"id"}, "/")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		r    *connect.Record
		want string
	}{{record(text("")), "id=7"}, {changed, "id=8"}, {record(text("")), "id=7"}, {loose(), "id=7"}, {changed, "id=8"}} {
		if got, err := f.Append(nil, c.r, 0, 0); string(got) != c.want || err != nil {
			t.Errorf("record %d: got %s, %v, want %s", i, got, err, c.want)
		}
	}
}

func TestField(t *testing.T) {
	for _, c := range []struct {
		names  []string
		r      *connect.Record
		want   string
		reason string
	}{
		{[]string{"id", "on", "city.name"}, record(text("Ulm")), "id=7/on=true/city.name=Ulm", ""},
		{[]string{"city.name"}, record(connect.Value{}), "city.name=null", ""},
		{[]string{"city.area"}, record(text("Ulm")), "", "field city.area: FLOAT64 is not a type to partition by; integers, STRING and BOOLEAN are"},
		{[]string{"city.zip"}, record(text("Ulm")), "", "there is no field city.zip in the value, whose schema is Row"},
		{[]string{"id.x"}, record(text("Ulm")), "", "there is no field id.x in the value, whose schema is Row"},
		{[]string{"id", "city.name", "none"}, loose(), "id=7/city.name=Ulm/Donau/none=null", ""},
		{[]string{"city.name"}, nowhere(t), "city.name=null", ""},
		{[]string{"id.x"}, loose(), "", "the field id.x cannot be looked up in a value of type INT64"},
	} {
		f, err := NewField(c.names, "/")
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Append(nil, c.r, 0, 0)
		if reason(err) != c.reason || err == nil && string(got) != c.want {
			t.Errorf("%v: got %s, %v; want %s %s", c.names, got, err, c.want, c.reason)
		}
	}
	for _, names := range [][]string{nil, {""}, {"a..b"}} {
		if _, err := NewField(names, "/"); err == nil {
			t.Errorf("%q is taken", names)
		}
	}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestExtract(t *testing.T) {
	field := func(name string) Extractor {
		e, err := RecordField(name)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	now := time.UnixMilli(42)
	for _, c := range []struct {
		name string
		e    Extractor
		r    *connect.Record
		want int64
		bad  string
	}{
		{"wall clock", Wallclock(func() time.Time { return now }), loose(), 42, ""},
		{"record", RecordTime, record(text("")), 1_700_000_000_000, ""},
		{"record without", RecordTime, loose(), 0, errNoTimestamp.Error()},
		{"INT64", field("at"), record(text("")), 1_600_000_000_000, ""},
		{"digits", field("at"), loose(), 1_600_000_000_000, ""},
		{"ISO", field("when"), record(text("")), 1_795_683_600_000, ""},
		{"null", field("city.name"), record(connect.Value{}), 0, "timestamp.field city.name: it is null or missing, so the record has no time"},
		{"missing", field("none"), loose(), 0, "timestamp.field none: it is null or missing, so the record has no time"},
		{"boolean", field("on"), record(text("")), 0, "timestamp.field on: BOOLEAN true is no time; milliseconds and text of ISO 8601 are"},
		{"number of JSON", field("n"), numbered(1_600_000_000_000), 1_600_000_000_000, ""},
		{"fraction of JSON", field("n"), numbered(1_600_000_000.5), 0, "timestamp.field n: FLOAT64 1.6000000005e+09 is no time; milliseconds and text of ISO 8601 are"},
		{"no date", field("city.name"), record(text("Ulm")), 0, `timestamp.field city.name: it is no date and time of ISO 8601: "Ulm"`},
	} {
		got, err := c.e(c.r)
		if got != c.want && err == nil || reason(err) != c.bad {
			t.Errorf("%s: got %d, %v; want %d %s", c.name, got, err, c.want, c.bad)
		}
	}
}

// TestBoth puts time below fields.
func TestBoth(t *testing.T) {
	f, err := NewField([]string{"id"}, "/")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePattern("'hour'=HH")
	if err != nil {
		t.Fatal(err)
	}
	b := Both{First: f, Second: NewTime(time.Hour, p, time.UTC, RecordTime), Delimiter: "/"}
	at, err := b.Time(record(text("")))
	if err != nil || !b.Timed() {
		t.Fatal(at, err)
	}
	if got, err := b.Append(nil, record(text("")), 3, at); string(got) != "id=7/hour=22" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, _ := (Default{}).Append(nil, record(text("")), 3, 0); string(got) != "partition=3" {
		t.Errorf("got %s", got)
	}
}

// TestZones: what is no zone, and times that no year is for.
func TestZones(t *testing.T) {
	for _, id := range []string{"", "Local", "Mars/Olympus", "+5", "CEST!"} {
		if _, err := ParseZone(id); err == nil {
			t.Errorf("zone %q is taken", id)
		}
	}
	p, _ := ParsePattern("yyyy")
	by := NewTime(time.Hour, p, time.UTC, RecordTime)
	if _, err := by.Append(nil, nil, 0, maxMillis+1); err == nil {
		t.Error("a time after all years is taken")
	}
	if _, err := ParsePattern("yyyy-bb"); reason(err) != "Illegal pattern component: b" {
		t.Errorf("got %v", err)
	}
}

func FuzzISO(f *testing.F) {
	for _, s := range []string{"2026-11-26T10:20:30.5+01:00", "2026-W48-4", "2026-330T10", "T1", "-9", "T\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, text string) { _, _ = parseISO(text) })
}

// FuzzPattern: whatever is taken as a pattern can be written.
func FuzzPattern(f *testing.F) {
	f.Add("'year'=YYYY/''MM/xx", int64(0))
	f.Fuzz(func(_ *testing.T, text string, ms int64) {
		if p, err := ParsePattern(text); err == nil {
			p.Append(nil, time.UnixMilli(ms%maxMillis).UTC())
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	p, _ := ParsePattern("'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH")
	zone, err := ParseZone("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	f, _ := NewField([]string{"id", "city.name"}, "/")
	by := Both{First: f, Second: NewTime(time.Hour, p, zone, RecordTime), Delimiter: "/"}
	r := record(text("Ulm"))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		r.Timestamp += 100
		at, _ := by.Time(r)
		dst, _ = by.Append(dst[:0], r, 0, at)
	}
}
