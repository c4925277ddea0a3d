package format

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// ByteArray writes the bytes of values or keys, each followed by a separator.
type ByteArray struct {
	unsealed
	part           Part
	end, separator string
}

// NewByteArray returns the format for a part of records; headers have no such form.
func NewByteArray(part Part, extension, separator string) *ByteArray {
	return &ByteArray{part: part, end: extension, separator: separator}
}

// Extension is what was configured.
func (f *ByteArray) Extension() string { return f.end }

// NewWriter returns the format: it keeps nothing of a file.
func (f *ByteArray) NewWriter(*connect.Record) (Writer, error) { return f, nil }

// Append adds the bytes and the separator.
func (f *ByteArray) Append(block []byte, r *connect.Record) ([]byte, error) {
	v, converter := r.Value, "value.converter"
	if f.part == Keys {
		v, converter = r.Key, "key.converter"
	}
	switch v.Type() {
	case connect.Bytes:
		block = append(block, v.Bytes()...)
	case connect.String:
		block = append(block, v.Text()...)
	default:
		return block, fmt.Errorf("ByteArrayFormat needs a %s of BYTES or STRING, not %s; set %s to ByteArrayConverter, or use JsonFormat", f.part, v.Type(), converter)
	}
	return append(block, f.separator...), nil
}
