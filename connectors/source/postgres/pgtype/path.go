package pgtype

import (
	"bytes"
	"encoding/binary"

	"github.com/sluice-data/sluice/connect"
)

// pathKind is an open or closed path: a line string. A closed one does not repeat
// its first point.
func pathKind() *kind {
	text := func(b *connect.Batch, data []byte) (connect.Value, error) {
		p, ok := textPoints(data)
		if !ok {
			return connect.Value{}, badText("path")
		}
		return pathCell(b, p, data[0] == '('), nil
	}
	bin := func(b *connect.Batch, data []byte) (connect.Value, error) {
		if len(data) < 1 {
			return connect.Value{}, badBinary("path")
		}
		p, ok := binaryPoints(data[1:])
		if !ok || data[0] > 1 {
			return connect.Value{}, badBinary("path")
		}
		return pathCell(b, p, data[0] == 1), nil
	}
	zero := geometryCell(connect.NewBatch(1, 1), wkbLineOf(connect.NewBatch(1, 1), []float64{0, 0, 1, 0}), "path", "")
	return &kind{shape: geometryShape(), zero: zero, text: text, binary: bin}
}

func pathCell(b *connect.Batch, p []float64, closed bool) connect.Value {
	word := "false"
	if closed {
		word = "true"
	}
	return geometryCell(b, wkbLineOf(b, p), "path", word)
}

// polygonKind is a polygon whose ring ends where it began.
func polygonKind() *kind {
	cell := func(b *connect.Batch, p []float64) connect.Value {
		if n := len(p); n >= 4 && (p[0] != p[n-2] || p[1] != p[n-1]) {
			p = append(p, p[0], p[1])
		}
		return geometryCell(b, wkbPolygonOf(b, p), "polygon", "")
	}
	text := func(b *connect.Batch, data []byte) (connect.Value, error) {
		p, ok := textPoints(data)
		if !ok {
			return connect.Value{}, badText("polygon")
		}
		return cell(b, p), nil
	}
	bin := func(b *connect.Batch, data []byte) (connect.Value, error) {
		p, ok := binaryPoints(data)
		if !ok {
			return connect.Value{}, badBinary("polygon")
		}
		return cell(b, p), nil
	}
	return &kind{shape: geometryShape(), zero: cell(connect.NewBatch(1, 1), []float64{0, 0, 1, 0, 0, 1}), text: text, binary: bin}
}

// textPoints reads the coordinates of any number of points.
func textPoints(data []byte) ([]float64, bool) {
	if len(data) == 0 || data[0] != '(' && data[0] != '[' {
		return nil, false
	}
	p := make([]float64, bytes.Count(data, []byte{','})+1, bytes.Count(data, []byte{','})+3)
	n, ok := scanNumbers(p, data)
	return p[:n], ok && n%2 == 0 && n > 0
}

// binaryPoints reads a number of points and their coordinates.
func binaryPoints(data []byte) ([]float64, bool) {
	if len(data) < 4 || len(data)%16 != 4 || int64(binary.BigEndian.Uint32(data)) != int64(len(data)/16) || len(data) == 4 {
		return nil, false
	}
	data = data[4:]
	p := make([]float64, len(data)/8, len(data)/8+2)
	for i := range p {
		p[i] = float(data[8*i : 8*i+8])
	}
	return p, true
}
