package transform

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// caster casts values as Java does. text is used again.
type caster struct{ text []byte }

// castFrom is the error for a type that cannot be cast.
func castFrom(t connect.Type) error {
	return fmt.Errorf("Cast transformation does not support casting from %s; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]", t)
}

// cast returns v, of the schema (nil: schemaless), as a value of another type.
func (c *caster) cast(b *connect.Batch, s *connect.Schema, v connect.Value, to connect.Type) (connect.Value, error) {
	switch {
	case v.IsNull():
		return v, nil
	case v.Type() > connect.Bytes:
		return v, castFrom(v.Type())
	case to == connect.String:
		return c.toString(b, s, v)
	}
	switch v.Type() {
	case connect.String:
		return parseAs(v.Text(), to)
	case connect.Bytes:
		if !isDecimal(s) {
			return v, fmt.Errorf("Unexpected type in Cast transformation: class %s", className(s, v))
		}
		return castDecimal(s, v, to)
	case connect.Float32, connect.Float64:
		return fromFloat(v.Float(), to), nil
	case connect.Boolean:
		n := int64(0)
		if v.Boolean() {
			n = 1
		}
		return fromInt(n, to), nil
	}
	return fromInt(v.Int(), to), nil
}

// fromInt keeps the low bits of what does not fit.
func fromInt(n int64, to connect.Type) connect.Value {
	switch to {
	case connect.Int8:
		return connect.Int8Value(int8(n))
	case connect.Int16:
		return connect.Int16Value(int16(n))
	case connect.Int32:
		return connect.Int32Value(int32(n))
	case connect.Int64:
		return connect.Int64Value(n)
	case connect.Float32:
		return connect.Float32Value(float32(n))
	case connect.Float64:
		return connect.Float64Value(float64(n))
	}
	return connect.BooleanValue(n != 0)
}

// fromFloat cuts the fraction; what is beyond an INT32 or INT64 becomes its largest
// or smallest, and smaller types take the low bits of that INT32.
func fromFloat(f float64, to connect.Type) connect.Value {
	switch to {
	case connect.Float32:
		return connect.Float32Value(float32(f))
	case connect.Float64:
		return connect.Float64Value(f)
	case connect.Int64, connect.Boolean:
		return fromInt(javaLong(f), to)
	}
	return fromInt(min(max(javaLong(f), math.MinInt32), math.MaxInt32), to)
}

func javaLong(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

var intBits = map[connect.Type]int{connect.Int8: 8, connect.Int16: 16, connect.Int32: 32, connect.Int64: 64}

func parseAs(text string, to connect.Type) (connect.Value, error) {
	switch to {
	case connect.Boolean:
		return connect.BooleanValue(strings.EqualFold(text, "true")), nil
	case connect.Float32, connect.Float64:
		f, ok := parseFloat(text, to)
		if !ok {
			return connect.Value{}, outOfRange(text)
		}
		return fromFloat(f, to), nil
	}
	n, err := strconv.ParseInt(text, 10, intBits[to])
	if err != nil {
		return connect.Value{}, outOfRange(text)
	}
	return fromInt(n, to), nil
}

func outOfRange(text string) error {
	return fmt.Errorf("Value (%s) was out of range for requested data type", text)
}

// parseFloat reads what Java's parseDouble reads: white space around it, and f or d
// at its end. What is too large is infinite.
func parseFloat(text string, to connect.Type) (float64, bool) {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	unsigned := strings.TrimLeft(text, "+-")
	if len(text)-len(unsigned) > 1 {
		return 0, false
	}
	switch {
	case unsigned == "NaN":
		return math.NaN(), true
	case unsigned == "Infinity":
		return math.Inf(1 - 2*strings.Count(text, "-")), true
	case len(unsigned) > 1:
		if strings.IndexByte("fFdD", text[len(text)-1]) >= 0 && !isHexFloat(unsigned) {
			text = text[:len(text)-1]
		}
	}
	if strings.ContainsAny(unsigned, "_iInN") {
		return 0, false // Go's own forms
	}
	bits := 64
	if to == connect.Float32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(text, bits)
	if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
		err = nil
	}
	return f, err == nil
}

func isHexFloat(text string) bool {
	return strings.HasPrefix(strings.ToLower(text), "0x") && !strings.ContainsAny(text, "pP")
}

// castDecimal casts a Decimal: to an integer the low bits of its whole part.
func castDecimal(s *connect.Schema, v connect.Value, to connect.Type) (connect.Value, error) {
	scale, err := connectjson.Scale(s)
	if err != nil {
		return v, err
	}
	if to == connect.Float32 || to == connect.Float64 {
		text, err := connectjson.AppendDecimal(nil, v.Bytes(), scale)
		if err != nil {
			return v, err
		}
		return parseAs(string(text), to)
	}
	n := bigInt(v.Bytes())
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil)
	if scale >= 0 {
		n.Quo(n, power)
	} else {
		n.Mul(n, power)
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	return fromInt(int64(low.Uint64()), to), nil
}

// bigInt reads big-endian two's complement.
func bigInt(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func (c *caster) toString(b *connect.Batch, s *connect.Schema, v connect.Value) (connect.Value, error) {
	if v.Type() == connect.String {
		return v, nil
	}
	dst := c.text[:0]
	var err error
	switch {
	case isTime(s):
		dst = appendTime(dst, millis(s, v))
	case isDecimal(s):
		var scale int
		if scale, err = connectjson.Scale(s); err == nil {
			dst, err = connectjson.AppendDecimal(dst, v.Bytes(), scale)
		}
	case v.Type() == connect.Bytes:
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
	default:
		dst, err = connectjson.Append(dst, nil, v, connectjson.Options{})
		if n := len(dst); err == nil && n > 1 && dst[0] == '"' {
			dst = append(dst[:0], dst[1:n-1]...) // NaN and infinities
		}
	}
	if err != nil {
		return v, err
	}
	c.text = dst
	return connect.StringValue(b.Text(dst)), nil
}

// appendTime writes what Kafka writes of its three types alike: what is before the
// second day of 1970 as a time, midnights as a date.
func appendTime(dst []byte, ms int64) []byte {
	layout := "2006-01-02T15:04:05.000Z"
	switch {
	case ms < millisPerDay:
		layout = "15:04:05.000Z"
	case ms%millisPerDay == 0:
		layout = "2006-01-02"
	}
	return time.UnixMilli(ms).UTC().AppendFormat(dst, layout)
}
