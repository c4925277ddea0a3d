package pgtype

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/sluice-data/sluice/connect"
)

// postgis is a geometry or geography: its EWKB as it is, and the SRID that stands
// in it. The text form is EWKB in hexadecimal.
func postgis(name string, s shape, fields int) *kind {
	cell := func(b *connect.Batch, ewkb []byte, bad error) (connect.Value, error) {
		srid, ok := sridOf(ewkb)
		if !ok {
			return connect.Value{}, bad
		}
		cells := b.Cells(fields)
		cells[0], cells[1] = connect.BytesValue(ewkb), srid
		return connect.StructValue(cells), nil
	}
	empty := []byte{1, 7, 0, 0, 0, 0, 0, 0, 0} // GEOMETRYCOLLECTION EMPTY
	zero := make([]connect.Value, fields)
	zero[0] = connect.BytesValue(empty)
	bad, badB := badText(name), badBinary(name)
	return &kind{shape: s, zero: connect.StructValue(zero),
		text: func(b *connect.Batch, data []byte) (connect.Value, error) {
			raw := b.Buffer(hex.DecodedLen(len(data)))
			if n, err := hex.Decode(raw, data); err != nil || n != len(raw) {
				return connect.Value{}, bad
			}
			return cell(b, raw, bad)
		},
		binary: func(b *connect.Batch, data []byte) (connect.Value, error) { return cell(b, b.Bytes(data), badB) }}
}

// sridOf reads the SRID: four bytes after byte order and type, if the type has
// the flag.
func sridOf(ewkb []byte) (connect.Value, bool) {
	if len(ewkb) < 9 {
		return connect.Value{}, false
	}
	order := binary.ByteOrder(binary.BigEndian)
	if ewkb[0] != 0 {
		order = binary.LittleEndian
	}
	if order.Uint32(ewkb[1:])&0x20000000 == 0 {
		return connect.Value{}, true
	}
	return connect.Int32Value(int32(order.Uint32(ewkb[5:]))), true
}

func geographyShape() shape {
	return shape{typ: connect.Struct, name: geometryPackage + "Geography", version: 1, doc: "Geography",
		fields: []connect.Field{{Name: "wkb", Schema: connect.BytesSchema}, {Name: "srid", Schema: connect.OptionalInt32Schema}}}
}
