package convert_test

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/schemaregistry"
)

func protobufConverter(t testing.TB, url string, more map[string]string) convert.Converter {
	t.Helper()
	settings := map[string]string{"value.converter.schema.registry.url": url}
	for k, v := range more {
		settings["value.converter."+k] = v
	}
	c, err := convert.New("ProtobufConverter", false, settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// registerSchema makes a text a version of a subject.
func registerSchema(t testing.TB, r *schemaregistry.Registry, subject, typ, text string, references ...schemaregistry.Reference) schemaregistry.Version {
	t.Helper()
	v, err := r.Register(t.Context(), schemaregistry.ParseName(subject), schemaregistry.Input{Type: typ, Text: text, References: references},
		schemaregistry.RegisterOptions{ID: -1})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var customer = connect.MustStruct("shop.Customer", connect.Field{Name: "id", Schema: connect.Int64Schema}, connect.Field{Name: "note", Schema: connect.OptionalStringSchema})

func customerValue(id int64) connect.Value {
	return connect.StructValue([]connect.Value{connect.Int64Value(id), connect.StringValue("x")})
}

// What one converter writes another reads, by the schema that the first has registered.
func TestProtobufConverter(t *testing.T) {
	reg, server := registry(t)
	data, null, err := protobufConverter(t, server.URL, nil).FromConnect(nil, "customers", customer, customerValue(7))
	if err != nil || null {
		t.Fatal(null, err)
	}
	if want := "\x00\x00\x00\x00\x01\x00\x08\x07\x12\x01x"; string(data) != want {
		t.Errorf("wrote %q, want %q", data, want)
	}
	registered, err := reg.Version(t.Context(), schemaregistry.ParseName("customers-value"), -1, false)
	if err != nil || registered.Type != "PROTOBUF" || registered.Schema.String() != "syntax = \"proto3\";\npackage shop;\n\nmessage Customer {\n  int64 id = 1;\n  string note = 2;\n}\n" {
		t.Fatalf("registered %+v, %v", registered, err)
	}
	s, got, err := protobufConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1<<20), "customers", data)
	if err != nil || !got.Equal(customerValue(7)) {
		t.Fatalf("read %v, %v", got, err)
	}
	if s.Version() != 1 || s.Name() != "Customer" || len(s.Fields()) != 2 {
		t.Errorf("the schema is %s version %d", s.Name(), s.Version())
	}
	if out, null, err := protobufConverter(t, server.URL, nil).FromConnect([]byte("a"), "t", connect.OptionalStringSchema, connect.Value{}); !null || err != nil || string(out) != "a" {
		t.Errorf("null: %q, %t, %v", out, null, err)
	}
}

// The id, with the path of the message, is in a header.
func TestProtobufHeader(t *testing.T) {
	_, server := registry(t)
	c := protobufConverter(t, server.URL, map[string]string{"value.schema.id.serializer": "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"}).(convert.HeaderIDs)
	data, _, err := c.FromConnect(nil, "t", connect.StringSchema, connect.StringValue("hi"))
	if err != nil || string(data) != "\x0a\x02hi" {
		t.Fatalf("wrote %q, %v", data, err)
	}
	id := c.LastID()
	if len(id) != 1+16+2 || id[0] != 1 || string(id[17:]) != "\x02\x0e" {
		t.Errorf("the header is %x", id)
	}
	reader := protobufConverter(t, server.URL, nil).(convert.HeaderIDs)
	if s, v, err := reader.ToConnectByID(connect.NewBatch(1, 1<<20), "t", data, id); err != nil || v.Text() != "hi" || s.Type() != connect.String {
		t.Errorf("read %v, %v", v, err)
	}
}

// Data says which message of its schema it is.
func TestProtobufIndexes(t *testing.T) {
	reg, server := registry(t)
	text := `syntax = "proto3"; message A { int32 a = 1; message B { string b = 1; message C { bool c = 1; } } } message R { R r = 1; } message D { double d = 1; }`
	registerSchema(t, reg, "t-value", "PROTOBUF", text)
	c := protobufConverter(t, server.URL, nil)
	for path, want := range map[string]string{"\x00": "A", "\x02\x00": "A", "\x04\x00\x00": "B", "\x06\x00\x00\x00": "C", "\x02\x04": "D"} {
		s, _, err := c.ToConnect(connect.NewBatch(1, 1<<20), "t", []byte("\x00\x00\x00\x00\x01"+path))
		if err != nil || s.Name() != want {
			t.Errorf("%x: %v", path, err)
		}
	}
	for path, want := range map[string]string{"": "path", "\x02": "path", "\x01": "path", "\xff\xff\xff\xff\x0f": "path", "\x02\x06": "no message", "\x02\x01": "no message"} {
		if _, _, err := c.ToConnect(connect.NewBatch(1, 1<<20), "t", []byte("\x00\x00\x00\x00\x01"+path)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%x: %v", path, err)
		}
	}
}

// A schema with imports is fetched with what it imports.
func TestProtobufReferences(t *testing.T) {
	reg, server := registry(t)
	registerSchema(t, reg, "line", "PROTOBUF", `syntax = "proto3"; package shop; message Line { int32 n = 1; }`)
	v := registerSchema(t, reg, "t-value", "PROTOBUF", `syntax = "proto3"; package shop; import "line.proto"; message Basket { repeated Line lines = 1; map<string, Line> by = 2; }`,
		schemaregistry.Reference{Name: "line.proto", Subject: "line", Version: 1})
	data := append([]byte{0, 0, 0, 0, byte(v.ID), 0}, "\x0a\x02\x08\x05\x12\x07\x0a\x01a\x12\x02\x08\x06"...)
	_, got, err := protobufConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1<<20), "t", data)
	if err != nil || got.String() != `STRUCT[ARRAY[STRUCT[5]] MAP["a" STRUCT[6]]]` {
		t.Errorf("read %v, %v", got, err)
	}
}

// Fields go by their names into a schema that is registered already.
func TestProtobufLatest(t *testing.T) {
	reg, server := registry(t)
	latest := map[string]string{"auto.register.schemas": "false", "use.latest.version": "true", "latest.compatibility.strict": "false"}
	registerSchema(t, reg, "t-value", "PROTOBUF", `syntax = "proto3"; message Other { int32 x = 1; } message Customer { string note = 10; sint64 id = 20; }`)
	data, _, err := protobufConverter(t, server.URL, latest).FromConnect(nil, "t", customer, customerValue(-2))
	if err == nil {
		t.Errorf("wrote %x by a message that has no such fields", data)
	}
	registerSchema(t, reg, "u-value", "PROTOBUF", `syntax = "proto3"; package shop; message Other { int32 x = 1; } message Customer { string note = 10; sint64 id = 20; bool vip = 30; }`)
	data, _, err = protobufConverter(t, server.URL, latest).FromConnect(nil, "u", customer, customerValue(-2))
	if err != nil || string(data) != "\x00\x00\x00\x00\x02\x02\x02\x52\x01x\xa0\x01\x03" {
		t.Errorf("wrote %q, %v", data, err)
	}
	registerSchema(t, reg, "w-value", "PROTOBUF", `syntax = "proto3"; package shop; message Customer { int64 id = 3; }`)
	if data, _, err := protobufConverter(t, server.URL, latest).FromConnect(nil, "w", customer, customerValue(1)); err != nil || string(data[6:]) != "\x18\x01" {
		t.Errorf("wrote %q, %v", data, err)
	}
	delete(latest, "latest.compatibility.strict")
	registerSchema(t, reg, "v-value", "PROTOBUF", `syntax = "proto3"; package shop; message Customer { string id = 1; string note = 2; }`)
	if _, _, err := protobufConverter(t, server.URL, latest).FromConnect(nil, "v", customer, customerValue(1)); err == nil || !strings.Contains(err.Error(), "latest.compatibility.strict") {
		t.Errorf("a schema that does not fit: %v", err)
	}
	if _, _, err := avroConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1<<20), "u", data); err == nil || !strings.Contains(err.Error(), "PROTOBUF and not AVRO") {
		t.Errorf("AvroConverter reads Protobuf: %v", err)
	}
}

func TestProtobufSubjects(t *testing.T) {
	reg, server := registry(t)
	c := protobufConverter(t, server.URL, map[string]string{"value.subject.name.strategy": "TopicRecordNameStrategy"})
	if _, _, err := c.FromConnect(nil, "t", customer, customerValue(1)); err != nil {
		t.Fatal(err)
	}
	names, err := reg.Subjects(t.Context(), ":*:", schemaregistry.WithoutDeleted)
	if err != nil || len(names) != 1 || names[0] != "t-shop.Customer" {
		t.Errorf("subjects %v, %v", names, err)
	}
}

// A registry that is away is no error of the record.
func TestProtobufUnavailable(t *testing.T) {
	_, server := registry(t)
	url := server.URL
	server.Close()
	_, _, err := protobufConverter(t, url, nil).FromConnect(nil, "t", customer, customerValue(1))
	if !connect.IsRetriable(err) || !convert.IsUnavailable(err) {
		t.Errorf("%v", err)
	}
}
