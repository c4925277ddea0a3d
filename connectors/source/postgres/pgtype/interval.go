package pgtype

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// span is an interval as PostgreSQL keeps it.
type span struct {
	months, days int32
	micros       int64
}

// interval is a MicroDuration, an Interval or a StructuredDuration.
func (c *compiler) interval(mod int32) *kind {
	k := &kind{shape: named(connect.Int64, "io.debezium.time.MicroDuration"), zero: connect.Int64Value(0)}
	value := durationCell
	switch {
	case c.o.Time == TimeStructured:
		k.shape = structShape("StructuredDuration", optional32("years"), optional32("months"), optional32("days"), optional32("hours"),
			optional32("minutes"), connect.Field{Name: "seconds", Schema: connect.OptionalInt64Schema}, optional32("nanos"), optional32("precision"))
		precision := int64(6)
		if mod != -1 {
			precision = int64(mod & 0xffff)
		}
		value = structuredDuration(precision)
	case c.o.Interval == IntervalString:
		k.shape, k.zero = named(connect.String, "io.debezium.time.Interval"), connect.StringValue("P0Y0M0DT0H0M0S")
		value = isoDuration
	}
	read := func(of func([]byte) (span, bool), bad error) decode {
		return func(b *connect.Batch, data []byte) (connect.Value, error) {
			s, ok := of(data)
			if !ok {
				return connect.Value{}, bad
			}
			if s.infinite() {
				return connect.Value{}, &ValueError{"interval", "it is infinite"}
			}
			return value(b, s)
		}
	}
	k.text, k.binary = read(parseInterval, badText("interval")), read(intervalBinary, badBinary("interval"))
	if k.typ == connect.Struct {
		return zeroStruct(k, "00:00:00")
	}
	return k
}

func (s span) infinite() bool {
	return s == span{math.MaxInt32, math.MaxInt32, math.MaxInt64} || s == span{math.MinInt32, math.MinInt32, math.MinInt64}
}

func intervalBinary(data []byte) (span, bool) {
	if len(data) != 16 {
		return span{}, false
	}
	return span{int32(binary.BigEndian.Uint32(data[12:])), int32(binary.BigEndian.Uint32(data[8:])), int64(binary.BigEndian.Uint64(data))}, true
}

// durationCell counts a month as a twelfth of 365.25 days, which is a whole number
// of seconds. Like a cast in Java it ends at the limits of INT64.
func durationCell(_ *connect.Batch, s span) (connect.Value, error) {
	const second = 1_000_000
	hi, lo := mul(int64(s.months), 2_629_800*second)
	dayHi, dayLo := mul(int64(s.days), microsDay)
	hi, lo = add(hi, lo, dayHi, dayLo)
	hi, lo = add(hi, lo, s.micros>>63, uint64(s.micros))
	switch {
	case hi == int64(lo)>>63:
		return connect.Int64Value(int64(lo)), nil
	case hi < 0:
		return connect.Int64Value(math.MinInt64), nil
	default:
		return connect.Int64Value(math.MaxInt64), nil
	}
}

// mul and add calculate with signed numbers of 128 bits.
func mul(a, b int64) (int64, uint64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(hi) - a>>63&b - b>>63&a, lo
}

func add(aHi int64, aLo uint64, bHi int64, bLo uint64) (int64, uint64) {
	lo, carry := bits.Add64(aLo, bLo, 0)
	return aHi + bHi + int64(carry), lo
}

func isoDuration(b *connect.Batch, s span) (connect.Value, error) {
	dst := append(b.Buffer(96)[:0], 'P')
	dst = append(strconv.AppendInt(dst, int64(s.months/12), 10), 'Y')
	dst = append(strconv.AppendInt(dst, int64(s.months%12), 10), 'M')
	dst = append(strconv.AppendInt(dst, int64(s.days), 10), 'D', 'T')
	dst = append(strconv.AppendInt(dst, s.micros/3_600_000_000, 10), 'H')
	dst = append(strconv.AppendInt(dst, s.micros/60_000_000%60, 10), 'M')
	seconds := s.micros % 60_000_000
	if seconds < 0 {
		dst, seconds = append(dst, '-'), -seconds
	}
	dst = strconv.AppendInt(dst, seconds/1_000_000, 10)
	return connect.StringValue(view(append(appendFraction(dst, seconds%1_000_000, anyWidth), 'S'))), nil
}

func structuredDuration(precision int64) func(*connect.Batch, span) (connect.Value, error) {
	return func(b *connect.Batch, s span) (connect.Value, error) {
		hours := s.micros / 3_600_000_000
		if hours > math.MaxInt32 || hours < math.MinInt32 {
			return connect.Value{}, &ValueError{"interval", "its hours do not fit into an INT32"}
		}
		cells := b.Cells(8)
		cells[0], cells[1], cells[2] = int32Value(int64(s.months/12)), int32Value(int64(s.months%12)), int32Value(int64(s.days))
		cells[3], cells[4] = int32Value(hours), int32Value(s.micros/60_000_000%60)
		cells[5] = connect.Int64Value(s.micros / 1_000_000 % 60)
		cells[6], cells[7] = int32Value(s.micros%1_000_000*1000), int32Value(precision)
		return connect.StructValue(cells), nil
	}
}

// parseInterval reads IntervalStyle postgres: "1 year -2 mons +3 days -04:05:06.7",
// each part with a sign of its own.
func parseInterval(text []byte) (s span, ok bool) {
	switch view(text) {
	case "infinity":
		return span{math.MaxInt32, math.MaxInt32, math.MaxInt64}, true
	case "-infinity":
		return span{math.MinInt32, math.MinInt32, math.MinInt64}, true
	case "":
		return s, false
	}
	for len(text) > 0 {
		neg := text[0] == '-'
		if neg || text[0] == '+' {
			text = text[1:]
		}
		n, rest, ok := number(text, 1, 10)
		if !ok {
			return s, false
		}
		if len(rest) > 0 && rest[0] == ':' {
			return s.clock(n, rest[1:], neg)
		}
		if neg {
			n = -n
		}
		if text, ok = s.part(n, rest); !ok {
			return s, false
		}
	}
	return s, true
}

// part adds a number and its unit, and returns what comes after.
func (s *span) part(n int64, text []byte) ([]byte, bool) {
	end := 1
	for end < len(text) && text[end] != ' ' {
		end++
	}
	if len(text) == 0 {
		return nil, false
	}
	months, days := int64(s.months), int64(s.days)
	switch view(text[:end]) {
	case " year", " years":
		months += 12 * n
	case " mon", " mons":
		months += n
	case " day", " days":
		days += n
	default:
		return nil, false
	}
	s.months, s.days = int32(months), int32(days)
	text, _ = literal(text[end:], ' ')
	return text, int64(s.months) == months && int64(s.days) == days
}

// clock ends an interval with hours, which were read, minutes and seconds.
func (s span) clock(hours int64, text []byte, neg bool) (span, bool) {
	m, text, ok1 := number(text, 2, 2)
	text, ok2 := literal(text, ':')
	sec, text, ok3 := number(text, 2, 2)
	var f int64
	if r, more := literal(text, '.'); more {
		var ok bool
		if f, text, ok = parseFraction(r); !ok {
			return s, false
		}
	}
	rest := (m*60+sec)*1_000_000 + f
	if !ok1 || !ok2 || !ok3 || len(text) > 0 || hours > math.MaxInt64/3_600_000_000 {
		return s, false
	}
	micros := uint64(hours)*3_600_000_000 + uint64(rest)
	switch {
	case neg && micros <= 1<<63:
		s.micros = -int64(micros)
	case !neg && micros < 1<<63:
		s.micros = int64(micros)
	default:
		return s, false
	}
	return s, true
}
