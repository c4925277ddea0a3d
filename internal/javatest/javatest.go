// Package javatest compares what a test computes with what Java answered to the
// same inputs.
package javatest

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/differences.txt")

// Comparison is about testdata/java.txt: paragraphs that begin with "# ", the
// fields of an input parted by tabs, and the lines that Java answered.
type Comparison struct {
	// Header of testdata/differences.txt: why they are there.
	Header string
	// Least is how many inputs must have been recorded.
	Least int
	// Title is how many fields of an input are shown above its differences, 0 for all.
	Title int
	// Answers is what the oracle does, done by us.
	Answers func(input []string) []string
}

// Run fails the test when the differences are not those of testdata/differences.txt.
func (c Comparison) Run(t *testing.T) {
	t.Helper()
	recorded, err := os.ReadFile("testdata/java.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(recorded), "\n# ")[1:]
	if len(cases) < c.Least {
		t.Fatalf("only %d patterns were recorded", len(cases))
	}
	var got strings.Builder
	got.WriteString(c.Header)
	for _, text := range cases {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		got.WriteString(c.differences(strings.Split(lines[0], "\t"), lines[1:]))
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
	if got.String() != string(want) {
		t.Errorf("other differences than before; look at them with -update and git diff:\n%s", got.String())
	}
}

func (c Comparison) differences(input, java []string) string {
	var out strings.Builder
	ours := c.Answers(input)
	for i := range max(len(java), len(ours)) {
		if a, b := at(java, i), at(ours, i); a != b {
			fmt.Fprintf(&out, "\tjava\t%s\n\tsluice\t%s\n", a, b)
		}
	}
	if out.Len() == 0 {
		return ""
	}
	if c.Title > 0 {
		input = input[:c.Title]
	}
	return strings.Join(input, "\t") + "\n" + out.String() + "\n"
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "none"
}
