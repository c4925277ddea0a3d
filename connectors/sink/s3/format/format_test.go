package format

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// writeFiles keeps the files of the tests for other readers: test/conformance/lake.sh.
var writeFiles = flag.String("files", "", "folder to write the files of the tests to")

func primitive(t connect.Type, a connect.Attrs) *connect.Schema {
	s, err := connect.NewPrimitive(t, a)
	if err != nil {
		panic(err)
	}
	return s
}

func mapOf(k, v *connect.Schema, a connect.Attrs) *connect.Schema {
	s, err := connect.NewMap(k, v, a)
	if err != nil {
		panic(err)
	}
	return s
}

func arrayOf(v *connect.Schema, a connect.Attrs) *connect.Schema {
	s, err := connect.NewArray(v, a)
	if err != nil {
		panic(err)
	}
	return s
}

func structOf(a connect.Attrs, fields ...connect.Field) *connect.Schema {
	s, err := connect.NewStruct(fields, a)
	if err != nil {
		panic(err)
	}
	return s
}

var (
	optional = connect.Attrs{Optional: true}
	point    = structOf(connect.Attrs{Name: "org.example.Point", Optional: true}, connect.Field{Name: "x", Schema: connect.Float64Schema}, connect.Field{Name: "y", Schema: connect.OptionalFloat64Schema})
	// all has every type; its fields are not in the order of their names.
	all = structOf(connect.Attrs{Name: "org.example.All", Version: 3},
		connect.Field{Name: "z", Schema: connect.BooleanSchema},
		connect.Field{Name: "i8", Schema: connect.Int8Schema},
		connect.Field{Name: "i16", Schema: connect.OptionalInt16Schema},
		connect.Field{Name: "i32", Schema: connect.Int32Schema},
		connect.Field{Name: "i64", Schema: connect.OptionalInt64Schema},
		connect.Field{Name: "f32", Schema: connect.Float32Schema},
		connect.Field{Name: "f64", Schema: connect.OptionalFloat64Schema},
		connect.Field{Name: "s", Schema: connect.StringSchema},
		connect.Field{Name: "b", Schema: connect.OptionalBytesSchema},
		connect.Field{Name: "dec", Schema: primitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Version: 1, Parameters: map[string]string{"scale": "2", "connect.decimal.precision": "9"}})},
		connect.Field{Name: "date", Schema: primitive(connect.Int32, connect.Attrs{Name: connect.DateName, Version: 1})},
		connect.Field{Name: "time", Schema: primitive(connect.Int32, connect.Attrs{Name: connect.TimeName, Version: 1})},
		connect.Field{Name: "ts", Schema: primitive(connect.Int64, connect.Attrs{Name: connect.TimestampName, Version: 1, Optional: true})},
		connect.Field{Name: "list", Schema: arrayOf(connect.OptionalStringSchema, optional)},
		connect.Field{Name: "lists", Schema: arrayOf(arrayOf(connect.Int32Schema, connect.Attrs{}), connect.Attrs{})},
		connect.Field{Name: "map", Schema: mapOf(connect.StringSchema, connect.OptionalInt64Schema, optional)},
		connect.Field{Name: "point", Schema: point},
		connect.Field{Name: "points", Schema: arrayOf(point, optional)},
		connect.Field{Name: "byKey", Schema: mapOf(connect.Int32Schema, point, optional)},
	)
)

// row is a value by all: some of it is null or empty, depending on n.
func row(n int) connect.Value {
	null := func(when int, v connect.Value) connect.Value {
		if n%when == 0 {
			return connect.Value{}
		}
		return v
	}
	i, text := int64(n), connect.StringValue
	pt := connect.StructValue([]connect.Value{connect.Float64Value(float64(n) / 4), null(2, connect.Float64Value(-1.5))})
	return connect.StructValue([]connect.Value{
		connect.BooleanValue(n%2 == 0), connect.Int8Value(int8(n)), null(3, connect.Int16Value(int16(-n))), connect.Int32Value(int32(n) * 1000), null(5, connect.Int64Value(i<<40)),
		connect.Float32Value(float32(n) / 8), null(7, connect.Float64Value(float64(n)/3)), text(fmt.Sprintf("row %d – é", n%100)), null(4, connect.BytesValue([]byte{0, byte(n), 0xff})),
		connect.BytesValue([]byte{byte(n >> 8), byte(n)}), connect.Int32Value(int32(20_000 + n%5)), connect.Int32Value(int32(n * 1000 % 86_400_000)), null(6, connect.Int64Value(1_700_000_000_000+i)),
		null(8, connect.ArrayValue([]connect.Value{text("a"), null(3, text("b")), text("c")})),
		connect.ArrayValue([]connect.Value{connect.ArrayValue(nil), connect.ArrayValue([]connect.Value{connect.Int32Value(1), connect.Int32Value(int32(n))})}[:n%3%2+1]),
		null(9, connect.MapValue([]connect.Value{text("k1"), connect.Int64Value(i), text("k2"), null(2, connect.Int64Value(-i))})),
		null(2, pt), null(10, connect.ArrayValue([]connect.Value{pt, null(2, pt)}[:n%4%3])),
		null(11, connect.MapValue([]connect.Value{connect.Int32Value(int32(n)), null(3, pt)})),
	})
}

func record(n int) *connect.Record {
	return &connect.Record{ValueSchema: all, Value: row(n), KeySchema: connect.StringSchema, Key: connect.StringValue(fmt.Sprint("key ", n)),
		Headers: []connect.Header{{Key: "n", Schema: connect.Int32Schema, Value: connect.Int32Value(int32(n))}, {Key: "none"}}[:n%3]}
}

// overwriting is an Output that spoils what it gets back.
type overwriting struct{ io.Writer }

func (overwriting) Free(piece []byte) {
	for i := range piece[:cap(piece)] {
		piece[:cap(piece)][i] = 0xff
	}
}

// file writes records as the sink does.
func file(t testing.TB, f Format, records int) []byte {
	t.Helper()
	w, err := f.NewWriter(record(0))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var block [][]byte
	size, rows := 0, 0
	seal := func(last bool) {
		if err := w.Seal(overwriting{&out}, block, rows, last); err != nil {
			t.Fatal(err)
		}
		block, size, rows = nil, 0, 0
	}
	for n := range records {
		if len(block) == 0 || n%100 == 0 { // blocks come in pieces
			block = append(block, nil)
		}
		piece := &block[len(block)-1]
		size -= len(*piece)
		if *piece, err = w.Append(*piece, record(n)); err != nil {
			t.Fatal(err)
		}
		size += len(*piece)
		if rows++; size >= w.BlockBytes() {
			seal(false)
		}
	}
	seal(true)
	return out.Bytes()
}

// keep writes a file for other readers.
func keep(t testing.TB, name string, data []byte) {
	if *writeFiles != "" {
		if err := os.WriteFile(filepath.Join(*writeFiles, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestParquet reads files back: several row groups, one, none; all codecs; lists of both kinds.
func TestParquet(t *testing.T) {
	for _, c := range []struct {
		codec   string
		rows    int
		group   int
		legacy  bool
		want    int // row groups
		special string
	}{
		{"snappy", 5000, 1 << 30, false, 1, ""}, {"snappy", 5000, 200_000, false, 4, ".groups"}, {"none", 1, 1 << 30, false, 1, ""}, {"zstd", 3000, 1 << 30, true, 1, ".legacy"}, {"gzip", 100, 1 << 30, false, 1, ""},
		{"brotli", 100, 1 << 30, false, 1, ""}, {"lz4_raw", 100, 1 << 30, false, 1, ""},
	} {
		f, err := NewParquet(Values, c.codec, c.group, c.legacy, connectavro.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var first []byte
		for round := range 2 { // the second file has the writer of the first
			data := file(t, f, c.rows)
			if round == 0 {
				first = data
			} else if !bytes.Equal(data, first) {
				t.Errorf("%s: file %d of the same rows is another than the first", c.codec, round+1)
			}
			pf, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if got := len(pf.RowGroups()); pf.NumRows() != int64(c.rows) || got != c.want {
				t.Errorf("%s: %d rows in %d groups, want %d in %d", c.codec, pf.NumRows(), got, c.rows, c.want)
			}
			if round == 1 {
				keep(t, "values"+c.special+f.Extension(), data)
			}
			compareRows(t, pf)
		}
	}
}

// compareRows rebuilds some columns.
func compareRows(t *testing.T, pf *parquet.File) {
	t.Helper()
	columns := pf.Schema().Columns()
	if columns[0][0] != "z" || columns[1][0] != "i8" {
		t.Errorf("columns are %v", columns)
	}
	at := make(map[string]int)
	for i, path := range columns {
		at[fmt.Sprint(path)] = i
	}
	n := 0
	for _, g := range pf.RowGroups() {
		rows := g.Rows()
		buf := make([]parquet.Row, 64)
		for {
			got, err := rows.ReadRows(buf)
			for _, r := range buf[:got] {
				compareRow(t, at, r, n)
				n++
			}
			if err != nil {
				break
			}
		}
		_ = rows.Close()
	}
}

func compareRow(t *testing.T, at map[string]int, r parquet.Row, n int) {
	t.Helper()
	byColumn := make(map[int][]parquet.Value)
	for _, v := range r {
		byColumn[v.Column()] = append(byColumn[v.Column()], v)
	}
	cells := row(n).Cells()
	if v := byColumn[at["[s]"]][0]; v.String() != cells[7].Text() {
		t.Fatalf("row %d: s is %s", n, v)
	}
	if v := byColumn[at["[i64]"]][0]; v.IsNull() != cells[4].IsNull() || !v.IsNull() && v.Int64() != cells[4].Int() {
		t.Fatalf("row %d: i64 is %s", n, v)
	}
	if list, want := byColumn[at["[list list element]"]], cells[13]; !want.IsNull() && len(list) != len(want.Cells()) {
		t.Fatalf("row %d: list is %v", n, list)
	}
}

// TestUnfit: records that a format has no form for leave the block as it was.
func TestUnfit(t *testing.T) {
	pq, _ := NewParquet(Values, "none", 1<<20, false, connectavro.Options{})
	if _, err := pq.NewWriter(&connect.Record{Value: connect.StringValue("x")}); err == nil {
		t.Error("Parquet takes a value without a schema")
	}
	deep := connect.OptionalStringSchema
	for range 10 {
		deep = arrayOf(deep, optional)
	}
	if _, err := pq.NewWriter(&connect.Record{ValueSchema: structOf(connect.Attrs{}, connect.Field{Name: "d", Schema: deep})}); err == nil {
		t.Error("Parquet takes 20 levels")
	}
	w, err := pq.NewWriter(record(1))
	if err != nil {
		t.Fatal(err)
	}
	bad := record(1)
	bad.Value.Cells()[0] = connect.Value{}
	if block, err := w.Append([]byte("abc"), bad); err == nil || string(block) != "abc" {
		t.Errorf("a null that is not allowed: %q, %v", block, err)
	}
	if _, err := NewParquet(Values, "lzo", 1, false, connectavro.Options{}); err == nil {
		t.Error("lzo is taken")
	}
	if _, err := NewAvro(Values, "lzo", connectavro.Options{}); err == nil {
		t.Error("lzo is taken")
	}
}

// TestParts writes keys and headers in every format.
func TestParts(t *testing.T) {
	for _, part := range []Part{Keys, Headers} {
		js := NewJSON(part, connectjson.DecimalBase64)
		want := map[Part]string{Keys: "\"key 0\"\n\"key 1\"\n\"key 2\"\n", Headers: "{\"headers\":[]}\n{\"headers\":[{\"key\":\"n\",\"value\":\"1\"}]}\n{\"headers\":[{\"key\":\"n\",\"value\":\"2\"},{\"key\":\"none\",\"value\":null}]}\n"}
		w, _ := js.NewWriter(record(0))
		var lines []byte
		for n := range 3 {
			var err error
			if lines, err = w.Append(lines, record(n)); err != nil {
				t.Fatal(err)
			}
		}
		if string(lines) != want[part] {
			t.Errorf("JSON of %s: %s", part, lines)
		}
		av, err := NewAvro(part, "null", connectavro.Options{})
		if err != nil {
			t.Fatal(err)
		}
		keep(t, part.String()+".avro", file(t, av, 10))
		pq, err := NewParquet(part, "snappy", 1<<20, false, connectavro.Options{})
		if err != nil {
			t.Fatal(err)
		}
		data := file(t, pq, 10)
		keep(t, part.String()+".parquet", data)
		if pf, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data))); err != nil || pf.NumRows() != 10 {
			t.Error(err)
		}
	}
}

// TestJSON writes the lines that the others are compared with.
func TestJSON(t *testing.T) {
	keep(t, "values.json", file(t, NewJSON(Values, connectjson.DecimalNumeric), 5000))
}

// TestAvro writes files of every codec, which twmb/avro, hamba/avro and fastavro read elsewhere.
func TestAvro(t *testing.T) {
	for _, codec := range AvroCodecs {
		f, err := NewAvro(Values, codec, connectavro.Options{})
		if err != nil {
			t.Fatal(err)
		}
		data := file(t, f, 3000)
		if !bytes.HasPrefix(data, []byte("Obj\x01")) || !bytes.Contains(data[:20_000], []byte(codec)) {
			t.Errorf("%s: the file begins with %q", codec, data[:40])
		}
		keep(t, "values."+codec+".avro", data)
	}
}

func BenchmarkFormats(b *testing.B) {
	av, _ := NewAvro(Values, "snappy", connectavro.Options{})
	pq, _ := NewParquet(Values, "snappy", 16<<20, false, connectavro.Options{})
	for _, c := range []struct {
		name string
		f    Format
	}{{"json", NewJSON(Values, 0)}, {"avro", av}, {"parquet", pq}} {
		b.Run(c.name, func(b *testing.B) {
			recs := make([]*connect.Record, 1000)
			for i := range recs {
				recs[i] = record(i)
			}
			w, err := c.f.NewWriter(recs[0])
			if err != nil {
				b.Fatal(err)
			}
			var block []byte
			rows := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if block, err = w.Append(block, recs[i%1000]); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(0)
				if rows++; len(block) >= max(w.BlockBytes(), 1<<20) {
					if err := w.Seal(overwriting{io.Discard}, [][]byte{block}, rows, false); err != nil {
						b.Fatal(err)
					}
					block, rows = block[:0], 0
				}
			}
		})
	}
}

// TestParquetNames has fields whose names are no identifiers: each is a column of its name.
func TestParquetNames(t *testing.T) {
	for _, name := range []string{"a b", "a.b", "ü", "a,b", "list"} {
		pq, err := NewParquet(Values, "none", 1<<20, false, connectavro.Options{ScrubNames: true})
		if err != nil {
			t.Fatal(err)
		}
		r := &connect.Record{ValueSchema: structOf(connect.Attrs{}, connect.Field{Name: name, Schema: connect.Int32Schema}),
			Value: connect.StructValue([]connect.Value{connect.Int32Value(7)})}
		w, err := pq.NewWriter(r)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		row, err := w.Append(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := w.Seal(overwriting{&out}, [][]byte{row}, 1, true); err != nil {
			t.Fatal(err)
		}
		f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Schema().Columns(); len(got) != 1 || len(got[0]) != 1 || got[0][0] != name {
			t.Errorf("%q: the columns are %q", name, got)
		}
	}
}
