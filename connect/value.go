package connect

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// Value is one cell: a scalar, a string, bytes, or a group of cells. Its zero
// value is null. A Value is copied freely; the memory that a string, bytes or
// group of cells points to belongs to whoever made it, for a record of a batch
// to the batch.
//
// A Value knows its Type but not its Schema: the schema stands beside it, on
// the Record, and leads to the schemas of nested cells. Schemaless data uses
// BOOLEAN, INT64, FLOAT64, STRING, BYTES, ARRAY and MAP with STRING keys.
type Value struct {
	_   [0]func() // no ==: use Equal
	num uint64    // scalar bits, or the length of what ptr points to
	ptr unsafe.Pointer
	typ Type
}

// BooleanValue returns a BOOLEAN cell.
func BooleanValue(v bool) Value {
	if v {
		return Value{typ: Boolean, num: 1}
	}
	return Value{typ: Boolean}
}

// Int8Value returns an INT8 cell.
func Int8Value(v int8) Value { return Value{typ: Int8, num: uint64(int64(v))} }

// Int16Value returns an INT16 cell.
func Int16Value(v int16) Value { return Value{typ: Int16, num: uint64(int64(v))} }

// Int32Value returns an INT32 cell.
func Int32Value(v int32) Value { return Value{typ: Int32, num: uint64(int64(v))} }

// Int64Value returns an INT64 cell.
func Int64Value(v int64) Value { return Value{typ: Int64, num: uint64(v)} }

// Float32Value returns a FLOAT32 cell.
func Float32Value(v float32) Value {
	return Value{typ: Float32, num: math.Float64bits(float64(v))}
}

// Float64Value returns a FLOAT64 cell.
func Float64Value(v float64) Value { return Value{typ: Float64, num: math.Float64bits(v)} }

// StringValue returns a STRING cell that shares s.
func StringValue(s string) Value {
	return Value{typ: String, num: uint64(len(s)), ptr: unsafe.Pointer(unsafe.StringData(s))}
}

// BytesValue returns a BYTES cell that shares b. A nil b is empty bytes, not
// null.
func BytesValue(b []byte) Value {
	return Value{typ: Bytes, num: uint64(len(b)), ptr: unsafe.Pointer(unsafe.SliceData(b))}
}

// StructValue returns a STRUCT cell that shares the cells, one for each field of
// its schema in order.
func StructValue(cells []Value) Value { return group(Struct, cells) }

// ArrayValue returns an ARRAY cell that shares the elements.
func ArrayValue(elems []Value) Value { return group(Array, elems) }

// MapValue returns a MAP cell that shares the pairs: key, value, key, value. It
// panics when their number is odd.
func MapValue(pairs []Value) Value {
	if len(pairs)%2 != 0 {
		panic("connect: MapValue needs pairs of cells")
	}
	return group(Map, pairs)
}

func group(t Type, cells []Value) Value {
	return Value{typ: t, num: uint64(len(cells)), ptr: unsafe.Pointer(unsafe.SliceData(cells))}
}

// Type returns the type of the cell; Null for a null.
func (v Value) Type() Type { return v.typ }

// IsNull tells whether the cell is null.
func (v Value) IsNull() bool { return v.typ == Null }

// Boolean returns a BOOLEAN. Like the other accessors it panics for a cell of
// another type.
func (v Value) Boolean() bool {
	if v.typ != Boolean {
		v.wrong("Boolean")
	}
	return v.num != 0
}

// Int returns an INT8, INT16, INT32 or INT64.
func (v Value) Int() int64 {
	if v.typ < Int8 || v.typ > Int64 {
		v.wrong("Int")
	}
	return int64(v.num)
}

// Float returns a FLOAT32 or FLOAT64.
func (v Value) Float() float64 {
	if v.typ != Float32 && v.typ != Float64 {
		v.wrong("Float")
	}
	return math.Float64frombits(v.num)
}

// Text returns a STRING. It shares the cell's memory.
func (v Value) Text() string {
	if v.typ != String {
		v.wrong("Text")
	}
	return unsafe.String((*byte)(v.ptr), int(v.num))
}

// Bytes returns BYTES. It shares the cell's memory and must not be changed.
func (v Value) Bytes() []byte {
	if v.typ != Bytes {
		v.wrong("Bytes")
	}
	return unsafe.Slice((*byte)(v.ptr), int(v.num))
}

// Cells returns the cells of a STRUCT, the elements of an ARRAY or the
// alternating keys and values of a MAP. It shares the cell's memory.
func (v Value) Cells() []Value {
	if v.typ < Array {
		v.wrong("Cells")
	}
	return unsafe.Slice((*Value)(v.ptr), int(v.num))
}

// Len returns the length of a STRING or BYTES in bytes, the number of fields or
// elements of a STRUCT or ARRAY, and the number of pairs of a MAP.
func (v Value) Len() int {
	if v.typ < String {
		v.wrong("Len")
	}
	if v.typ == Map {
		return int(v.num) / 2
	}
	return int(v.num)
}

// wrong is apart so that the accessors are small enough to be inlined.
func (v Value) wrong(method string) {
	panic("connect: Value." + method + " of a " + v.typ.String() + " cell")
}

// Equal tells whether two cells have the same type and content. Maps are equal
// when their pairs are equal in the same order. NaN equals NaN.
func (v Value) Equal(o Value) bool {
	if v.typ != o.typ {
		return false
	}
	switch v.typ {
	case String:
		return v.Text() == o.Text()
	case Bytes:
		return bytes.Equal(v.Bytes(), o.Bytes())
	case Array, Map, Struct:
		return equalCells(v.Cells(), o.Cells())
	default:
		return v.num == o.num
	}
}

func equalCells(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// String returns the cell for a person to read; converters have the forms for
// machines.
func (v Value) String() string {
	switch {
	case v.typ == Null:
		return "null"
	case v.typ == Boolean:
		return strconv.FormatBool(v.Boolean())
	case v.typ <= Int64:
		return strconv.FormatInt(v.Int(), 10)
	case v.typ <= Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case v.typ == String:
		return strconv.Quote(v.Text())
	case v.typ == Bytes:
		return fmt.Sprintf("%x", v.Bytes())
	default:
		return fmt.Sprintf("%s%v", v.typ, v.Cells())
	}
}
