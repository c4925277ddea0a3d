package connectproto

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// innerMessage is a message that contains itself. A Connect schema is a tree, so within itself such a message is the JSON of what it would be.
type innerMessage struct {
	message *message
	used    bool // it is within itself somewhere
	plan    *connectjson.Plan
	// width is how many bytes the text of a cell takes at most beside the data in it.
	width int
}

// Limits of messages within themselves in one value (I5): how deep they nest, as in Java, and the bytes of their text, each counted on every
// level that it is in. Fields without data have names all the same.
const (
	maxInnerDepth = 100
	maxInner      = 64 << 20
)

var (
	errDeep  = fmt.Errorf("the data nests deeper than %d levels", maxInnerDepth)
	errInner = fmt.Errorf("the messages within themselves take more than %d bytes as JSON", maxInner)
)

// cellText is what a cell takes in JSON without its name: a number, quotes, brackets.
const cellText = 40

// compile is called when the fields of the message are there, which is before it is read. room is how many more types the texts of messages
// may be made of (I5): each has those in it too.
func (i *innerMessage) compile(fields []connect.Field, room *int) error {
	if !i.used {
		return nil
	}
	s, err := connect.NewStruct(fields, connect.Attrs{})
	if err != nil {
		return err
	}
	longest, types := connectjson.Measure(s)
	if *room -= types; *room < 0 {
		return fmt.Errorf("the messages within themselves have more than %d types, each counted in every place", maxTypes)
	}
	i.width = cellText + longest
	i.plan, err = connectjson.Compile(s, connectjson.Options{Decimal: connectjson.DecimalNumeric, KeepNull: true, Entries: true})
	return err
}

// innerMessage reads a message and writes it as JSON.
func (r *reader) innerMessage(i *innerMessage, data []byte) (connect.Value, error) {
	if r.depth++; r.depth > maxInnerDepth {
		return connect.Value{}, errDeep
	}
	defer func() { r.depth-- }()
	room := r.room
	v, err := r.message(i.message, data)
	if err != nil {
		return v, err
	}
	const escaped = 6 // bytes that one may become in a string
	size := (room-r.room)*i.width + escaped*len(data)
	if r.inner += size; size > maxInner || r.inner > maxInner {
		return connect.Value{}, errInner
	}
	p, err := i.plan.Append(nil, v)
	if err != nil {
		return connect.Value{}, fmt.Errorf("write a message within itself as JSON: %w", err)
	}
	return connect.StringValue(r.b.Text(p)), nil
}
