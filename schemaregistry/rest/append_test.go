package rest

import (
	"encoding/json"
	"testing"

	"github.com/sluice-data/sluice/schemaregistry"
)

// FuzzAppendJSON: what is written by hand is what encoding/json makes of the same fields.
func FuzzAppendJSON(f *testing.F) {
	f.Add("s", "AVRO", `{"type":"string"}`, 3, true)
	f.Add("", "", "\"\\\b\f\n\r\t\x01\x1f <&> \u2028\u2029 é \xff 日本", 0, false)
	f.Add("a\x00b", "JSON", "\xc3", -1, true)
	f.Fuzz(func(t *testing.T, subject, kind, text string, n int, full bool) {
		j := schemaJSON{Subject: subject, Type: kind, Schema: text, Version: n, TimeMs: int64(n)}
		if full {
			j.Deleted = &full
			j.References = []schemaregistry.Reference{{Name: text, Subject: subject, Version: n}}
			j.Metadata = &schemaregistry.Metadata{Properties: map[string]string{subject: text}}
		}
		type tagged schemaJSON // has no appendJSON
		if got, want := string(j.appendJSON(nil)), string(encode(tagged(j))); got != want {
			t.Errorf("appendJSON:\n%s\nencoding/json:\n%s", got, want)
		}
		if got, want := string(schemaList{j, j}.appendJSON(nil)), string(encode([]tagged{tagged(j), tagged(j)})); got != want || !json.Valid([]byte(got)) {
			t.Errorf("list:\n%s\nencoding/json:\n%s", got, want)
		}
	})
}
