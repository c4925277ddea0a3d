package pgtype

import (
	"encoding/binary"

	"github.com/sluice-data/sluice/connect"
)

// timestamptz is text in UTC with as many decimal places as the column has, or as
// there are when it has none.
func (c *compiler) timestamptz(precision int64) *kind {
	if c.o.Time == TimeStructured {
		return structuredZonedTimestamp(precision)
	}
	if precision == 0 {
		precision = anyWidth
	}
	k := temporalKind("timestamptz", named(connect.String, "io.debezium.time.ZonedTimestamp"), connect.StringValue("1970-01-01T00:00:00Z"),
		timestamptzText, timestampBinary, func(b *connect.Batch, n int64) (connect.Value, error) {
			switch n {
			case infinity:
				return connect.StringValue("infinity"), nil
			case minInfinity:
				return connect.StringValue("-infinity"), nil
			}
			return connect.StringValue(view(appendISO(b.Buffer(40)[:0], n, precision))), nil
		})
	return k
}

// zonedTime is a time of day and the offset of its zone in seconds east of Greenwich.
type zonedTime struct{ micros, offset int64 }

func timetzText(data []byte) (z zonedTime, ok bool) {
	z.micros, data, ok = parseClock(data)
	if !ok {
		return z, false
	}
	z.offset, data, ok = parseOffset(data)
	return z, ok && len(data) == 0
}

func timetzBinary(data []byte) (z zonedTime, ok bool) {
	if len(data) != 12 {
		return z, false
	}
	z.micros, ok = timeBinary(data[:8])
	z.offset = -int64(int32(binary.BigEndian.Uint32(data[8:]))) // the server counts to the west
	return z, ok && z.offset > -86400 && z.offset < 86400
}

// timetz is text in UTC. The end of the day in UTC stays what it is.
func (c *compiler) timetz(precision int64) *kind {
	if c.o.Time == TimeStructured {
		return structuredZonedTime(precision)
	}
	read := func(of func([]byte) (zonedTime, bool), bad error) decode {
		return func(b *connect.Batch, data []byte) (connect.Value, error) {
			z, ok := of(data)
			if !ok {
				return connect.Value{}, bad
			}
			return connect.StringValue(view(append(appendClock(b.Buffer(20)[:0], z.utc(), anyWidth), 'Z'))), nil
		}
	}
	return &kind{shape: named(connect.String, "io.debezium.time.ZonedTime"), zero: connect.StringValue("00:00:00Z"),
		text: read(timetzText, badText("timetz")), binary: read(timetzBinary, badBinary("timetz"))}
}

// utc returns the time of day in UTC.
func (z zonedTime) utc() int64 {
	if z.offset == 0 {
		return z.micros
	}
	n := z.micros - z.offset*1_000_000
	return n - floorDiv(n, microsDay)*microsDay
}
