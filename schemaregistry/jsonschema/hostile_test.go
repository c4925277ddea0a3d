package jsonschema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// within fails a test whose work takes longer than a registry should be kept busy with (I5). It is many times what a quiet machine needs.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > limit {
		t.Errorf("took %v, more than %v", took, limit)
	}
}

func wantLimit(t *testing.T, err error, want Limit) {
	t.Helper()
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != want {
		t.Errorf("got %v, want a LimitError of %s", err, want)
	}
}

func TestLimits(t *testing.T) {
	_, err := Parse(`{"title":"`+strings.Repeat("x", 1<<20)+`"}`, Options{})
	wantLimit(t, err, LimitBytes)
	_, err = Parse(`{}`, Options{References: []Reference{{"a", strings.Repeat(" ", 1<<20)}}})
	wantLimit(t, err, LimitBytes)
	_, err = Parse(strings.Repeat(`{"not":`, 501)+"{}"+strings.Repeat("}", 501), Options{})
	wantLimit(t, err, LimitDepth)
	_, err = Parse(strings.Repeat(`[`, 400_000), Options{})
	wantLimit(t, err, LimitDepth)
	_, err = Parse(`{"enum":[`+strings.Repeat("1,", 60_000)+`1]}`, Options{})
	wantLimit(t, err, LimitWidth)
	mustParse(t, strings.Repeat(`{"not":`, 499)+"{}"+strings.Repeat("}", 499), Options{})
	if _, err = Parse(`{"type":[`+strings.Repeat(`"null",`, 20)+`"null"]}`, Options{}); err == nil {
		t.Error("21 types were taken")
	}
}

// hostileSchemas would take time or memory without end.
var hostileSchemas = map[string]func(leaf string) string{
	"a reference to itself": func(string) string { return `{"$ref":"#"}` },
	"references in a ring": func(string) string {
		return `{"$ref":"#/definitions/a","definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}}`
	},
	"doubled at each level": func(leaf string) string {
		b := []string{`"d40":{"type":"` + leaf + `"}`}
		for i := range 40 {
			b = append(b, fmt.Sprintf(`"d%d":{"properties":{"a":{"$ref":"#/definitions/d%d"},"b":{"$ref":"#/definitions/d%d"}}}`, i, i+1, i+1))
		}
		return `{"$ref":"#/definitions/d0","definitions":{` + strings.Join(b, ",") + `}}`
	},
	"all with all": func(leaf string) string {
		var b, all []string
		for i := range 30 {
			all = append(all, fmt.Sprintf(`{"$ref":"#/definitions/d%d"}`, i))
		}
		for i := range 30 {
			b = append(b, fmt.Sprintf(`"d%d":{"title":"%d %s","oneOf":[%s]}`, i, i, leaf, strings.Join(all, ",")))
		}
		return `{"oneOf":[` + strings.Join(all, ",") + `],"definitions":{` + strings.Join(b, ",") + `}}`
	},
	"a long chain": func(leaf string) string {
		b := []string{`"d6000":{"type":"` + leaf + `"}`}
		for i := range 6000 {
			b = append(b, fmt.Sprintf(`"d%d":{"items":{"$ref":"#/definitions/d%d"}}`, i, i+1))
		}
		return `{"$ref":"#/definitions/d0","definitions":{` + strings.Join(b, ",") + `}}`
	},
	"many branches": func(leaf string) string {
		var b []string
		for i := range 1000 {
			b = append(b, fmt.Sprintf(`{"type":"object","properties":{"k%d":{"type":"%s"}}}`, i, leaf))
		}
		return `{"anyOf":[` + strings.Join(b, ",") + `]}`
	},
	"many values": func(leaf string) string {
		var b []string
		for i := range 40_000 {
			b = append(b, fmt.Sprintf(`"%d %s"`, i, leaf))
		}
		return `{"enum":[` + strings.Join(b, ",") + `]}`
	},
	"a pattern": func(leaf string) string {
		return `{"additionalProperties":false,"properties":{"` + leaf + strings.Repeat("a", 50_000) + `":{}},"patternProperties":{"(a+)+((x+x+)+y){1,900}":{}}}`
	},
	"large numbers": func(leaf string) string {
		return `{"multipleOf":1e` + fmt.Sprint(100_000_000+len(leaf)) + `,"maximum":1e999999,"minimum":-1e999999}`
	},
	"a pointer through everything": func(string) string {
		return `{"$ref":"#` + strings.Repeat("/not", 100_000) + `","not":{}}`
	},
}

func TestHostile(t *testing.T) {
	for name, text := range hostileSchemas {
		t.Run(name, func(t *testing.T) {
			within(t, time.Minute, func() {
				a, err := Parse(text("string"), Options{Registered: true})
				if err != nil {
					t.Fatal(err)
				}
				b, err := Parse(text("integer"), Options{Registered: true})
				if err != nil {
					t.Fatal(err)
				}
				_, _ = Compare(a, b, false)
				_, _ = Parse(text("string"), Options{})
			})
		})
	}
}

// TestTooLargeToCompare wants an error where the comparison ends early, not a verdict.
func TestTooLargeToCompare(t *testing.T) {
	text := hostileSchemas["doubled at each level"]
	a, b := mustParse(t, text("string"), Options{}), mustParse(t, text("integer"), Options{})
	_, err := Compare(a, b, false)
	wantLimit(t, err, LimitPairs)
	text = hostileSchemas["a long chain"]
	a, b = mustParse(t, text("string"), Options{}), mustParse(t, text("integer"), Options{})
	_, err = Compare(a, b, false)
	wantLimit(t, err, LimitDepth)
}

// TestCycles has schemas that contain themselves and differ in what they contain, which a comparison that stops early would miss.
func TestCycles(t *testing.T) {
	schema := func(leaf string) *Schema {
		return mustParse(t, `{"$ref":"#/definitions/a","definitions":{
			"a":{"type":"object","properties":{"b":{"oneOf":[{"type":"null"},{"$ref":"#/definitions/b"}]},"again":{"$ref":"#/definitions/a"}}},
			"b":{"type":"object","properties":{"a":{"$ref":"#/definitions/a"},"leaf":{"type":"`+leaf+`"}}}}}`, Options{})
	}
	diffs, err := Compare(schema("string"), schema("integer"), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diffs {
		if d.Breaks(false) {
			return
		}
	}
	t.Errorf("nothing breaks: %v", diffs)
}
