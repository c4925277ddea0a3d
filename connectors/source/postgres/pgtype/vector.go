package pgtype

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// The types of pgvector. Their elements have single or half precision; a vector
// becomes doubles with the digits that its text form shows, so binary elements go
// through their shortest text too.

func vectorKind() *kind {
	s := named(connect.Array, "io.debezium.data.DoubleVector")
	s.value = connect.Float64Schema
	return &kind{shape: s, zero: connect.ArrayValue(nil), text: vectorText("vector", doubleElement),
		binary: vectorBinary("vector", 4, func(data []byte) connect.Value { return doubleOf(float(data)) })}
}

func halfvecKind() *kind {
	s := named(connect.Array, "io.debezium.data.FloatVector")
	s.value = connect.Float32Schema
	return &kind{shape: s, zero: connect.ArrayValue(nil), text: vectorText("halfvec", singleElement),
		binary: vectorBinary("halfvec", 2, func(data []byte) connect.Value {
			return connect.Float32Value(half(binary.BigEndian.Uint16(data)))
		})}
}

func doubleElement(data []byte) (connect.Value, bool) {
	f, ok := parseFloat(data, 64)
	return connect.Float64Value(f), ok
}

func singleElement(data []byte) (connect.Value, bool) {
	f, ok := parseFloat(data, 32)
	return connect.Float32Value(float32(f)), ok
}

// doubleOf returns the double with the shortest digits of a single.
func doubleOf(single float64) connect.Value {
	var scratch [32]byte
	f, _ := strconv.ParseFloat(view(strconv.AppendFloat(scratch[:0], single, 'g', -1, 32)), 64)
	return connect.Float64Value(f)
}

// half widens a number of half precision.
func half(h uint16) float32 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	f := math.Ldexp(1+fraction/1024, exponent-15)
	switch {
	case exponent == 0:
		f = math.Ldexp(fraction/1024, -14)
	case exponent == 31 && fraction > 0:
		f = math.NaN()
	case exponent == 31:
		f = math.Inf(1)
	}
	if h>>15 == 1 {
		f = -f
	}
	return float32(f)
}

// vectorText reads [1,2,3].
func vectorText(name string, element func([]byte) (connect.Value, bool)) decode {
	bad := badText(name)
	return func(b *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) < 2 || data[0] != '[' || data[len(data)-1] != ']' {
			return connect.Value{}, bad
		}
		data = data[1 : len(data)-1]
		cells := b.Cells(bytes.Count(data, []byte{','}) + 1)
		for i := range cells {
			var item []byte
			item, data, _ = bytes.Cut(data, []byte{','})
			var ok bool
			if cells[i], ok = element(item); !ok {
				return connect.Value{}, bad
			}
		}
		return connect.ArrayValue(cells), nil
	}
}

// vectorBinary reads the number of dimensions, 16 bits that are not used, and the
// elements.
func vectorBinary(name string, size int, element func([]byte) connect.Value) decode {
	bad := badBinary(name)
	return func(b *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) < 4 || len(data)-4 != size*int(binary.BigEndian.Uint16(data)) {
			return connect.Value{}, bad
		}
		data = data[4:]
		cells := b.Cells(len(data) / size)
		for i := range cells {
			cells[i] = element(data[i*size : (i+1)*size])
		}
		return connect.ArrayValue(cells), nil
	}
}

func sparsevecKind() *kind {
	m, _ := connect.NewMap(connect.Int16Schema, connect.Float64Schema, connect.Attrs{}) // fails only without schemas
	return &kind{
		shape: shape{typ: connect.Struct, name: "io.debezium.data.SparseDoubleVector", version: 1, doc: "Sparse double vector",
			fields: []connect.Field{{Name: "dimensions", Schema: connect.Int16Schema}, {Name: "vector", Schema: m}}},
		zero: connect.StructValue([]connect.Value{connect.Int16Value(0), connect.MapValue(nil)}),
		text: sparseText, binary: sparseBinary}
}

var errSparse = &ValueError{"sparsevec", "its dimensions do not fit into an INT16"}

func sparseCell(b *connect.Batch, dimensions int64, pairs []connect.Value) (connect.Value, error) {
	if dimensions < 0 || dimensions > math.MaxInt16 {
		return connect.Value{}, errSparse
	}
	cells := b.Cells(2)
	cells[0], cells[1] = connect.Int16Value(int16(dimensions)), connect.MapValue(pairs)
	return connect.StructValue(cells), nil
}

// sparseText reads {1:1.5,3:2}/5: positions from 1, and the dimensions.
func sparseText(b *connect.Batch, data []byte) (connect.Value, error) {
	body, dims, ok := bytes.Cut(data, []byte("}/"))
	dimensions, ok2 := parseInt(dims)
	if !ok || !ok2 || len(body) == 0 || body[0] != '{' {
		return connect.Value{}, badText("sparsevec")
	}
	body = body[1:]
	if len(body) == 0 {
		return sparseCell(b, dimensions, nil)
	}
	pairs := b.Cells(2 * (bytes.Count(body, []byte{','}) + 1))
	for i := 0; i < len(pairs); i += 2 {
		var item []byte
		item, body, _ = bytes.Cut(body, []byte{','})
		at, f, ok := bytes.Cut(item, []byte{':'})
		index, ok2 := parseInt(at)
		v, ok3 := doubleElement(f)
		if !ok || !ok2 || !ok3 || index < 1 || index > dimensions {
			return connect.Value{}, badText("sparsevec")
		}
		pairs[i], pairs[i+1] = connect.Int16Value(int16(index)), v
	}
	return sparseCell(b, dimensions, pairs)
}

// sparseBinary reads dimensions, number of elements and 32 bits that are not used,
// then the positions from 0 and the elements.
func sparseBinary(b *connect.Batch, data []byte) (connect.Value, error) {
	if len(data) < 12 {
		return connect.Value{}, badBinary("sparsevec")
	}
	dimensions, n := bigEndianInt(data[:4]), int(bigEndianInt(data[4:8]))
	data = data[12:]
	if n < 0 || len(data) != 8*n {
		return connect.Value{}, badBinary("sparsevec")
	}
	pairs := b.Cells(2 * n)
	for i := range n {
		index := bigEndianInt(data[4*i:4*i+4]) + 1
		if index < 1 || index > dimensions {
			return connect.Value{}, badBinary("sparsevec")
		}
		pairs[2*i] = connect.Int16Value(int16(index))
		pairs[2*i+1] = doubleOf(float(data[4*(n+i) : 4*(n+i)+4]))
	}
	return sparseCell(b, dimensions, pairs)
}
