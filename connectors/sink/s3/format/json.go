package format

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// maxPlans is how many schemas a format keeps compiled (I5).
const maxPlans = 1000

// JSON writes one JSON value a line, the last line included. Raw JSON passes verbatim, STRING becomes a JSON string and BYTES
// base64. Headers are an object with an array of keys and values, all of them strings.
type JSON struct {
	unsealed
	part  Part
	plans *connectjson.Plans
}

// NewJSON returns the format for a part of records.
func NewJSON(part Part, decimals connectjson.DecimalFormat) *JSON {
	return &JSON{part: part, plans: connectjson.NewPlans(connectjson.Options{Decimal: decimals}, maxPlans)}
}

// Extension is .json.
func (*JSON) Extension() string { return ".json" }

// NewWriter returns the format: it keeps nothing of a file.
func (f *JSON) NewWriter(*connect.Record) (Writer, error) { return f, nil }

// Append adds a line.
func (f *JSON) Append(block []byte, r *connect.Record) ([]byte, error) {
	next, err := f.appendPart(block, r)
	if err != nil {
		return block, fmt.Errorf("write %s as JSON: %w", f.part, err)
	}
	return append(next, '\n'), nil
}

func (f *JSON) appendPart(dst []byte, r *connect.Record) ([]byte, error) {
	switch f.part {
	case Keys:
		return f.plans.Append(dst, r.KeySchema, r.Key)
	case Headers:
		return appendHeaders(dst, r.Headers)
	}
	return f.plans.Append(dst, r.ValueSchema, r.Value)
}

func appendHeaders(dst []byte, headers []connect.Header) ([]byte, error) {
	dst = append(dst, `{"headers":[`...)
	for i, h := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(connectjson.AppendString(append(dst, `{"key":`...), h.Key), `,"value":`...)
		if h.Value.IsNull() {
			dst = append(dst, "null}"...)
			continue
		}
		text, err := headerText(h)
		if err != nil {
			return dst, err
		}
		dst = append(connectjson.AppendString(dst, text), '}')
	}
	return append(dst, "]}"...), nil
}

// String names the part in errors.
func (p Part) String() string { return [...]string{"value", "key", "headers"}[p] }
