package connect

import (
	"strings"
	"testing"
)

func mustArray(t *testing.T, elem *Schema) *Schema {
	t.Helper()
	s, err := NewArray(elem, Attrs{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStructFields(t *testing.T) {
	s := MustStruct("point", Field{"x", Int32Schema}, Field{"label", OptionalStringSchema})
	if got := s.Index("label"); got != 1 {
		t.Errorf("Index(label): got %d, want 1", got)
	}
	if got := s.Index("y"); got != -1 {
		t.Errorf("Index(y): got %d, want -1", got)
	}
	if s.Type() != Struct || s.Name() != "point" || !s.Fields()[1].Schema.Optional() {
		t.Errorf("got %s %q %+v", s.Type(), s.Name(), s.Fields())
	}
}

func TestSchemaErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() (*Schema, error)
		want string
	}{
		{"field twice", func() (*Schema, error) {
			return NewStruct([]Field{{"a", Int8Schema}, {"a", Int8Schema}}, Attrs{Name: "s"})
		}, `struct "s" has two fields named "a"`},
		{"field without schema", func() (*Schema, error) { return NewStruct([]Field{{"a", nil}}, Attrs{}) }, "needs a name and a schema"},
		{"array of nothing", func() (*Schema, error) { return NewArray(nil, Attrs{}) }, "schema of its elements"},
		{"map without values", func() (*Schema, error) { return NewMap(StringSchema, nil, Attrs{}) }, "keys and values"},
		{"primitive struct", func() (*Schema, error) { return NewPrimitive(Struct, Attrs{}) }, "STRUCT is not a primitive type"},
	} {
		if _, err := c.make(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestSchemaEqual(t *testing.T) {
	def := Int32Value(7)
	decimal := func(scale string) *Schema {
		s, _ := NewPrimitive(Bytes, Attrs{Name: DecimalName, Parameters: map[string]string{"scale": scale}})
		return s
	}
	withDefault, _ := NewPrimitive(Int32, Attrs{Default: &def})
	for _, c := range []struct {
		name string
		a, b *Schema
		want bool
	}{
		{"same pointer", Int8Schema, Int8Schema, true},
		{"schemaless", nil, nil, true},
		{"schema and none", Int8Schema, nil, false},
		{"optional", Int8Schema, OptionalInt8Schema, false},
		{"parameters equal", decimal("2"), decimal("2"), true},
		{"parameters differ", decimal("2"), decimal("3"), false},
		{"default", withDefault, Int32Schema, false},
		{"arrays", mustArray(t, Int8Schema), mustArray(t, Int8Schema), true},
		{"arrays of others", mustArray(t, Int8Schema), mustArray(t, Int16Schema), false},
		{"structs", MustStruct("s", Field{"a", Int8Schema}), MustStruct("s", Field{"a", Int8Schema}), true},
		{"field names", MustStruct("s", Field{"a", Int8Schema}), MustStruct("s", Field{"b", Int8Schema}), false},
	} {
		if got := c.a.Equal(c.b); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}

func TestSchemaIsImmutable(t *testing.T) {
	params := map[string]string{"scale": "2"}
	s, _ := NewPrimitive(Bytes, Attrs{Parameters: params})
	params["scale"] = "9"
	s.Parameters()["scale"] = "8"
	if got, _ := s.Parameter("scale"); got != "2" {
		t.Errorf("scale: got %s, want 2", got)
	}
	fields := []Field{{"a", Int8Schema}}
	st, _ := NewStruct(fields, Attrs{})
	fields[0].Name = "b"
	if st.Fields()[0].Name != "a" {
		t.Error("NewStruct shares the caller's fields")
	}
}
