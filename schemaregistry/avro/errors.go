package avro

import (
	"errors"
	"fmt"
	"strings"
)

// A ParseError says why a text is no Avro schema.
type ParseError struct {
	// Pointer is the JSON pointer (RFC 6901) of the part at fault, empty for the
	// whole text.
	Pointer string
	// Reason says what is wrong there and what would be right.
	Reason string
	// Reference is the name of the referenced schema that is at fault, empty for
	// the schema itself.
	Reference string
}

func (e *ParseError) Error() string {
	var where string
	if e.Pointer != "" {
		where = " at " + e.Pointer
	}
	if e.Reference != "" {
		where += fmt.Sprintf(" in the referenced schema %q", e.Reference)
	}
	return "no Avro schema: " + e.Reason + where
}

func invalid(format string, args ...any) error {
	return &ParseError{Reason: fmt.Sprintf(format, args...)}
}

// at puts a step of the JSON pointer in front of an error's pointer.
func at(err error, step string) error {
	if e, ok := errors.AsType[*ParseError](err); ok {
		e.Pointer = "/" + escapePointer(step) + e.Pointer
	}
	return err
}

func escapePointer(step string) string {
	if !strings.ContainsAny(step, "~/") {
		return step
	}
	return strings.ReplaceAll(strings.ReplaceAll(step, "~", "~0"), "/", "~1")
}

// Limit names what a LimitError is about.
type Limit string

// The limits of this package. LimitBytes is the one that Confluent's registry
// answers with 42209, schema too large.
const (
	LimitBytes    Limit = "bytes of text, references included"
	LimitDepth    Limit = "levels of nesting"
	LimitFields   Limit = "fields of a record"
	LimitSymbols  Limit = "symbols of an enum"
	LimitBranches Limit = "branches of a union"
	LimitDefaults Limit = "steps to check the defaults"
	LimitNames    Limit = "steps to resolve the names"
	LimitCompare  Limit = "steps to compare two schemas"
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
	Bytes    int // of all texts together; default 1 MiB, the size of a Kafka record
	Depth    int // of JSON in the text and in the canonical text; default 1000, Jackson's
	Fields   int // of one record; default 20000
	Symbols  int // of one enum; default 50000
	Branches int // of one union; default 2000
}

const (
	defaultMaxBytes    = 1 << 20
	defaultMaxDepth    = 1000
	defaultMaxFields   = 20_000
	defaultMaxSymbols  = 50_000
	defaultMaxBranches = 2_000
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
	set(&l.Symbols, defaultMaxSymbols)
	set(&l.Branches, defaultMaxBranches)
	return l
}

// A budget bounds work that can grow faster than the text (I5).
type budget struct {
	limit Limit
	max   int
	used  int
}

func (b *budget) spend(n int) error {
	b.used += n
	if b.used > b.max {
		return &LimitError{Limit: b.limit, Max: b.max}
	}
	return nil
}
