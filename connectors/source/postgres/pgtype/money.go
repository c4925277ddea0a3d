package pgtype

import (
	"math"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// money is an integer of the smallest unit of the database's lc_monetary, which
// Catalog.Load has found to be 1/10^scale. Its text has a currency sign,
// separators and a minus or parentheses, in any order.
func (c *compiler) money() *kind {
	scale, out := c.cat.money(), c.o.MoneyFractionDigits
	var k *kind
	var value func(*connect.Batch, int64) connect.Value
	switch c.o.Decimal {
	case DecimalDouble:
		k = &kind{shape: plain(connect.Float64), zero: connect.Float64Value(0)}
		value = func(_ *connect.Batch, n int64) connect.Value {
			var scratch [24]byte
			f, _ := strconv.ParseFloat(view(appendScaled(scratch[:0], n, scale)), 64)
			return connect.Float64Value(f)
		}
	case DecimalString:
		k = c.str(plain(connect.String))
		k.zero = connect.StringValue(zeroText(out))
		value = func(b *connect.Batch, n int64) connect.Value {
			return connect.StringValue(view(appendScaled(b.Buffer(24 + scale)[:0], n, scale)))
		}
	default:
		k = decimalKind(out)
		value = func(b *connect.Batch, n int64) connect.Value { return connect.BytesValue(rescale(b, n, scale, out)) }
	}
	k.text = func(b *connect.Batch, data []byte) (connect.Value, error) {
		n, ok := parseMoney(data)
		if !ok {
			return connect.Value{}, badText("money")
		}
		return value(b, n), nil
	}
	k.binary = func(b *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) != 8 {
			return connect.Value{}, badBinary("money")
		}
		return value(b, bigEndianInt(data)), nil
	}
	return k
}

func parseMoney(data []byte) (int64, bool) {
	n, digits, neg := uint64(0), 0, false
	for _, c := range data {
		switch {
		case c >= '0' && c <= '9':
			if n > (math.MaxUint64-9)/10 {
				return 0, false
			}
			n = n*10 + uint64(c-'0')
			digits++
		case c == '-' || c == '(':
			neg = true
		}
	}
	if digits == 0 || n > math.MaxInt64 && !(neg && n == 1<<63) {
		return 0, false
	}
	if neg {
		return -int64(n), true
	}
	return int64(n), true
}

// appendScaled appends an integer with a decimal point in it.
func appendScaled(dst []byte, n int64, scale int) []byte {
	if n < 0 {
		dst = append(dst, '-')
	}
	var scratch [40]byte
	digits := strconv.AppendUint(scratch[:0], magnitude(n), 10)
	if scale <= 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	point := len(digits) - scale
	dst = append(append(dst, digits[:point]...), '.')
	return append(dst, digits[point:]...)
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// rescale returns the unscaled value at another scale, rounded half up.
func rescale(b *connect.Batch, n int64, from, to int) []byte {
	if to < from {
		p := pow10[min(from-to, 18)]
		u := magnitude(n)
		q := u / p
		if u%p >= p-u%p {
			q++
		}
		if n < 0 {
			return appendInt(b, -int64(q))
		}
		return appendInt(b, int64(q))
	}
	var scratch [24]byte
	digits := strconv.AppendUint(scratch[:0], magnitude(n), 10)
	v, _ := unscaled(b, n < 0, digits, nil, to-from)
	return v
}
