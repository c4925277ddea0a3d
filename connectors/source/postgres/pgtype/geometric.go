package pgtype

import (
	"encoding/binary"
	"math"

	"github.com/sluice-data/sluice/connect"
)

const geometryPackage = "io.debezium.data.geometry."

func geometryShape() shape {
	return shape{typ: connect.Struct, name: geometryPackage + "Geometry", version: 2, doc: "Geometry", optional: true,
		fields: []connect.Field{{Name: "wkb", Schema: connect.BytesSchema}, {Name: "srid", Schema: connect.OptionalInt32Schema},
			{Name: "extensions", Schema: optionalStringMap()}}}
}

func optionalStringMap() *connect.Schema {
	s, _ := connect.NewMap(connect.StringSchema, connect.StringSchema, connect.Attrs{Optional: true}) // fails only without schemas
	return s
}

func pointShape() shape {
	return shape{typ: connect.Struct, name: geometryPackage + "Point", version: 1, doc: "Geometry (POINT)",
		fields: []connect.Field{{Name: "x", Schema: connect.Float64Schema}, {Name: "y", Schema: connect.Float64Schema},
			{Name: "wkb", Schema: connect.OptionalBytesSchema}, {Name: "srid", Schema: connect.OptionalInt32Schema}}}
}

func circleShape() shape {
	p := pointShape()
	center, _ := p.schema(connect.Attrs{}, nil) // fails only for a struct without names
	return shape{typ: connect.Struct, name: geometryPackage + "Circle", version: 1, doc: "Geometry (CIRCLE)", optional: true,
		fields: []connect.Field{{Name: "center", Schema: center}, {Name: "radius", Schema: connect.Float64Schema}}}
}

func lineShape() shape {
	return shape{typ: connect.Struct, name: geometryPackage + "Line", version: 1, doc: "Geometry (LINE)", optional: true,
		fields: []connect.Field{{Name: "a", Schema: connect.Float64Schema}, {Name: "b", Schema: connect.Float64Schema},
			{Name: "c", Schema: connect.Float64Schema}}}
}

// geometric returns PostgreSQL's own geometric types. Their zeros are Debezium's:
// shapes that a geometry library accepts.
func (c *compiler) geometric(t *typeInfo, _ int32) *kind {
	switch t.oid {
	case oidPoint:
		return numbersKind(t.name, pointShape(), 2, pointCell, []float64{0, 0})
	case oidBox:
		return numbersKind(t.name, geometryShape(), 4, boxCell, []float64{0, 0, 1, 1})
	case oidLseg:
		return numbersKind(t.name, geometryShape(), 4, lsegCell, []float64{0, 0, 1, 0})
	case oidLine:
		return numbersKind(t.name, lineShape(), 3, lineCell, []float64{0, 1, 0})
	case oidCircle:
		return numbersKind(t.name, circleShape(), 3, circleCell, []float64{0, 0, 0})
	case oidPath:
		return pathKind()
	case oidPolygon:
		return polygonKind()
	}
	return nil
}

// numbersKind is a type of n numbers.
func numbersKind(name string, s shape, n int, cell func(*connect.Batch, []float64) connect.Value, zero []float64) *kind {
	bad, badB := badText(name), badBinary(name)
	return &kind{shape: s, zero: cell(connect.NewBatch(1, 1), zero),
		text: func(b *connect.Batch, data []byte) (connect.Value, error) {
			var numbers [4]float64
			if got, ok := scanNumbers(numbers[:n], data); !ok || got != n {
				return connect.Value{}, bad
			}
			return cell(b, numbers[:n]), nil
		},
		binary: func(b *connect.Batch, data []byte) (connect.Value, error) {
			if len(data) != 8*n {
				return connect.Value{}, badB
			}
			var numbers [4]float64
			for i := range n {
				numbers[i] = float(data[8*i : 8*i+8])
			}
			return cell(b, numbers[:n]), nil
		}}
}

// scanNumbers reads the numbers between parentheses, brackets, braces and commas
// into dst, and returns how many there are.
func scanNumbers(dst []float64, data []byte) (int, bool) {
	n := 0
	for {
		number, rest := nextNumber(data)
		if len(number) == 0 {
			return n, len(rest) == 0
		}
		f, ok := parseFloat(number, 64)
		if !ok || n == len(dst) {
			return n, false
		}
		dst[n] = f
		n++
		data = rest
	}
}

func nextNumber(data []byte) (number, rest []byte) {
	i := 0
	for i < len(data) && geometricPunctuation(data[i]) {
		i++
	}
	start := i
	for i < len(data) && !geometricPunctuation(data[i]) {
		i++
	}
	return data[start:i], data[i:]
}

func geometricPunctuation(c byte) bool {
	switch c {
	case '(', ')', '[', ']', '{', '}', '<', '>', ',':
		return true
	}
	return false
}

func pointCell(b *connect.Batch, p []float64) connect.Value {
	cells := b.Cells(4)
	cells[0], cells[1] = connect.Float64Value(p[0]), connect.Float64Value(p[1])
	cells[2] = connect.BytesValue(appendPoints(wkbHeader(b, wkbPoint, 16), p))
	return connect.StructValue(cells)
}

func boxCell(b *connect.Batch, p []float64) connect.Value {
	x1, y1, x2, y2 := p[0], p[1], p[2], p[3]
	return geometryCell(b, wkbPolygonOf(b, []float64{x1, y1, x1, y2, x2, y2, x2, y1, x1, y1}), "box", "")
}

func lsegCell(b *connect.Batch, p []float64) connect.Value {
	return geometryCell(b, wkbLineOf(b, p), "lseg", "")
}

func lineCell(b *connect.Batch, p []float64) connect.Value {
	cells := b.Cells(3)
	cells[0], cells[1], cells[2] = connect.Float64Value(p[0]), connect.Float64Value(p[1]), connect.Float64Value(p[2])
	return connect.StructValue(cells)
}

func circleCell(b *connect.Batch, p []float64) connect.Value {
	cells := b.Cells(2)
	cells[0], cells[1] = pointCell(b, p[:2]), connect.Float64Value(p[2])
	return connect.StructValue(cells)
}

// geometryCell makes a Geometry with extensions: the type in PostgreSQL, and
// whether a path is closed.
func geometryCell(b *connect.Batch, wkb []byte, name, closed string) connect.Value {
	n := 2
	if closed != "" {
		n = 4
	}
	extensions := b.Cells(n)
	extensions[0], extensions[1] = connect.StringValue("type"), connect.StringValue(name)
	if closed != "" {
		extensions[2], extensions[3] = connect.StringValue("closed"), connect.StringValue(closed)
	}
	cells := b.Cells(3)
	cells[0], cells[2] = connect.BytesValue(wkb), connect.MapValue(extensions)
	return connect.StructValue(cells)
}

// Well-known binary, little-endian: 1, the type, for a line the number of points
// and for a polygon 1 (ring) before it, the points.
const (
	wkbPoint   = 1
	wkbLine    = 2
	wkbPolygon = 3
)

func wkbHeader(b *connect.Batch, typ uint32, more int) []byte {
	dst := append(b.Buffer(5 + more)[:0], 1)
	return binary.LittleEndian.AppendUint32(dst, typ)
}

func appendPoints(dst []byte, p []float64) []byte {
	for _, f := range p {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	}
	return dst
}

func wkbLineOf(b *connect.Batch, p []float64) []byte {
	dst := wkbHeader(b, wkbLine, 4+8*len(p))
	return appendPoints(binary.LittleEndian.AppendUint32(dst, uint32(len(p)/2)), p)
}

func wkbPolygonOf(b *connect.Batch, p []float64) []byte {
	dst := binary.LittleEndian.AppendUint32(wkbHeader(b, wkbPolygon, 8+8*len(p)), 1)
	return appendPoints(binary.LittleEndian.AppendUint32(dst, uint32(len(p)/2)), p)
}
