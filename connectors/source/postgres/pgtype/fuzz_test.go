package pgtype

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// everyCodec are codecs of all types of the test catalog.
func everyCodec(t testing.TB, options ...*Options) []*Codec {
	c := testCatalog()
	var oids []uint32
	for oid := range c.types {
		oids = append(oids, oid)
	}
	slices.Sort(oids)
	var all []*Codec
	for _, o := range options {
		for _, oid := range oids {
			for _, mod := range []int32{-1, 1, 3, 10<<16 | 2 + 4} {
				codec, err := c.Compile(Column{Name: "v", TypeOID: oid, TypeMod: mod}, o)
				if err != nil {
					t.Fatal(err)
				}
				if codec != nil {
					all = append(all, codec)
				}
			}
		}
	}
	return all
}

// fuzz reads any bytes with any codec: without a panic, and without a value that is
// not of its schema.
func fuzz(f *testing.F, read func(*Codec, *connect.Batch, []byte) (connect.Value, error)) {
	codecs := everyCodec(f, append(everyMode(), &Options{IncludeUnknown: true})...)
	b := connect.NewBatch(1, 1)
	f.Fuzz(func(t *testing.T, which uint16, data []byte) {
		c := codecs[int(which)%len(codecs)]
		b.Reset()
		before := slices.Clone(data)
		v, err := read(c, b, data)
		if !slices.Equal(before, data) {
			t.Fatal("the cell was written to")
		}
		if err != nil {
			return
		}
		got := valueJSON(c.Schema, v)
		if strings.HasPrefix(got, "ERROR") {
			t.Fatalf("%s: %s", schemaJSON(t, c.Schema), got)
		}
		clear(data)
		if after := valueJSON(c.Schema, v); after != got {
			t.Fatalf("the value keeps the cell's memory: %s became %s", got, after)
		}
	})
}

func FuzzText(f *testing.F) {
	for i, s := range []string{"", "t", "-1.50", "2020-01-01 00:00:00.5+00 BC", `{1,NULL,"a\"b"}`, `"a"=>"b", "c"=>NULL`, "((1,2),(3,4))", "1 year 2 mons -00:00:01",
		"{1:1,2:3}/5", "[1,2]", `\xdead`, "0101000020E6100000000000000000F03F0000000000000040", "12:00:00+05:30", "[2:3]={1,2}"} {
		for n := range 40 {
			f.Add(uint16(i+97*n), []byte(s))
		}
	}
	fuzz(f, (*Codec).Text)
}

func FuzzBinary(f *testing.F) {
	seeds := [][]byte{{}, {1}, make([]byte, 4), make([]byte, 8), make([]byte, 16), {0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 39, 15},
		{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9}, {0, 0, 0, 1, 0, 0, 0, 1, 'a', 255, 255, 255, 255},
		{2, 24, 0, 4, 10, 0, 0, 1}, {2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5}}
	for i, s := range seeds {
		for n := range 40 {
			f.Add(uint16(i+89*n), s)
		}
	}
	fuzz(f, func(c *Codec, b *connect.Batch, data []byte) (connect.Value, error) {
		if !c.BinaryOK() {
			return c.Text(b, data)
		}
		return c.Binary(b, data)
	})
}

// TestHostileLengths has numbers in cells that promise more than there is: no
// memory may be made for them (I5).
func TestHostileLengths(t *testing.T) {
	huge := []byte{0x7f, 0xff, 0xff, 0xff}
	cells := [][]byte{
		slices.Concat([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23}, huge, []byte{0, 0, 0, 1}),
		slices.Concat(huge, huge), slices.Concat(huge, []byte{0, 0, 0, 1, 'a'}), slices.Concat([]byte{1}, huge, make([]byte, 16)),
		slices.Concat(huge, make([]byte, 16)), slices.Concat([]byte{0, 0, 0, 5}, huge, []byte{0, 0, 0, 0}), {0xff, 0xff, 0, 0},
		{0, 1, 0x7f, 0xff, 0, 0, 0xff, 0xff, 0, 1}, {0, 1, 0x7f, 0xff, 0, 0, 0x3f, 0xff, 0, 1},
	}
	codecs := everyCodec(t, &Options{Hstore: HstoreMap})
	b := connect.NewBatch(1, 1)
	var before, after runtime.MemStats
	for _, data := range cells {
		for _, c := range codecs {
			if !c.BinaryOK() {
				continue
			}
			b.Reset()
			runtime.ReadMemStats(&before)
			c.Binary(b, data)
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 4<<20 {
				t.Fatalf("%x as %s takes %d bytes", data, schemaJSON(t, c.Schema), after.TotalAlloc-before.TotalAlloc)
			}
		}
	}
}
