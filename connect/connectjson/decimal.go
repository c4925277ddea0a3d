package connectjson

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// maxDecimalBytes bounds the unscaled value of a Decimal, in bytes (I5). Text and
// binary are converted into each other at a cost beyond linear. PostgreSQL's
// longest numeric has 147,455 digits, which are 61,233 bytes.
const maxDecimalBytes = 64 << 10

// maxDecimalDigits is the same limit for text.
const maxDecimalDigits = maxDecimalBytes * 12 / 5

var errDecimalTooLong = errors.New("the Decimal has too many digits")

// Scale returns the number of decimal places that a Decimal schema has in its
// parameter "scale".
func Scale(s *connect.Schema) (int, error) {
	text, ok := s.Parameter("scale")
	if !ok {
		return 0, errors.New(`a Decimal schema needs the parameter "scale"`)
	}
	scale, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("the scale %.40q of a Decimal schema is not an INT32", text)
	}
	return int(scale), nil
}

// AppendDecimal appends a Decimal as text, as Java's BigDecimal.toString has it:
// with an exponent when the scale is negative or the number below a millionth.
// unscaled is big-endian two's complement.
func AppendDecimal(dst, unscaled []byte, scale int) ([]byte, error) {
	if len(unscaled) > maxDecimalBytes {
		return dst, errDecimalTooLong
	}
	start := len(dst)
	dst = appendInteger(dst, unscaled)
	if scale == 0 {
		return dst, nil
	}
	if dst[start] == '-' {
		start++
	}
	digits := len(dst) - start
	exponent := digits - 1 - scale
	if scale > 0 && exponent >= -6 {
		return insertPoint(dst, start, digits-scale), nil
	}
	if digits > 1 {
		dst = insertPoint(dst, start, 1)
	}
	if exponent == 0 {
		return dst, nil
	}
	dst = append(dst, 'E')
	if exponent > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exponent), 10), nil
}

// insertPoint puts a decimal point after the first n of the digits that begin at
// start, with zeros in front when n is not positive.
func insertPoint(dst []byte, start, n int) []byte {
	for ; n < 1; n++ {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '0'
	}
	dst = append(dst, 0)
	copy(dst[start+n+1:], dst[start+n:])
	dst[start+n] = '.'
	return dst
}

// appendInteger appends a big-endian two's complement integer in decimal. No
// bytes are zero.
func appendInteger(dst, b []byte) []byte {
	if len(b) <= 8 {
		var n int64
		if len(b) > 0 {
			n = int64(int8(b[0]))
			for _, c := range b[1:] {
				n = n<<8 | int64(c)
			}
		}
		return strconv.AppendInt(dst, n, 10)
	}
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n.Append(dst, 10)
}

// ParseDecimal returns the unscaled value, as big-endian two's complement of
// minimal length, of a decimal number in JSON's notation at the given scale. The
// number must be exact at that scale.
func ParseDecimal(text string, scale int) ([]byte, error) {
	mantissa, exponent, err := splitNumber(text)
	if err != nil {
		return nil, err
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	shift := scale + exponent - len(fraction)
	for ; shift < 0 && strings.HasSuffix(digits, "0"); shift++ {
		digits = digits[:len(digits)-1]
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok && strings.Trim(digits, "-") != "" {
		return nil, fmt.Errorf("%q is not a decimal number", shorten(text))
	}
	switch {
	case !ok || n.Sign() == 0:
		return []byte{0}, nil
	case shift < 0:
		return nil, fmt.Errorf("the number %s has more than the %d decimal places of its schema", shorten(text), scale)
	case len(digits)+shift > maxDecimalDigits:
		return nil, errDecimalTooLong
	}
	n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
	return twosComplement(n), nil
}

// splitNumber separates the exponent of a number, which is limited so that adding
// to it cannot overflow.
func splitNumber(text string) (mantissa string, exponent int, err error) {
	if len(text) > maxDecimalDigits {
		return "", 0, errDecimalTooLong
	}
	e := strings.IndexAny(text, "eE")
	if e < 0 {
		return text, 0, nil
	}
	n, err := strconv.ParseInt(text[e+1:], 10, 32)
	if err != nil {
		return "", 0, fmt.Errorf("the exponent of the number %s is out of range", shorten(text))
	}
	return text[:e], int(n), nil
}

// twosComplement returns n's big-endian bytes of minimal length, with a sign bit.
func twosComplement(n *big.Int) []byte {
	if n.Sign() >= 0 {
		return n.FillBytes(make([]byte, n.BitLen()/8+1))
	}
	// -n-1 has the bits of n inverted.
	b := new(big.Int).Not(n)
	out := b.FillBytes(make([]byte, b.BitLen()/8+1))
	for i := range out {
		out[i] = ^out[i]
	}
	return out
}
