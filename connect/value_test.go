package connect

import (
	"math"
	"testing"
	"unsafe"
)

func TestValueKeepsItsSize(t *testing.T) {
	// Batches hold millions of cells: growth has to be a decision.
	if got := unsafe.Sizeof(Value{}); got != 24 {
		t.Errorf("a Value has %d bytes, want 24", got)
	}
}

func TestValueRoundTrip(t *testing.T) {
	if got := Int8Value(math.MinInt8).Int(); got != math.MinInt8 {
		t.Errorf("int8: got %d", got)
	}
	if got := Int16Value(-2).Int(); got != -2 {
		t.Errorf("int16: got %d", got)
	}
	if got := Int32Value(math.MaxInt32).Int(); got != math.MaxInt32 {
		t.Errorf("int32: got %d", got)
	}
	if got := Int64Value(math.MinInt64).Int(); got != math.MinInt64 {
		t.Errorf("int64: got %d", got)
	}
	if got := Float32Value(1.5).Float(); got != 1.5 {
		t.Errorf("float32: got %g", got)
	}
	if got := Float64Value(math.Inf(-1)).Float(); !math.IsInf(got, -1) {
		t.Errorf("float64: got %g", got)
	}
	if !BooleanValue(true).Boolean() || BooleanValue(false).Boolean() {
		t.Error("boolean: got the opposite")
	}
	if got := StringValue("größe").Text(); got != "größe" {
		t.Errorf("string: got %q", got)
	}
	if got := BytesValue([]byte{0, 255}).Bytes(); string(got) != "\x00\xff" {
		t.Errorf("bytes: got %x", got)
	}
}

func TestEmptyIsNotNull(t *testing.T) {
	for _, v := range []Value{StringValue(""), BytesValue(nil), ArrayValue(nil), MapValue(nil), StructValue(nil)} {
		if v.IsNull() || v.Len() != 0 {
			t.Errorf("%s: got null=%t len=%d, want an empty %s", v, v.IsNull(), v.Len(), v.Type())
		}
	}
	if !(Value{}).IsNull() {
		t.Error("the zero Value is not null")
	}
}

func TestValueEqual(t *testing.T) {
	nested := func(s string) Value {
		return StructValue([]Value{Int64Value(1), ArrayValue([]Value{StringValue(s), {}})})
	}
	for _, c := range []struct {
		a, b Value
		want bool
	}{
		{Value{}, Value{}, true},
		{Int32Value(1), Int32Value(1), true},
		{Int32Value(1), Int64Value(1), false},
		{StringValue("a"), BytesValue([]byte("a")), false},
		{Float64Value(math.NaN()), Float64Value(math.NaN()), true},
		{nested("x"), nested("x"), true},
		{nested("x"), nested("y"), false},
		{ArrayValue([]Value{{}}), ArrayValue([]Value{{}, {}}), false},
		{MapValue([]Value{StringValue("k"), {}}), MapValue([]Value{StringValue("k"), {}}), true},
	} {
		if got := c.a.Equal(c.b); got != c.want {
			t.Errorf("%s.Equal(%s): got %t, want %t", c.a, c.b, got, c.want)
		}
	}
}

func TestWrongAccessorPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"Int of a string":   func() { StringValue("1").Int() },
		"Text of bytes":     func() { BytesValue(nil).Text() },
		"Cells of an int":   func() { Int8Value(1).Cells() },
		"Boolean of a null": func() { Value{}.Boolean() },
		"odd MapValue":      func() { MapValue(make([]Value, 3)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			f()
		})
	}
}

func TestValueString(t *testing.T) {
	v := StructValue([]Value{{}, BooleanValue(true), Int8Value(-1), Float64Value(2.5),
		MapValue([]Value{StringValue("k\n"), BytesValue([]byte{0xca, 0xfe})})})
	want := `STRUCT[null true -1 2.5 MAP["k\n" cafe]]`
	if got := v.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
