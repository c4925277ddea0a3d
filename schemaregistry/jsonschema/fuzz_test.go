package jsonschema

import "testing"

// fuzzLimits keep one run short.
var fuzzLimits = Limits{Bytes: 8 << 10, Pairs: 20_000}

// FuzzParse: no text panics, and the canonical text of what was read is read as the same.
func FuzzParse(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"type":["string","null"],"pattern":"a"}}}`)
	f.Add(`{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicRef":"#x","prefixItems":[true],"$defs":{"d":{"$dynamicAnchor":"x"}}}`)
	f.Add(`{"$schema":"http://json-schema.org/draft-04/schema#","id":"urn:x:y","dependencies":{"a":["b"]},"maximum":1.5e3}`)
	f.Add(`{"$id":"a:b?c","items":{"$id":"#q","$ref":"#/items/0/~1"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text, Options{Registered: true, Limits: fuzzLimits})
		if err != nil {
			return
		}
		again, err := Parse(s.Canonical(), Options{Registered: true, Limits: Limits{Bytes: 1 << 20}})
		if err != nil || again.Canonical() != s.Canonical() || again.Normalized() != s.Normalized() {
			t.Fatalf("%q became %q, then %v", text, s.Canonical(), err)
		}
		_, _ = Parse(text, Options{Limits: fuzzLimits})
	})
}

// FuzzCompare: no two schemas panic or take long, and none breaks readers that have the same.
func FuzzCompare(f *testing.F) {
	for name, text := range hostileSchemas {
		if s := text("a"); len(s) < fuzzLimits.Bytes {
			f.Add(s, text("b"), name)
		}
	}
	f.Add(`{"properties":{"a":{"$ref":"other#/definitions/x"}},"additionalProperties":false}`, `{"patternProperties":{"a":{"not":{}}}}`, `{"definitions":{"x":{"type":"null"}}}`)
	f.Fuzz(func(t *testing.T, writer, reader, other string) {
		o := Options{Limits: fuzzLimits, References: []Reference{{"other", other}}, Registered: true}
		w, err := Parse(writer, o)
		if err != nil {
			return
		}
		if diffs, err := Compare(w, w, false); err == nil {
			for _, d := range diffs {
				if d.Breaks(false) {
					t.Fatalf("%q with itself: %s %s", writer, d.Type, d.Pointer)
				}
			}
		}
		if r, err := Parse(reader, o); err == nil {
			diffs, _ := Compare(w, r, true)
			for _, d := range diffs {
				_ = d.Message(NewReadsOld) + d.Fix(OldReadsNew)
			}
		}
	})
}
