package schemaregistry

import (
	"errors"
	"strings"
	"testing"
)

// TestJSONTooLarge: too much text is another error than a schema that is refused.
func TestJSONTooLarge(t *testing.T) {
	large := `{"title":"` + strings.Repeat("x", 1<<20) + `"}`
	deep := strings.Repeat(`{"not":`, 600) + "{}" + strings.Repeat("}", 600)
	for text, code := range map[string]int{large: CodeSchemaTooLarge, deep: CodeInvalidSchema} {
		_, err := JSONProvider{}.Parse(text, nil, true)
		var e *Error
		if err == nil || !errors.As(error(invalidSchema(err)), &e) || e.Code != code {
			t.Errorf("got %v, want code %d", err, code)
		}
	}
}

// TestJSONLenient: the policy is the provider's own, and leaves the strict one as it is.
func TestJSONLenient(t *testing.T) {
	var strict JSONProvider
	var schemas []Schema
	for _, text := range []string{`{"type":"object","properties":{"a":{}}}`, `{"type":"object","properties":{"a":{},"b":{"type":"string"}}}`} {
		s, err := strict.Parse(text, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		schemas = append(schemas, s)
	}
	for want, p := range []Provider{strict.Lenient(), strict} {
		found, err := p.CanRead(schemas[1], schemas[0], true)
		if err != nil || len(found) != want {
			t.Errorf("%d differences, %v, want %d", len(found), err, want)
		}
	}
}

// TestParsedCacheBytes: large schemas are not kept by the thousand.
func TestParsedCacheBytes(t *testing.T) {
	var c parsedCache
	s, err := JSONProvider{}.Parse(`{"title":"`+strings.Repeat("x", 1<<19)+`"}`, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		c.put(parsedKey{context: ".", sum: sum{byte(i)}}, s)
		if c.bytes > maxParsedBytes || len(c.schemas)*len(s.Canonical()) > maxParsedBytes {
			t.Fatalf("%d schemas of %d bytes", len(c.schemas), c.bytes)
		}
	}
	if c.get(parsedKey{context: ".", sum: sum{99}}) == nil {
		t.Error("the last one is not there")
	}
}
