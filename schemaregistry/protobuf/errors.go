package protobuf

import (
	"fmt"
	"strings"
)

// A ParseError says why a text is no Protobuf schema.
type ParseError struct {
	// Line and Column are where, from 1; 0 when that is not known.
	Line, Column int
	// Reason says what is wrong there.
	Reason string
	// Reference is the name of the referenced schema that is at fault, empty for the schema itself.
	Reference string
}

func (e *ParseError) Error() string {
	var where string
	if e.Line > 0 {
		where = fmt.Sprintf(" at line %d, column %d", e.Line, e.Column)
	}
	if e.Reference != "" {
		where += fmt.Sprintf(" of the referenced schema %q", e.Reference)
	}
	return "no Protobuf schema: " + shortened(e.Reason) + where
}

// maxReason bounds how much of a schema comes back in an error, in bytes.
const maxReason = 500

func shortened(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "…"
}

// Limit names what a LimitError is about.
type Limit string

// The limits of this package. LimitBytes is the one that Confluent's registry answers with 42209, schema too large.
const (
	LimitBytes   Limit = "bytes of text, references included"
	LimitDepth   Limit = "levels of nesting"
	LimitFields  Limit = "fields of a message"
	LimitValues  Limit = "values of an enum"
	LimitOptions Limit = "options of one declaration"
	LimitImports Limit = "imports"
	LimitCompare Limit = "steps to compare two schemas"
)

// A LimitError says that a schema, or the comparison of two, exceeds a limit.
type LimitError struct {
	Limit Limit
	Max   int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s: make the schema simpler, or split it into schemas that refer to each other", e.Max, e.Limit)
}

// Limits bounds what Parse takes. A zero field stands for its default.
type Limits struct {
	Bytes  int // of all texts together; default 1 MiB, the size of a Kafka record
	Depth  int // of brackets; default 64, protoc takes 32 messages
	Fields int // of one message; default 20000
	Values int // of one enum; default 50000
}

const (
	defaultMaxBytes  = 1 << 20
	defaultMaxDepth  = 64
	defaultMaxFields = 20_000
	defaultMaxValues = 50_000
)

func (l Limits) withDefaults() Limits {
	set := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	set(&l.Bytes, defaultMaxBytes)
	set(&l.Depth, defaultMaxDepth)
	set(&l.Fields, defaultMaxFields)
	set(&l.Values, defaultMaxValues)
	return l
}

// What no schema needs, and what takes longer the more there is of it.
const (
	maxOptions = 2000
	maxImports = 1000
)

// A budget bounds work that can grow faster than the text (I5).
type budget struct{ left, max int }

func (b *budget) spend() error {
	if b.left--; b.left < 0 {
		return &LimitError{Limit: LimitCompare, Max: b.max}
	}
	return nil
}
