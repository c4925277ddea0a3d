package convert

import (
	"unicode/utf8"
	"unsafe"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// Auto is the converter for those who do not want to choose one. It keeps what
// came in as it came in: BYTES are themselves, STRING is UTF-8, raw JSON its
// text, and everything else becomes JSON without an envelope, its Decimals
// numbers. On the way back JSON text is raw JSON, other UTF-8 a STRING, other
// data BYTES.
type Auto struct {
	key   bool
	plans *connectjson.Plans
}

// NewAuto returns the converter for values, or for keys, where 42 is more likely an
// id than JSON: they are read as STRING or BYTES only.
func NewAuto(key bool) *Auto {
	return &Auto{key, connectjson.NewPlans(connectjson.Options{Decimal: connectjson.DecimalNumeric}, autoPlans)}
}

// autoPlans is how many schemas an Auto keeps compiled.
const autoPlans = 1000

// FromConnect implements Converter. Every null is null.
func (a *Auto) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	switch {
	case v.IsNull():
		return dst, true, nil
	case v.Type() == connect.String:
		return append(dst, v.Text()...), false, nil
	case v.Type() == connect.Bytes && !isDecimal(s):
		return append(dst, v.Bytes()...), false, nil
	}
	dst, err := a.plans.Append(dst, s, v)
	return dst, false, err
}

// ToConnect implements Converter.
func (a *Auto) ToConnect(b *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return nil, connect.Value{}, nil
	}
	if !a.key {
		if v, ok := connectjson.Raw(b, data); ok {
			return connectjson.Schema, v, nil
		}
	}
	if utf8.Valid(data) {
		return connect.StringSchema, sharedText(data), nil
	}
	return connect.BytesSchema, connect.BytesValue(data), nil
}

func isDecimal(s *connect.Schema) bool { return s != nil && s.Name() == connect.DecimalName }

// sharedText returns data as a STRING that shares it.
func sharedText(data []byte) connect.Value {
	return connect.StringValue(unsafe.String(unsafe.SliceData(data), len(data)))
}
