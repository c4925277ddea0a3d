package connectjson

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// Name is the Schema.Name of raw JSON: STRING values that are compact JSON text.
const Name = "sluice.data.Json"

// DefaultMaxDepth is how deep arrays and objects may nest when nothing else is
// said.
const DefaultMaxDepth = 512

// Schemas of raw JSON, required and optional. Compare with IsRaw, since schemas
// that went through a converter are other pointers.
var (
	Schema         = mustRaw(false)
	OptionalSchema = mustRaw(true)
)

func mustRaw(optional bool) *connect.Schema {
	s, err := connect.NewPrimitive(connect.String, connect.Attrs{Name: Name, Optional: optional})
	if err != nil {
		panic(err)
	}
	return s
}

// IsRaw tells whether values of schema s are raw JSON.
func IsRaw(s *connect.Schema) bool {
	return s == Schema || s == OptionalSchema || s != nil && s.Type() == connect.String && s.Name() == Name
}

// DecimalFormat says how a Decimal is written: Kafka's option decimal.format.
type DecimalFormat uint8

// The decimal formats.
const (
	DecimalBase64  DecimalFormat = iota // the unscaled value's bytes in base64
	DecimalNumeric                      // a JSON number
)

// Options are the choices Append and ParseAs have. The zero value is Kafka's default.
type Options struct {
	Decimal DecimalFormat
	// KeepNull keeps a null whose schema has a default, which otherwise takes its
	// place: Kafka's replace.null.with.default=false.
	KeepNull bool
	// RawAsText writes and reads raw JSON as a JSON string, for others that go by
	// the schema, which says STRING.
	RawAsText bool
	// Entries writes and reads a map whose keys are not STRING, or may be null, as
	// an array of objects with the members key and value, not as one of pairs.
	Entries bool
	// Absent reads a field that is not there as null although it is required. A
	// null that is there stays an error.
	Absent bool
	// Union is the name of structs that stand for the one of their fields that is
	// set, which is written by itself; with it those that have UnionParameter do too.
	// They are read as the first field of a type that fits, of structs as the one that
	// most names agree with.
	Union string
	// Others is the name of a field, a map of raw JSON, that has the members of its
	// struct's object which are no fields of it, beside these. They are left out when
	// it is empty.
	Others string
}

// IsOthers tells whether a field is the one of Others.
func (o *Options) IsOthers(f connect.Field) bool {
	s := f.Schema
	return o.Others != "" && f.Name == o.Others && s.Type() == connect.Map && s.Key().Type() == connect.String && IsRaw(s.Value())
}

// UnionParameter marks structs of which one field is set, in schemas of
// converters.
const UnionParameter = "org.apache.kafka.connect.data.Union"

// isUnion tells which structs stand for one of their fields.
func (o *Options) isUnion(s *connect.Schema) bool {
	if o.Union == "" {
		return false
	}
	_, marked := s.Parameter(UnionParameter)
	return marked || s.Name() == o.Union
}

// SyntaxError says where text stops being JSON.
type SyntaxError struct {
	Offset int // in bytes
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}
