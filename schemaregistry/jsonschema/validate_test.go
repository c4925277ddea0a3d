package jsonschema_test

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// TestValidate holds values to schemas of all drafts: want is a part of the reason, "" for a value that fits.
func TestValidate(t *testing.T) {
	references := []jsonschema.Reference{{Name: "customer.json", Text: `{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}`}}
	const id = `"$id":"http://example.com/schemas/order.json",`
	for _, c := range []struct{ schema, value, want string }{
		{`{}`, `{"a":1}`, ""},
		{`true`, `1`, ""},
		{`false`, `1`, "false schema"},
		{`{"properties":{"a":{"type":"integer"}}}`, `{"a":"x"}`, "got string, want integer (at #/a)"},
		{`{"properties":{"a":{"type":"integer"}}}`, `{"a":1.0}`, ""},
		{`{"required":["a"]}`, `{}`, "missing property 'a' (at #/)"},
		{`{"additionalProperties":false}`, `{"a":1}`, "additional properties 'a' not allowed"},
		{`{"items":{"oneOf":[{"type":"null"},{"type":"string","maxLength":2}]}}`, `["ab",null,"abc"]`, "maxLength: got 3, want 2 (at #/2)"},
		{`{"multipleOf":0.01}`, `19.99`, ""},
		{`{"multipleOf":0.01}`, `19.999`, "multipleOf"},
		{`{"pattern":"^(?!x)a+$"}`, `"aa"`, ""},
		{`{"pattern":"^(?!a)"}`, `"aa"`, "does not match pattern"},
		{`{"pattern":"b"}`, `"abc"`, ""},
		{`{"format":"ipv4"}`, `"1.2.3.4"`, ""},
		{`{"format":"ipv4"}`, `"1.2.3"`, "ipv4"},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","format":"ipv4"}`, `"1.2.3"`, ""},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{"type":"string"}]}`, `[1]`, "got number, want string"},
		{`{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`, `1`, "exclusiveMinimum"},
		{`{"$schema":"http://example.com/nobody","type":"string"}`, `1`, "got number, want string"},
		{`{"$ref":"customer.json"}`, `{}`, "missing property 'name'"},
		{`{` + id + `"properties":{"who":{"$ref":"customer.json"}}}`, `{"who":{"name":1}}`, "(at #/who/name)"},
		{`{"properties":{"next":{"$ref":"#"},"n":{"type":"integer"}}}`, `{"next":{"next":{"n":"x"}}}`, "(at #/next/next/n)"},
		{`{"type":"number"}`, `1e5000`, "exponent"},
		{`{}`, `{"a":`, "not JSON"},
		{`{}`, strings.Repeat("[", 600) + strings.Repeat("]", 600), "levels of nesting"},
	} {
		s, err := jsonschema.Parse(c.schema, jsonschema.Options{Registered: true, References: references})
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Validator(false)
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		if err := v.Validate([]byte(c.value)); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s by %s: %v, want %q", c.value, c.schema, err, c.want)
		}
	}
}

// A schema of a later draft can be taken for one of draft 7, and what values cannot be held to is an error.
func TestValidatorOfSchemas(t *testing.T) {
	parse := func(text string) *jsonschema.Schema {
		s, err := jsonschema.Parse(text, jsonschema.Options{Registered: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const modern = `{"$schema":"https://json-schema.org/draft/2019-09/schema","dependentRequired":{"a":["b"]}}`
	for classic, fits := range map[bool]bool{false: false, true: true} {
		v, err := parse(modern).Validator(classic)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Validate([]byte(`{"a":1}`)); (err == nil) != fits {
			t.Errorf("classic %t: %v", classic, err)
		}
	}
	for _, text := range []string{`{"$ref":"gone.json"}`, `{"minimum":1e999999}`, `{"pattern":"("}`, `{"type":7}`} {
		if _, err := parse(text).Validator(false); err == nil {
			t.Errorf("%s is no error", text)
		}
	}
}

// FuzzValidate finds no schema and no value that a validator panics on.
func FuzzValidate(f *testing.F) {
	f.Add(`{"properties":{"a":{"multipleOf":0.1,"format":"date"}}}`, `{"a":1e9}`)
	f.Add(`{"$ref":"#/a","a":{"$ref":"#"}}`, `1`)
	f.Fuzz(func(_ *testing.T, schema, value string) {
		s, err := jsonschema.Parse(schema, jsonschema.Options{Registered: true})
		if err != nil {
			return
		}
		if v, err := s.Validator(false); err == nil {
			_ = v.Validate([]byte(value))
		}
	})
}
