package pgtype

import (
	"math"

	"github.com/sluice-data/sluice/connect"
)

// The structs of time.precision.mode=structured. Every field is optional; of an
// infinite value only specialValue is set.
func structShape(name string, fields ...connect.Field) shape {
	return shape{typ: connect.Struct, name: "io.debezium.time." + name, version: 1, fields: fields}
}

func optional8(name string) connect.Field {
	return connect.Field{Name: name, Schema: connect.OptionalInt8Schema}
}

func optional32(name string) connect.Field {
	return connect.Field{Name: name, Schema: connect.OptionalInt32Schema}
}

func optionalString(name string) connect.Field {
	return connect.Field{Name: name, Schema: connect.OptionalStringSchema}
}

func int8Value(n int64) connect.Value  { return connect.Int8Value(int8(n)) }
func int32Value(n int64) connect.Value { return connect.Int32Value(int32(n)) }

var (
	positiveInfinity = connect.StringValue("POSITIVE_INFINITY")
	negativeInfinity = connect.StringValue("NEGATIVE_INFINITY")
)

func putDate(cells []connect.Value, days int64) {
	year, month, day := civil(days)
	cells[0], cells[1], cells[2] = int32Value(year), int8Value(month), int8Value(day)
}

func putClock(cells []connect.Value, micros int64) {
	seconds := micros / 1_000_000
	cells[0], cells[1], cells[2] = int8Value(seconds/3600), int8Value(seconds/60%60), int8Value(seconds%60)
	cells[3] = int32Value(micros % 1_000_000 * 1000)
}

// special sets specialValue, if n is infinite.
func putSpecial(cell *connect.Value, n, positive, negative int64) bool {
	switch n {
	case positive:
		*cell = positiveInfinity
	case negative:
		*cell = negativeInfinity
	default:
		return false
	}
	return true
}

// zeroStruct makes a zero of a kind by reading the text form of it.
func zeroStruct(k *kind, text string) *kind {
	k.zero, _ = k.text(connect.NewBatch(1, 1), []byte(text))
	return k
}

func structuredDate() *kind {
	s := structShape("StructuredDate", optional32("year"), optional8("month"), optional8("day"), optionalString("specialValue"))
	return zeroStruct(temporalKind("date", s, connect.Value{}, parseDate, dateBinary, func(b *connect.Batch, n int64) (connect.Value, error) {
		cells := b.Cells(4)
		if !putSpecial(&cells[3], n, math.MaxInt32, math.MinInt32) {
			putDate(cells, n)
		}
		return connect.StructValue(cells), nil
	}), "1970-01-01")
}

func structuredTime(precision int64) *kind {
	s := structShape("StructuredTime", optional8("hour"), optional8("minute"), optional8("second"), optional32("nanos"), optional32("precision"))
	return zeroStruct(temporalKind("time", s, connect.Value{}, timeText, timeBinary, func(b *connect.Batch, n int64) (connect.Value, error) {
		cells := b.Cells(5)
		putClock(cells, n)
		cells[4] = int32Value(precision)
		return connect.StructValue(cells), nil
	}), "00:00:00")
}

func structuredTimestamp(precision int64) *kind {
	s := structShape("StructuredTimestamp", optional32("year"), optional8("month"), optional8("day"), optional8("hour"),
		optional8("minute"), optional8("second"), optional32("nanos"), optionalString("specialValue"), optional32("precision"))
	return zeroStruct(temporalKind("timestamp", s, connect.Value{}, timestampText, timestampBinary, func(b *connect.Batch, n int64) (connect.Value, error) {
		cells := b.Cells(9)
		if !putSpecial(&cells[7], n, infinity, minInfinity) {
			putTimestamp(cells, n)
		}
		cells[8] = int32Value(precision)
		return connect.StructValue(cells), nil
	}), "1970-01-01 00:00:00")
}

func putTimestamp(cells []connect.Value, n int64) {
	days, micros := splitMicros(n)
	putDate(cells, days)
	putClock(cells[3:], micros)
}

// structuredZonedTimestamp is in UTC, which Debezium has as offset 0 and zone "Z".
func structuredZonedTimestamp(precision int64) *kind {
	s := structShape("StructuredZonedTimestamp", optional32("year"), optional8("month"), optional8("day"), optional8("hour"),
		optional8("minute"), optional8("second"), optional32("nanos"), optional32("offsetSeconds"), optionalString("zoneId"),
		optionalString("specialValue"), optional32("precision"))
	zone := connect.StringValue("Z")
	k := zeroStruct(temporalKind("timestamptz", s, connect.Value{}, timestamptzText, timestampBinary, func(b *connect.Batch, n int64) (connect.Value, error) {
		cells := b.Cells(11)
		if !putSpecial(&cells[9], n, infinity, minInfinity) {
			putTimestamp(cells, n)
			cells[7], cells[8] = int32Value(0), zone
		}
		cells[10] = int32Value(precision)
		return connect.StructValue(cells), nil
	}), "1970-01-01 00:00:00+00")
	k.zero.Cells()[8] = connect.Value{} // the zero has no zone
	return k
}

// structuredZonedTime keeps the offset that was stored.
func structuredZonedTime(precision int64) *kind {
	read := func(of func([]byte) (zonedTime, bool), bad error) decode {
		return func(b *connect.Batch, data []byte) (connect.Value, error) {
			z, ok := of(data)
			if !ok {
				return connect.Value{}, bad
			}
			cells := b.Cells(6)
			putClock(cells, z.micros)
			cells[4], cells[5] = int32Value(z.offset), int32Value(precision)
			return connect.StructValue(cells), nil
		}
	}
	return zeroStruct(&kind{
		shape: structShape("StructuredZonedTime", optional8("hour"), optional8("minute"), optional8("second"), optional32("nanos"),
			optional32("offsetSeconds"), optional32("precision")),
		text: read(timetzText, badText("timetz")), binary: read(timetzBinary, badBinary("timetz"))}, "00:00:00+00")
}
