package connectavro

import (
	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// defaultValue reads the JSON of a default. ok is false for one that is no value of the schema.
func defaultValue(t *avro.Type, s *connect.Schema, v avro.Value) (value connect.Value, ok bool) {
	if v.Kind() == avro.NullValue {
		return connect.Value{}, s.Optional()
	}
	if t.Kind == avro.Union {
		return defaultUnion(t, s, v)
	}
	if t.Kind == avro.Record && connectjson.IsRaw(s) { // a record within itself
		return connect.StringValue(v.String()), v.Kind() == avro.ObjectValue
	}
	switch t.Kind {
	case avro.Boolean:
		return connect.BooleanValue(v.Bool()), v.Kind() == avro.BooleanValue
	case avro.Int, avro.Long:
		n, fits := v.Int()
		return intValue(s.Type(), n), fits
	case avro.Float, avro.Double:
		return floatValue(t.Kind, v)
	case avro.String, avro.Enum:
		return connect.StringValue(v.Text()), v.Kind() == avro.StringValue
	case avro.Bytes, avro.Fixed:
		p, fits := latin1(v.Text())
		return connect.BytesValue(p), fits && v.Kind() == avro.StringValue
	case avro.Array:
		return defaultArray(t, s, v)
	case avro.Map:
		return defaultMap(t, s, v)
	case avro.Record:
		return defaultStruct(t, s, v)
	}
	return connect.Value{}, false
}

// defaultUnion reads the value of an optional type, or of a union: then it is of the first type that it is a value of, though never a
// record.
func defaultUnion(t *avro.Type, s *connect.Schema, v avro.Value) (connect.Value, bool) {
	if i, ok := optionalBranch(t); ok {
		return defaultValue(t.Branches[i], s, v)
	}
	if !isUnion(s) {
		return defaultValue(t.Branches[0], s, v)
	}
	cells := make([]connect.Value, len(s.Fields()))
	field := 0
	for _, b := range t.Branches {
		if b.Kind == avro.Null {
			continue
		}
		value, ok := defaultValue(b, s.Fields()[field].Schema, v)
		if ok && b.Kind != avro.Record {
			cells[field] = value
			return connect.StructValue(cells), true
		}
		field++
	}
	return connect.Value{}, false
}

func intValue(t connect.Type, n int64) connect.Value {
	switch t {
	case connect.Int8:
		return connect.Int8Value(int8(n))
	case connect.Int16:
		return connect.Int16Value(int16(n))
	case connect.Int32:
		return connect.Int32Value(int32(n))
	}
	return connect.Int64Value(n)
}

func floatValue(k avro.Kind, v avro.Value) (connect.Value, bool) {
	number := v.Kind() == avro.IntegerValue || v.Kind() == avro.DecimalValue
	if k == avro.Float {
		return connect.Float32Value(float32(v.Float())), number
	}
	return connect.Float64Value(v.Float()), number
}

// latin1 is the bytes that the characters of a default stand for.
func latin1(text string) ([]byte, bool) {
	p := make([]byte, 0, len(text))
	for _, c := range text {
		if c > 0xff {
			return nil, false
		}
		p = append(p, byte(c))
	}
	return p, true
}

func defaultArray(t *avro.Type, s *connect.Schema, v avro.Value) (connect.Value, bool) {
	switch {
	case v.Kind() != avro.ArrayValue:
		return connect.Value{}, false
	case s.Type() == connect.Map:
		return defaultEntries(t.Items, s, v)
	}
	cells := make([]connect.Value, len(v.Items()))
	for i, item := range v.Items() {
		var ok bool
		if cells[i], ok = defaultValue(t.Items, s.Value(), item); !ok {
			return connect.Value{}, false
		}
	}
	return connect.ArrayValue(cells), true
}

// defaultEntries reads a map whose keys are not strings: in connect.default each entry is an array of key and value. Confluent's converter
// writes this form too, but does not read it.
func defaultEntries(entry *avro.Type, s *connect.Schema, v avro.Value) (connect.Value, bool) {
	key, _ := entry.Field("key")
	value, _ := entry.Field("value")
	var cells []connect.Value
	for _, item := range v.Items() {
		pair := item.Items()
		if len(pair) != 2 {
			return connect.Value{}, false
		}
		k, keyOK := defaultValue(key.Type, s.Key(), pair[0])
		v, valueOK := defaultValue(value.Type, s.Value(), pair[1])
		if !keyOK || !valueOK {
			return connect.Value{}, false
		}
		cells = append(cells, k, v)
	}
	return connect.MapValue(cells), true
}

func defaultMap(t *avro.Type, s *connect.Schema, v avro.Value) (connect.Value, bool) {
	if v.Kind() != avro.ObjectValue {
		return connect.Value{}, false
	}
	var cells []connect.Value
	for _, m := range v.Members() {
		value, ok := defaultValue(t.Items, s.Value(), m.Value)
		if !ok {
			return connect.Value{}, false
		}
		cells = append(cells, connect.StringValue(m.Key), value)
	}
	return connect.MapValue(cells), true
}

func defaultStruct(t *avro.Type, s *connect.Schema, v avro.Value) (connect.Value, bool) {
	if v.Kind() != avro.ObjectValue {
		return connect.Value{}, false
	}
	cells := make([]connect.Value, len(t.Fields))
	for i, f := range t.Fields {
		field := s.Fields()[i].Schema
		member, given := v.Get(f.Name)
		if !given {
			var ok bool
			if cells[i], ok = field.Default(); !ok && !field.Optional() {
				return connect.Value{}, false
			}
			continue
		}
		var ok bool
		if cells[i], ok = defaultValue(f.Type, field, member); !ok {
			return connect.Value{}, false
		}
	}
	return connect.StructValue(cells), true
}
