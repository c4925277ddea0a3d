package pgtype

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// maxDigits is the length of PostgreSQL's longest numeric: 131,072 digits before
// the point and 16,383 after it (I5: conversion costs more than linear time).
const maxDigits = 131072 + 16383

const precisionParam = "connect.decimal.precision"

// numericMod takes a type modifier of numeric apart. Since PostgreSQL 15 the scale
// is a signed number of eleven bits.
func numericMod(mod int32) (precision, scale int, ok bool) {
	if mod < 4 {
		return 0, 0, false
	}
	m := mod - 4
	return int(m >> 16 & 0xffff), int(m&0x7ff^1024) - 1024, true
}

// numeric is a Decimal, a FLOAT64 or a STRING, by decimal.handling.mode. Without
// a scale of its own a Decimal takes that of each value.
func (c *compiler) numeric(mod int32) *kind {
	precision, scale, fixed := numericMod(mod)
	var k *kind
	var form decimalForm
	switch {
	case c.o.Decimal == DecimalDouble:
		k, form = &kind{shape: plain(connect.Float64), zero: connect.Float64Value(0)}, decimalDouble
	case c.o.Decimal == DecimalString:
		k, form = c.str(plain(connect.String)), decimalString(scale)
		k.zero = connect.StringValue(zeroText(scale))
	case fixed:
		k, form = decimalKind(scale), decimalFixed(scale)
		k.params = append(k.params, param{precisionParam, strconv.Itoa(precision)})
	default:
		k, form = variableKind(), decimalVariable
	}
	k.defaults, k.generated = true, "0.0"
	if k.typ == connect.Struct {
		k.defaults = false // a struct cannot be a default (KAFKA-12694)
	}
	k.text = decode(form)
	k.binary = func(b *connect.Batch, data []byte) (connect.Value, error) {
		if fixed && c.isPrecise() {
			if n, ok := smallNumeric(data, scale); ok {
				return connect.BytesValue(appendInt(b, n)), nil
			}
		}
		text, ok := numericText(b.Buffer(numericWidth(data))[:0], data)
		if !ok {
			return connect.Value{}, badBinary("numeric")
		}
		return form(b, text)
	}
	return k
}

func (c *compiler) isPrecise() bool {
	return c.o.Decimal != DecimalDouble && c.o.Decimal != DecimalString
}

// zeroText is zero with a scale.
func zeroText(scale int) string {
	if scale <= 0 {
		return "0"
	}
	return "0." + string(bytes.Repeat([]byte{'0'}, scale))
}

func decimalKind(scale int) *kind {
	s := logical(connect.Bytes, connect.DecimalName)
	s.params = []param{{"scale", strconv.Itoa(scale)}}
	return &kind{shape: s, zero: connect.BytesValue([]byte{0})}
}

func variableKind() *kind {
	return &kind{
		shape: shape{typ: connect.Struct, name: "io.debezium.data.VariableScaleDecimal", version: 1, doc: "Variable scaled decimal",
			fields: []connect.Field{{Name: "scale", Schema: connect.Int32Schema}, {Name: "value", Schema: connect.BytesSchema}}},
		zero: connect.StructValue([]connect.Value{connect.Int32Value(0), connect.BytesValue([]byte{0})})}
}

// decimalForm makes a value of the text of a numeric.
type decimalForm func(b *connect.Batch, text []byte) (connect.Value, error)

func decimalDouble(_ *connect.Batch, text []byte) (connect.Value, error) {
	if f, ok := parseFloat(text, 64); ok {
		return connect.Float64Value(f), nil
	}
	// A number beyond the range of doubles is infinite in Java.
	if _, digits, _, ok := splitDecimal(text); ok && len(digits) <= maxDigits {
		f, _ := strconv.ParseFloat(view(text), 64)
		return connect.Float64Value(f), nil
	}
	return connect.Value{}, badText("numeric")
}

// decimalString has at least scale decimal places: cells have them, the defaults
// of columns need not.
func decimalString(scale int) decimalForm {
	return func(b *connect.Batch, text []byte) (connect.Value, error) {
		switch view(text) {
		case "NaN":
			return connect.StringValue("NAN"), nil
		case "Infinity":
			return connect.StringValue("POSITIVE_INFINITY"), nil
		case "-Infinity":
			return connect.StringValue("NEGATIVE_INFINITY"), nil
		}
		_, _, frac, ok := splitDecimal(text)
		if !ok {
			return connect.Value{}, badText("numeric")
		}
		if len(frac) >= scale {
			return connect.StringValue(b.Text(text)), nil
		}
		dst := append(b.Buffer(len(text) + 1 + scale)[:0], text...)
		if len(frac) == 0 {
			dst = append(bytes.TrimSuffix(dst, []byte{'.'}), '.')
		}
		for range scale - len(frac) {
			dst = append(dst, '0')
		}
		return connect.StringValue(view(dst)), nil
	}
}

var errNoDecimal = &ValueError{"numeric", "NaN and infinity are no Decimal; decimal.handling.mode=string or double has them"}

func special(text []byte) bool {
	s := view(text)
	return s == "NaN" || s == "Infinity" || s == "-Infinity"
}

func decimalFixed(scale int) decimalForm {
	return func(b *connect.Batch, text []byte) (connect.Value, error) {
		neg, whole, frac, ok := splitDecimal(text)
		if !ok {
			if special(text) {
				return connect.Value{}, errNoDecimal
			}
			return connect.Value{}, badText("numeric")
		}
		v, ok := unscaled(b, neg, whole, frac, scale)
		if !ok {
			return connect.Value{}, &ValueError{"numeric", "it has more decimal places than its column"}
		}
		return connect.BytesValue(v), nil
	}
}

func decimalVariable(b *connect.Batch, text []byte) (connect.Value, error) {
	neg, whole, frac, ok := splitDecimal(text)
	if !ok {
		if special(text) {
			return connect.Value{}, errNoDecimal
		}
		return connect.Value{}, badText("numeric")
	}
	for len(frac) > 0 && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	v, ok := unscaled(b, neg, whole, frac, len(frac))
	if !ok {
		return connect.Value{}, badText("numeric")
	}
	cells := b.Cells(2)
	cells[0], cells[1] = connect.Int32Value(int32(len(frac))), connect.BytesValue(v)
	return connect.StructValue(cells), nil
}

// splitDecimal splits text into sign and digits before and after the point.
func splitDecimal(text []byte) (neg bool, whole, frac []byte, ok bool) {
	if len(text) > 0 && text[0] == '-' {
		neg, text = true, text[1:]
	}
	whole, frac = text, nil
	if p := bytes.IndexByte(text, '.'); p >= 0 {
		whole, frac = text[:p], text[p+1:]
	}
	if len(whole)+len(frac) == 0 || len(whole)+len(frac) > maxDigits {
		return neg, whole, frac, false
	}
	for _, d := range whole {
		if d < '0' || d > '9' {
			return neg, whole, frac, false
		}
	}
	for _, d := range frac {
		if d < '0' || d > '9' {
			return neg, whole, frac, false
		}
	}
	return neg, whole, frac, true
}

// unscaled returns the number without its point at a scale, as big-endian two's
// complement without superfluous bytes. It is false when digits would be lost.
func unscaled(b *connect.Batch, neg bool, whole, frac []byte, scale int) ([]byte, bool) {
	zeros := 0 // to append
	if scale >= len(frac) {
		zeros = scale - len(frac)
	} else {
		cut := len(frac) - max(scale, 0)
		if !allZero(frac[len(frac)-cut:]) {
			return nil, false
		}
		frac = frac[:len(frac)-cut]
		if scale < 0 {
			n := min(-scale, len(whole))
			if !allZero(whole[len(whole)-n:]) {
				return nil, false
			}
			whole = whole[:len(whole)-n]
		}
	}
	if n := len(whole) + len(frac) + zeros; n <= 18 {
		return small(b, neg, whole, frac, zeros), true
	} else if n > maxDigits+2048 {
		return nil, false
	}
	return large(b, neg, whole, frac, zeros), true
}

func allZero(digits []byte) bool {
	for _, d := range digits {
		if d != '0' {
			return false
		}
	}
	return true
}

// small is unscaled for up to 18 digits.
func small(b *connect.Batch, neg bool, whole, frac []byte, zeros int) []byte {
	n := int64(0)
	for _, d := range whole {
		n = n*10 + int64(d-'0')
	}
	for _, d := range frac {
		n = n*10 + int64(d-'0')
	}
	for range zeros {
		n *= 10
	}
	if neg {
		n = -n
	}
	return appendInt(b, n)
}

// appendInt returns an integer as two's complement of as few bytes as possible.
func appendInt(b *connect.Batch, n int64) []byte {
	// One bit is the sign's.
	size := (64-bits.LeadingZeros64(uint64(n^n>>63)))/8 + 1
	out := b.Buffer(8)
	binary.BigEndian.PutUint64(out, uint64(n))
	return out[8-size:]
}

// large is unscaled for any number of digits. Up to about 300 it allocates nothing.
func large(b *connect.Batch, neg bool, whole, frac []byte, zeros int) []byte {
	total := len(whole) + len(frac) + zeros
	digits := append(append(b.Buffer(total)[:0], whole...), frac...)
	for range zeros {
		digits = append(digits, '0')
	}
	var limbs [16]uint64
	if total <= 300 {
		return twosComplement(b, neg, limbs[:parseLimbs(limbs[:], digits)])
	}
	wide := make([]uint64, total/19+1) // a limb holds more than 19 digits
	return twosComplement(b, neg, wide[:parseLimbs(wide, digits)])
}

// parseLimbs reads digits into limbs, the lowest first, and returns their number.
func parseLimbs(limbs []uint64, digits []byte) int {
	used := 0
	for len(digits) > 0 {
		n := min(len(digits), 18)
		add, _ := parseDigits(digits[:n])
		factor := pow10[n]
		carry := uint64(add)
		for i := range used {
			hi, lo := bits.Mul64(limbs[i], factor)
			sum, c := bits.Add64(lo, carry, 0)
			limbs[i], carry = sum, hi+c
		}
		if carry > 0 {
			limbs[used] = carry
			used++
		}
		digits = digits[n:]
	}
	return used
}

var pow10 = func() (p [19]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// twosComplement writes limbs, the lowest first, as big-endian two's complement.
func twosComplement(b *connect.Batch, neg bool, limbs []uint64) []byte {
	out := b.Buffer(8*len(limbs) + 1)
	out[0] = 0
	for i, l := range limbs {
		binary.BigEndian.PutUint64(out[len(out)-8*(i+1):], l)
	}
	if neg {
		negate(out)
	}
	for len(out) > 1 && (out[0] == 0 && out[1] < 0x80 || out[0] == 0xff && out[1] >= 0x80) {
		out = out[1:]
	}
	return out
}

// negate turns two's complement into its negative.
func negate(p []byte) {
	carry := byte(1)
	for i := len(p) - 1; i >= 0; i-- {
		p[i] = ^p[i] + carry
		if p[i] != 0 {
			carry = 0
		}
	}
}
