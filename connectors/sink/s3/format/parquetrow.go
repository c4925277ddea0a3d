package format

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/parquet-go/parquet-go"

	"github.com/sluice-data/sluice/connect"
)

// A row waits in a block as the values of its columns, one column after the other. In front of each value stand its levels, where the
// column has any, in one byte: the repetition level in the upper half, the definition level in the lower one. Behind the last value of a
// repeated column stands endOfColumn. A value whose definition level is not the column's highest is null and has no bytes.
const endOfColumn = 0xff

// rowWriter takes a value apart. It looks at cells where they are: copying them costs more than what is done with them.
type rowWriter struct {
	dst []byte
	col *column
	err error
}

// appendRow adds a row of columns.
func appendRow(dst []byte, columns []column, v connect.Value) ([]byte, error) {
	w := rowWriter{dst: dst}
	for i := range columns {
		w.col = &columns[i]
		w.follow(&v, 0, 0, 0, 0)
		if w.col.repeated {
			w.dst = append(w.dst, endOfColumn)
		}
	}
	if w.err != nil {
		return dst, w.err
	}
	return w.dst, nil
}

var errNotNull = errors.New("a value is null that the schema says is not optional")

// follow goes the column's way from step n on. rep and def are the levels at v; nested counts the repeated steps so far.
func (w *rowWriter) follow(v *connect.Value, n, rep, def, nested int) {
	for way := w.col.way; n < len(way); n++ {
		s := &way[n]
		if s.kind != stepField {
			w.repeat(v, n, rep, def, nested+1)
			return
		}
		v = &v.Cells()[s.index]
		if v.IsNull() {
			w.missing(s, rep, def)
			return
		}
		if s.optional {
			def++
		}
	}
	w.value(v, rep, def)
}

// missing writes the null that ends the way.
func (w *rowWriter) missing(s *step, rep, def int) {
	if !s.optional {
		w.err = errNotNull
	}
	w.null(rep, def)
}

// repeat goes on with each element.
func (w *rowWriter) repeat(v *connect.Value, n, rep, def, nested int) {
	s := &w.col.way[n]
	cells := v.Cells()
	stride, first := 1, 0
	switch s.kind {
	case stepKey:
		stride = 2
	case stepValue:
		stride, first = 2, 1
	}
	if len(cells) == 0 {
		w.null(rep, def)
		return
	}
	present := def + 1
	if s.optional {
		present++
	}
	for i := first; i < len(cells); i += stride {
		if cells[i].IsNull() {
			w.missing(s, rep, def+1)
		} else {
			w.follow(&cells[i], n+1, rep, present, nested)
		}
		rep = nested
	}
}

func (w *rowWriter) null(rep, def int) { w.dst = append(w.dst, byte(rep<<4|def)) }

func (w *rowWriter) value(v *connect.Value, rep, def int) {
	if w.col.maxDef > 0 {
		w.dst = append(w.dst, byte(rep<<4|def))
	}
	switch w.col.kind {
	case parquet.Boolean:
		b := byte(0)
		if v.Boolean() {
			b = 1
		}
		w.dst = append(w.dst, b)
	case parquet.Int32:
		w.dst = binary.LittleEndian.AppendUint32(w.dst, uint32(v.Int()))
	case parquet.Int64:
		w.dst = binary.LittleEndian.AppendUint64(w.dst, uint64(v.Int()))
	case parquet.Float:
		w.dst = binary.LittleEndian.AppendUint32(w.dst, math.Float32bits(float32(v.Float())))
	case parquet.Double:
		w.dst = binary.LittleEndian.AppendUint64(w.dst, math.Float64bits(v.Float()))
	default:
		w.bytes(v)
	}
}

func (w *rowWriter) bytes(v *connect.Value) {
	if v.Type() == connect.String {
		text := v.Text()
		w.dst = append(binary.AppendUvarint(w.dst, uint64(len(text))), text...)
		return
	}
	b := v.Bytes()
	w.dst = append(binary.AppendUvarint(w.dst, uint64(len(b))), b...)
}

// rowReader makes columns of the rows of a block, which is of our own making. Values are made where they stay: copying them costs as
// much as all the rest.
type rowReader struct {
	block   []byte
	columns []column
	values  [][]parquet.Value // by column; they share the block's memory
}

// rows makes values of the next rows, n of them at most, in place of those that there are, and says how many they were.
func (r *rowReader) rows(n int) int {
	for i := range r.columns {
		if cap(r.values[i]) < n {
			r.values[i] = make([]parquet.Value, n)
		}
		r.values[i] = r.values[i][:n]
		if r.columns[i].repeated {
			r.values[i] = r.values[i][:0]
		}
	}
	b, row := r.block, 0
	for ; row < n && len(b) > 0; row++ {
		for i := range r.columns {
			if c := &r.columns[i]; c.repeated {
				r.values[i], b = repeatedValues(r.values[i], b, c)
			} else {
				b = readValue(&r.values[i][row], b, c)
			}
		}
	}
	r.block = b
	for i := range r.columns {
		if !r.columns[i].repeated {
			r.values[i] = r.values[i][:row]
		}
	}
	return row
}

// repeatedValues appends the values of a row.
func repeatedValues(values []parquet.Value, b []byte, c *column) ([]parquet.Value, []byte) {
	for b[0] != endOfColumn {
		values = append(values, parquet.Value{})
		b = readValue(&values[len(values)-1], b, c)
	}
	return values, b[1:]
}

// readValue takes a value and its levels off b.
func readValue(v *parquet.Value, b []byte, c *column) []byte {
	if c.maxDef == 0 {
		return readScalar(v, b, c.kind)
	}
	levels := b[0]
	if b = b[1:]; int(levels&15) < c.maxDef {
		*v = parquet.Value{}
	} else {
		b = readScalar(v, b, c.kind)
	}
	v.SetRepetitionLevel(int(levels >> 4))
	v.SetDefinitionLevel(int(levels & 15))
	return b
}

func readScalar(v *parquet.Value, b []byte, kind parquet.Kind) []byte {
	switch kind {
	case parquet.Boolean:
		*v = parquet.BooleanValue(b[0] == 1)
		return b[1:]
	case parquet.Int32:
		*v = parquet.Int32Value(int32(binary.LittleEndian.Uint32(b)))
		return b[4:]
	case parquet.Int64:
		*v = parquet.Int64Value(int64(binary.LittleEndian.Uint64(b)))
		return b[8:]
	case parquet.Float:
		*v = parquet.FloatValue(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		return b[4:]
	case parquet.Double:
		*v = parquet.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		return b[8:]
	}
	size, head := uint64(b[0]), 1
	if size >= 0x80 {
		size, head = binary.Uvarint(b)
	}
	end := head + int(size)
	*v = parquet.ByteArrayValue(b[head:end])
	return b[end:]
}
