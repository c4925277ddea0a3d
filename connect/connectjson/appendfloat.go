package connectjson

import (
	"math"
	"strconv"
)

// appendFloat writes a number as Java's Double.toString does: with a fraction
// always, and with an exponent outside 0.001 to 10 million.
func appendFloat(dst []byte, f float64, bitSize int) []byte {
	abs := math.Abs(f)
	switch {
	case abs >= 1e-3 && abs < 1e7:
		if bitSize == 64 {
			if out, ok := appendShort(dst, f); ok {
				return out
			}
		}
		return appendFraction(strconv.AppendFloat(dst, f, 'f', -1, bitSize), len(dst))
	case abs == 0:
		return appendFraction(strconv.AppendFloat(dst, f, 'f', -1, bitSize), len(dst))
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return appendExponent(dst, f, bitSize)
}

// appendShort writes a FLOAT64 from 0.001 to 10 million that has at most four
// decimal places, as prices and readings do, at a fraction of what the general
// way costs. With n = f*10^k a whole number, n/10^k is f exactly when that
// division, which IEEE 754 rounds as reading the text would, returns f: both n
// and 10^k are exact. The first k for which it does gives the shortest text, and
// no other text of that length is as near, since the numbers that a FLOAT64 tells
// apart here lie millions of times closer together than those with four places.
func appendShort(dst []byte, f float64) ([]byte, bool) {
	for k, power := range [...]float64{10, 100, 1000, 10000} {
		n := math.RoundToEven(f * power)
		if n/power != f {
			continue
		}
		return appendPlaces(dst, int64(n), k+1), true
	}
	return dst, false
}

// appendPlaces writes n with a decimal point before its last places digits.
func appendPlaces(dst []byte, n int64, places int) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	power := [...]int64{1, 10, 100, 1000, 10000}[places]
	dst = append(strconv.AppendInt(dst, n/power, 10), '.')
	for fraction := n % power; places > 0; places-- {
		power /= 10
		dst = append(dst, '0'+byte(fraction/power))
		fraction %= power
	}
	return dst
}

// appendFraction adds ".0" to the number that begins at start if it has no
// fraction.
func appendFraction(dst []byte, start int) []byte {
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendExponent writes 1.0E10 and 1.5E-7 where Go writes 1e+10 and 1.5e-07.
func appendExponent(dst []byte, f float64, bitSize int) []byte {
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bitSize)
	e := len(text) - 3
	for text[e] != 'e' {
		e--
	}
	dst = appendFraction(append(dst, text[:e]...), len(dst))
	dst = append(dst, 'E')
	e++
	if text[e] == '-' {
		dst = append(dst, '-')
	}
	for e++; text[e] == '0'; e++ {
	}
	return append(dst, text[e:]...)
}
