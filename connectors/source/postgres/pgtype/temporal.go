package pgtype

import (
	"encoding/binary"
	"math"

	"github.com/sluice-data/sluice/connect"
)

// moment reads a date, a time of day or a timestamp as one number.
type moment func(data []byte) (n int64, ok bool)

// temporalKind makes cells of a number that both forms are read as.
func temporalKind(name string, s shape, zero connect.Value, text, bin moment,
	value func(*connect.Batch, int64) (connect.Value, error)) *kind {
	read := func(m moment, bad error) decode {
		return func(b *connect.Batch, data []byte) (connect.Value, error) {
			n, ok := m(data)
			if !ok {
				return connect.Value{}, bad
			}
			return value(b, n)
		}
	}
	return &kind{shape: s, zero: zero, text: read(text, badText(name)), binary: read(bin, badBinary(name))}
}

// temporal returns the types of date and time.
func (c *compiler) temporal(t *typeInfo, mod int32) *kind {
	precision := int64(mod)
	if mod == -1 {
		precision = 6
	}
	var k *kind
	switch t.oid {
	case oidDate:
		k = c.defaulting(c.date(), "1970-01-01")
	case oidTime:
		k = c.defaulting(c.time(precision), "00:00:00")
	case oidTimestamp:
		k = c.defaulting(c.timestamp(precision), "1970-01-01 00:00:00")
	case oidTimestamptz:
		k = c.defaulting(c.timestamptz(precision), "1970-01-01 00:00:00+00")
	case oidTimetz:
		return c.timetz(precision)
	case oidInterval:
		k = c.defaulting(c.interval(mod), "00:00:00")
	default:
		return nil
	}
	if k.typ == connect.Struct {
		k.defaults = false // a struct cannot be a default (KAFKA-12694)
	}
	return k
}

func dateBinary(data []byte) (int64, bool) {
	if len(data) != 4 {
		return 0, false
	}
	n := bigEndianInt(data)
	return n, n >= minDay && n <= maxDay || n == math.MaxInt32 || n == math.MinInt32
}

func timeText(data []byte) (int64, bool) {
	n, rest, ok := parseClock(data)
	return n, ok && len(rest) == 0
}

func timeBinary(data []byte) (int64, bool) {
	if len(data) != 8 {
		return 0, false
	}
	n := bigEndianInt(data)
	return n, n >= 0 && n <= microsDay
}

func timestampText(data []byte) (int64, bool)   { return checkMicros(parseTimestamp(data, false)) }
func timestamptzText(data []byte) (int64, bool) { return checkMicros(parseTimestamp(data, true)) }

func timestampBinary(data []byte) (int64, bool) {
	if len(data) != 8 {
		return 0, false
	}
	return checkMicros(int64(binary.BigEndian.Uint64(data)), true)
}

func checkMicros(n int64, ok bool) (int64, bool) {
	return n, ok && (n >= minDay*microsDay && n <= maxMicros || n == infinity || n == minInfinity)
}

// finiteDay maps infinity to the day that Debezium has for it. Days count from 1970.
func finiteDay(n int64) int64 {
	switch n {
	case math.MaxInt32:
		return infiniteDay
	case math.MinInt32:
		return minInfiniteDay
	}
	return n + epochDays
}

func (c *compiler) date() *kind {
	switch c.o.Time {
	case TimeISOString:
		return temporalKind("date", named(connect.String, "io.debezium.time.IsoDate"), connect.StringValue("1970-01-01Z"), parseDate, dateBinary,
			func(b *connect.Batch, n int64) (connect.Value, error) {
				return connect.StringValue(view(append(appendDate(b.Buffer(20)[:0], finiteDay(n)-epochDays), 'Z'))), nil
			})
	case TimeStructured:
		return structuredDate()
	}
	s := named(connect.Int32, "io.debezium.time.Date")
	if c.o.Time == TimeConnect {
		s = logical(connect.Int32, connect.DateName)
	}
	return temporalKind("date", s, connect.Int32Value(0), parseDate, dateBinary,
		func(_ *connect.Batch, n int64) (connect.Value, error) {
			return connect.Int32Value(int32(finiteDay(n))), nil
		})
}

func (c *compiler) time(precision int64) *kind {
	switch c.o.Time {
	case TimeISOString:
		return temporalKind("time", named(connect.String, "io.debezium.time.IsoTime"), connect.StringValue("00:00:00Z"), timeText, timeBinary,
			func(b *connect.Batch, n int64) (connect.Value, error) {
				return connect.StringValue(view(append(appendClock(b.Buffer(20)[:0], n%microsDay, anyWidth), 'Z'))), nil
			})
	case TimeStructured:
		return structuredTime(precision)
	case TimeNanoseconds:
		return timeKind(named(connect.Int64, "io.debezium.time.NanoTime"), func(n int64) connect.Value { return connect.Int64Value(n * 1000) })
	case TimeConnect:
		return timeKind(logical(connect.Int32, connect.TimeName), func(n int64) connect.Value { return connect.Int32Value(int32(n / 1000)) })
	case TimeMicroseconds, TimeAdaptiveMicroseconds:
	default:
		if precision <= 3 {
			return timeKind(named(connect.Int32, "io.debezium.time.Time"), func(n int64) connect.Value { return connect.Int32Value(int32(n / 1000)) })
		}
	}
	return timeKind(named(connect.Int64, "io.debezium.time.MicroTime"), connect.Int64Value)
}

func timeKind(s shape, value func(int64) connect.Value) *kind {
	return temporalKind("time", s, value(0), timeText, timeBinary,
		func(_ *connect.Batch, n int64) (connect.Value, error) { return value(n), nil })
}

func (c *compiler) timestamp(precision int64) *kind {
	switch c.o.Time {
	case TimeISOString:
		return temporalKind("timestamp", named(connect.String, "io.debezium.time.IsoTimestamp"), connect.StringValue("1970-01-01T00:00:00Z"),
			timestampText, timestampBinary, func(b *connect.Batch, n int64) (connect.Value, error) {
				return connect.StringValue(view(appendISO(b.Buffer(40)[:0], n, anyWidth))), nil
			})
	case TimeStructured:
		return structuredTimestamp(precision)
	case TimeNanoseconds:
		return timestampKind(named(connect.Int64, "io.debezium.time.NanoTimestamp"), epochNanosOf)
	case TimeConnect:
		return timestampKind(logical(connect.Int64, connect.TimestampName), epochMillisOf)
	case TimeMicroseconds:
	default:
		if precision <= 3 {
			return timestampKind(named(connect.Int64, "io.debezium.time.Timestamp"), epochMillisOf)
		}
	}
	return timestampKind(named(connect.Int64, "io.debezium.time.MicroTimestamp"), epochMicrosOf)
}

func timestampKind(s shape, of func(int64) (int64, error)) *kind {
	return temporalKind("timestamp", s, connect.Int64Value(0), timestampText, timestampBinary,
		func(_ *connect.Batch, n int64) (connect.Value, error) {
			v, err := of(n)
			if err != nil {
				return connect.Value{}, err
			}
			return connect.Int64Value(v), nil
		})
}

// splitMicros returns the days of a timestamp and the microseconds of its last
// day, for infinity those of the moment that Debezium has for it.
func splitMicros(n int64) (days, micros int64) {
	if n == infinity || n == minInfinity {
		millis, _ := epochMillisOf(n)
		days = floorDiv(millis, millisDay)
		return days - epochDays, (millis - days*millisDay) * 1000
	}
	days = floorDiv(n, microsDay)
	return days, n - days*microsDay
}

func epochMillisOf(n int64) (int64, error) {
	switch n {
	case infinity:
		return infiniteMillis, nil
	case minInfinity:
		return minInfiniteMillis, nil
	}
	return floorDiv(n, 1000) + epochMillis, nil
}

func epochMicrosOf(n int64) (int64, error) {
	switch {
	case n == infinity:
		return math.MaxInt64, nil
	case n == minInfinity:
		return math.MinInt64, nil
	case n > math.MaxInt64-epochMicros:
		return 0, &ValueError{"timestamp", "it is too late for microseconds since 1970 in an INT64"}
	}
	return n + epochMicros, nil
}

func epochNanosOf(n int64) (int64, error) {
	switch n {
	case infinity:
		return math.MaxInt64, nil
	case minInfinity:
		return math.MinInt64, nil
	}
	if n > math.MaxInt64/1000-epochMicros || n < math.MinInt64/1000-epochMicros {
		return 0, &ValueError{"timestamp", "it is outside 1677 to 2262, the range of nanoseconds since 1970 in an INT64"}
	}
	return (n + epochMicros) * 1000, nil
}
