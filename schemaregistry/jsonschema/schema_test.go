package jsonschema

import (
	"errors"
	"strings"
	"testing"
)

// TestText has texts that Java's JSON library writes the same way.
func TestText(t *testing.T) {
	for _, c := range []struct{ text, canonical, normalized string }{
		{` { "type" : "object" , "$id":"x" } `, `{"type":"object","$id":"x"}`, `{"$id":"x","type":"object"}`},
		{`{"maximum":1.50e3,"minimum":-0,"multipleOf":0.10}`, `{"maximum":1.50E+3,"minimum":0,"multipleOf":0.10}`, `{"maximum":1.50E+3,"minimum":0,"multipleOf":0.10}`},
		{`{"minimum":0.0000001,"maximum":100e-2,"default":1e0}`, `{"minimum":1E-7,"maximum":1.00,"default":1}`, `{"default":1,"maximum":1.00,"minimum":1E-7}`},
		{`{"minimum":0e3,"maximum":-1e2}`, `{"minimum":0E+3,"maximum":-1E+2}`, `{"maximum":-1E+2,"minimum":0E+3}`},
		{`{"title":"\u00e9\u001f\/\"\n"}`, `{"title":"é\u001F/\"\n"}`, `{"title":"é\u001F/\"\n"}`},
		{`{"title":"a","type":"null","title":"b"}`, `{"title":"b","type":"null"}`, `{"title":"b","type":"null"}`},
		{`{"enum":["b","a",{"y":1,"x":2}]}`, `{"enum":["b","a",{"y":1,"x":2}]}`, `{"enum":["b","a",{"x":2,"y":1}]}`},
		{`true`, `true`, `true`},
	} {
		s := mustParse(t, c.text, Options{})
		if got := s.Canonical(); got != c.canonical {
			t.Errorf("%s is %s, want %s", c.text, got, c.canonical)
		}
		if got := s.Normalized(); got != c.normalized {
			t.Errorf("%s normalized is %s, want %s", c.text, got, c.normalized)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, where, why string }{
		{``, "", "ends too early"},
		{`{"type":`, "", "ends too early"},
		{`{"type":"string"} x`, "", "after the end"},
		{"{\"title\":\"\xff\"}", "", "UTF-8"},
		{`"string"`, "#/", "an object or a boolean"},
		{`[]`, "#/", "an object or a boolean"},
		{`{"type":"text"}`, "#/type", `no type "text"`},
		{`{"type":5}`, "#/type", "has to be"},
		{`{"properties":{"a":5}}`, "#/properties/a", "an object or a boolean"},
		{`{"properties":{"a/b":{"minLength":"x"}}}`, "#/properties/a~1b/minLength", "has to be a number"},
		{`{"minLength":1.5}`, "#/minLength", "an integer"},
		{`{"minLength":-1}`, "#/minLength", "meta-schema"},
		{`{"required":[1]}`, "#/required/0", "has to be a string"},
		{`{"items":"string"}`, "#/items", "an object or a boolean"},
		{`{"allOf":{}}`, "#/allOf", "has to be an array"},
		{`{"multipleOf":0}`, "#/multipleOf", "should not be 0"},
		{`{"$ref":"#/definitions/X"}`, "#/$ref", "leads nowhere"},
		{`{"$ref":"http://example.com/other.json"}`, "#/$ref", "leads nowhere"},
		{`{"properties":{"$$a":{}}}`, "#/properties/$$a", "cannot start with $$"},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","items":[{}]}`, "#/items", "meta-schema"},
		{`{"minimum":1e99999999999}`, "", "exponent"},
	} {
		_, err := Parse(c.text, Options{})
		var parse *ParseError
		if !errors.As(err, &parse) {
			t.Errorf("%s: got %v, want a ParseError", c.text, err)
			continue
		}
		if parse.Pointer != c.where || !strings.Contains(parse.Reason, c.why) {
			t.Errorf("%s: got %q at %q, want %q at %q", c.text, parse.Reason, parse.Pointer, c.why, c.where)
		}
	}
}

// TestHarmless has what a meta-schema forbids and Confluent's registry takes, for its meaning is clear.
func TestHarmless(t *testing.T) {
	for _, text := range []string{
		`{"$schema":"http://json-schema.org/draft-04/schema#","required":[]}`,
		`{"type":["string","string"]}`,
		`{"enum":[]}`,
		`{"enum":["a","a"]}`,
		`{"$schema":"http://example.com/own","minLength":-1}`,
		`{"pattern":"(?<=a)b"}`,
		`{"$ref":"http://json-schema.org/draft-07/schema#"}`,
		`{"format":"of-our-own","connect.index":3}`,
	} {
		mustParse(t, text, Options{})
	}
}

func TestRegistered(t *testing.T) {
	s := mustParse(t, `{"type":"text"}`, Options{Registered: true})
	if s.Canonical() != `{"type":"text"}` {
		t.Errorf("got %s", s.Canonical())
	}
	if _, err := Compare(s, s, false); err == nil {
		t.Error("a schema that can not be read was compared")
	}
}

func TestReferenceErrors(t *testing.T) {
	_, err := Parse(`{"$ref":"a.json"}`, Options{References: []Reference{{"a.json", `{"type":`}}})
	if err == nil || !strings.Contains(err.Error(), "reference a.json") {
		t.Errorf("got %v", err)
	}
}

func TestHasProperty(t *testing.T) {
	s := mustParse(t, `{"title":"T","properties":{"a":{}}}`, Options{})
	if !s.HasProperty("a") || s.HasProperty("b") || s.Title() != "T" {
		t.Error("the properties or the title are wrong")
	}
}
