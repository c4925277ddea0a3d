package convert

import (
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	for data, want := range map[string]string{
		"":                                  "empty",
		"\x00\x00\x00\x00\x07\x02":          "id 7 of a schema registry",
		`{"schema":null,"payload":{"a":1}}`: "schemas.enable=true",
		` {"schema":1,"payload":2,"x":3}`:   "schemas.enable=false",
		"42":                                "schemas.enable=false",
		"{not json":                         "StringConverter",
		"\xff\xfe\xfd":                      "ByteArrayConverter",
		"\xff\x00\x00\x01":                  "IntegerConverter",
		"\x80\x00\x00\x00\x00\x00\x00\x01":  "LongConverter",
	} {
		if got := Fit([]byte(data)); !strings.Contains(got, want) {
			t.Errorf("Fit(%q): got %q, want %q", data, got, want)
		}
	}
}
