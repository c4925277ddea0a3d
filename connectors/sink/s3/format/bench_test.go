package format

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// order is a row as the generator makes them: numbers, names that repeat, a struct and text that does not repeat itself.
var order = structOf(connect.Attrs{Name: "ksql.orders"},
	connect.Field{Name: "ordertime", Schema: connect.Int64Schema}, connect.Field{Name: "orderid", Schema: connect.Int32Schema},
	connect.Field{Name: "itemid", Schema: connect.StringSchema}, connect.Field{Name: "orderunits", Schema: connect.Float64Schema},
	connect.Field{Name: "address", Schema: structOf(connect.Attrs{Name: "ksql.address"}, connect.Field{Name: "city", Schema: connect.StringSchema},
		connect.Field{Name: "state", Schema: connect.OptionalStringSchema}, connect.Field{Name: "zipcode", Schema: connect.OptionalInt64Schema})},
	connect.Field{Name: "payload", Schema: connect.StringSchema})

func orders(n int) []connect.Record {
	rnd := rand.New(rand.NewPCG(1, 2))
	records := make([]connect.Record, n)
	text := connect.StringValue
	for i := range records {
		records[i] = connect.Record{ValueSchema: order, Value: connect.StructValue([]connect.Value{
			connect.Int64Value(1_700_000_000_000 + int64(i)*7), connect.Int32Value(int32(i)), text(fmt.Sprint("Item_", rnd.IntN(999))), connect.Float64Value(rnd.Float64() * 10),
			connect.StructValue([]connect.Value{text(fmt.Sprint("City_", rnd.IntN(99))), text(fmt.Sprint("State_", rnd.IntN(99))), connect.Int64Value(int64(rnd.IntN(90000)))}),
			text(fmt.Sprintf("%015x%015x%015x%015x", rnd.Uint64()>>4, rnd.Uint64()>>4, rnd.Uint64()>>4, rnd.Uint64()>>4))})}
	}
	return records
}

// BenchmarkOrders makes objects of 100,000 rows, one after the other, as the sink does: a record is appended to a line and the line to the block.
// MB/s are of what the rows are as JSON, for every format.
func BenchmarkOrders(b *testing.B) {
	json := NewJSON(Values, connectjson.DecimalBase64)
	gzip, _ := NewGzip(json, -1)
	avro, _ := NewAvro(Values, "snappy", connectavro.Options{})
	parquet, _ := NewParquet(Values, "snappy", 128<<20, false, connectavro.Options{})
	records := orders(100_000)
	size := 0
	for i := range records {
		line, err := json.Append(nil, &records[i])
		if err != nil {
			b.Fatal(err)
		}
		size += len(line)
	}
	for _, c := range []struct {
		name   string
		format Format
	}{{"json", json}, {"gzip", gzip}, {"avro", avro}, {"parquet", parquet}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size / len(records)))
			benchmarkOrders(b, c.format, records)
		})
	}
}

type discard struct{ io.Writer }

func (discard) Free([]byte) {}

func benchmarkOrders(b *testing.B, f Format, records []connect.Record) {
	const pieceBytes = 1 << 20
	var line []byte
	var block, pieces [][]byte // in hand, and those that were
	size, rows := 0, 0
	w, err := f.NewWriter(&records[0])
	for n := 0; b.Loop() && err == nil; n++ {
		if line, err = w.Append(line[:0], &records[n%len(records)]); err != nil {
			break
		}
		if k := len(block); k == 0 || len(block[k-1])+len(line) > cap(block[k-1]) {
			if k == len(pieces) {
				pieces = append(pieces, make([]byte, 0, pieceBytes))
			}
			block = pieces[:k+1]
			block[k] = block[k][:0]
		}
		last := &block[len(block)-1]
		*last = append(*last, line...)
		size += len(line)
		rows++
		ends := n%100_000 == 99_999
		if ends || size >= max(w.BlockBytes(), 64<<10) {
			err = w.Seal(discard{io.Discard}, block, rows, ends)
			block, size, rows = nil, 0, 0
		}
		if ends && err == nil {
			w, err = f.NewWriter(&records[0])
		}
	}
	if err != nil {
		b.Fatal(err)
	}
}
