package pgtype

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// mixedRow is a row of twelve columns as tables of applications have them, in both
// forms.
var mixedRow = []struct {
	typ, text string
	bin       []byte
}{
	{"int8", "123456789", binary.BigEndian.AppendUint64(nil, 123456789)},
	{"int4", "-42", binary.BigEndian.AppendUint32(nil, math.MaxUint32-41)},
	{"text", "Wolfgang Amadeus Mozart", []byte("Wolfgang Amadeus Mozart")},
	{"varchar(80)", "wolfgang@example.org", []byte("wolfgang@example.org")},
	{"numeric(12,2)", "1234567.89", []byte{0, 3, 0, 1, 0, 0, 0, 2, 0, 123, 17, 215, 34, 196}},
	{"float8", "3.141592653589793", binary.BigEndian.AppendUint64(nil, math.Float64bits(math.Pi))},
	{"bool", "t", []byte{1}},
	{"timestamptz", "2024-05-06 07:08:09.123456+00", binary.BigEndian.AppendUint64(nil, 768294489123456)},
	{"timestamp", "2024-05-06 07:08:09.123456", binary.BigEndian.AppendUint64(nil, 768294489123456)},
	{"date", "2024-05-06", binary.BigEndian.AppendUint32(nil, 8892)},
	{"uuid", "76019d1a-ad2e-4b22-96e9-1a6d6543c818", unhex("76019d1aad2e4b2296e91a6d6543c818")},
	{"jsonb", `{"a": 1, "b": [true, null]}`, []byte("\x01" + `{"a": 1, "b": [true, null]}`)},
}

func unhex(s string) []byte {
	b, _ := hex.DecodeString(s)
	return b
}

type benchCell struct {
	codec     *Codec
	text, bin []byte
}

func mixedCells(t testing.TB) []benchCell {
	c := NewCatalog()
	var cells []benchCell
	for _, m := range mixedRow {
		oid, mod := oidMod(t, c, m.typ)
		codec, err := c.Compile(Column{Name: "v", TypeOID: oid, TypeMod: mod, NotNull: true}, &Options{MoneyFractionDigits: 2})
		if err != nil {
			t.Fatal(err)
		}
		cells = append(cells, benchCell{codec, []byte(m.text), m.bin})
	}
	return cells
}

// readRow reads a row in one of the forms into cells of the batch.
func readRow(b *connect.Batch, row []benchCell, bin bool) error {
	out := b.Cells(len(row))
	for i := range row {
		r := &row[i]
		var err error
		if bin {
			out[i], err = r.codec.Binary(b, r.bin)
		} else {
			out[i], err = r.codec.Text(b, r.text)
		}
		if err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// TestMixedRowDoesNotAllocate also wants the two forms of the row to be the same.
func TestMixedRowDoesNotAllocate(t *testing.T) {
	row := mixedCells(t)
	b := connect.NewBatch(1000, 1<<20)
	for _, r := range row {
		x, errX := r.codec.Text(b, r.text)
		y, errY := r.codec.Binary(b, r.bin)
		if errX != nil || errY != nil || !x.Equal(y) {
			t.Fatalf("%s: %v (%v), %v (%v)", r.text, x, errX, y, errY)
		}
	}
	for _, bin := range []bool{false, true} {
		if n := testing.AllocsPerRun(100, func() {
			b.Reset()
			if err := readRow(b, row, bin); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("binary %t: %v allocations", bin, n)
		}
	}
}

func BenchmarkMixedRow(b *testing.B) {
	for _, bin := range []bool{false, true} {
		b.Run([]string{"text", "binary"}[map[bool]int{true: 1}[bin]], func(b *testing.B) {
			row := mixedCells(b)
			batch := connect.NewBatch(1000, 1<<20)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n++; n%1000 == 0 {
					batch.Reset()
				}
				if err := readRow(batch, row, bin); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCell(b *testing.B) {
	for _, r := range mixedCells(b) {
		name := strings.ToLower(r.codec.Schema.Type().String())
		if r.codec.Schema.Name() != "" {
			name = r.codec.Schema.Name()
		}
		for _, form := range []string{"text", "binary"} {
			b.Run(name+"/"+form, func(b *testing.B) {
				batch := connect.NewBatch(1000, 1<<20)
				b.ReportAllocs()
				read, data := r.codec.Text, r.text
				if form == "binary" {
					read, data = r.codec.Binary, r.bin
				}
				n := 0
				for b.Loop() {
					if n++; n%1000 == 0 {
						batch.Reset()
					}
					if _, err := read(batch, data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLongestNumeric is PostgreSQL's longest number.
func BenchmarkLongestNumeric(b *testing.B) {
	codec, err := NewCatalog().Compile(Column{Name: "v", TypeOID: oidNumeric, TypeMod: -1}, &Options{})
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(strings.Repeat("9", 131072) + "." + strings.Repeat("9", 16383))
	batch := connect.NewBatch(1, 1)
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		if _, err := codec.Text(batch, text); err != nil {
			b.Fatal(err)
		}
	}
}
