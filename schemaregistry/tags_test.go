package schemaregistry

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// FuzzTags: whatever has tags can be given others, and the text with them is a schema in its canonical form.
func FuzzTags(f *testing.F) {
	for _, text := range []string{
		`{"type":"record","name":"R","namespace":"a.b","confluent:tags":["A",1,null],"fields":[{"name":"f","type":["null",{"type":"record","name":"S","fields":[]}],"confluent:tags":["B"]}]}`,
		`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"],"confluent:tags":"no list"}],"confluent:tags":[]}`,
		`{"type":"object","confluent:tags":["A"],"properties":{"a.b":{"type":["null","array"],"items":{"type":"object","confluent:tags":["B"]}},"c":{"oneOf":[{"type":"object","confluent:tags":["C"]},true],"not":{"type":"object","confluent:tags":["D"]}},"d":{"if":{"type":"object","confluent:tags":["E"]},"type":"string"}},"$defs":{"x":{"type":"object","confluent:tags":["F"],"$ref":"#"}}}`,
		"syntax = \"proto3\"; message M { option (confluent.message_meta).doc = \"d\"; option (.confluent.message_meta) = { tags: \"A\" tags: \"B\" }; oneof o { string s = 1 [(confluent.field_meta).tags = [\"C\"]]; } message N { optional N n = 1 [(confluent.field_meta) = { tags: [] }]; } }",
	} {
		f.Add(text, "a.R")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		for _, p := range Providers() {
			s, err := p.Parse(text, nil, true)
			if err != nil {
				continue
			}
			from := s.(Tagger)
			tagged, err := from.Tagged()
			if err != nil {
				continue // too many
			}
			edits := []tag.Edit{{Entity: tag.Entity{Path: path, Type: tag.Field}, Add: []string{"\"X"}, Optional: true}}
			for _, e := range tagged {
				edits = append(edits, tag.Edit{Entity: e.Entity, Add: []string{"\"X"}, Optional: strings.Contains(text, ".") || p.Type() == Avro})
			}
			changed, err := from.WithTags(edits)
			if err != nil {
				t.Fatalf("%s: tag %v in %s: %v", p.Type(), edits, text, err)
			}
			again, err := p.Parse(changed, nil, false)
			if err != nil || again.Canonical() != changed {
				t.Fatalf("%s: %s\nwith tags is\n%s\nwhich is read as\n%v, %v", p.Type(), text, changed, again, err)
			}
		}
	})
}

// Tags in a text come back as they are listed, and without them it is the same text.
func TestTagsAndBack(t *testing.T) {
	for _, c := range []struct {
		p    Provider
		text string
		path string
	}{
		{AvroProvider{}, `{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"f","type":{"type":"map","values":{"type":"record","name":"S","fields":[{"name":"g","type":"int"}]}}}]}`, "a.b.S.g"},
		{JSONProvider{}, `{"type":"object","properties":{"f":{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"object","properties":{"g":{"type":"integer"}}}]}}}}`, "object.f.array.anyof.0.object.g"},
		{ProtobufProvider{}, "syntax = \"proto3\";\n\nmessage R {\n  S s = 1;\n\n  message S {\n    int32 g = 1;\n  }\n}\n", "R.S.g"},
	} {
		s, err := c.p.Parse(c.text, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		e := tag.Entity{Path: c.path, Type: tag.Field}
		text, err := s.(Tagger).WithTags([]tag.Edit{{Entity: e, Add: []string{"A", "B", "A"}}, {Entity: e, Add: []string{"C"}, Remove: []string{"B"}}})
		if err != nil {
			t.Errorf("%s: %v", c.p.Type(), err)
			continue
		}
		with, err := c.p.Parse(text, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		tagged, err := with.(Tagger).Tagged()
		if err != nil || len(tagged) != 1 || tagged[0].Entity != e || !slices.Equal(tagged[0].Tags, []string{"A", "C"}) {
			t.Errorf("%s: tags are %v, %v, in %s", c.p.Type(), tagged, err, text)
		}
		back, err := with.(Tagger).WithTags([]tag.Edit{{Entity: e, Remove: []string{"A", "C"}}})
		if err != nil || back != c.text {
			t.Errorf("%s: without tags again: %v\n%s\nwant\n%s", c.p.Type(), err, back, c.text)
		}
	}
}
