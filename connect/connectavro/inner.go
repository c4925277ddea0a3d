package connectavro

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// innerRecord is a record that contains itself. A Connect schema is a tree, so within itself such a record is the JSON of what it would be.
type innerRecord struct {
	step *step
	used bool // it is within itself somewhere
	plan *connectjson.Plan
	// width is how many bytes the text of a cell takes at most beside the data in it.
	width int
}

// maxInner bounds the text of records within themselves in one value, in bytes, each counted on every level that it is in (I5): fields without
// data have names all the same.
const maxInner = 64 << 20

var errInner = fmt.Errorf("the records within themselves take more than %d bytes as JSON", maxInner)

// cellText is what a cell takes in JSON without its name: a number, quotes, brackets.
const cellText = 40

func innerSchema(optional bool) *connect.Schema {
	if optional {
		return connectjson.OptionalSchema
	}
	return connectjson.Schema
}

// compile is called when the schema of the record is there, which is before the record is read. room is how many more types the texts of
// records may be made of (I5): each has those in it too.
func (i *innerRecord) compile(s *connect.Schema, room *int) (err error) {
	if !i.used {
		return nil
	}
	longest, types := connectjson.Measure(s)
	if *room -= types; *room < 0 {
		return errTypes
	}
	i.width = cellText + longest
	i.plan, err = connectjson.Compile(s, connectjson.Options{Decimal: connectjson.DecimalNumeric, KeepNull: true, Entries: true, Union: unionName})
	return err
}

// innerRecord reads a record and writes it as JSON.
func (r *reader) innerRecord(i *innerRecord) connect.Value {
	if r.depth++; r.depth > maxNesting {
		r.fail(errDeep)
	}
	defer func() { r.depth-- }()
	room, length := r.room, len(r.data)
	v := r.read(i.step)
	if r.err != nil {
		return connect.Value{}
	}
	const escaped = 6 // bytes that one may become in a string
	size := (room-r.room)*i.width + escaped*(length-len(r.data))
	if r.inner += size; size > maxInner || r.inner > maxInner {
		r.fail(errInner)
		return connect.Value{}
	}
	p, err := i.plan.Append(nil, v)
	if err != nil {
		r.fail(fmt.Errorf("write a record within itself as JSON: %w", err))
		return connect.Value{}
	}
	return connect.StringValue(r.b.Text(p))
}
