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

// rowWriter takes a value apart.
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
		w.walk(v, 0, 0, 0)
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

// walk follows the column's way from step n on. rep and def are the levels at v; nested counts the repeated steps so far.
func (w *rowWriter) walk(v connect.Value, n, rep, def int) {
	w.follow(v, n, rep, def, 0)
}

func (w *rowWriter) follow(v connect.Value, n, rep, def, nested int) {
	for ; n < len(w.col.way); n++ {
		s := &w.col.way[n]
		if s.kind != stepField {
			w.repeat(v, n, rep, def, nested+1)
			return
		}
		v = v.Cells()[s.index]
		if !w.present(v, s, rep, &def) {
			return
		}
	}
	w.value(v, rep, def)
}

// present counts the level of an optional step. It writes a null when that ends the way.
func (w *rowWriter) present(v connect.Value, s *step, rep int, def *int) bool {
	if !v.IsNull() {
		if s.optional {
			*def++
		}
		return true
	}
	if !s.optional {
		w.err = errNotNull
	}
	w.null(rep, *def)
	return false
}

// repeat goes on with each element.
func (w *rowWriter) repeat(v connect.Value, n, rep, def, nested int) {
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
	for i := first; i < len(cells); i += stride {
		d := def + 1
		if w.present(cells[i], s, rep, &d) {
			w.follow(cells[i], n+1, rep, d, nested)
		}
		rep = nested
	}
}

func (w *rowWriter) null(rep, def int) { w.dst = append(w.dst, byte(rep<<4|def)) }

func (w *rowWriter) value(v connect.Value, rep, def int) {
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

func (w *rowWriter) bytes(v connect.Value) {
	if v.Type() == connect.String {
		text := v.Text()
		w.dst = append(binary.AppendUvarint(w.dst, uint64(len(text))), text...)
		return
	}
	b := v.Bytes()
	w.dst = append(binary.AppendUvarint(w.dst, uint64(len(b))), b...)
}

// rowReader makes columns of the rows of a block, which is of our own making.
type rowReader struct {
	block   []byte
	columns []column
	values  [][]parquet.Value // by column; they share the block's memory
}

// row adds one row to values.
func (r *rowReader) row() {
	for i := range r.columns {
		c := &r.columns[i]
		for {
			r.value(c, i)
			if !c.repeated {
				break
			}
			if r.block[0] == endOfColumn {
				r.block = r.block[1:]
				break
			}
		}
	}
}

func (r *rowReader) value(c *column, i int) {
	rep, def := 0, 0
	if c.maxDef > 0 {
		rep, def = int(r.block[0]>>4), int(r.block[0]&15)
		r.block = r.block[1:]
	}
	if def < c.maxDef {
		r.values[i] = append(r.values[i], parquet.NullValue().Level(rep, def, i))
		return
	}
	r.values[i] = append(r.values[i], r.scalar(c.kind).Level(rep, def, i))
}

func (r *rowReader) scalar(kind parquet.Kind) (v parquet.Value) {
	n := 4
	switch kind {
	case parquet.Boolean:
		v, n = parquet.BooleanValue(r.block[0] == 1), 1
	case parquet.Int32:
		v = parquet.Int32Value(int32(binary.LittleEndian.Uint32(r.block)))
	case parquet.Int64:
		v, n = parquet.Int64Value(int64(binary.LittleEndian.Uint64(r.block))), 8
	case parquet.Float:
		v = parquet.FloatValue(math.Float32frombits(binary.LittleEndian.Uint32(r.block)))
	case parquet.Double:
		v, n = parquet.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(r.block))), 8
	default:
		size, head := binary.Uvarint(r.block)
		n = head + int(size)
		v = parquet.ByteArrayValue(r.block[head:n])
	}
	r.block = r.block[n:]
	return v
}
