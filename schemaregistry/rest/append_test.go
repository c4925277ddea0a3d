package rest

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// FuzzAppendJSON: what is written by hand says the same as what encoding/json makes of the same fields.
func FuzzAppendJSON(f *testing.F) {
	f.Add("s", "AVRO", `{"type":"string"}`, 3, true)
	f.Add("", "", "\"\\\b\f\n\r\t\x01\x1f <&> \u2028\u2029 é \xff 日本", 0, false)
	f.Add("a\x00b", "JSON", "\xc3", -1, true)
	f.Fuzz(func(t *testing.T, subject, kind, text string, n int, full bool) {
		j := schemaJSON{Subject: subject, Type: kind, Schema: schemaregistry.NewText(text), Version: n, TimeMs: int64(n)}
		if full {
			j.Deleted = &full
			j.References = []schemaregistry.Reference{{Name: text, Subject: subject, Version: n}}
			j.Metadata = &schemaregistry.Metadata{Properties: map[string]string{subject: text}}
			j.Aliases = []string{subject, text}
			j.Rules = &schemaregistry.RuleSet{DomainRules: []schemaregistry.Rule{{Name: subject, Expr: text}}}
			j.Tags = []tag.Tagged{{Entity: tag.Entity{Path: subject, Type: tag.Field}, Tags: []string{text}}}
		}
		type tagged schemaJSON // has no appendJSON
		same(t, j.appendJSON(nil), encode(tagged(j)))
		same(t, schemaList{j, j}.appendJSON(nil), encode([]tagged{tagged(j), tagged(j)}))
		if want := string([]rune(text)); j.Schema.String() != want {
			t.Errorf("the text is %q, want %q", j.Schema, want)
		}
	})
}

func same(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v in\n%s", err, got)
	}
	if err := json.Unmarshal(want, &w); err != nil || !reflect.DeepEqual(g, w) {
		t.Errorf("appendJSON:\n%s\nencoding/json:\n%s", got, want)
	}
}
