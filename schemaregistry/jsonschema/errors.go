package jsonschema

import "fmt"

// A ParseError says what is wrong with a schema and where.
type ParseError struct {
	// Pointer is the JSON pointer of the place, "" for the whole.
	Pointer string
	Reason  string
	// Reference is the name of the reference that it is in, "" for the schema itself.
	Reference string
}

func (e *ParseError) Error() string {
	text := e.Reason
	if e.Pointer != "" {
		text += " (at " + e.Pointer + ")"
	}
	if e.Reference != "" {
		text = "reference " + e.Reference + ": " + text
	}
	return text
}

func invalid(pointer, format string, args ...any) error {
	return &ParseError{Pointer: pointer, Reason: fmt.Sprintf(format, args...)}
}

// Limit is something that Limits bounds.
type Limit string

// What is bounded.
const (
	LimitBytes Limit = "bytes of text"
	LimitDepth Limit = "levels of nesting"
	LimitWidth Limit = "members or elements in one place"
	LimitPairs Limit = "pairs of schemas to compare"
)

// A LimitError is a schema, or a comparison, that is too large.
type LimitError struct {
	Limit Limit
	Max   int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the schema has more than %d %s", e.Max, e.Limit)
}

// Limits bounds what Parse and Compare take. A zero field stands for its default.
type Limits struct {
	Bytes int // of all texts together; default 1 MiB, the size of a Kafka record
	Depth int // of JSON in the text; default 500
	Width int // members of one object, elements of one array; default 50,000
	Pairs int // of Nodes that one comparison looks at, and of branches; default 500,000
}

func (l Limits) withDefaults() Limits {
	set := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	set(&l.Bytes, 1<<20)
	set(&l.Depth, 500)
	set(&l.Width, 50_000)
	set(&l.Pairs, 500_000)
	return l
}
