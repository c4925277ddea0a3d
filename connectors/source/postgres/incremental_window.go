package postgres

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// window holds the rows of a chunk until the stream has come to the place where
// they were read. A change that is newer takes its row out: the row would come after
// the change.
type window struct {
	table *table
	// seen are the transactions that the rows have, until is a place in the stream
	// behind all of these.
	seen  visibility
	until pgoutput.LSN
	// closing is the change of the signal table that closes the window, and closed is
	// where it has come in the stream; nil: it has not.
	closing closingChange
	closed  *origin
	rows    []windowRow
	byKey   map[string]int // places in rows; nil for a table whose rows have no key
	last    []string       // key of the last row
	block   *rowBlock      // the rows' memory
}

// closingChange is an insert, or a delete, of a row with this id. "": there is none.
type closingChange struct {
	kind pgoutput.Kind
	id   string
}

type windowRow struct {
	cols    pgoutput.Tuple
	dropped bool
}

// index notes the keys of the rows. scratch is for decoding them.
func (w *window) index(e *emitter, scratch *connect.Batch) error {
	if !w.table.hasKey() {
		return nil
	}
	w.byKey = make(map[string]int, len(w.rows))
	for i := range w.rows {
		key, err := keyOf(e, scratch, w.table, w.rows[i].cols)
		if err != nil {
			return err
		}
		w.byKey[key] = i
	}
	return nil
}

// take takes the row with the key of a change out, and returns its columns; nil:
// there is none.
func (w *window) take(key string) pgoutput.Tuple {
	i, ok := w.byKey[key]
	if !ok || w.rows[i].dropped {
		return nil
	}
	w.rows[i].dropped = true
	return w.rows[i].cols
}

// complete puts what an update left out of its new row (u) there from the row that
// the window had: nobody has changed that value since.
func (w *window) complete(t *table, r row, had pgoutput.Tuple) {
	for i := range r {
		if r[i].Kind != pgoutput.ColumnUnchanged || i >= len(t.columns) {
			continue
		}
		for j := range w.table.columns {
			if w.table.columns[j].name == t.columns[i].name && j < len(had) {
				r[i] = had[j]
			}
		}
	}
}

// keyOf returns the key of a row as bytes that are equal for equal keys, whether
// the row is text or binary.
func keyOf(e *emitter, scratch *connect.Batch, t *table, r row) (string, error) {
	scratch.Reset()
	img, err := e.decode(scratch, t, r, nil)
	if err != nil {
		return "", fmt.Errorf("read the key of a row of %s: %w", t.name, err)
	}
	var key []byte
	for _, v := range img.key {
		key = appendKey(key, v)
	}
	return string(key), nil
}

func appendKey(dst []byte, v connect.Value) []byte {
	dst = append(dst, byte(v.Type()))
	switch v.Type() {
	case connect.Null:
	case connect.Boolean:
		if v.Boolean() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int()))
	case connect.Float32, connect.Float64:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case connect.String:
		return append(binary.AppendUvarint(dst, uint64(len(v.Text()))), v.Text()...)
	case connect.Bytes:
		return append(binary.AppendUvarint(dst, uint64(len(v.Bytes()))), v.Bytes()...)
	default:
		cells := v.Cells()
		dst = binary.AppendUvarint(dst, uint64(len(cells)))
		for _, c := range cells {
			dst = appendKey(dst, c)
		}
	}
	return dst
}
