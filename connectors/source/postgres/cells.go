package postgres

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// image is a row as the cells of records.
type image struct {
	key   []connect.Value // nil: the table has none
	value []connect.Value
}

// errShape is a row that is not one of its table: a defect, or a server's (15.0 and
// 15.1 send columns that the relation message left out).
func (t *table) errShape(r row) error {
	return fmt.Errorf("a row of table %s has %d columns instead of %d", t.name, len(r), len(t.columns))
}

// decode returns a row's cells. What an update left out of its new row is taken from
// old, where that has it.
func (e *emitter) decode(b *connect.Batch, t *table, r, old row) (image, error) {
	if len(r) != len(t.columns) {
		return image{}, t.errShape(r)
	}
	if len(old) != len(r) {
		old = nil
	}
	img := t.newImage(b)
	for i := range t.columns {
		c := &t.columns[i]
		if c.codec == nil {
			continue
		}
		cell := r[i]
		if cell.Kind == pgoutput.ColumnUnchanged && old != nil && old[i].Kind != pgoutput.ColumnNull {
			cell = old[i]
		}
		v, err := e.cell(b, t, c, cell)
		if err != nil {
			return image{}, err
		}
		if c.key >= 0 {
			img.key[c.key] = v
		}
		if c.mask != nil {
			v = c.masked(b, v)
		}
		if c.field >= 0 {
			img.value[c.field] = v
		}
	}
	return img, nil
}

// ownText returns bytes of a batch's memory, which are not written to any more, as a
// string.
func ownText(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

// newImage returns an image with null cells, but for the suffix of the key.
func (t *table) newImage(b *connect.Batch) image {
	keys := t.keys
	if !t.keySuffix.IsNull() {
		keys++
	}
	cells := b.Cells(keys + t.fields)
	img := image{key: cells[:keys:keys], value: cells[keys:]}
	if keys > t.keys {
		img.key[t.keys] = t.keySuffix
	}
	return img
}

// cell returns the value of one place of a row.
func (e *emitter) cell(b *connect.Batch, t *table, c *column, cell pgoutput.Column) (connect.Value, error) {
	var v connect.Value
	var err error
	switch cell.Kind {
	case pgoutput.ColumnText:
		v, err = c.codec.Text(b, cell.Data)
	case pgoutput.ColumnBinary:
		if !c.codec.BinaryOK() {
			return v, fmt.Errorf("column %s of table %s comes in binary form, which was not asked for", c.name, t.name)
		}
		v, err = c.codec.Binary(b, cell.Data)
	case pgoutput.ColumnNull:
		return c.codec.Zero, nil // null where that is allowed
	case pgoutput.ColumnUnchanged:
		v = c.codec.Placeholder
	default:
		return v, fmt.Errorf("column %s of table %s has the unknown kind %q", c.name, t.name, cell.Kind)
	}
	if err != nil {
		return e.unconvertible(t, c, err)
	}
	if v.IsNull() {
		return c.codec.Zero, nil
	}
	return v, nil
}

// unconvertible applies event.converting.failure.handling.mode to a value that has no
// form.
func (e *emitter) unconvertible(t *table, c *column, err error) (connect.Value, error) {
	var bad *pgtype.ValueError
	if !errors.As(err, &bad) || e.config.types.converting == failureFail {
		return connect.Value{}, fmt.Errorf("column %s of table %s: %w", c.name, t.name, err)
	}
	if e.config.types.converting == failureWarn {
		e.warnings.warn("a value has no form and is left out", t.label+"."+c.name, bad)
	}
	return c.codec.Zero, nil
}
