package pgtype

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// Column is what the catalog, or the relation message of a stream, says about a
// column of a table.
type Column struct {
	Name       string
	TypeOID    uint32
	TypeMod    int32 // atttypmod; -1: none
	NotNull    bool
	HasDefault bool
	Default    string // pg_get_expr(adbin, adrelid)
	Generated  bool   // GENERATED ALWAYS AS (expression)
	Doc        string // for include.schema.comments
	// PropagateType adds the parameters of column.propagate.source.type.
	PropagateType bool
	// Parameters are added to the column's schema, such as "masked".
	Parameters map[string]string
}

// Codec reads the cells of one column. It is immutable.
type Codec struct {
	// Schema is the schema of the column's field.
	Schema *connect.Schema
	// Zero is what a NOT NULL column has that is missing from a tuple: its
	// default, or its type's zero. It is null for other columns.
	Zero connect.Value
	// Placeholder stands for a large value that the server left out, null for
	// types that have none. It always has the type of Schema or is null.
	Placeholder connect.Value

	text, binary decode
}

// decode reads a cell. It must not keep data.
type decode func(b *connect.Batch, data []byte) (connect.Value, error)

// Text reads a cell in PostgreSQL's text form (kind 't' of pgoutput, or COPY's
// text format with its escapes undone). The value's memory is the batch's. The
// error is a *ValueError.
func (c *Codec) Text(b *connect.Batch, data []byte) (connect.Value, error) {
	return c.text(b, data)
}

// Binary reads a cell in PostgreSQL's binary form (kind 'b' of pgoutput, or
// COPY's binary format). It must not be called when BinaryOK is false.
func (c *Codec) Binary(b *connect.Batch, data []byte) (connect.Value, error) {
	return c.binary(b, data)
}

// BinaryOK tells whether the binary form can be read. When it cannot, ask the
// server for the text of the column (a cast to text in COPY) and call Text.
func (c *Codec) BinaryOK() bool { return c.binary != nil }

// ValueError is a cell that cannot be converted: event.converting.failure.handling.mode
// says what happens then. Its text holds nothing of the cell, which may be secret.
type ValueError struct {
	Type string // PostgreSQL's name of the type
	Why  string
}

func (e *ValueError) Error() string { return fmt.Sprintf("a value of type %s: %s", e.Type, e.Why) }

func badText(typ string) error   { return &ValueError{typ, "its text form is malformed"} }
func badBinary(typ string) error { return &ValueError{typ, "its binary form is malformed"} }

// StaleEnumError comes with a good value, a label that the enum did not have when
// the column was compiled. RefreshEnum and compile again, so that the schema has it.
type StaleEnumError struct {
	OID   uint32
	Label string
}

func (e *StaleEnumError) Error() string {
	return fmt.Sprintf("the enum with OID %d has a new label", e.OID)
}
