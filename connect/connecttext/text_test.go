package connecttext

import (
	"testing"

	"github.com/sluice-data/sluice/connect"
)

func logical(t *testing.T, typ connect.Type, name string) *connect.Schema {
	t.Helper()
	s, err := connect.NewPrimitive(typ, connect.Attrs{Name: name, Version: 1, Parameters: map[string]string{"scale": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStyles has each value in both styles; the comparison with Kafka's classes is
// that of the converters which use them.
func TestStyles(t *testing.T) {
	point := connect.MustStruct("point", connect.Field{Name: "x", Schema: connect.Int32Schema},
		connect.Field{Name: "y", Schema: connect.OptionalStringSchema})
	text := connect.StringValue
	for _, c := range []struct {
		schema       *connect.Schema
		value        connect.Value
		java, header string
	}{
		{nil, connect.Value{}, "null", "null"},
		{connect.StringSchema, text(`a "b"`), `a "b"`, `a "b"`},
		{nil, connect.Float64Value(1e10), "1.0E10", "1.0E10"},
		{connect.BytesSchema, connect.BytesValue([]byte("hi")), "hi", "aGk="},
		{nil, connect.ArrayValue([]connect.Value{text("a"), connect.BooleanValue(true)}), "[a, true]", `["a",true]`},
		{nil, connect.MapValue([]connect.Value{text("k"), text("v")}), "{k=v}", `{"k":"v"}`},
		{point, connect.StructValue([]connect.Value{connect.Int32Value(1), {}}), "Struct{x=1}", `{"x":1,"y":null}`},
		{logical(t, connect.Bytes, connect.DecimalName), connect.BytesValue([]byte{4, 210}), "12.34", "12.34"},
		{logical(t, connect.Int32, connect.DateName), connect.Int32Value(-1), "1969-12-31", "1969-12-31"},
		{logical(t, connect.Int32, connect.TimeName), connect.Int32Value(61_001), "00:01:01.001Z", "00:01:01.001Z"},
		{logical(t, connect.Int64, connect.TimestampName), connect.Int64Value(0), "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"},
	} {
		for style, want := range map[Style]string{Java(): c.java, Header(): c.header} {
			got, err := style.Append([]byte("> "), c.schema, c.value)
			if err != nil || string(got) != "> "+want {
				t.Errorf("%v: got %q, %v, want %q", c.value, got, err, want)
			}
		}
	}
}

// TestErrorsLeaveTheText wants what was there to come back as it was.
func TestErrorsLeaveTheText(t *testing.T) {
	deep := connect.Int64Value(1)
	for range maxDepth + 1 {
		deep = connect.ArrayValue([]connect.Value{deep})
	}
	for name, v := range map[string]connect.Value{
		"bytes":  connect.BytesValue([]byte{0xff}),
		"struct": connect.StructValue([]connect.Value{{}}),
		"deep":   deep,
	} {
		style := Java()
		got, err := style.Append([]byte("> "), nil, v)
		if err == nil || string(got) != "> " {
			t.Errorf("%s: got %q, %v, want an error and the text before", name, got, err)
		}
	}
}
