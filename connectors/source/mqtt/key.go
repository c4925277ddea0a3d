package mqtt

import (
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// Values of mqtt.record.key.
const (
	keyTopic = "topic"
	keyLevel = "level"
	keyField = "field"
	keyNone  = "none"
)

// keyMaker returns what sets the key of a record, whose value is set. A key that a
// message does not have is null.
func (r *recordMaker) keyMaker() func(*connect.Batch, *connect.Record, *message) {
	switch r.config.Key {
	case keyNone:
		return func(*connect.Batch, *connect.Record, *message) {}
	case keyLevel:
		n := r.config.KeyLevel
		return func(_ *connect.Batch, rec *connect.Record, m *message) {
			if l, ok := level(m.topic, n); ok {
				rec.KeySchema, rec.Key = connect.StringSchema, connect.StringValue(l)
			}
		}
	case keyField:
		path := strings.Split(r.config.KeyField, ".")
		return func(b *connect.Batch, rec *connect.Record, m *message) { r.fieldKey(b, rec, m, path) }
	}
	return func(_ *connect.Batch, rec *connect.Record, m *message) {
		rec.KeySchema, rec.Key = connect.StringSchema, connect.StringValue(m.topic)
	}
}

// level returns a level of a topic, from 1.
func level(topic string, n int) (string, bool) {
	for ; n > 1; n-- {
		_, rest, ok := strings.Cut(topic, "/")
		if !ok {
			return "", false
		}
		topic = rest
	}
	first, _, _ := strings.Cut(topic, "/")
	return first, true
}

// fieldKey takes a field of the value, or of the JSON that a payload without a
// format of its own is.
func (r *recordMaker) fieldKey(b *connect.Batch, rec *connect.Record, m *message, path []string) {
	schema, value := rec.ValueSchema, rec.Value
	if r.config.PayloadFormat == formatBytes || r.config.PayloadFormat == formatString {
		parsed, err := connectjson.Parse(b, b.Bytes(m.payload), connectjson.DefaultMaxDepth)
		if err != nil {
			return
		}
		schema, value = nil, parsed
	}
	for _, name := range path {
		var ok bool
		if schema, value, ok = member(schema, value, name); !ok {
			return
		}
	}
	if schema == nil {
		schema = scalarSchema(value)
	}
	if schema != nil && !value.IsNull() {
		rec.KeySchema, rec.Key = schema, value
	}
}

// member returns a field of a struct or of a map with text keys.
func member(s *connect.Schema, v connect.Value, name string) (*connect.Schema, connect.Value, bool) {
	switch v.Type() {
	case connect.Struct:
		if s == nil {
			return nil, v, false
		}
		i := s.Index(name)
		if i < 0 {
			return nil, v, false
		}
		return s.Fields()[i].Schema, v.Cells()[i], true
	case connect.Map:
		if s != nil {
			s = s.Value()
		}
		pairs := v.Cells()
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i].Type() == connect.String && pairs[i].Text() == name {
				return s, pairs[i+1], true
			}
		}
	}
	return nil, v, false
}

// scalarSchema returns the schema of a JSON scalar, nil for anything else.
func scalarSchema(v connect.Value) *connect.Schema {
	switch v.Type() {
	case connect.String:
		return connect.StringSchema
	case connect.Int64:
		return connect.Int64Schema
	case connect.Float64:
		return connect.Float64Schema
	case connect.Boolean:
		return connect.BooleanSchema
	}
	return nil
}
