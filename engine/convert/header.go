package convert

import (
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttext"
)

// simpleHeader is Kafka's SimpleHeaderConverter: text in the log, and the type
// that the text looks like on the way back.
//
// It reads more carefully than Kafka: text counts as a number, list or map only
// as a whole, and as FLOAT32 only when that has all of its digits.
type simpleHeader struct{}

var headerText = connecttext.Header()

func (simpleHeader) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	if v.IsNull() {
		return dst, true, nil
	}
	dst, err := headerText.Append(dst, s, v)
	return dst, false, err
}

func (simpleHeader) ToConnect(b *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	switch {
	case data == nil:
		return nil, connect.Value{}, nil
	case !utf8.Valid(data):
		return connect.BytesSchema, connect.BytesValue(data), nil
	case len(data) > maxInferBytes:
		return connect.StringSchema, sharedText(data), nil
	}
	s, v := infer(b, sharedText(data).Text())
	return s, v, nil
}
