package jsonschema

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
)

// change is a case of testdata/differences.txt.
type change struct {
	name           string
	writer, reader string
	references     []Reference
	lenient        bool
	want           []string
}

func readChanges(t *testing.T) (changes []change) {
	t.Helper()
	f, err := os.Open("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	section, c := "", change{}
	for lines.Scan() {
		line := lines.Text()
		kind, rest, _ := strings.Cut(line, " ")
		switch {
		case kind == "##":
			section = rest
		case kind == "#":
			c = change{name: section + ": " + rest}
		case kind == "ref":
			name, text, _ := strings.Cut(rest, " ")
			c.references = append(c.references, Reference{name, text})
		case kind == "lenient":
			c.lenient = true
		case kind == "-":
			c.writer = rest
		case kind == "+":
			c.reader = rest
			changes = append(changes, c)
		case line != "":
			last := &changes[len(changes)-1]
			last.want = append(last.want, line)
		}
	}
	return changes
}

func mustParse(t *testing.T, text string, o Options) *Schema {
	t.Helper()
	s, err := Parse(text, o)
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return s
}

// TestDifferences holds the differences to those that Confluent's rules have, which wrote most of the file.
func TestDifferences(t *testing.T) {
	changes := readChanges(t)
	if len(changes) < 150 {
		t.Fatalf("%d cases, the file has more", len(changes))
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			o := Options{References: c.references}
			diffs, err := Compare(mustParse(t, c.writer, o), mustParse(t, c.reader, o), c.lenient)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range diffs {
				line := string(d.Type) + " " + d.Pointer
				if d.Breaks(c.lenient) {
					line = "! " + line
				}
				got = append(got, line)
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(got, want) {
				t.Errorf("- %s\n+ %s\ngot  %q\nwant %q", c.writer, c.reader, got, want)
			}
		})
	}
}

// TestSame compares each schema of the cases with itself, which breaks nothing.
func TestSame(t *testing.T) {
	for _, c := range readChanges(t) {
		for _, text := range []string{c.writer, c.reader} {
			o := Options{References: c.references}
			diffs, err := Compare(mustParse(t, text, o), mustParse(t, text, o), false)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range diffs {
				if d.Breaks(false) {
					t.Errorf("%s with itself: %s %s", text, d.Type, d.Pointer)
				}
			}
		}
	}
}

// TestKinds wants a fact for every kind of difference, and words for each that breaks readers.
func TestKinds(t *testing.T) {
	// What readers trip over and Confluent's registry has no words for.
	silent := []DifferenceType{SchemaAdded}
	for typ, f := range differenceFacts {
		if f.allowed != always && f.words == "" && !slices.Contains(silent, typ) {
			t.Errorf("%s has no words", typ)
		}
	}
	if len(differenceFacts) < 120 {
		t.Errorf("%d kinds", len(differenceFacts))
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		typ       DifferenceType
		direction Direction
		want      string
	}{
		{MaxLengthAdded, NewReadsOld, `{errorType:"MAX_LENGTH_ADDED", description:"The keyword at path '#/a' in the new schema is not present in the old schema'}`},
		{MinimumIncreased, OldReadsNew, `{errorType:"MINIMUM_INCREASED", description:"The value at path '#/a' in the old schema is more than its value in the new schema'}`},
		{MaximumDecreased, NewReadsOld, `{errorType:"MAXIMUM_DECREASED", description:"The value at path '#/a' in the new schema is less than its value in the old schema'}`},
		{PatternChanged, NewReadsOld, `{errorType:"PATTERN_CHANGED", description:"The value at path '#/a' is different between the new and old schema'}`},
		{EnumArrayNarrowed, NewReadsOld, `{errorType:"ENUM_ARRAY_NARROWED", description:"An array or combined type at path '#/a' has fewer elements in the new schema than the old schema'}`},
		{ProductTypeExtended, NewReadsOld, `{errorType:"PRODUCT_TYPE_EXTENDED", description:"An array or combined type at path '#/a' has more elements in the new schema than the old schema'}`},
		{TypeChanged, OldReadsNew, `{errorType:"TYPE_CHANGED", description:"A type at path '#/a' is different between the old schema and the new schema'}`},
		{OptionalPropertyAddedToOpenContentModel, NewReadsOld, `{errorType:"OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", description:"The new schema has an open content model and has a property or item at path '#/a' which is missing in the old schema'}`},
		{RequiredPropertyAddedToUnopenContentModel, NewReadsOld, `{errorType:"REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", description:"The new schema has an unopen content model and has a required property at path '#/a' which is missing in the old schema'}`},
		{PropertyRemovedFromClosedContentModel, NewReadsOld, `{errorType:"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", description:"The new has a closed content model and is missing a property or item present at path '#/a' in the old schema'}`},
		{PropertyRemovedNotCoveredByPartiallyOpenContentModel, NewReadsOld, `{errorType:"PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", description:"A property or item is missing in the new schema but present at path '#/a' in the old schema and is not covered by its partially open content model'}`},
		{ItemAddedNotCoveredByPartiallyOpenContentModel, NewReadsOld, `{errorType:"ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", description:"The new schema has a property or item at path '#/a' which is missing in the old schema and is not covered by its partially open content model'}`},
		{SchemaAdded, NewReadsOld, `{errorType:"SCHEMA_ADDED", description:"'}`},
	} {
		if got := (Difference{c.typ, "#/a"}).Message(c.direction); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// TestPatterns has patterns as Java reads them, which is what Confluent's registry matches names by.
func TestPatterns(t *testing.T) {
	c := &comparison{max: 1000, patterns: make(map[string]matcher)}
	for _, p := range []struct {
		pattern, name string
		want          bool
	}{
		{`^a`, "ab", true}, {`^a`, "ba", false}, {`b$`, "ab", true}, {`a`, "bab", true}, {`^[a-z&&[^x]]+$`, "abc", true}, {`^[a-z&&[^x]]+$`, "axc", false},
		{`^\p{Upper}`, "Ab", true}, {`^(?i)A`, "ab", true}, {`x|^y`, "zx", true}, {`.`, "\n", false},
		{`(?<=a)b`, "ab", false}, {`(`, "(", false}, // not matched
	} {
		if got := c.matches(p.pattern, p.name); got != p.want {
			t.Errorf("%s in %q: %v, want %v", p.pattern, p.name, got, p.want)
		}
	}
}

// Each kind of difference that readers can not live with has advice for both directions, which names the place; the others have none.
func TestEveryDifferenceHasAFix(t *testing.T) {
	for typ := range differenceFacts {
		d := Difference{typ, "#/properties/p"}
		for _, dir := range []Direction{NewReadsOld, OldReadsNew} {
			fix := d.Fix(dir)
			if d.Breaks(false) != (fix != "") {
				t.Errorf("%s: breaks %t, the advice is %q", typ, d.Breaks(false), fix)
			}
			if fix != "" && (!strings.Contains(fix, "at #/properties/p") || strings.Contains(fix, "%")) {
				t.Errorf("%s: %s", typ, fix)
			}
		}
	}
	for typ := range fixes {
		if _, ok := differenceFacts[typ]; !ok {
			t.Errorf("%s is no kind of difference", typ)
		}
	}
}
