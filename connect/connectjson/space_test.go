package connectjson

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestSpaceBehindNames has white space where no writer of ours puts any, behind names that come in the order of the schema.
func TestSpaceBehindNames(t *testing.T) {
	s := connect.MustStruct("", connect.Field{Name: "a", Schema: connect.Int32Schema}, connect.Field{Name: "b", Schema: connect.StringSchema})
	for _, text := range []string{`{"a": 1, "b": "x"}`, `{"a":1,"b": "x"}`, "{\"a\":\n1 ,\t\"b\":\"x\" }", ` { "a" : 1 , "b" : "x" } `} {
		v, err := ParseAs(connect.NewBatch(1, 1), s, []byte(text), Options{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if c := v.Cells(); c[0].Int() != 1 || c[1].Text() != "x" {
			t.Errorf("%s is %v", text, v)
		}
	}
}

// TestUnionScans wants an end where unions within unions would look through a text again and again (I5).
func TestUnionScans(t *testing.T) {
	leaf := connect.MustStruct("", connect.Field{Name: "z", Schema: connect.OptionalStringSchema})
	s := leaf
	for range 150 { // each level has a struct that shares no name, a union, and all of it once more
		next, err := connect.NewStruct([]connect.Field{{Name: "a", Schema: leaf}, {Name: "b", Schema: s}, {Name: "c", Schema: leaf}}, connect.Attrs{Name: "Union", Optional: true})
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	text := `{"y":"` + strings.Repeat("x", 100_000) + `"}`
	_, err := ParseAs(connect.NewBatch(1, 1), s, []byte(text), Options{Union: "Union"})
	if err == nil || !strings.Contains(err.Error(), errAmbiguous.Error()) {
		t.Errorf("got %v", err)
	}
	if _, err = ParseAs(connect.NewBatch(1, 1), s, []byte(`{"z":"x"}`), Options{Union: "Union"}); err != nil {
		t.Error(err)
	}
}
