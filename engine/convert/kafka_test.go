package convert

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

var update = flag.Bool("update", false, "write testdata/differences.txt")

// differencesHeader explains the file; it is kept by hand.
const differencesHeader = `# Where Sluice's converters answer otherwise than Kafka's (kafka.txt), on purpose:
#
#  1. A value of another type than its schema says is an error, not 0, false or fewer bits; a Decimal written as
#     a number gets the scale of its schema.
#  2. An integer beyond INT64 or a number beyond FLOAT64 in plain JSON is an error, not another number; -0.0 keeps
#     its sign.
#  3. Something after the value is an error.
#  4. Objects keep the order of their names and names that repeat.
#  5. Characters beyond the BMP are written as they are, not as two escapes.
#  6. Text of a Date, Time or Timestamp goes by its schema and is never that of Java's Date.toString; BYTES are
#     their own text or an error, never the identity of a Java object.
#  7. A header is a number, list or map only as a whole, and FLOAT32 only when that has all of its digits; a date
#     exists. Quoted text in a list loses the backslashes that it was written with. Lists and maps of different
#     types or of none are schemaless.
#  8. Text that is not in the encoding of a StringConverter is an error, not a question mark.
#  9. Converters of numbers and bytes write logical types as the type that carries them.
# 10. A float has the digits that it needs, as in Java 19 and later; Kafka's answers are of Java 17.
# 11. A Decimal keeps the bytes that it came with, when there are more than it needs.
# 12. The default of a struct, or of what contains one, is read.
#
# The line that begins a paragraph is the input.

`

// TestKafka compares with what Kafka's own converters answered.
func TestKafka(t *testing.T) {
	recorded, err := os.ReadFile("testdata/kafka.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(recorded), "\n")
	var got strings.Builder
	got.WriteString(differencesHeader)
	cases := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	if len(cases) < 150 {
		t.Fatalf("only %d cases were recorded", len(cases))
	}
	for _, c := range cases {
		lines := strings.Split(c, "\n")
		got.WriteString(differences(t, lines[0], lines[1:]))
	}
	const file = "testdata/differences.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compareLines(t, got.String(), string(want))
}

// differences returns the answers that are not the same, under the input.
func differences(t *testing.T, input string, kafka []string) string {
	ours := answers(t, input, false)
	var out strings.Builder
	for i := range max(len(kafka), len(ours)) {
		label, theirs := answer(kafka, i)
		if label == "" {
			label, _ = answer(ours, i)
		}
		_, own := answer(ours, i)
		if theirs != own {
			fmt.Fprintf(&out, "\t%s\tkafka\t%s\n\t%s\tsluice\t%s\n", label, theirs, label, own)
		}
		if label == "read" && own == "error" {
			break // nothing to write
		}
	}
	if out.Len() == 0 {
		return ""
	}
	return input + "\n" + out.String() + "\n"
}

func answer(lines []string, i int) (label, text string) {
	if i >= len(lines) {
		return "", "none"
	}
	label, text, _ = strings.Cut(lines[i], "\t")
	return label, text
}

// primitives are the kinds of inputs that are data of a converter, in Record.java's
// order.
var primitives = []struct {
	kind, class string
	settings    map[string]string
}{
	{"boolean", BooleanClass, nil}, {"short", ShortClass, nil}, {"integer", IntegerClass, nil}, {"long", LongClass, nil},
	{"float", FloatClass, nil}, {"double", DoubleClass, nil}, {"bytes", ByteArrayClass, nil},
	{"utf8", StringClass, settings("converter.encoding", "UTF-8")},
	{"latin1", StringClass, settings("converter.encoding", "ISO-8859-1")},
	{"ascii", StringClass, settings("converter.encoding", "US-ASCII")},
}

// reader returns the converter that reads an input of a kind, and the data.
func reader(t *testing.T, kind, text string) (Converter, []byte, error) {
	switch kind {
	case "env":
		return newConverter(t, JSONClass, nil), []byte(text), nil
	case "plain":
		return newConverter(t, JSONClass, settings("schemas.enable", "false")), []byte(text), nil
	case "header":
		return newConverter(t, SimpleHeaderClass, nil), []byte(text), nil
	case "content":
		schema, text, _ := strings.Cut(text, "\t")
		c, err := New(JSONClass, false, settings("schema.content", schema))
		return c, []byte(text), err
	}
	for _, p := range primitives {
		if p.kind == kind {
			data, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			return newConverter(t, p.class, p.settings), data, nil
		}
	}
	t.Fatalf("unknown kind %q", kind)
	return nil, nil, nil
}

// answerer collects what the converters make of a value.
type answerer struct {
	lines  []string
	schema *connect.Schema
	value  connect.Value
}

func (a *answerer) show(label string, c Converter) { a.add(label, c, "%s") }

func (a *answerer) add(label string, c Converter, format string) {
	out, null, err := c.FromConnect(nil, "t", a.schema, a.value)
	switch {
	case err != nil:
		a.lines = append(a.lines, label+"\terror")
	case null:
		a.lines = append(a.lines, label+"\tnull")
	default:
		a.lines = append(a.lines, strings.Split(fmt.Sprintf(label+"\t= "+format, out), "\n")...)
	}
}

// answers does what Record.java does; more is its second argument.
func answers(t *testing.T, input string, more bool) []string {
	kind, text, _ := strings.Cut(input, "\t")
	kind = strings.TrimSuffix(kind, "?") // something may be wrong with the text
	c, data, err := reader(t, kind, text)
	if err != nil {
		return []string{"read\terror"}
	}
	s, v, err := c.ToConnect(connect.NewBatch(1, 1<<20), "t", data)
	if err != nil {
		return []string{"read\terror"}
	}
	a := &answerer{[]string{"read\t" + kindOf(s)}, s, v}
	plain := newConverter(t, JSONClass, settings("schemas.enable", "false"))
	switch kind {
	case "header":
		a.show("header", c)
		return a.lines
	case "env", "plain":
	case "content":
		a.show("content", c)
	default:
		a.show("plain", plain)
		a.add("back", c, "%x")
		return a.lines
	}
	a.show("header", newConverter(t, SimpleHeaderClass, nil))
	a.show("envelope", newConverter(t, JSONClass, nil))
	a.show("plain", plain)
	a.show("numeric", newConverter(t, JSONClass, settings("schemas.enable", "false", "decimal.format", "numeric")))
	a.show("keepnull", newConverter(t, JSONClass, settings("schemas.enable", "false", "replace.null.with.default", "false")))
	a.show("string", newConverter(t, StringClass, nil))
	if more && s != nil && s.Type() < connect.Array {
		for _, p := range primitives {
			a.add(p.kind, newConverter(t, p.class, p.settings), "%x")
		}
	}
	return a.lines
}

func kindOf(s *connect.Schema) string {
	switch {
	case s == nil:
		return "none"
	case s.Name() != "":
		return s.Name()
	}
	return s.Type().String()
}

// settings returns options of a value converter by their full names.
func settings(pairs ...string) map[string]string {
	m := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		m["value.converter."+pairs[i]] = pairs[i+1]
	}
	return m
}

func newConverter(t testing.TB, class string, settings map[string]string) Converter {
	t.Helper()
	if class == SimpleHeaderClass {
		return simpleHeader{}
	}
	c, err := New(class, false, settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compareLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := bytes.Split([]byte(got), []byte("\n")), bytes.Split([]byte(want), []byte("\n"))
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || !bytes.Equal(g[i], w[i]) {
			t.Fatalf("differs at line %d; look at it with -update and git diff\ngot  %q\nwant %q", i+1, at(g, i), at(w, i))
		}
	}
}

func at(lines [][]byte, i int) []byte {
	if i < len(lines) {
		return lines[i]
	}
	return nil
}
