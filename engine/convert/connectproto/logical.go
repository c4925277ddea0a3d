package connectproto

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sluice-data/sluice/connect"
)

// logicalType is a message that stands for a logical type.
type logicalType struct{ message, file string }

var logicalTypes = map[string]logicalType{
	connect.DecimalName:   {decimalMessage, "confluent/type/decimal.proto"},
	connect.DateName:      {dateMessage, "google/type/date.proto"},
	connect.TimeName:      {timeMessage, "google/type/timeofday.proto"},
	connect.TimestampName: {timestampMessage, "google/protobuf/timestamp.proto"},
}

// logicalMessage is the message of a schema's logical type, "" for none.
func logicalMessage(s *connect.Schema) string { return logicalTypes[s.Name()].message }

const (
	dayMillis     = 24 * 60 * 60 * 1000
	millisPerNano = 1_000_000
)

// appendInt appends a field of a message whose default 0 is not written.
func appendInt(dst []byte, number protowire.Number, v int64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.VarintType), uint64(v))
}

// appendDecimal appends the contents of a Decimal: the unscaled value, how many digits it has, the scale.
func appendDecimal(dst, unscaled []byte, scale int64) ([]byte, error) {
	if len(unscaled) == 0 || len(unscaled) > maxDecimalBytes {
		return dst, fmt.Errorf("a Decimal has %d bytes; 1 to %d are allowed", len(unscaled), maxDecimalBytes)
	}
	dst = protowire.AppendBytes(protowire.AppendTag(dst, 1, protowire.BytesType), unscaled)
	dst = appendInt(dst, 2, digits(unscaled))
	return appendInt(dst, 3, scale), nil
}

// digits counts the decimal digits of a two's complement, as Java's precision does: zero has one.
func digits(unscaled []byte) int64 {
	if len(unscaled) <= 8 {
		v := signed(unscaled)
		n := int64(1)
		for v /= 10; v != 0; v /= 10 {
			n++
		}
		return n
	}
	return int64(len(new(big.Int).Abs(bigInt(unscaled)).String()))
}

// signed is the value of a two's complement of at most 8 bytes.
func signed(p []byte) int64 {
	if len(p) == 0 {
		return 0
	}
	v := int64(int8(p[0]))
	for _, b := range p[1:] {
		v = v<<8 | int64(b)
	}
	return v
}

func bigInt(p []byte) *big.Int {
	v := new(big.Int).SetBytes(p)
	if len(p) > 0 && p[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(p))))
	}
	return v
}

// maxDecimalBytes bounds the unscaled value of a Decimal, maxScale how far it may be from the scale of its schema (I5).
const (
	maxDecimalBytes = 4 << 10
	maxScale        = 10_000
)

// rescaled is an unscaled value with another scale.
//
// Errors: it has more digits behind the point.
func rescaled(b *connect.Batch, unscaled []byte, from, to int64) ([]byte, error) {
	if len(unscaled) > maxDecimalBytes {
		return nil, fmt.Errorf("a Decimal of %d bytes, more than %d", len(unscaled), maxDecimalBytes)
	}
	if len(unscaled) == 0 {
		unscaled = []byte{0}
	}
	if from == to {
		return unscaled, nil
	}
	if from-to > maxScale || to-from > maxScale {
		return nil, fmt.Errorf("a Decimal of scale %d, which is too far from %d, the scale of its schema", from, to)
	}
	v := bigInt(unscaled)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(from-to, to-from)), nil)
	if from < to {
		v.Mul(v, power)
	} else if _, rest := v.QuoRem(v, power, new(big.Int)); rest.Sign() != 0 {
		return nil, fmt.Errorf("a Decimal of scale %d has digits that scale %d, that of its schema, has no place for; say the scale in (confluent.field_meta) of the field", from, to)
	}
	return b.Bytes(twosComplement(v)), nil
}

// twosComplement is the shortest big-endian form of a number.
func twosComplement(v *big.Int) []byte {
	if v.Sign() >= 0 {
		p := v.Bytes()
		if len(p) == 0 || p[0] >= 0x80 {
			p = append([]byte{0}, p...)
		}
		return p
	}
	n := v.BitLen()/8 + 1
	p := new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n))).Bytes()
	// -128 and the like need no byte more.
	if len(p) > 1 && p[0] == 0xff && p[1] >= 0x80 {
		p = p[1:]
	}
	return p
}

func appendDate(dst []byte, days int64) []byte {
	y, m, d := time.Unix(days*dayMillis/1000, 0).UTC().Date()
	return appendInt(appendInt(appendInt(dst, 1, int64(y)), 2, int64(m)), 3, int64(d))
}

// appendTime takes milliseconds since midnight.
func appendTime(dst []byte, millis int64) ([]byte, error) {
	if millis < 0 || millis > dayMillis {
		return dst, fmt.Errorf("a Time of %d ms; 0 to %d are allowed", millis, dayMillis)
	}
	seconds := millis / 1000
	dst = appendInt(dst, 1, seconds/3600%24)
	dst = appendInt(dst, 2, seconds/60%60)
	dst = appendInt(dst, 3, seconds%60)
	return appendInt(dst, 4, millis%1000*millisPerNano), nil
}

func appendTimestamp(dst []byte, millis int64) []byte {
	seconds, rest := millis/1000, millis%1000
	if rest < 0 {
		seconds, rest = seconds-1, rest+1000
	}
	return appendInt(appendInt(dst, 1, seconds), 2, rest*millisPerNano)
}

var errLogical = errors.New("the message of a logical type is not what it should be")

// numbersIn reads the fields of a message that are numbers: the first ones, by their numbers.
func numbersIn(data []byte) (v [5]int64, err error) {
	for len(data) > 0 {
		number, typ, n := protowire.ConsumeTag(data)
		if n < 0 {
			return v, errShort
		}
		data = data[n:]
		if typ != protowire.VarintType || int(number) >= len(v) {
			if n = protowire.ConsumeFieldValue(number, typ, data); n < 0 {
				return v, errShort
			}
			data = data[n:]
			continue
		}
		bits, n := protowire.ConsumeVarint(data)
		if n < 0 {
			return v, errShort
		}
		v[number], data = int64(bits), data[n:]
	}
	return v, nil
}

func readDate(data []byte) (connect.Value, error) {
	v, err := numbersIn(data)
	if err != nil {
		return connect.Value{}, err
	}
	y, m, d := v[1], v[2], v[3]
	t := time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC)
	if y < -5_000_000 || y > 5_000_000 || int64(t.Month()) != m || int64(t.Day()) != d {
		return connect.Value{}, fmt.Errorf("%w: there is no date %d-%d-%d", errLogical, y, m, d)
	}
	return connect.Int32Value(int32(t.Unix() / 86400)), nil
}

func readTime(data []byte) (connect.Value, error) {
	v, err := numbersIn(data)
	if err != nil {
		return connect.Value{}, err
	}
	hours, minutes, seconds, nanos := v[1], v[2], v[3], v[4]
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59 || nanos < 0 || nanos > 999_999_999 {
		return connect.Value{}, fmt.Errorf("%w: there is no time %d:%d:%d", errLogical, hours, minutes, seconds)
	}
	return connect.Int32Value(int32((hours*3600+minutes*60+seconds)*1000 + nanos/millisPerNano)), nil
}

func readTimestamp(data []byte) (connect.Value, error) {
	v, err := numbersIn(data)
	if err != nil {
		return connect.Value{}, err
	}
	seconds, nanos := v[1], v[2]
	if seconds > math.MaxInt64/1000-1 || seconds < math.MinInt64/1000+1 || nanos < 0 || nanos > 999_999_999 {
		return connect.Value{}, fmt.Errorf("%w: a timestamp of %d s and %d ns", errLogical, seconds, nanos)
	}
	return connect.Int64Value(seconds*1000 + nanos/millisPerNano), nil
}

// readDecimal reads a Decimal for a schema with a scale.
func readDecimal(b *connect.Batch, data []byte, scale int64) (connect.Value, error) {
	v, err := numbersIn(data)
	if err != nil {
		return connect.Value{}, err
	}
	var unscaled []byte
	for len(data) > 0 {
		number, typ, n := protowire.ConsumeTag(data)
		data = data[n:]
		if number == 1 && typ == protowire.BytesType {
			unscaled, n = protowire.ConsumeBytes(data)
		} else {
			n = protowire.ConsumeFieldValue(number, typ, data)
		}
		data = data[n:] // numbersIn has looked at all of it
	}
	unscaled, err = rescaled(b, unscaled, int64(int32(v[3])), scale)
	return connect.BytesValue(unscaled), err
}
