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

// directions in the order of Confluent's messages.
var (
	backward = []Direction{NewReadsOld}
	forward  = []Direction{OldReadsNew}
	full     = []Direction{OldReadsNew, NewReadsOld}
)

// check compares a new schema with an older one.
func check(t *testing.T, directions []Direction, newer, older string) (all []Difference) {
	t.Helper()
	for _, d := range directions {
		reader, writer := parseRegistered(t, newer), parseRegistered(t, older)
		if d == OldReadsNew {
			reader, writer = writer, reader
		}
		found, err := CanRead(reader, writer, d)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func messages(found []Difference) (texts []string) {
	for i := range found {
		texts = append(texts, found[i].Message())
	}
	return texts
}

// TestMessages has every message of Confluent's registry to the letter: clients
// and tools look for these texts.
func TestMessages(t *testing.T) {
	got := messages(check(t, backward, userV2, userV1))
	want := []string{
		`{errorType:'NAME_MISMATCH', description:'The name of the schema has changed (path '/name')', additionalInfo:'expected: shop.User'}`,
		`{errorType:'TYPE_MISMATCH', description:'The type (path '/fields/0/type') of a field in the new schema does not match with the old schema', additionalInfo:'reader type: STRING not compatible with writer type: LONG'}`,
		`{errorType:'MISSING_ENUM_SYMBOLS', description:'The new schema is missing enum symbols '[NEW]' at path '/fields/1/type/symbols' in the old schema', additionalInfo:'[NEW]'}`,
		`{errorType:'FIXED_SIZE_MISMATCH', description:'The size of FIXED type field at path '/fields/2/type/size' in the new schema does not match with the old schema', additionalInfo:'expected: 4, found: 8'}`,
		`{errorType:'MISSING_UNION_BRANCH', description:'The new schema is missing a type inside a union field at path '/fields/3/type/1' in the old schema', additionalInfo:'reader union lacking writer type: STRING'}`,
		`{errorType:'MISSING_UNION_BRANCH', description:'The new schema is missing a type inside a union field at path '/fields/3/type/2' in the old schema', additionalInfo:'reader union lacking writer type: INT'}`,
		`{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'mail' at path '/fields/4' in the new schema has no default value and is missing in the old schema', additionalInfo:'mail'}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestMessagesForward has the same seen from the other side: the old schema reads.
func TestMessagesForward(t *testing.T) {
	got := messages(check(t, forward, `"string"`, `"int"`))
	want := []string{
		`{errorType:'TYPE_MISMATCH', description:'The type (path '/') of a field in the old schema does not match with the new schema', additionalInfo:'reader type: INT not compatible with writer type: STRING'}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAmbiguousAliasMessage(t *testing.T) {
	older := `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"},{"name":"z","type":"int"}]}`
	found := check(t, backward, `{"type":"record","name":"R","fields":[{"name":"z","type":"int"},{"name":"c","aliases":["a","b"],"type":["null","int"]}]}`, older)
	want := `Unexpected exception during compatibility check: Reader record field c type:UNION pos:1 matches multiple fields in writer record schema ` + older
	if got := messages(found)[0]; got != want {
		t.Errorf("got %s\nwant %s", got, want)
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
	found := check(t, backward, optional(`{"name":"n","type":"int"}`), optional(``))
	d := found[0]
	if len(found) != 1 || d.Type != MissingUnionBranch || d.Pointer != "/fields/1/type/2" || len(d.Causes) != 1 {
		t.Fatalf("%+v", found)
	}
	if c := d.Causes[0]; c.Type != ReaderFieldMissingDefaultValue || c.Pointer != "/fields/1/type/2/fields/0" {
		t.Errorf("cause %s at %s", c.Type, c.Pointer)
	}
	c := check(t, backward, deep("int"), deep("string"))[0].Causes[0]
	if c.Type != MissingUnionBranch || len(c.Causes) != 1 || c.Causes[0].Pointer != "/fields/1/type/2/fields/0/type/1/fields/0/type" {
		t.Errorf("cause %+v", c)
	}
	single := check(t, backward, `["null",{"type":"array","items":"int"}]`, `{"type":"array","items":"string"}`)[0]
	if len(single.Causes) != 1 || single.Pointer != "/" || single.Causes[0].Pointer != "/1/items" {
		t.Errorf("cause %+v", single)
	}
	other := check(t, backward, `[{"type":"record","name":"A","fields":[]},{"type":"record","name":"B","fields":[]}]`, `{"type":"record","name":"C","fields":[]}`)[0]
	if len(other.Causes) != 0 {
		t.Errorf("a cause among records that have other names: %+v", other.Causes)
	}
}

// TestFixes: whoever follows the advice gets a compatible schema, so the advice for
// the new schema as reader is taken here.
func TestFixes(t *testing.T) {
	for _, test := range []struct {
		name, newer, older string
		directions         []Direction
		says, fixed        string // what the advice has in it, and a schema that follows it
	}{
		{"name", `{"type":"record","name":"B","fields":[]}`, `{"type":"record","name":"n.A","fields":[]}`, backward,
			`add "aliases": ["n.A"]`, `{"type":"record","name":"B","aliases":["n.A"],"fields":[]}`},
		{"name", `{"type":"record","name":"B","aliases":["A"],"fields":[]}`, `{"type":"record","name":"A","fields":[]}`, forward,
			`Keep the name A`, `{"type":"record","name":"A","fields":[]}`},
		{"size", `{"type":"fixed","name":"F","size":8}`, `{"type":"fixed","name":"F","size":4}`, full,
			`Keep the size 4 of F`, `{"type":"fixed","name":"F","size":4}`},
		{"symbols", `{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"E","symbols":["A","B"]}`, backward,
			`a "default" symbol`, `{"type":"enum","name":"E","symbols":["A"],"default":"A"}`},
		{"symbols", `{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["A"]}`, forward,
			`Leave the symbols [B] out`, `{"type":"enum","name":"E","symbols":["A"]}`},
		{"field", `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, `{"type":"record","name":"R","fields":[]}`, backward,
			`Give the field a a "default"`, `{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":null}]}`},
		{"field", `{"type":"record","name":"R","fields":[]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, forward,
			`Keep the field a`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`},
		{"type", `"int"`, `"long"`, backward,
			`Keep the type long or one that it can be read as (float, double), or read both in a union: ["long", "int"]`, `["long","int"]`},
		{"type", `"double"`, `"long"`, forward,
			`Keep the type long: the old schema reads it as that, and besides only (int)`, `"int"`},
		{"union", `["null"]`, `["null","int"]`, backward, `Keep "int" in the union`, `["null","int"]`},
		{"union", `["null","int"]`, `["null"]`, forward, `Leave "int" out of the union`, `["null"]`},
		{"inside a union", `["null",{"type":"array","items":"int"}]`, `["null",{"type":"array","items":"long"}]`, backward,
			`at /1/items: Keep the type long`, `["null",{"type":"array","items":"long"}]`},
		{"aliases", `{"type":"record","name":"R","fields":[{"name":"c","aliases":["a","b"],"type":"int"}]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}`, backward,
			`only one field of the record R`, `{"type":"record","name":"R","fields":[{"name":"c","aliases":["a"],"type":"int"}]}`},
	} {
		found := check(t, test.directions, test.newer, test.older)
		if len(found) == 0 {
			t.Errorf("%s: compatible", test.name)
			continue
		}
		if fix := found[0].Fix(); !strings.Contains(fix, test.says) {
			t.Errorf("%s: got %q, want %q in it", test.name, fix, test.says)
		}
		if found := check(t, test.directions, test.fixed, test.older); len(found) > 0 {
			t.Errorf("%s: following the advice does not help: %s", test.name, messages(found))
		}
	}
}

// Every kind of difference has advice, in both directions.
func TestEveryDifferenceHasAFix(t *testing.T) {
	record := &Type{Kind: Record, Name: Name{Local: "R"}}
	for _, typ := range []DifferenceType{NameMismatch, FixedSizeMismatch, MissingEnumSymbols, ReaderFieldMissingDefaultValue, TypeMismatch,
		MissingUnionBranch, AmbiguousAlias} {
		for _, direction := range []Direction{NewReadsOld, OldReadsNew} {
			d := Difference{Type: typ, Direction: direction, Pointer: "/", Info: "x", Reader: record, Writer: record, Field: &Field{Name: "x"}}
			if d.Fix() == "" {
				t.Errorf("%s, direction %d: no advice", typ, direction)
			}
		}
	}
}
