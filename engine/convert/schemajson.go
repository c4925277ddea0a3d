package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// Limits of a schema in JSON (I5): of its text in bytes, and of its depth, since
// each level reads the text of those below it again.
const (
	maxSchemaBytes = 1 << 20
	maxSchemaDepth = 64
)

var errSchemaDepth = fmt.Errorf("the schema nests more than %d levels deep", maxSchemaDepth)

// typeName returns Kafka's name of a type in a JSON schema.
func typeName(t connect.Type) string {
	return [...]string{connect.Boolean: "boolean", connect.Int8: "int8", connect.Int16: "int16",
		connect.Int32: "int32", connect.Int64: "int64", connect.Float32: "float", connect.Float64: "double",
		connect.String: "string", connect.Bytes: "bytes", connect.Array: "array", connect.Map: "map",
		connect.Struct: "struct"}[t]
}

// appendSchema appends s as the envelope's schema, in Kafka's order of members;
// parameters go by name. nil is null.
func appendSchema(dst []byte, s *connect.Schema, o connectjson.Options) ([]byte, error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	return schemaWriter{o}.schema(dst, s, "", maxSchemaDepth)
}

type schemaWriter struct{ opts connectjson.Options }

// schema appends s; field is its name within a struct.
func (w schemaWriter) schema(dst []byte, s *connect.Schema, field string, depth int) ([]byte, error) {
	if depth == 0 {
		return dst, errSchemaDepth
	}
	dst = append(append(append(dst, `{"type":"`...), typeName(s.Type())...), '"')
	dst, err := w.inner(dst, s, depth-1)
	if err != nil {
		return dst, err
	}
	dst = strconv.AppendBool(append(dst, `,"optional":`...), s.Optional())
	if dst, err = w.attributes(dst, s); err != nil {
		return dst, err
	}
	if field != "" {
		dst = connectjson.AppendString(append(dst, `,"field":`...), field)
	}
	return append(dst, '}'), nil
}

// inner appends the schemas within s.
func (w schemaWriter) inner(dst []byte, s *connect.Schema, depth int) (_ []byte, err error) {
	switch s.Type() {
	case connect.Array:
		return w.schema(append(dst, `,"items":`...), s.Value(), "", depth)
	case connect.Map:
		if dst, err = w.schema(append(dst, `,"keys":`...), s.Key(), "", depth); err != nil {
			return dst, err
		}
		return w.schema(append(dst, `,"values":`...), s.Value(), "", depth)
	case connect.Struct:
		dst = append(dst, `,"fields":[`...)
		for i, f := range s.Fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = w.schema(dst, f.Schema, f.Name, depth); err != nil {
				return dst, fmt.Errorf("field %s: %w", f.Name, err)
			}
		}
		dst = append(dst, ']')
	}
	return dst, nil
}

func (w schemaWriter) attributes(dst []byte, s *connect.Schema) (_ []byte, err error) {
	if s.Name() != "" {
		dst = connectjson.AppendString(append(dst, `,"name":`...), s.Name())
	}
	if s.Version() != 0 {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(s.Version()), 10)
	}
	if s.Doc() != "" {
		dst = connectjson.AppendString(append(dst, `,"doc":`...), s.Doc())
	}
	if names := s.ParameterNames(); len(names) > 0 {
		dst = appendParameters(append(dst, `,"parameters":`...), s, names)
	}
	if def, ok := s.Default(); ok {
		if dst, err = connectjson.Append(append(dst, `,"default":`...), s, def, w.opts); err != nil {
			return dst, fmt.Errorf("default: %w", err)
		}
	}
	return dst, nil
}

func appendParameters(dst []byte, s *connect.Schema, names []string) []byte {
	sep := byte('{')
	for _, name := range names {
		value, _ := s.Parameter(name)
		dst = connectjson.AppendString(append(dst, sep), name)
		dst = connectjson.AppendString(append(dst, ':'), value)
		sep = ','
	}
	return append(dst, '}')
}

// parseSchema reads the schema of an envelope; null is nil. The schema keeps text
// that does not change.
func parseSchema(text []byte, o connectjson.Options) (*connect.Schema, error) {
	if string(bytes.TrimSpace(text)) == "null" {
		return nil, nil
	}
	if len(text) > maxSchemaBytes {
		return nil, fmt.Errorf("the schema has %d bytes, more than %d", len(text), maxSchemaBytes)
	}
	s, err := schemaReader{o, connect.NewBatch(1, 1)}.schema(text, maxSchemaDepth)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return s, nil
}

// schemaReader builds a schema.
type schemaReader struct {
	opts     connectjson.Options
	defaults *connect.Batch // their memory; never reset
}

// schemaText is a schema taken apart into its members' text.
type schemaText struct {
	typ, field                   string
	items, keys, values          []byte
	fields, parameters, defaults []byte
	attrs                        connect.Attrs
}

func (r schemaReader) schema(text []byte, depth int) (*connect.Schema, error) {
	var t schemaText
	if err := r.read(text, &t); err != nil {
		return nil, err
	}
	return r.build(&t, depth)
}

func (r schemaReader) build(t *schemaText, depth int) (*connect.Schema, error) {
	if depth == 0 {
		return nil, errSchemaDepth
	}
	if err := readParameters(t); err != nil {
		return nil, err
	}
	// The schemas within are built once, s with its default from them again.
	in, err := r.inner(t, depth-1)
	if err != nil {
		return nil, err
	}
	s, err := in.around(t)
	if err != nil || t.defaults == nil {
		return s, err
	}
	v, err := connectjson.ParseAs(r.defaults, s, t.defaults, r.opts)
	if err != nil {
		return nil, fmt.Errorf("default: %w", err)
	}
	if v.IsNull() {
		return s, nil
	}
	t.attrs.Default = &v
	return in.around(t)
}

// read takes a schema apart. Members that Kafka does not know are left out.
func (r schemaReader) read(text []byte, t *schemaText) error {
	return connectjson.Members(text, func(name string, value []byte) error {
		switch name {
		case "type":
			t.typ = stringOf(value)
		case "field":
			t.field = stringOf(value)
		case "items":
			t.items = value
		case "keys":
			t.keys = value
		case "values":
			t.values = value
		case "fields":
			t.fields = value
		case "optional":
			t.attrs.Optional = string(value) == "true"
		case "name":
			t.attrs.Name = stringOf(value)
		case "version":
			t.attrs.Version, _ = strconv.Atoi(string(value))
		case "doc":
			t.attrs.Doc = stringOf(value)
		case "parameters":
			t.parameters = value
		case "default":
			t.defaults = value
		}
		return nil
	})
}

// stringOf returns the string that a JSON text is, or "" for another type.
func stringOf(text []byte) string {
	v, err := connectjson.ParseAs(connect.NewBatch(1, 1), connect.StringSchema, text, connectjson.Options{})
	if err != nil {
		return ""
	}
	return v.Text()
}

func readParameters(t *schemaText) error {
	if t.parameters == nil || t.parameters[0] != '{' {
		return nil
	}
	t.attrs.Parameters = make(map[string]string)
	return connectjson.Members(t.parameters, func(name string, value []byte) error {
		if value[0] != '"' {
			return fmt.Errorf("the parameter %s is not a string", name)
		}
		t.attrs.Parameters[name] = stringOf(value)
		t.attrs.ParameterOrder = append(t.attrs.ParameterOrder, name)
		return nil
	})
}

// inner is what a schema is made of.
type inner struct {
	items, keys, values *connect.Schema
	fields              []connect.Field
}

func (r schemaReader) inner(t *schemaText, depth int) (in inner, err error) {
	switch t.typ {
	case "array":
		in.items, err = r.part("items", t.items, depth)
	case "map":
		if in.keys, err = r.part("keys", t.keys, depth); err == nil {
			in.values, err = r.part("values", t.values, depth)
		}
	case "struct":
		in.fields, err = r.structFields(t.fields, depth)
	}
	return in, err
}

// around makes the schema of t from its parts.
func (in *inner) around(t *schemaText) (*connect.Schema, error) {
	switch t.typ {
	case "array":
		return connect.NewArray(in.items, t.attrs)
	case "map":
		return connect.NewMap(in.keys, in.values, t.attrs)
	case "struct":
		return connect.NewStruct(in.fields, t.attrs)
	}
	for p := connect.Boolean; p <= connect.Bytes; p++ {
		if t.typ == typeName(p) {
			return connect.NewPrimitive(p, t.attrs)
		}
	}
	return nil, fmt.Errorf(`a schema needs a "type" that Kafka knows, this one has %.40q`, t.typ)
}

// part reads the schema that the member name of another schema is.
func (r schemaReader) part(name string, text []byte, depth int) (*connect.Schema, error) {
	if text == nil {
		return nil, fmt.Errorf("the schema needs the member %q", name)
	}
	s, err := r.schema(text, depth)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (r schemaReader) structFields(text []byte, depth int) ([]connect.Field, error) {
	if text == nil {
		return nil, errors.New(`the schema of a struct needs the member "fields"`)
	}
	var fields []connect.Field
	err := connectjson.Elements(text, func(_ string, value []byte) error {
		var t schemaText
		if err := r.read(value, &t); err != nil {
			return err
		}
		if t.field == "" {
			return fmt.Errorf(`field %d of a struct needs its name in "field"`, len(fields))
		}
		s, err := r.build(&t, depth)
		if err != nil {
			return fmt.Errorf("field %s: %w", t.field, err)
		}
		fields = append(fields, connect.Field{Name: t.field, Schema: s})
		return nil
	})
	return fields, err
}
