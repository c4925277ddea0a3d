package avro

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds are the texts of cases.txt.
func seeds(f *testing.F) []string {
	file, err := os.Open("testdata/cases.txt")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	var texts []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			texts = append(texts, strings.Split(line, "\t")[1:]...)
		}
	}
	return texts
}

// FuzzParse: a text that is a schema has a canonical text that is the same schema
// with the same canonical text, can read itself, and has all other texts.
func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, registered bool) {
		o := Options{Registered: registered, Limits: Limits{Bytes: 1 << 16, Depth: 100}}
		s, err := Parse(text, o)
		if err != nil {
			if s != nil || err.Error() == "" {
				t.Fatalf("%v and %q", s, err)
			}
			return
		}
		if !utf8.ValidString(s.Canonical()) {
			t.Fatalf("not UTF-8: %q", s.Canonical())
		}
		o.Limits = Limits{}
		again, err := Parse(s.Canonical(), o)
		if err == nil && again.Canonical() != s.Canonical() {
			t.Fatalf("canonical text\n%s\nbecomes\n%s", s.Canonical(), again.Canonical())
		}
		readsItself(t, s)
		s.ParsingForm()
		if n, err := s.Normalize(); err == nil {
			normalTwice(t, n)
		}
	})
}

func readsItself(t *testing.T, s *Schema) {
	found, err := CanRead(s, s, NewReadsOld)
	if err != nil {
		return
	}
	for _, d := range found {
		if d.Type != AmbiguousAlias {
			t.Fatalf("%s can not read itself: %s", s, d.Message())
		}
	}
}

func normalTwice(t *testing.T, n *Schema) {
	again, err := n.Normalize()
	if err != nil {
		return // a name that the canonical text makes another's, as in Java
	}
	if again.Canonical() != n.Canonical() {
		t.Fatalf("normalised\n%s\nbecomes\n%s", n.Canonical(), again.Canonical())
	}
}

// FuzzCompare: two schemas are compared without panic, and with messages and fixes
// that go with the verdict.
func FuzzCompare(f *testing.F) {
	texts := seeds(f)
	for i := range texts[1:] {
		f.Add(texts[i], texts[i+1])
		f.Add(texts[i+1], texts[i])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		o := Options{Registered: true, Limits: Limits{Bytes: 1 << 16, Depth: 100}}
		s, err := Parse(a, o)
		if err != nil {
			return
		}
		older, err := Parse(b, o)
		if err != nil {
			return
		}
		found, err := CanRead(older, s, OldReadsNew)
		if err != nil {
			return
		}
		more, err := CanRead(s, older, NewReadsOld)
		if err != nil {
			return
		}
		for _, d := range append(found, more...) {
			if d.Fix() == "" || d.Message() == "" {
				t.Fatalf("nothing to say about %s", d.Type)
			}
		}
		if _, err := s.Equal(older); err != nil {
			t.Fatal(err)
		}
	})
}
