package connectjson

import (
	"errors"

	"github.com/sluice-data/sluice/connect"
)

var errSurface = errors.New("not built yet")

// Append appends v, which schema s describes (nil: schemaless), to dst as JSON
// text in one line and without white space.
func Append(dst []byte, s *connect.Schema, v connect.Value, o Options) ([]byte, error) {
	return dst, errSurface
}

// Parse reads schemaless JSON: integers become INT64, other numbers FLOAT64,
// objects MAP with STRING keys in the order of the text. maxDepth 0 means
// DefaultMaxDepth.
func Parse(b *connect.Batch, text []byte, maxDepth int) (connect.Value, error) {
	return connect.Value{}, errSurface
}

// ParseAs reads JSON text that schema s describes, the inverse of Append.
func ParseAs(b *connect.Batch, s *connect.Schema, text []byte, maxDepth int) (connect.Value, error) {
	return connect.Value{}, errSurface
}

// Compact checks that text is JSON and appends it to dst without insignificant
// white space; numbers, escapes and the order of names stay as they are.
func Compact(dst, text []byte) ([]byte, error) { return dst, errSurface }

// Valid tells whether text is JSON.
func Valid(text []byte) bool { return false }

// Raw checks that text is JSON and returns it as a raw JSON value (of schema
// Schema). The value shares text when that is compact, otherwise its memory is
// the batch's.
func Raw(b *connect.Batch, text []byte) (connect.Value, error) { return connect.Value{}, errSurface }
