package connectjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// errTooDeep ends AppendSchemaless in values that nest deeper than DefaultMaxDepth (I5).
var errTooDeep = errors.New("the value nests too deeply for JSON")

// AppendSchemaless is Append for a value without a schema.
func AppendSchemaless(dst []byte, v connect.Value) ([]byte, error) {
	out, err := appendAny(dst, v, DefaultMaxDepth)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendAny writes a value by its own type.
func appendAny(dst []byte, v connect.Value, depth int) ([]byte, error) {
	switch v.Type() {
	case connect.Null:
		return append(dst, "null"...), nil
	case connect.Boolean:
		return strconv.AppendBool(dst, v.Boolean()), nil
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case connect.Float32:
		return appendFloat(dst, v.Float(), 32), nil
	case connect.Float64:
		return appendFloat(dst, v.Float(), 64), nil
	case connect.String:
		return AppendString(dst, v.Text()), nil
	case connect.Bytes:
		return appendBase64(dst, v.Bytes()), nil
	}
	if depth == 0 {
		return dst, errTooDeep
	}
	return appendAnyGroup(dst, v, depth-1)
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

func appendAnyGroup(dst []byte, v connect.Value, depth int) ([]byte, error) {
	switch {
	case v.Type() == connect.Struct:
		return dst, errCells(v.Len())
	case v.Type() == connect.Array:
		return appendAnyArray(dst, v.Cells(), depth)
	case keyedByText(v.Cells()):
		return appendAnyObject(dst, v.Cells(), depth)
	}
	return appendAnyPairs(dst, v.Cells(), depth)
}

func appendAnyArray(dst []byte, elems []connect.Value, depth int) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, e := range elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendAny(dst, e, depth); err != nil {
			return dst, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

// keyedByText tells whether a map without a schema is written as an object.
func keyedByText(pairs []connect.Value) bool {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].Type() != connect.String {
			return false
		}
	}
	return true
}

func appendAnyObject(dst []byte, pairs []connect.Value, depth int) (_ []byte, err error) {
	dst = append(dst, '{')
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, pairs[i].Text()), ':')
		if dst, err = appendAny(dst, pairs[i+1], depth); err != nil {
			return dst, fmt.Errorf("key %.40q: %w", pairs[i].Text(), err)
		}
	}
	return append(dst, '}'), nil
}

func appendAnyPairs(dst []byte, pairs []connect.Value, depth int) (_ []byte, err error) {
	dst = append(dst, '[')
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendAny(append(dst, '['), pairs[i], depth); err != nil {
			return dst, fmt.Errorf("map key: %w", err)
		}
		if dst, err = appendAny(append(dst, ','), pairs[i+1], depth); err != nil {
			return dst, fmt.Errorf("map value: %w", err)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']'), nil
}
