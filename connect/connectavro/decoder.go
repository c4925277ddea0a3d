package connectavro

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// Decoder reads values of one Avro schema. It may be used by any number of goroutines.
type Decoder struct {
	// Schema is what the values are; nil: they have none.
	Schema *connect.Schema
	root   *step
	raw    bool // the value is the data
	strict bool
}

// Decode reads one value. Its memory is the batch's or that of data, which must not change until the batch is reset.
func (d *Decoder) Decode(b *connect.Batch, data []byte) (connect.Value, error) {
	if d.raw {
		return connect.BytesValue(data), nil
	}
	r := reader{data: data, b: b, room: minCells + cellsPerByte*len(data)}
	v := r.read(d.root)
	if r.err == nil && d.strict && len(r.data) > 0 {
		r.err = errTrailing
	}
	if r.err != nil {
		return connect.Value{}, fmt.Errorf("read Avro data: %w", r.err)
	}
	return v, nil
}

// text shares the memory of p.
func text(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

// stepCompiler makes steps. Records that are being compiled are open: within themselves they are JSON.
type stepCompiler struct {
	open map[*avro.Type]*innerRecord
	room int // how many more types the texts of records within themselves may be made of
}

// step returns how a type is read. The schema is what the type became, which decides the type of integers and which arrays
// are maps.
func (c *stepCompiler) step(t *avro.Type, s *connect.Schema, depth int) (*step, error) {
	if depth > maxNesting {
		return nil, errNesting
	}
	if record := c.open[t]; record != nil {
		record.used = true
		return &step{kind: kindInner, inner: record, least: 1}, nil
	}
	switch t.Kind {
	case avro.Null:
		return &step{kind: kindNull}, nil
	case avro.Boolean:
		return &step{kind: kindBoolean, least: 1}, nil
	case avro.Int:
		return &step{kind: kindInt, typ: s.Type(), least: 1}, nil
	case avro.Long:
		return &step{kind: kindLong, least: 1}, nil
	case avro.Float:
		return &step{kind: kindFloat, least: 4}, nil
	case avro.Double:
		return &step{kind: kindDouble, least: 8}, nil
	case avro.Bytes:
		return &step{kind: kindBytes, least: 1}, nil
	case avro.String:
		return &step{kind: kindString, least: 1}, nil
	case avro.Fixed:
		return &step{kind: kindFixed, size: t.Size, least: t.Size}, nil
	case avro.Enum:
		return &step{kind: kindEnum, symbols: t.Symbols, least: 1}, nil
	case avro.Array:
		return c.array(t, s, depth)
	case avro.Map:
		item, err := c.step(t.Items, s.Value(), depth+1)
		return &step{kind: kindMap, item: item, least: 1}, err
	case avro.Union:
		return c.union(t, s, depth)
	}
	return c.record(t, s, depth)
}

func (c *stepCompiler) array(t *avro.Type, s *connect.Schema, depth int) (*step, error) {
	if s.Type() != connect.Map {
		item, err := c.step(t.Items, s.Value(), depth+1)
		return &step{kind: kindArray, item: item, least: 1}, err
	}
	entries := &step{kind: kindEntries, least: 1}
	for i, f := range t.Items.Fields {
		part := s.Key()
		if f.Name == "value" {
			part = s.Value()
		}
		st, err := c.step(f.Type, part, depth+1)
		if err != nil {
			return nil, err
		}
		entries.steps = append(entries.steps, st)
		if i == 0 && f.Name != "key" {
			return nil, errors.New("an array of MapEntry needs the fields key and value, in this order")
		}
	}
	return entries, nil
}

// union: null and one type are optional, one type alone may be that type, all else is a struct.
func (c *stepCompiler) union(t *avro.Type, s *connect.Schema, depth int) (*step, error) {
	if i, ok := optionalBranch(t); ok {
		item, err := c.step(t.Branches[i], s, depth+1)
		return &step{kind: kindOptional, item: item, null: 1 - i, some: i, least: 1}, err
	}
	if !isUnion(s) { // a union of one type
		item, err := c.step(t.Branches[0], s, depth+1)
		return &step{kind: kindOptional, item: item, null: -1, least: 1}, err
	}
	union := &step{kind: kindUnion, size: len(s.Fields()), least: 1}
	field := 0
	for _, b := range t.Branches {
		if b.Kind == avro.Null {
			union.steps = append(union.steps, nil)
			continue
		}
		st, err := c.step(b, s.Fields()[field].Schema, depth+1)
		if err != nil {
			return nil, err
		}
		union.steps = append(union.steps, st)
		field++
	}
	return union, nil
}

func (c *stepCompiler) record(t *avro.Type, s *connect.Schema, depth int) (*step, error) {
	rec := &step{kind: kindRecord}
	inner := &innerRecord{step: rec}
	c.open[t] = inner
	defer delete(c.open, t)
	for i, f := range t.Fields {
		st, err := c.step(f.Type, s.Fields()[i].Schema, depth+1)
		if err != nil {
			return nil, err
		}
		rec.steps = append(rec.steps, st)
		rec.least += st.least
	}
	return rec, inner.compile(s, &c.room)
}

// optionalBranch returns the branch that is not null of a union of null and one other.
func optionalBranch(t *avro.Type) (int, bool) {
	if t.Kind != avro.Union || len(t.Branches) != 2 {
		return 0, false
	}
	switch {
	case t.Branches[0].Kind == avro.Null && t.Branches[1].Kind != avro.Null:
		return 1, true
	case t.Branches[1].Kind == avro.Null && t.Branches[0].Kind != avro.Null:
		return 0, true
	}
	return 0, false
}

// isUnion tells whether a struct stands for a union.
func isUnion(s *connect.Schema) bool {
	if s == nil || s.Type() != connect.Struct {
		return false
	}
	_, general := s.Parameter(generalUnion)
	return general || s.Name() == unionName
}
