package avro

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

var writeCorpus = flag.String("write-corpus", "", "write the corpus to this file and compare nothing")

// TestCorpus compares everything that Apache Avro for Java answered to the corpus:
// which of 10,400 schemas it takes as new and as registered, canonical texts,
// fingerprints, logical types, typed defaults, and all differences of 20,800 pairs.
func TestCorpus(t *testing.T) {
	if *writeCorpus != "" {
		recordCorpus(t)
		return
	}
	answers := corpusAnswers(t)
	c := corpusCheck{answers: answers}
	corpus(func(base, changed string) {
		o, n := c.schema(t, base), c.schema(t, changed)
		c.pair(t, o, n)
		c.pair(t, n, o)
		if c.before != nil {
			c.pair(t, o, c.before)
			c.pair(t, c.before, o)
		}
		c.before = o
	})
	if answers.Scan() {
		t.Error("Java answered more than was asked")
	}
	t.Logf("%d schemas, %d of them new, %d pairs with %d differences", c.schemas, c.asNew, c.pairs, c.differences)
	if c.schemas < 10_000 || c.asNew < 6_000 || c.pairs < 20_000 || c.differences < 15_000 {
		t.Errorf("the corpus has shrunk to %d schemas, %d as new, %d pairs, %d differences", c.schemas, c.asNew, c.pairs, c.differences)
	}
}

func corpusAnswers(t *testing.T) *bufio.Scanner {
	f, err := os.Open("testdata/corpus.gz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	return lines
}

type corpusCheck struct {
	answers                            *bufio.Scanner
	before                             *corpusSchema
	schemas, asNew, pairs, differences int
}

// A corpusSchema is a text with its schema, nil if it is refused.
type corpusSchema struct {
	text   string
	schema *Schema
}

func (c *corpusCheck) want(t *testing.T) string {
	if !c.answers.Scan() {
		t.Fatalf("no answer of Java's is left: record.sh has not run since the corpus changed (%v)", c.answers.Err())
	}
	return c.answers.Text()
}

func (c *corpusCheck) schema(t *testing.T, text string) *corpusSchema {
	c.schemas++
	s, err := Parse(text, Options{Registered: true})
	_, errNew := Parse(text, Options{})
	got := "-"
	switch {
	case err != nil && errNew == nil:
		got = "new only"
	case err == nil:
		kind := "r"
		if errNew == nil {
			kind = "n"
			c.asNew++
		}
		got = fmt.Sprintf("%s %s %016x %s", kind, hash(s.Canonical()), s.Fingerprint64(), hash(details(s.Root())))
	}
	want := c.want(t)
	if head, ok := strings.CutSuffix(want, " !"); ok {
		// Java can not make values of the defaults.
		got = got[:min(len(head), len(got))]
		want = head
	}
	if got != want {
		t.Errorf("schema %s\n got %s\nwant %s\n (%v; new: %v)", text, got, want, err, errNew)
	}
	return &corpusSchema{text, s}
}

func (c *corpusCheck) pair(t *testing.T, reader, writer *corpusSchema) {
	c.pairs++
	got := "-"
	if reader.schema != nil && writer.schema != nil {
		list := javaDifferences(t, reader.schema, writer.schema)
		c.differences += len(list)
		got = strings.Join(list, "\t")
	}
	if want := c.want(t); got != want {
		t.Errorf("reader %s\nwriter %s\n got %s\nwant %s", reader.text, writer.text, got, want)
	}
}

// javaDifferences are differences as the oracle prints them.
func javaDifferences(t *testing.T, reader, writer *Schema) []string {
	found, err := CanRead(reader, writer, NewReadsOld)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range found {
		if d.Type == AmbiguousAlias {
			list = append(list, "exception "+d.Info)
			continue
		}
		list = append(list, fmt.Sprintf("%s %s %s", d.Type, d.Pointer, d.Info))
	}
	return list
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:5])
}

// details are the logical types of a schema and its defaults as values of their
// types.
func details(root *Type) string {
	var b strings.Builder
	seen := map[string]bool{}
	typer := typer{budget{limit: LimitDefaults, max: maxDefaultSteps}}
	var walk func(*Type)
	walk = func(t *Type) {
		if t.Kind.named() {
			if seen[t.Name.Full()] {
				return
			}
			seen[t.Name.Full()] = true
		}
		b.WriteString(t.Kind.String())
		if l := t.Logical(); l.Name != "" {
			b.WriteString(":" + l.Name)
			if l.Name == "decimal" {
				fmt.Fprintf(&b, ",%d,%d", l.Precision, l.Scale)
			}
		}
		b.WriteByte(';')
		for _, f := range t.Fields {
			if f.Default != nil {
				text := "none"
				if v, ok := typer.typed(*f.Default, f.Type); ok {
					text = plain(v)
				}
				b.WriteString("=" + text + ";")
			}
			walk(f.Type)
		}
		if t.Items != nil {
			walk(t.Items)
		}
		for _, x := range t.Branches {
			walk(x)
		}
	}
	walk(root)
	return b.String()
}

// plain is a value as the oracle prints it.
func plain(v Value) string {
	switch v.Kind() {
	case ObjectValue:
		var parts []string
		for _, m := range v.Members() {
			parts = append(parts, m.Key+":"+plain(m.Value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case ArrayValue:
		var parts []string
		for _, i := range v.Items() {
			parts = append(parts, plain(i))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case DecimalValue:
		f := float32(v.Float())
		if f != f {
			return "7fc00000"
		}
		return fmt.Sprintf("%08x", math.Float32bits(f))
	case NullValue:
		return "null"
	}
	return v.Text()
}

// recordCorpus writes the corpus for the oracle: a schema in a line, or the
// numbers of reader and writer.
func recordCorpus(t *testing.T) {
	f, err := os.Create(*writeCorpus)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	quote := func(text string) {
		line, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "%s\n", line)
	}
	n := 0
	corpus(func(base, changed string) {
		quote(base)
		quote(changed)
		fmt.Fprintf(w, "%d %d\n%d %d\n", n, n+1, n+1, n)
		if n > 0 {
			fmt.Fprintf(w, "%d %d\n%d %d\n", n, n-2, n-2, n)
		}
		n += 2
	})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCases compares the readable answers of java.txt to the cases of cases.txt.
func TestCases(t *testing.T) {
	golden, err := os.ReadFile("testdata/java.txt")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(golden), "\n> ")[1:]
	if len(blocks) < 250 {
		t.Errorf("java.txt has %d cases only", len(blocks))
	}
	for _, block := range blocks {
		line, want, _ := strings.Cut(strings.TrimSuffix(block, "\n"), "\n")
		got := answerCase(t, strings.Split(line, "\t"))
		if head, ok := strings.CutSuffix(want, "\ndetails !"); ok {
			// Java can not make values of the defaults.
			want = head
			got, _, _ = strings.Cut(got, "\ndetails ")
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}

// TestCasesRecorded fails for a case to which Java has not answered yet.
func TestCasesRecorded(t *testing.T) {
	cases, err := os.ReadFile("testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/java.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(cases)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' && !strings.Contains(string(golden), "\n> "+line+"\n") && !strings.HasSuffix(string(golden), "\n> "+line) {
			t.Errorf("no answer to %s: run test/conformance/avro/record.sh", line)
		}
	}
}

func answerCase(t *testing.T, parts []string) string {
	texts := parts[1:]
	switch parts[0] {
	case "pair":
		return strings.Join(javaDifferences(t, parseRegistered(t, texts[0]), parseRegistered(t, texts[1])), "\n")
	case "quoted":
		var text string
		if err := json.Unmarshal([]byte(texts[0]), &text); err != nil {
			t.Fatal(err)
		}
		texts = []string{text}
	}
	var refs []Reference
	for i, text := range texts[:len(texts)-1] {
		refs = append(refs, Reference{Name: fmt.Sprint(i), Text: text})
	}
	text := texts[len(texts)-1]
	answer := "new " + canonicalOr(Parse(text, Options{References: refs}))
	s, err := Parse(text, Options{References: refs, Registered: true})
	answer += "\nregistered " + canonicalOr(s, err)
	if err != nil {
		return answer
	}
	sha := s.FingerprintSHA256()
	return answer + "\nform " + s.ParsingForm() + "\nresolved " + s.Resolved() +
		fmt.Sprintf("\nprints %016x %x %x\ndetails %s", s.Fingerprint64(), s.FingerprintMD5(), sha[:5], details(s.Root()))
}

func canonicalOr(s *Schema, err error) string {
	if err != nil {
		return "refused"
	}
	return s.Canonical()
}

func parseRegistered(t *testing.T, text string) *Schema {
	s, err := Parse(text, Options{Registered: true})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}
