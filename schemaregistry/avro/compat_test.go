package avro

import (
	"slices"
	"strings"
	"testing"
)

const (
	userV1 = `{"type":"record","name":"User","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","OLD"]}},{"name":"key","type":{"type":"fixed","name":"Key","size":4}},{"name":"tags","type":["null","string","int"]}]}`
	userV2 = `{"type":"record","name":"Customer","namespace":"shop","fields":[{"name":"id","type":"string"},{"name":"state","type":{"type":"enum","name":"State","symbols":["OLD"]}},{"name":"key","type":{"type":"fixed","name":"Key","size":8}},{"name":"tags","type":["null"]},{"name":"mail","type":"string"}]}`
)

func versions(t *testing.T, texts ...string) []Version {
	var list []Version
	for i, text := range texts {
		list = append(list, Version{i + 1, parseRegistered(t, text)})
	}
	return list
}

func check(t *testing.T, level Level, text string, earlier ...string) *Report {
	t.Helper()
	r, err := Check(level, parseRegistered(t, text), versions(t, earlier...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMessages has every message of Confluent's registry to the letter: clients
// and tools look for these texts.
func TestMessages(t *testing.T) {
	got := check(t, Backward, userV2, userV1).Messages()
	want := []string{
		`{errorType:'NAME_MISMATCH', description:'The name of the schema has changed (path '/name')', additionalInfo:'expected: shop.User'}`,
		`{errorType:'TYPE_MISMATCH', description:'The type (path '/fields/0/type') of a field in the new schema does not match with the old schema', additionalInfo:'reader type: STRING not compatible with writer type: LONG'}`,
		`{errorType:'MISSING_ENUM_SYMBOLS', description:'The new schema is missing enum symbols '[NEW]' at path '/fields/1/type/symbols' in the old schema', additionalInfo:'[NEW]'}`,
		`{errorType:'FIXED_SIZE_MISMATCH', description:'The size of FIXED type field at path '/fields/2/type/size' in the new schema does not match with the old schema', additionalInfo:'expected: 4, found: 8'}`,
		`{errorType:'MISSING_UNION_BRANCH', description:'The new schema is missing a type inside a union field at path '/fields/3/type/1' in the old schema', additionalInfo:'reader union lacking writer type: STRING'}`,
		`{errorType:'MISSING_UNION_BRANCH', description:'The new schema is missing a type inside a union field at path '/fields/3/type/2' in the old schema', additionalInfo:'reader union lacking writer type: INT'}`,
		`{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'mail' at path '/fields/4' in the new schema has no default value and is missing in the old schema', additionalInfo:'mail'}`,
		`{oldSchemaVersion: 1}`,
		`{oldSchema: '` + userV1 + `'}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestMessagesForward has the same seen from the other side: the old schema reads.
func TestMessagesForward(t *testing.T) {
	got := check(t, Forward, `"string"`, `"int"`).Messages()
	want := []string{
		`{errorType:'TYPE_MISMATCH', description:'The type (path '/') of a field in the old schema does not match with the new schema', additionalInfo:'reader type: INT not compatible with writer type: STRING'}`,
		`{oldSchemaVersion: 1}`,
		`{oldSchema: '"int"'}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestMessagesFull: differences of the old schema as the reader come first, and the
// trailers only if the new one is a bad reader too.
func TestMessagesFull(t *testing.T) {
	both := check(t, Full, `"string"`, `"int"`).Messages()
	if len(both) != 4 || !strings.Contains(both[0], "in the old schema") || !strings.Contains(both[1], "in the new schema") || both[3] != `{oldSchema: '"int"'}` {
		t.Errorf("got\n%s", strings.Join(both, "\n"))
	}
	forward := check(t, Full, `"long"`, `"int"`).Messages()
	if len(forward) != 1 || !strings.Contains(forward[0], "in the old schema") {
		t.Errorf("got\n%s", strings.Join(forward, "\n"))
	}
}

func TestMessageTrailers(t *testing.T) {
	long := `{"type":"int","x":"` + strings.Repeat("ä", 20_000) + `"}`
	got := check(t, Backward, `"string"`, long).Messages()
	want := "{oldSchema: <truncated> '" + `{"type":"int","x":"` + strings.Repeat("ä", 10*1024-len(`{"type":"int","x":"`)) + "...'}"
	if got[len(got)-1] != want {
		t.Errorf("got %.100s, %d bytes, want %d", got[len(got)-1], len(got[len(got)-1]), len(want))
	}
	r, err := Check(Backward, parseRegistered(t, `"string"`), []Version{{0, parseRegistered(t, `"int"`)}})
	if err != nil || len(r.Messages()) != 2 {
		t.Errorf("a version without a number: %v, %v", r.Messages(), err)
	}
}

func TestAmbiguousAliasMessage(t *testing.T) {
	r := check(t, Backward,
		`{"type":"record","name":"R","fields":[{"name":"z","type":"int"},{"name":"c","aliases":["a","b"],"type":["null","int"]}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"},{"name":"z","type":"int"}]}`)
	want := `Unexpected exception during compatibility check: Reader record field c type:UNION pos:1 matches multiple fields in writer record schema ` + r.Version.Schema.Canonical()
	if got := r.Messages()[0]; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestLevels(t *testing.T) {
	// Each version adds a type to the union, the second one drops one.
	v1, v2, v3 := `["null","int","string"]`, `["null","int"]`, `["null","int","boolean"]`
	for _, test := range []struct {
		level   Level
		schema  string
		earlier []string
		version int // that it is incompatible with, 0 for none
	}{
		{None, `"string"`, []string{`"int"`}, 0},
		{Backward, `"long"`, []string{`"int"`}, 0},
		{Backward, `"int"`, []string{`"long"`}, 1},
		{Forward, `"long"`, []string{`"int"`}, 1},
		{Forward, `"int"`, []string{`"long"`}, 0},
		{Full, `"int"`, []string{`"long"`}, 1},
		{Full, `"long"`, []string{`"int"`}, 1},
		{Full, `"int"`, []string{`"int"`}, 0},
		{Full, `"int"`, nil, 0},
		{Backward, v3, []string{v1, v2}, 0},
		{BackwardTransitive, v3, []string{v1, v2}, 1},
		{ForwardTransitive, v2, []string{v1, v3}, 0},
		{ForwardTransitive, v3, []string{v1, v2, v3}, 2},
		{FullTransitive, v2, []string{v1, v2}, 1},
		{BackwardTransitive, `"string"`, []string{`"int"`, `"long"`}, 2},
	} {
		r := check(t, test.level, test.schema, test.earlier...)
		if r.Version.Number != test.version || r.Compatible() != (test.version == 0) {
			t.Errorf("%s %s after %v: version %d, want %d", test.level, test.schema, test.earlier, r.Version.Number, test.version)
		}
	}
}

func TestParseLevel(t *testing.T) {
	for l := None; l <= FullTransitive; l++ {
		if got, ok := ParseLevel(strings.ToLower(l.String())); !ok || got != l {
			t.Errorf("%s: %s, %v", l, got, ok)
		}
	}
	if _, ok := ParseLevel("SIDEWARD"); ok {
		t.Error("SIDEWARD is a level")
	}
}

// TestCauses: Java says only that a type is missing from a union when an optional
// record has changed inside.
func TestCauses(t *testing.T) {
	optional := func(fields string) string {
		return `{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"a","type":["null","int",{"type":"record","name":"S","fields":[` + fields + `]}]}]}`
	}
	deep := func(leaf string) string {
		return optional(`{"name":"b","type":["null",{"type":"record","name":"T","fields":[{"name":"c","type":"` + leaf + `"}]}]}`)
	}
	r := check(t, Backward, optional(`{"name":"n","type":"int"}`), optional(``))
	d := r.Differences[0]
	if len(r.Differences) != 1 || d.Type != MissingUnionBranch || d.Pointer != "/fields/1/type/2" || len(d.Causes) != 1 {
		t.Fatalf("%+v", r.Differences)
	}
	if c := d.Causes[0]; c.Type != ReaderFieldMissingDefaultValue || c.Pointer != "/fields/1/type/2/fields/0" {
		t.Errorf("cause %s at %s", c.Type, c.Pointer)
	}
	c := check(t, Backward, deep("int"), deep("string")).Differences[0].Causes[0]
	if c.Type != MissingUnionBranch || len(c.Causes) != 1 || c.Causes[0].Pointer != "/fields/1/type/2/fields/0/type/1/fields/0/type" {
		t.Errorf("cause %+v", c)
	}
	single := check(t, Backward, `["null",{"type":"array","items":"int"}]`, `{"type":"array","items":"string"}`).Differences[0]
	if len(single.Causes) != 1 || single.Pointer != "/" || single.Causes[0].Pointer != "/1/items" {
		t.Errorf("cause %+v", single)
	}
	other := check(t, Backward, `[{"type":"record","name":"A","fields":[]},{"type":"record","name":"B","fields":[]}]`, `{"type":"record","name":"C","fields":[]}`).Differences[0]
	if len(other.Causes) != 0 {
		t.Errorf("a cause among records that have other names: %+v", other.Causes)
	}
}

// TestFixes: whoever follows the advice gets a compatible schema, so the advice for
// the new schema as reader is taken here.
func TestFixes(t *testing.T) {
	for _, test := range []struct {
		name, newer, older string
		level              Level
		says, fixed        string // what the advice has in it, and a schema that follows it
	}{
		{"name", `{"type":"record","name":"B","fields":[]}`, `{"type":"record","name":"n.A","fields":[]}`, Backward,
			`add "aliases": ["n.A"]`, `{"type":"record","name":"B","aliases":["n.A"],"fields":[]}`},
		{"name", `{"type":"record","name":"B","aliases":["A"],"fields":[]}`, `{"type":"record","name":"A","fields":[]}`, Forward,
			`Keep the name A`, `{"type":"record","name":"A","fields":[]}`},
		{"size", `{"type":"fixed","name":"F","size":8}`, `{"type":"fixed","name":"F","size":4}`, Full,
			`Keep the size 4 of F`, `{"type":"fixed","name":"F","size":4}`},
		{"symbols", `{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"E","symbols":["A","B"]}`, Backward,
			`a "default" symbol`, `{"type":"enum","name":"E","symbols":["A"],"default":"A"}`},
		{"symbols", `{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["A"]}`, Forward,
			`Leave the symbols [B] out`, `{"type":"enum","name":"E","symbols":["A"]}`},
		{"field", `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, `{"type":"record","name":"R","fields":[]}`, Backward,
			`Give the field a a "default"`, `{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":null}]}`},
		{"field", `{"type":"record","name":"R","fields":[]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, Forward,
			`Keep the field a`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`},
		{"type", `"int"`, `"long"`, Backward,
			`Keep the type long or one that it can be read as (float, double), or read both in a union: ["long", "int"]`, `["long","int"]`},
		{"type", `"double"`, `"long"`, Forward,
			`Keep the type long: the old schema reads it as that, and besides only (int)`, `"int"`},
		{"union", `["null"]`, `["null","int"]`, Backward, `Keep "int" in the union`, `["null","int"]`},
		{"union", `["null","int"]`, `["null"]`, Forward, `Leave "int" out of the union`, `["null"]`},
		{"inside a union", `["null",{"type":"array","items":"int"}]`, `["null",{"type":"array","items":"long"}]`, Backward,
			`at /1/items: Keep the type long`, `["null",{"type":"array","items":"long"}]`},
		{"aliases", `{"type":"record","name":"R","fields":[{"name":"c","aliases":["a","b"],"type":"int"}]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}`, Backward,
			`only one field of the record R`, `{"type":"record","name":"R","fields":[{"name":"c","aliases":["a"],"type":"int"}]}`},
	} {
		r := check(t, test.level, test.newer, test.older)
		if r.Compatible() {
			t.Errorf("%s: compatible", test.name)
			continue
		}
		if fix := r.Differences[0].Fix(); !strings.Contains(fix, test.says) {
			t.Errorf("%s: got %q, want %q in it", test.name, fix, test.says)
		}
		if r := check(t, test.level, test.fixed, test.older); !r.Compatible() {
			t.Errorf("%s: following the advice does not help: %s", test.name, r.Messages())
		}
	}
}
