package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
)

// texts are rows with columns of text of which more or fewer are equal.
var texts = structOf(connect.Attrs{Name: "org.example.Texts"}, connect.Field{Name: "few", Schema: connect.StringSchema},
	connect.Field{Name: "turns", Schema: connect.OptionalStringSchema}, connect.Field{Name: "different", Schema: connect.OptionalStringSchema}, connect.Field{Name: "most", Schema: connect.StringSchema})

func textsCell(n, column int) string {
	return fmt.Sprintf("%060x", [...]int{n % 100, n % 1000, n, n * 7919 % 1_000_003 % 90_000}[column])
}

func textsRow(n int) *connect.Record {
	cells := make([]connect.Value, 4)
	for i := range cells {
		cells[i] = connect.StringValue(textsCell(n, i))
	}
	return &connect.Record{ValueSchema: texts, Value: connect.StructValue(cells)}
}

// blockOf has rows in pieces of so many.
func blockOf(t testing.TB, w Writer, row func(int) *connect.Record, rows, each int) (block [][]byte) {
	t.Helper()
	for from := 0; from < rows; from += each {
		var piece []byte
		for n := from; n < min(from+each, rows); n++ {
			var err error
			if piece, err = w.Append(piece, row(n)); err != nil {
				t.Fatal(err)
			}
		}
		block = append(block, piece)
	}
	return block
}

// TestDictionaries: columns whose texts are mostly different have none, in row groups that are large enough for it to matter. All rows are there.
func TestDictionaries(t *testing.T) {
	for _, c := range []struct {
		rows, each, groups int
		want               []string // columns without a dictionary
	}{{8000, 800, 1, []string{"different", "most"}}, {8000, 800, 2, []string{"different", "most"}}, {2000, 2000, 1, nil}, {1, 1, 1, nil}} {
		f, err := NewParquet(Values, "snappy", 1<<30, false, connectavro.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second file of one row group has the writer of the first
			w, err := f.NewWriter(textsRow(0))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			for g := range c.groups {
				if err := w.Seal(overwriting{&out}, blockOf(t, w, textsRow, c.rows, c.each), c.rows, g == c.groups-1); err != nil {
					t.Fatal(err)
				}
			}
			checkTexts(t, out.Bytes(), c.rows, c.groups, c.want)
		}
	}
}

func checkTexts(t *testing.T, data []byte, rows, groups int, plain []string) {
	t.Helper()
	pf, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(pf.RowGroups()); got != groups {
		t.Fatalf("%d row groups, want %d", got, groups)
	}
	for g, group := range pf.RowGroups() {
		for i, column := range pf.Metadata().RowGroups[g].Columns {
			m := column.MetaData
			if got := m.DictionaryPageOffset == 0; got != slices.Contains(plain, m.PathInSchema[0]) {
				t.Errorf("%d rows in group %d of %d: %s without a dictionary: %v", rows, g, groups, m.PathInSchema[0], got)
			}
			if m.Statistics.MinValue == nil || m.Statistics.MaxValue == nil || m.NumValues != int64(rows) {
				t.Errorf("%s has no statistics, or %d values", m.PathInSchema[0], m.NumValues)
			}
			checkColumn(t, group.ColumnChunks()[i], i)
		}
	}
}

func checkColumn(t *testing.T, c parquet.ColumnChunk, column int) {
	t.Helper()
	pages := c.Pages()
	defer pages.Close()
	n, values := 0, make([]parquet.Value, 100)
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for r := page.Values(); err == nil; {
			var got int
			got, err = r.ReadValues(values)
			for _, v := range values[:got] {
				if want := textsCell(n, column); string(v.ByteArray()) != want {
					t.Fatalf("row %d, column %d: %s, want %s", n, column, v, want)
				}
				n++
			}
		}
	}
	if n != int(c.NumValues()) {
		t.Errorf("%d values, want %d", n, c.NumValues())
	}
}

// TestSeveralRowGroups: a file whose row groups were written one by one is what the library writes in one go, with files of others between them.
func TestSeveralRowGroups(t *testing.T) {
	const rows, groups = 700, 4
	f, err := NewParquet(Values, "snappy", 1<<30, false, connectavro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	block := func(w Writer, group int) [][]byte {
		return blockOf(t, w, func(n int) *connect.Record { return record(group*rows + n) }, rows, 100)
	}
	w, other := newWriter(t, f), newWriter(t, f)
	var got, want bytes.Buffer
	for g := range groups {
		for _, seal := range []error{w.Seal(overwriting{&got}, block(w, g), rows, false), other.Seal(overwriting{io.Discard}, block(other, g), rows, false)} {
			if seal != nil {
				t.Fatal(seal)
			}
		}
	}
	if err := w.Seal(overwriting{&got}, nil, 0, true); err != nil {
		t.Fatal(err)
	}
	plan := w.(*parquetWriter).plan
	to, err := f.writer(writerKind{plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	f.out.to = &want
	for g := range groups {
		if err := errors.Join(f.write(to, plan, block(w, g)), to.Flush()); err != nil {
			t.Fatal(err)
		}
		f.pages.reset()
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("the file has %d bytes, the library's %d, or they differ", got.Len(), want.Len())
	}
	pf, err := parquet.OpenFile(bytes.NewReader(got.Bytes()), int64(got.Len()))
	if err != nil || len(pf.RowGroups()) != groups || pf.NumRows() != rows*groups {
		t.Fatal(pf, err)
	}
	compareRows(t, pf)
}

// full is an Output that takes so many bytes.
type full struct{ bytes int }

var errFull = errors.New("full")

func (*full) Free([]byte) {}

func (f *full) Write(p []byte) (int, error) {
	if f.bytes -= len(p); f.bytes < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestFailedRowGroup: after a file that could not be written to its end the next one is as it should be.
func TestFailedRowGroup(t *testing.T) {
	f, err := NewParquet(Values, "snappy", 1<<30, false, connectavro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := file(t, f, 500)
	for most := 0; most < len(want); most += len(want) / 8 {
		for _, last := range []bool{true, false} {
			w := newWriter(t, f)
			if err := w.Seal(&full{most}, blockOf(t, w, record, 500, 100), 500, last); last && !errors.Is(err, errFull) {
				t.Fatal(err)
			}
			if got := file(t, f, 500); !bytes.Equal(got, want) {
				t.Fatalf("after %d bytes of a file the next one has %d bytes, want %d, or they differ", most, len(got), len(want))
			}
		}
	}
}

func newWriter(t *testing.T, f Format) Writer {
	t.Helper()
	w, err := f.NewWriter(record(0))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestEstimate: how many values are different, by a sample.
func TestEstimate(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, values := range []int{1, 10, 1000, 10_000, 50_000} {
		const sampled, all = 4096, 100_000
		seen := make(map[int]bool)
		found := 0
		for n := range all {
			if seen[random.IntN(values)] = true; n == sampled-1 {
				found = len(seen)
			}
		}
		if got, want := distinct(float64(found), sampled, all), float64(len(seen)); got < want*0.9 || got > want*1.1 {
			t.Errorf("of %d values the estimate is %.0f, there are %.0f", values, got, want)
		}
	}
	if got := distinct(sampledOnce, sampledOnce, sampledOnce); got < sampledOnce*0.99 {
		t.Errorf("of %d that are different the estimate is %.0f", sampledOnce, got)
	}
}

const sampledOnce = 4096

// living is an Output that notes what lives when the first bytes of a row group come.
type living struct{ bytes uint64 }

func (l *living) Free([]byte) {}

func (l *living) Write(p []byte) (int, error) {
	if l.bytes == 0 {
		l.bytes = liveBytes()
	}
	return len(p), nil
}

func liveBytes() uint64 {
	runtime.GC()
	runtime.GC() // what pools of the runtime keep for one collection
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestRowGroupMemory: what a row group is written through is small beside its rows, while it is written and after that.
func TestRowGroupMemory(t *testing.T) {
	f, err := NewParquet(Values, "snappy", 1<<30, false, connectavro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 8))
	row := func(int) *connect.Record {
		text := func() connect.Value {
			return connect.StringValue(fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()))
		}
		return &connect.Record{ValueSchema: texts, Value: connect.StructValue([]connect.Value{text(), text(), text(), text()})}
	}
	w, err := f.NewWriter(row(0))
	if err != nil {
		t.Fatal(err)
	}
	const rows = 60_000 // 8 MB
	block := blockOf(t, w, row, rows, 5000)
	before := liveBytes()
	out := new(living)
	if err := w.Seal(out, block, rows, true); err != nil {
		t.Fatal(err)
	}
	after := liveBytes()
	if most := before + 3<<20; out.bytes > most || after > most {
		t.Errorf("%d bytes live while a row group of %d is written, %d after it", out.bytes-before, len(bytes.Join(block, nil)), after-before)
	}
	runtime.KeepAlive(f)
	runtime.KeepAlive(block)
}

// TestOpenFilesMemory: a file that has row groups already keeps little of them until its next.
func TestOpenFilesMemory(t *testing.T) {
	const files, rows, most = 30, 2000, 100 << 10
	f, err := NewParquet(Values, "snappy", 1<<30, false, connectavro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := liveBytes()
	open := make([]Writer, files)
	for i := range open {
		open[i] = newWriter(t, f)
		if err := open[i].Seal(overwriting{io.Discard}, blockOf(t, open[i], record, rows, rows), rows, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := (liveBytes() - before) / files; got > most {
		t.Errorf("an open file has %d bytes, want at most %d", got, most)
	}
	runtime.KeepAlive(open)
}

// TestPagePool writes buffers in turn, with memory that is given and without, and reads them as the library does and as io.Reader.
func TestPagePool(t *testing.T) {
	p := new(pagePool)
	for round := range 3 {
		buffers := []io.ReadWriteSeeker{p.GetBuffer(), p.GetBuffer(), p.GetBuffer()}
		want := make([][]byte, len(buffers))
		for n := range 600 {
			page := bytes.Repeat([]byte{byte(n)}, 1+n*13%3000)
			i := n % len(buffers)
			if got, err := buffers[i].Write(page); got != len(page) || err != nil {
				t.Fatal(got, err)
			}
			want[i] = append(want[i], page...)
			if round > 0 && n%10 == 0 {
				p.add(make([]byte, 10, 10_000))
			}
		}
		for i, b := range buffers {
			if at, err := b.Seek(0, io.SeekStart); at != 0 || err != nil {
				t.Fatal(at, err)
			}
			var got bytes.Buffer
			if i == 0 {
				_, _ = got.ReadFrom(struct{ io.Reader }{b})
			} else if n, err := b.(io.WriterTo).WriteTo(&got); n != int64(got.Len()) || err != nil {
				t.Fatal(n, err)
			}
			if !bytes.Equal(got.Bytes(), want[i]) {
				t.Errorf("round %d: buffer %d has %d bytes, want %d, or they differ", round, i, got.Len(), len(want[i]))
			}
			if _, err := b.Seek(1, io.SeekCurrent); err == nil {
				t.Error("Seek goes anywhere")
			}
			p.PutBuffer(b)
		}
		p.reset()
		if len(p.own) > maxOwnPages || len(p.room) > 0 {
			t.Errorf("%d pieces are kept, and %d that were given", len(p.own), len(p.room))
		}
	}
}
