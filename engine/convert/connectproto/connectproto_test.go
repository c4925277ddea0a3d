package connectproto_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert/connectproto"
)

func must(t testing.TB) func(*connect.Schema, error) *connect.Schema {
	return func(s *connect.Schema, err error) *connect.Schema {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func decimal(t testing.TB, scale string, optional bool) *connect.Schema {
	return must(t)(connect.NewPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Version: 1, Optional: optional,
		Parameters: map[string]string{"scale": scale, "connect.decimal.precision": "10"}}))
}

func logical(t testing.TB, typ connect.Type, name string) *connect.Schema {
	return must(t)(connect.NewPrimitive(typ, connect.Attrs{Name: name, Version: 1}))
}

// order has a field of every kind.
func order(t testing.TB) *connect.Schema {
	array := must(t)(connect.NewArray(connect.StringSchema, connect.Attrs{}))
	tags := must(t)(connect.NewMap(connect.StringSchema, connect.Int64Schema, connect.Attrs{Name: "tag_values"}))
	anonymous := must(t)(connect.NewMap(connect.StringSchema, connect.OptionalStringSchema, connect.Attrs{}))
	color := must(t)(connect.NewPrimitive(connect.String, connect.Attrs{Name: "Color", Parameters: map[string]string{
		"io.confluent.connect.protobuf.Enum": "Color", "io.confluent.connect.protobuf.Enum.RED": "0", "io.confluent.connect.protobuf.Enum.BLUE": "1"}}))
	line := connect.MustStruct("shop.Line", connect.Field{Name: "sku", Schema: connect.StringSchema}, connect.Field{Name: "n", Schema: connect.Int32Schema})
	item := connect.MustStruct("shop.Item", connect.Field{Name: "sku", Schema: connect.StringSchema}, connect.Field{Name: "n", Schema: connect.Int32Schema})
	lines := must(t)(connect.NewArray(item, connect.Attrs{}))
	pay := must(t)(connect.NewStruct([]connect.Field{{Name: "card", Schema: connect.OptionalStringSchema}, {Name: "cash", Schema: connect.OptionalBooleanSchema}},
		connect.Attrs{Name: "io.confluent.connect.protobuf.Union.pay", Optional: true}))
	return connect.MustStruct("shop.v1.Order",
		connect.Field{Name: "i8", Schema: connect.Int8Schema}, connect.Field{Name: "i16", Schema: connect.OptionalInt16Schema},
		connect.Field{Name: "i32", Schema: connect.Int32Schema}, connect.Field{Name: "i64", Schema: connect.OptionalInt64Schema},
		connect.Field{Name: "f32", Schema: connect.Float32Schema}, connect.Field{Name: "f64", Schema: connect.Float64Schema},
		connect.Field{Name: "ok", Schema: connect.BooleanSchema}, connect.Field{Name: "note", Schema: connect.OptionalStringSchema},
		connect.Field{Name: "raw", Schema: connect.BytesSchema}, connect.Field{Name: "names", Schema: array},
		connect.Field{Name: "tags", Schema: tags}, connect.Field{Name: "any", Schema: anonymous}, connect.Field{Name: "color", Schema: color},
		connect.Field{Name: "Line", Schema: line}, connect.Field{Name: "lines", Schema: lines}, connect.Field{Name: "pay", Schema: pay},
		connect.Field{Name: "total", Schema: decimal(t, "2", false)}, connect.Field{Name: "day", Schema: logical(t, connect.Int32, connect.DateName)},
		connect.Field{Name: "clock", Schema: logical(t, connect.Int32, connect.TimeName)}, connect.Field{Name: "at", Schema: logical(t, connect.Int64, connect.TimestampName)})
}

// The text is the one that Confluent's converter registers.
func TestFromConnectSchema(t *testing.T) {
	e, err := connectproto.FromConnect(order(t), connectproto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `syntax = "proto3";
package shop.v1;

import "confluent/type/decimal.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "google/protobuf/timestamp.proto";

message Order {
  int32 i8 = 1 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int8"
      }
    ]
  }];
  int32 i16 = 2 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int16"
      }
    ]
  }];
  int32 i32 = 3;
  int64 i64 = 4;
  float f32 = 5;
  double f64 = 6;
  bool ok = 7;
  string note = 8;
  bytes raw = 9;
  repeated string names = 10;
  repeated TagValuesEntry tags = 11;
  repeated ConnectDefault1Entry any = 12;
  Color color = 13;
  LineMessage Line = 14;
  repeated Item lines = 15;
  confluent.type.Decimal total = 18 [(confluent.field_meta) = {
    params: [
      {
        value: "10",
        key: "precision"
      },
      {
        value: "2",
        key: "scale"
      }
    ]
  }];
  google.type.Date day = 19;
  google.type.TimeOfDay clock = 20;
  google.protobuf.Timestamp at = 21;

  oneof pay {
    string card = 16;
    bool cash = 17;
  }

  message TagValuesEntry {
    string key = 1;
    int64 value = 2;
  }
  message ConnectDefault1Entry {
    string key = 1;
    string value = 2;
  }
  message LineMessage {
    string sku = 1;
    int32 n = 2;
  }
  message Item {
    string sku = 1;
    int32 n = 2;
  }
  enum Color {
    RED = 0;
    BLUE = 1;
  }
}
`
	if got := e.Schema.Canonical(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if e.Message != "shop.v1.Order" || string(e.Index) != "\x00" {
		t.Errorf("message %s at %x", e.Message, e.Index)
	}
}

func orderValue() connect.Value {
	text := connect.StringValue
	line := func(sku string, n int32) connect.Value {
		return connect.StructValue([]connect.Value{text(sku), connect.Int32Value(n)})
	}
	return connect.StructValue([]connect.Value{
		connect.Int8Value(-1), {}, connect.Int32Value(300), connect.Int64Value(-5), connect.Float32Value(1.5), connect.Float64Value(0), connect.BooleanValue(true),
		{}, connect.BytesValue([]byte{0, 1}), connect.ArrayValue([]connect.Value{text("a"), text("")}),
		connect.MapValue([]connect.Value{text("x"), connect.Int64Value(1)}), connect.MapValue([]connect.Value{text("y"), {}}), text("BLUE"),
		line("s", 1), connect.ArrayValue([]connect.Value{line("t", 0)}), connect.StructValue([]connect.Value{{}, connect.BooleanValue(false)}),
		connect.BytesValue([]byte{0x04, 0xd2}), connect.Int32Value(19_000), connect.Int32Value(3_723_004), connect.Int64Value(-1),
	})
}

// What is written is what others read.
func TestFromConnectData(t *testing.T) {
	e, err := connectproto.FromConnect(order(t), connectproto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Append(nil, orderValue())
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(descriptor(t, e.Schema, "Order"))
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	want := dynamicpb.NewMessage(m.Descriptor())
	if err := prototext.Unmarshal([]byte(`i8: -1 i32: 300 i64: -5 f32: 1.5 ok: true raw: "\x00\x01" names: "a" names: "" tags { key: "x" value: 1 } any { key: "y" }
		color: BLUE Line { sku: "s" n: 1 } lines { sku: "t" } cash: false total { value: "\x04\xd2" precision: 4 scale: 2 }
		day { year: 2022 month: 1 day: 8 } clock { hours: 1 minutes: 2 seconds: 3 nanos: 4000000 } at { seconds: -1 nanos: 999000000 }`), want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m, want) {
		t.Errorf("got\n%s\nwant\n%s", prototext.Format(m), prototext.Format(want))
	}
}

func TestFromConnectRefused(t *testing.T) {
	array := must(t)(connect.NewArray(connect.StringSchema, connect.Attrs{}))
	nested := must(t)(connect.NewArray(array, connect.Attrs{}))
	for name, c := range map[string]struct {
		schema *connect.Schema
		want   string
	}{
		"no schema":       {nil, "needs a schema"},
		"an array":        {array, "ARRAY has no form in Protobuf but in a struct"},
		"nested arrays":   {connect.MustStruct("R", connect.Field{Name: "a", Schema: nested}), "a: an array of arrays"},
		"a name":          {connect.MustStruct("R", connect.Field{Name: "not-a-name", Schema: connect.StringSchema}), "scrub.invalid.names"},
		"a decimal alone": {decimal(t, "2", false), "has no form in Protobuf but in a struct"},
	} {
		if _, err := connectproto.FromConnect(c.schema, connectproto.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e, err := connectproto.FromConnect(connect.MustStruct("R", connect.Field{Name: "a", Schema: array}), connectproto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]connect.Value{
		"null": {}, "another type": connect.StringValue("x"), "a null item": connect.StructValue([]connect.Value{connect.ArrayValue([]connect.Value{{}})}),
		"an item of another type": connect.StructValue([]connect.Value{connect.ArrayValue([]connect.Value{connect.Int32Value(1)})}),
		"too few cells":           connect.StructValue(nil),
	} {
		if out, err := e.Append([]byte("x"), v); err == nil {
			t.Errorf("%s: wrote %x", name, out)
		}
	}
}

// A scalar alone is in a wrapper, of the file that has all of them.
func TestScalars(t *testing.T) {
	for name, c := range map[string]struct {
		schema *connect.Schema
		value  connect.Value
		data   string
		index  string
	}{
		"string":  {connect.StringSchema, connect.StringValue("hi"), "\x0a\x02hi", "\x02\x0e"},
		"empty":   {connect.StringSchema, connect.StringValue(""), "", "\x02\x0e"},
		"int32":   {connect.Int32Schema, connect.Int32Value(-1), "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x02\x08"},
		"int64":   {connect.Int64Schema, connect.Int64Value(5), "\x08\x05", "\x02\x04"},
		"double":  {connect.Float64Schema, connect.Float64Value(1), "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x00"},
		"boolean": {connect.BooleanSchema, connect.BooleanValue(true), "\x08\x01", "\x02\x0c"},
		"bytes":   {connect.BytesSchema, connect.BytesValue([]byte{7}), "\x0a\x01\x07", "\x02\x10"},
	} {
		e, err := connectproto.FromConnect(c.schema, connectproto.Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		data, err := e.Append(nil, c.value)
		if err != nil || string(data) != c.data || string(e.Index) != c.index {
			t.Errorf("%s: %x at %x, %v", name, data, e.Index, err)
		}
		d, err := connectproto.ToConnect(e.Schema, e.Message, 3, connectproto.Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		v, err := d.Decode(connect.NewBatch(1, 1<<20), data)
		if err != nil || !v.Equal(c.value) || d.Schema.Type() != c.schema.Type() || d.Schema.Version() != 3 {
			t.Errorf("%s: read %v of %s, %v", name, v, d.Schema.Type(), err)
		}
	}
}

func TestScrubNames(t *testing.T) {
	s := connect.MustStruct("my-shop.Order Line", connect.Field{Name: "a-b", Schema: connect.StringSchema}, connect.Field{Name: "1st", Schema: connect.StringSchema},
		connect.Field{Name: "é", Schema: connect.StringSchema}, connect.Field{Name: "_x", Schema: connect.StringSchema})
	e, err := connectproto.FromConnect(s, connectproto.Options{ScrubNames: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `syntax = "proto3";
package my_shop;

message Order_Line {
  string a_b = 1;
  string x1st = 2;
  string _C3_A9 = 3;
  string x_x = 4;
}
`
	if got := e.Schema.Canonical(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
