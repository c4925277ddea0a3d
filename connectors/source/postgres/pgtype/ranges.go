package pgtype

import (
	"encoding/binary"
	"math"
	"strconv"
)

// The flags that the binary form of a range begins with.
const (
	rangeEmpty        = 0x01
	rangeLowerClosed  = 0x02
	rangeUpperClosed  = 0x04
	rangeLowerMissing = 0x08
	rangeUpperMissing = 0x10
)

// rangeOf is a STRING, PostgreSQL's text form of the range.
func (c *compiler) rangeOf(t *typeInfo) *kind {
	bound := map[uint32]render{oidInt4Range: int4Text, oidInt8Range: int8Text, oidNumRange: numericText,
		oidTsRange: timestampBound, oidTstzRange: timestamptzBound, oidDateRange: dateBound}[t.oid]
	return c.rendered(t, func(dst, data []byte) ([]byte, bool) { return rangeText(dst, data, bound) })
}

func rangeText(dst, data []byte, bound render) ([]byte, bool) {
	if len(data) < 1 || data[0]&^0x1f != 0 {
		return dst, false
	}
	flags, data := data[0], data[1:]
	if flags&rangeEmpty != 0 {
		return append(dst, "empty"...), len(data) == 0
	}
	dst = append(dst, pick(flags, rangeLowerClosed, '[', '('))
	ok := true
	if flags&rangeLowerMissing == 0 {
		dst, data, ok = appendBound(dst, data, bound)
	}
	dst = append(dst, ',')
	if ok && flags&rangeUpperMissing == 0 {
		dst, data, ok = appendBound(dst, data, bound)
	}
	return append(dst, pick(flags, rangeUpperClosed, ']', ')')), ok && len(data) == 0
}

func pick(flags, flag, yes, no byte) byte {
	if flags&flag != 0 {
		return yes
	}
	return no
}

// appendBound appends a bound, in quotes if there is a space in it. Nothing else
// that wants quotes occurs in bounds of these types.
func appendBound(dst, data []byte, bound render) (out, rest []byte, ok bool) {
	if len(data) < 4 {
		return dst, nil, false
	}
	n, data := int(int32(binary.BigEndian.Uint32(data))), data[4:]
	if n < 0 || n > len(data) {
		return dst, nil, false
	}
	start := len(dst)
	dst, ok = bound(append(dst, '"'), data[:n])
	quote := false
	for _, c := range dst[start+1:] {
		quote = quote || c == ' '
	}
	if quote {
		dst = append(dst, '"')
	} else {
		dst = append(dst[:start], dst[start+1:]...)
	}
	return dst, data[n:], ok
}

func int4Text(dst, data []byte) ([]byte, bool) {
	if len(data) != 4 {
		return dst, false
	}
	return strconv.AppendInt(dst, bigEndianInt(data), 10), true
}

func int8Text(dst, data []byte) ([]byte, bool) {
	if len(data) != 8 {
		return dst, false
	}
	return strconv.AppendInt(dst, bigEndianInt(data), 10), true
}

func timestampBound(dst, data []byte) ([]byte, bool)   { return appendTimestampText(dst, data, "") }
func timestamptzBound(dst, data []byte) ([]byte, bool) { return appendTimestampText(dst, data, "+00") }

// appendTimestampText appends a timestamp as PostgreSQL writes it.
func appendTimestampText(dst, data []byte, zone string) ([]byte, bool) {
	n, ok := timestampBinary(data)
	switch {
	case !ok:
		return dst, false
	case n == infinity:
		return append(dst, "infinity"...), true
	case n == minInfinity:
		return append(dst, "-infinity"...), true
	}
	days, clock := splitMicros(n)
	dst, bc := appendPostgresDate(dst, days)
	dst = append(appendClock(append(dst, ' '), clock, anyWidth), zone...)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst, true
}

func dateBound(dst, data []byte) ([]byte, bool) {
	n, ok := dateBinary(data)
	switch {
	case !ok:
		return dst, false
	case n == math.MaxInt32:
		return append(dst, "infinity"...), true
	case n == math.MinInt32:
		return append(dst, "-infinity"...), true
	}
	dst, bc := appendPostgresDate(dst, n)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst, true
}
