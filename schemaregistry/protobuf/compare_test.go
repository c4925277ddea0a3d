package protobuf_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// pairCase is a case of testdata/compare.txt.
type pairCase struct {
	name         string
	text         map[string]string // old and new
	references   map[string][]protobuf.Reference
	want         []string
	incompatible bool
}

func pairCases(t testing.TB) (cases []pairCase) {
	t.Helper()
	raw, err := os.ReadFile("testdata/compare.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(raw), "\n= ") {
		name, body, _ := strings.Cut(block, "\n")
		c := pairCase{name: name, text: make(map[string]string), references: make(map[string][]protobuf.Reference)}
		for line := range strings.Lines(body) {
			c.add(strings.TrimSpace(line))
		}
		if c.text["old"] != "" {
			cases = append(cases, c)
		}
	}
	return cases
}

func (c *pairCase) add(line string) {
	head, text, ok := strings.Cut(line, ": ")
	side, file, isReference := strings.Cut(head, " ")
	switch {
	case line == "":
	case !ok:
		difference, bad := strings.CutSuffix(line, " !")
		c.want, c.incompatible = append(c.want, difference), c.incompatible || bad
	case isReference:
		// A file comes behind those that use it in the cases, and in front of them here.
		c.references[side] = slices.Insert(c.references[side], 0, protobuf.Reference{Name: file, Text: withSyntax(text)})
	default:
		c.text[head] = withSyntax(text)
	}
}

func withSyntax(text string) string {
	if strings.HasPrefix(text, "syntax") || strings.HasPrefix(text, "edition") {
		return text
	}
	return `syntax = "proto3"; ` + text
}

func (c *pairCase) parse(t testing.TB, side string) *protobuf.Schema {
	t.Helper()
	s, err := protobuf.Parse(c.text[side], protobuf.Options{References: c.references[side]})
	if err != nil {
		t.Fatalf("%s: %v", side, err)
	}
	return s
}

func TestCompare(t *testing.T) {
	cases := pairCases(t)
	if len(cases) < 100 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			found, err := protobuf.Compare(c.parse(t, "new"), c.parse(t, "old"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			compatible := true
			for i := range found {
				got = append(got, fmt.Sprintf("%s %s", found[i].Type, found[i].Path))
				compatible = compatible && found[i].Compatible()
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) || compatible == c.incompatible {
				t.Errorf("compatible: %t\ngot  %q\nwant %q", compatible, got, c.want)
			}
		})
	}
}

// A schema that is normalized is the same schema.
func TestCompareNormalized(t *testing.T) {
	for _, c := range pairCases(t) {
		s := c.parse(t, "new")
		text, err := s.Normalized()
		if err != nil {
			t.Fatal(c.name, err)
		}
		n, err := protobuf.Parse(text, protobuf.Options{References: c.references["new"]})
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, text)
		}
		if again, err := n.Normalized(); err != nil || again != text {
			t.Errorf("%s: normalized again it is\n%s\nand was\n%s", c.name, again, text)
		}
		found, err := protobuf.Compare(n, s)
		for _, d := range found {
			if d.Type != protobuf.MessageMoved {
				t.Errorf("%s: %s %s", c.name, d.Type, d.Path)
			}
		}
		if err != nil {
			t.Error(c.name, err)
		}
	}
}

func TestDifferenceMessages(t *testing.T) {
	for _, c := range []struct {
		typ  protobuf.DifferenceType
		want string
	}{
		{protobuf.PackageChanged, "The package at '#/M/1' in the new schema does not match the package in the old schema"},
		{protobuf.MessageRemoved, "The new schema is missing a MESSAGE type at path '#/M/1' in the old schema"},
		{protobuf.FieldKindChanged, "The type of a field at path '#/M/1' in the new schema does not match the old schema"},
		{protobuf.FieldScalarKindChanged, "The kind of a SCALAR field at path '#/M/1' in the new schema does not match its kind in the old schema"},
		{protobuf.FieldNamedTypeChanged, "The type of a MESSAGE field at path '#/M/1' in the new schema does not match its type in the old schema"},
		{protobuf.FieldNumericLabelChanged, "The label for a NUMERIC field at path '#/M/1' in the new schema does not match its label in the old schema"},
		{protobuf.RequiredFieldAdded, "A required field  at path '#/M/1' in the new schema is missing in the old schema"},
		{protobuf.RequiredFieldRemoved, "The new schema is missing a required field at path: '#/M/1' in the old schema"},
		{protobuf.OneofFieldRemoved, "The new schema is missing a oneof field at path '#/M/1' in the old schema"},
		{protobuf.MultipleFieldsMovedToOneof, "Multiple fields in the oneof at path '#/M/1' in the new schema are outside a oneof in the old schema"},
		{protobuf.FieldMovedToExistingOneof, "A field in the oneof at path '#/M/1' in the new schema is outside an existing oneof in the old schema"},
	} {
		d := protobuf.Difference{Type: c.typ, Path: "#/M/1"}
		if got, want := d.Message(protobuf.NewReadsOld), fmt.Sprintf(`{errorType:"%s", description:"%s"}`, c.typ, c.want); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if d.Compatible() || d.Fix() == "" {
			t.Errorf("%s is compatible or has no fix", c.typ)
		}
	}
	d := protobuf.Difference{Type: protobuf.OneofFieldRemoved, Path: "#/M/o/1"}
	if got := d.Message(protobuf.OldReadsNew); !strings.Contains(got, "The old schema is missing a oneof field at path '#/M/o/1' in the new schema") {
		t.Errorf("forward: %s", got)
	}
}

// Messages that refer to each other across files are compared once for each pair, however many ways lead there.
func TestCompareLattice(t *testing.T) {
	const layers, width = 60, 40
	lattice := func(typ string) string {
		var b strings.Builder
		b.WriteString("syntax = \"proto3\"; package q;\n")
		for l := range layers {
			fmt.Fprintf(&b, "message L%d {", l)
			for i := range width {
				next := fmt.Sprintf("L%d", l+1)
				if l == layers-1 {
					next = typ
				}
				fmt.Fprintf(&b, " %s f%d = %d;", next, i, i+1)
			}
			b.WriteString(" }\n")
		}
		return b.String()
	}
	parse := func(typ string) *protobuf.Schema {
		s, err := protobuf.Parse(`syntax = "proto3"; import "q.proto"; message M { q.L0 a = 1; }`,
			protobuf.Options{References: []protobuf.Reference{{Name: "q.proto", Text: lattice(typ)}}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	found, err := protobuf.Compare(parse("int32"), parse("string"))
	var tooLarge *protobuf.LimitError
	if err != nil && !errors.As(err, &tooLarge) {
		t.Fatal(err)
	}
	if last := found[len(found)-1]; last.Path != "#/M/1" || last.Type != protobuf.FieldNamedTypeChanged || len(found) != layers*width+1 {
		t.Errorf("%d differences, the last %s %s", len(found), last.Type, last.Path)
	}
}
