package convert

import (
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

func TestAutoToConnect(t *testing.T) {
	for _, c := range []struct {
		name, data string
		key        bool
		schema     *connect.Schema
		want       string
	}{
		{"an object", `{"a": 1.10, "b":12345678901234567890}`, false, connectjson.Schema, `{"a":1.10,"b":12345678901234567890}`},
		{"a number", `21.5`, false, connectjson.Schema, `21.5`},
		{"lines become one", "[1,\n 2]\n", false, connectjson.Schema, `[1,2]`},
		{"text", `21.5 C`, false, connect.StringSchema, `21.5 C`},
		{"no bytes", ``, false, connect.StringSchema, ``},
		{"bytes", "\xff\x00", false, connect.BytesSchema, "\xff\x00"},
		{"JSON with bad UTF-8", "{\"a\":\"\xff\"}", false, connect.BytesSchema, "{\"a\":\"\xff\"}"},
		{"a key that is a number", `42`, true, connect.StringSchema, `42`},
		{"a key that is bytes", "\xff", true, connect.BytesSchema, "\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, v, err := NewAuto(c.key).ToConnect(connect.NewBatch(1, 1), "t", []byte(c.data))
			if err != nil {
				t.Fatal(err)
			}
			if s != c.schema {
				t.Errorf("got the schema %s %q, want %s %q", s.Type(), s.Name(), c.schema.Type(), c.schema.Name())
			}
			if got := content(v); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func content(v connect.Value) string {
	if v.Type() == connect.Bytes {
		return string(v.Bytes())
	}
	return v.Text()
}

// TestAutoToFile is the way of a payload from the log into a JSON file.
func TestAutoToFile(t *testing.T) {
	for data, want := range map[string]string{
		`{"t": 21.50}`: `{"t":21.50}`,
		`hello`:        `"hello"`,
		"\xff\x00":     `"/wA="`,
	} {
		s, v, err := NewAuto(false).ToConnect(connect.NewBatch(1, 1), "t", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		got, err := connectjson.Append(nil, s, v, connectjson.Options{})
		if err != nil || string(got) != want {
			t.Errorf("%q is written as %s (%v), want %s", data, got, err, want)
		}
	}
}

func TestAutoFromConnect(t *testing.T) {
	decimal := mustPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Parameters: map[string]string{"scale": "2"}})
	row := connect.MustStruct("r", connect.Field{Name: "id", Schema: connect.Int32Schema}, connect.Field{Name: "price", Schema: decimal})
	cells := []connect.Value{connect.Int32Value(7), connect.BytesValue([]byte{0x04, 0xd2})}
	for _, c := range []struct {
		name string
		s    *connect.Schema
		v    connect.Value
		want string
	}{
		{"bytes", nil, connect.BytesValue([]byte{0xff}), "\xff"},
		{"text", connect.StringSchema, connect.StringValue(`a"b`), `a"b`},
		{"raw JSON", connectjson.Schema, connect.StringValue(`{"a":1}`), `{"a":1}`},
		{"a struct", row, connect.StructValue(cells), `{"id":7,"price":12.34}`},
		{"a number", connect.Int64Schema, connect.Int64Value(5), `5`},
		{"a Decimal", decimal, cells[1], `12.34`},
	} {
		got, null, err := NewAuto(false).FromConnect([]byte("x"), "t", c.s, c.v)
		if err != nil || null || string(got) != "x"+c.want {
			t.Errorf("%s: got %q, null %v, %v; want %q", c.name, got, null, err, "x"+c.want)
		}
	}
}

func TestNullStaysNull(t *testing.T) {
	for _, class := range Classes() {
		c := newConverter(t, class, settings("schemas.enable", "false", "schema.registry.url", "http://127.0.0.1:1"))
		s, v, err := c.ToConnect(connect.NewBatch(1, 1), "t", nil)
		if err != nil || !v.IsNull() {
			t.Errorf("%s reads null as %v, %v", class, v, err)
		}
		if s != nil && !s.Optional() {
			t.Errorf("%s reads null with a required schema", class)
		}
		if got, null, err := c.FromConnect(nil, "t", nil, v); !null || err != nil || len(got) != 0 {
			t.Errorf("%s writes null as %q, %v, %v", class, got, null, err)
		}
	}
}
