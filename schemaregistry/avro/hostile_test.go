package avro

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestHostile has texts of up to 1 MiB that ask for far more work or memory than
// they are long (I5): nothing may take more than the budgets allow.
func TestHostile(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want Limit
	}{
		"brackets":                               {strings.Repeat("[", 1<<20), LimitDepth},
		"objects":                                {strings.Repeat(`{"type":`, 1<<17), LimitDepth},
		"arrays of arrays":                       {nest(1200, `{"type":"array","items":`, `"int"`, "}"), LimitDepth},
		"default in default":                     {defaultChain(40), LimitDefaults},
		"use before definition, one by one":      {forwardChain(3000), LimitDepth},
		"a canonical text deeper than its types": {forwardChain(500), LimitDepth},
		"a union of everything":                  {"[" + records(3000) + "]", LimitBranches},
		"symbols":                                {`{"type":"enum","name":"E","symbols":[` + list(60_000, `"S%d"`) + `]}`, LimitSymbols},
		"fields":                                 {`{"type":"record","name":"R","fields":[` + list(25_000, `{"name":"f%d","type":"int"}`) + `]}`, LimitFields},
		"bytes":                                  {strings.Repeat(" ", 1<<20) + `"int"`, LimitBytes},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := measured(t, func() (*Schema, error) { return Parse(test.text, Options{}) })
			wantLimit(t, err, test.want)
		})
	}
}

// TestDeepReferences: references that each refer to the one before are short in the
// canonical text, but not where they stand in place.
func TestDeepReferences(t *testing.T) {
	var refs []Reference
	last := `"int"`
	for i := range 1100 {
		refs = append(refs, Reference{Text: fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"f","type":%s}]}`, i, last)})
		last = fmt.Sprintf(`"R%d"`, i)
	}
	_, err := Parse(last, Options{References: refs})
	wantLimit(t, err, LimitDepth)
	if _, err := Parse(`"R300"`, Options{References: refs[:301]}); err != nil {
		t.Error(err)
	}
}

// TestLarge has large texts that are schemas, or are refused for another reason,
// after work that is in proportion.
func TestLarge(t *testing.T) {
	for name, text := range map[string]string{
		"values":         `{"type":"int","x":[` + list(50_000, `[]`) + `]}`,
		"attributes":     `{"type":"int",` + list(20_000, `"k%d":1`) + `}`,
		"aliases":        `{"type":"record","name":"R","fields":[],"aliases":[` + list(25_000, `"A%d"`) + `]}`,
		"record default": largeDefault(4000),
		"redefinitions":  `{"type":"record","name":"R","fields":[` + list(5_000, `{"name":"f%d","type":{"type":"enum","name":"E","symbols":["A"]}}`) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := measured(t, func() (*Schema, error) { return Parse(text, Options{}) })
			if err == nil {
				_, err = measured(t, s.Normalize)
			}
			if _, ok := errors.AsType[*ParseError](err); err != nil && !ok {
				t.Error(err)
			}
		})
	}
}

func TestHostilePairs(t *testing.T) {
	for name, test := range map[string]struct {
		reader, writer string
		want           Limit // empty: an answer
	}{
		"wide unions":      {"[" + records(1900) + "]", "[" + strings.ReplaceAll(records(1900), "R", "W") + "]", LimitCompare},
		"many enums":       {"[" + enums(500, "E", 80) + "]", "[" + enums(500, "X", 80) + "]", LimitCompare},
		"rings":            {ring(211, "int"), ring(223, "string"), LimitDepth},
		"the same in 2^40": {doubling(40, "int"), doubling(40, "string"), ""},
		"long symbols":     {"[" + enums(1000, "E", 1) + "]", `{"type":"enum","name":"X","symbols":["` + strings.Repeat("s", 1<<19) + `"]}`, ""},
		"causes in causes": {causes(12, "int"), causes(12, "string"), ""},
		"a field of each":  {`{"type":"record","name":"R","fields":[` + list(15_000, `{"name":"f%d","type":"int"}`) + `]}`, `{"type":"record","name":"R","fields":[]}`, ""},
		"alias upon alias": {aliased(300, 250), strings.ReplaceAll(aliased(300, 1), "R", "W"), LimitCompare},
	} {
		t.Run(name, func(t *testing.T) {
			reader, writer := parseRegistered(t, test.reader), parseRegistered(t, test.writer)
			found, err := measured(t, func() ([]Difference, error) {
				found, err := CanRead(writer, reader, OldReadsNew)
				if err != nil {
					return nil, err
				}
				more, err := CanRead(reader, writer, NewReadsOld)
				return append(found, more...), err
			})
			if test.want != "" {
				wantLimit(t, err, test.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(found) == 0 || len(found) > 2*maxDifferences {
				t.Errorf("%d differences", len(found))
			}
			if size := len(strings.Join(messages(found), "")); size > 8<<20 {
				t.Errorf("%d bytes of messages", size)
			}
			for i := range found {
				found[i].Fix()
			}
		})
	}
}

// measured fails the test if f allocates more than the package promises.
func measured[T any](t *testing.T, f func() (T, error)) (T, error) {
	t.Helper()
	const most = 400 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v, err := f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > most {
		t.Errorf("%d MiB allocated", n>>20)
	} else {
		t.Logf("%d MiB allocated", n>>20)
	}
	return v, err
}

func wantLimit(t *testing.T, err error, want Limit) {
	t.Helper()
	if e, ok := errors.AsType[*LimitError](err); !ok || e.Limit != want {
		t.Errorf("got %.200v, want the limit of %s", err, want)
	}
}

// nest puts a text into so many others.
func nest(n int, before, inner, after string) string {
	return strings.Repeat(before, n) + inner + strings.Repeat(after, n)
}

// list writes n texts with their numbers and commas between them.
func list(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.ReplaceAll(format, "%d", fmt.Sprint(i)))
	}
	return b.String()
}

func records(n int) string { return list(n, `{"type":"record","name":"R%d","fields":[]}`) }

func enums(n int, name string, symbols int) string {
	return listFunc(n, func(i int) string {
		return fmt.Sprintf(`{"type":"enum","name":"%s%d","symbols":[%s]}`, name, i, list(symbols, `"S%d"`))
	})
}

// defaultChain has records with two fields each, whose defaults are empty records
// of the next kind: checking the first one visits 2^n records.
func defaultChain(n int) string {
	text := `{"type":"record","name":"D0","fields":[]}`
	for i := 1; i < n; i++ {
		text = fmt.Sprintf(`%s,{"type":"record","name":"D%d","fields":[{"name":"a","type":"D%d","default":{}},{"name":"b","type":"D%[3]d","default":{}}]}`, text, i, i-1)
	}
	return "[" + text + "]"
}

// forwardChain has records that each use the next one, which is defined after it.
func forwardChain(n int) string {
	return `{"type":"record","name":"Top","fields":[` + listFunc(n, func(i int) string {
		return fmt.Sprintf(`{"name":"f%d","type":{"type":"record","name":"C%d","fields":[{"name":"next","type":"C%d"}]}}`, i, i, (i+1)%n)
	}) + "]}"
}

func listFunc(n int, f func(int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = f(i)
	}
	return strings.Join(parts, ",")
}

func largeDefault(n int) string {
	return `{"type":"record","name":"R","fields":[{"name":"r","type":{"type":"record","name":"S","fields":[` +
		list(n, `{"name":"f%d","type":"int"}`) + `]},"default":{` + list(n, `"f%d":1`) + `}}]}`
}

// ring has n records in a ring, each with a leaf of a type.
func ring(n int, leaf string) string {
	return `{"type":"record","name":"Top","fields":[` + listFunc(n, func(i int) string {
		return fmt.Sprintf(`{"name":"f%d","type":{"type":"record","name":"C%d","fields":[{"name":"leaf","type":"%s"},{"name":"next","type":"C%d"}]}}`, i, i, leaf, (i+1)%n)
	}) + "]}"
}

// doubling has records that each have the one before in two fields: 2^n paths lead
// to the leaf.
func doubling(n int, leaf string) string {
	text := fmt.Sprintf(`{"type":"record","name":"D0","fields":[{"name":"leaf","type":%q}]}`, leaf)
	for i := 1; i < n; i++ {
		text = fmt.Sprintf(`{"type":"record","name":"D%d","fields":[{"name":"a","type":%s},{"name":"b","type":"D%d"}]}`, i, text, i-1)
	}
	return text
}

// causes has optional records in optional records, with twenty leaves in each.
func causes(n int, leaf string) string {
	text := `"null"`
	for i := range n {
		text = fmt.Sprintf(`["boolean",{"type":"record","name":"D%d","fields":[{"name":"in","type":%s},%s]}]`, i, text,
			list(20, fmt.Sprintf(`{"name":"l%%d","type":["null",{"type":"array","items":%q}]}`, leaf)))
	}
	return text
}

func aliased(n, aliases int) string {
	return "[" + listFunc(n, func(i int) string {
		return fmt.Sprintf(`{"type":"record","name":"R%d","fields":[],"aliases":[%s]}`, i, list(aliases, `"A%d"`))
	}) + "]"
}
