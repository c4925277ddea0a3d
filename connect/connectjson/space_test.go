package connectjson

import (
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
