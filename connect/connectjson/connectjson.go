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
}

// SyntaxError says where text stops being JSON.
type SyntaxError struct {
	Offset int // in bytes
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}
