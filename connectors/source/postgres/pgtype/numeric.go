package pgtype

import "encoding/binary"

// The binary form of numeric, all numbers of 16 bits: how many digits there are,
// the weight of the first (as a power of 10,000), the sign, how many decimal
// places to show, then the digits, each from 0 to 9,999.
const (
	numericNegative    = 0x4000
	numericNaN         = 0xC000
	numericInfinity    = 0xD000
	numericMinInfinity = 0xF000
)

// smallNumeric returns the unscaled value of a number of up to four digits, if it
// fits into an int64. Nearly all numbers are of that kind.
func smallNumeric(data []byte, scale int) (int64, bool) {
	if len(data) < 8 || len(data) > 16 || len(data) != 8+2*int(binary.BigEndian.Uint16(data)) || data[4]&^(numericNegative>>8) != 0 || data[5] != 0 {
		return 0, false
	}
	digits := (len(data) - 8) / 2
	n := int64(0)
	for i := 8; i < len(data); i += 2 {
		d := binary.BigEndian.Uint16(data[i:])
		if d > 9999 {
			return 0, false
		}
		n = n*10000 + int64(d)
	}
	// The last digit counts 10^exponent of the units that are wanted.
	exponent := 4*(int(int16(binary.BigEndian.Uint16(data[2:])))-digits+1) + scale
	switch {
	case exponent >= 0 && 4*digits+exponent <= 18:
		n *= int64(pow10[exponent])
	case exponent < 0 && exponent > -4 && n%int64(pow10[-exponent]) == 0:
		n /= int64(pow10[-exponent])
	default:
		return 0, n == 0
	}
	if data[4] != 0 {
		n = -n
	}
	return n, true
}

// numericWidth bounds the length of the text form. It follows from numbers in the
// cell, but is never above the length of PostgreSQL's longest numeric (I5).
func numericWidth(data []byte) int {
	if len(data) < 8 {
		return 0
	}
	weight := int(int16(binary.BigEndian.Uint16(data[2:])))
	scale := min(int(binary.BigEndian.Uint16(data[6:])), maxDigits)
	return 4*max(weight+1, 1) + scale + 8
}

// numericText appends the text form.
func numericText(dst, data []byte) ([]byte, bool) {
	if len(data) < 8 {
		return dst, false
	}
	n := int(binary.BigEndian.Uint16(data))
	weight := int(int16(binary.BigEndian.Uint16(data[2:])))
	sign := binary.BigEndian.Uint16(data[4:])
	scale := int(binary.BigEndian.Uint16(data[6:]))
	digits := data[8:]
	if len(digits) != 2*n || scale > 16383 {
		return dst, false
	}
	switch sign {
	case numericNaN:
		return append(dst, "NaN"...), true
	case numericInfinity:
		return append(dst, "Infinity"...), true
	case numericMinInfinity:
		return append(dst, "-Infinity"...), true
	case numericNegative:
		dst = append(dst, '-')
	case 0:
	default:
		return dst, false
	}
	return appendNumeric(dst, digits, weight, scale)
}

// appendNumeric appends the digits before the point without leading zeros, then
// as many decimal places as the scale says.
func appendNumeric(dst, digits []byte, weight, scale int) ([]byte, bool) {
	ok := true
	digit := func(w int) uint16 { // the digit with weight w
		i := 2 * (weight - w)
		if i < 0 || i >= len(digits) {
			return 0
		}
		d := binary.BigEndian.Uint16(digits[i:])
		ok = ok && d < 10000
		return d
	}
	start := len(dst)
	for w := weight; w >= 0; w-- {
		d := digit(w)
		if len(dst) > start {
			dst = append4(dst, d)
		} else if d > 0 {
			dst = appendUint(dst, d)
		}
	}
	if len(dst) == start {
		dst = append(dst, '0')
	}
	if scale > 0 {
		dst = append(dst, '.')
		end := len(dst) + scale
		for w := -1; len(dst) < end; w-- {
			dst = append4(dst, digit(w))
		}
		dst = dst[:end]
	}
	return dst, ok
}

func append4(dst []byte, d uint16) []byte {
	return append(dst, byte('0'+d/1000%10), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
}

func appendUint(dst []byte, d uint16) []byte {
	switch {
	case d >= 1000:
		return append4(dst, d)
	case d >= 100:
		return append(dst, byte('0'+d/100), byte('0'+d/10%10), byte('0'+d%10))
	case d >= 10:
		return append(dst, byte('0'+d/10), byte('0'+d%10))
	}
	return append(dst, byte('0'+d))
}
