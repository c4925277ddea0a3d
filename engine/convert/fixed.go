package convert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sluice-data/sluice/connect"
)

// byteArray passes BYTES.
type byteArray struct{}

func (byteArray) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	switch {
	case s != nil && s.Type() != connect.Bytes:
		return dst, false, fmt.Errorf("ByteArrayConverter takes BYTES, not %s; use StringConverter or JsonConverter", s.Type())
	case v.IsNull():
		return dst, true, nil
	case v.Type() != connect.Bytes:
		return dst, false, fmt.Errorf("ByteArrayConverter takes BYTES, not %s; use StringConverter or JsonConverter", v.Type())
	}
	return append(dst, v.Bytes()...), false, nil
}

func (byteArray) ToConnect(_ *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return connect.OptionalBytesSchema, connect.Value{}, nil
	}
	return connect.OptionalBytesSchema, connect.BytesValue(data), nil
}

// fixed is a converter of one primitive type in its big-endian bytes.
type fixed struct {
	schema *connect.Schema // what ToConnect says; optional
	size   int             // in bytes
}

var errBoolean = errors.New("a BOOLEAN is the byte 0 or 1")

func (f fixed) FromConnect(dst []byte, _ string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	switch t := f.schema.Type(); {
	case t == connect.Boolean && s != nil && s.Type() != t: // the others go by the value alone, in Kafka too
		return dst, false, fmt.Errorf("BooleanConverter takes BOOLEAN, the schema says %s", s.Type())
	case v.IsNull():
		return dst, true, nil
	case v.Type() != t:
		return dst, false, fmt.Errorf("the converter takes %s, the value is %s", t, v.Type())
	case t == connect.Boolean && v.Boolean():
		return append(dst, 1), false, nil
	case t == connect.Boolean:
		return append(dst, 0), false, nil
	case t == connect.Int16:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int())), false, nil
	case t == connect.Int32:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int())), false, nil
	case t == connect.Int64:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), false, nil
	case t == connect.Float32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), false, nil
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float())), false, nil
}

func (f fixed) ToConnect(_ *connect.Batch, _ string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return f.schema, connect.Value{}, nil
	}
	if len(data) != f.size {
		return nil, connect.Value{}, fmt.Errorf("%s has %d bytes, the data %d", f.schema.Type(), f.size, len(data))
	}
	v, err := f.read(data)
	return f.schema, v, err
}

func (f fixed) read(data []byte) (connect.Value, error) {
	switch f.schema.Type() {
	case connect.Boolean:
		if data[0] > 1 {
			return connect.Value{}, errBoolean
		}
		return connect.BooleanValue(data[0] == 1), nil
	case connect.Int16:
		return connect.Int16Value(int16(binary.BigEndian.Uint16(data))), nil
	case connect.Int32:
		return connect.Int32Value(int32(binary.BigEndian.Uint32(data))), nil
	case connect.Int64:
		return connect.Int64Value(int64(binary.BigEndian.Uint64(data))), nil
	case connect.Float32:
		return connect.Float32Value(math.Float32frombits(binary.BigEndian.Uint32(data))), nil
	}
	return connect.Float64Value(math.Float64frombits(binary.BigEndian.Uint64(data))), nil
}
