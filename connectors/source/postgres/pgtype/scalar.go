package pgtype

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"

	"github.com/sluice-data/sluice/connect"
)

// view is a string over bytes, for calls that do not keep it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func boolKind() *kind {
	return &kind{shape: plain(connect.Boolean), text: boolText, binary: boolBinary,
		zero: connect.BooleanValue(false), defaults: true, generated: "f"}
}

func boolText(_ *connect.Batch, data []byte) (connect.Value, error) {
	switch view(data) {
	case "t", "true": // true and false in default expressions
		return connect.BooleanValue(true), nil
	case "f", "false":
		return connect.BooleanValue(false), nil
	}
	return connect.Value{}, badText("bool")
}

func boolBinary(_ *connect.Batch, data []byte) (connect.Value, error) {
	if len(data) != 1 || data[0] > 1 {
		return connect.Value{}, badBinary("bool")
	}
	return connect.BooleanValue(data[0] == 1), nil
}

// intValue returns a cell of an integer type.
func intValue(t connect.Type, n int64) connect.Value {
	switch t {
	case connect.Int16:
		return connect.Int16Value(int16(n))
	case connect.Int32:
		return connect.Int32Value(int32(n))
	default:
		return connect.Int64Value(n)
	}
}

func intKind(t connect.Type, name string, size int) *kind {
	bad, badB := badText(name), badBinary(name)
	limit := int64(1)<<(8*size-1) - 1
	return &kind{shape: plain(t), zero: intValue(t, 0), defaults: true, generated: "0",
		text: func(_ *connect.Batch, data []byte) (connect.Value, error) {
			n, ok := parseInt(data)
			if !ok || n > limit || n < -limit-1 {
				return connect.Value{}, bad
			}
			return intValue(t, n), nil
		},
		binary: func(_ *connect.Batch, data []byte) (connect.Value, error) {
			if len(data) != size {
				return connect.Value{}, badB
			}
			return intValue(t, bigEndianInt(data)), nil
		}}
}

// bigEndianInt reads a signed integer of 2, 4 or 8 bytes.
func bigEndianInt(data []byte) int64 {
	switch len(data) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(data)))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(data)))
	default:
		return int64(binary.BigEndian.Uint64(data))
	}
}

// parseInt reads a decimal number. It is a good deal faster than strconv.
func parseInt(data []byte) (int64, bool) {
	digits := data
	neg := len(data) > 0 && data[0] == '-'
	if neg {
		digits = data[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	if len(digits) > 18 {
		n, err := strconv.ParseInt(view(data), 10, 64)
		return n, err == nil
	}
	n, ok := parseDigits(digits)
	if neg {
		n = -n
	}
	return n, ok
}

// parseDigits reads up to 18 decimal digits.
func parseDigits(digits []byte) (int64, bool) {
	n := int64(0)
	for _, d := range digits {
		d -= '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

func oidKind() *kind {
	k := intKind(connect.Int64, "oid", 8)
	k.defaults = false
	k.binary = func(_ *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) != 4 {
			return connect.Value{}, badBinary("oid")
		}
		return connect.Int64Value(int64(binary.BigEndian.Uint32(data))), nil
	}
	return k
}

func floatKind(t connect.Type, name string) *kind {
	bits, value := 64, connect.Float64Value
	if t == connect.Float32 {
		bits, value = 32, func(f float64) connect.Value { return connect.Float32Value(float32(f)) }
	}
	bad, badB := badText(name), badBinary(name)
	return &kind{shape: plain(t), zero: value(0), defaults: true, generated: "0.0",
		text: func(_ *connect.Batch, data []byte) (connect.Value, error) {
			f, ok := parseFloat(data, bits)
			if !ok {
				return connect.Value{}, bad
			}
			return value(f), nil
		},
		binary: func(_ *connect.Batch, data []byte) (connect.Value, error) {
			if len(data) != bits/8 {
				return connect.Value{}, badB
			}
			return value(float(data)), nil
		}}
}

// float reads a big-endian floating point number of 4 or 8 bytes. There is one NaN.
func float(data []byte) float64 {
	f := 0.0
	if len(data) == 4 {
		f = float64(math.Float32frombits(binary.BigEndian.Uint32(data)))
	} else {
		f = math.Float64frombits(binary.BigEndian.Uint64(data))
	}
	if f != f {
		return math.NaN()
	}
	return f
}

// parseFloat reads what PostgreSQL writes for a floating point number.
func parseFloat(data []byte, bits int) (float64, bool) {
	for _, c := range data { // strconv also reads hexadecimal and other names
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' {
			return parseFloatName(data)
		}
	}
	f, err := strconv.ParseFloat(view(data), bits)
	return f, err == nil
}

func parseFloatName(data []byte) (float64, bool) {
	switch view(data) {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	return 0, false
}
