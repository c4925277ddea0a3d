package javaregex

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/javatest"
)

const differencesHeader = `# Where the answers to testdata/inputs.txt are not Java's (java.txt), on purpose:
#
#  1. A replacement that names a group that is not there, or ends in the middle of a reference, is refused before
#     the first match: the answer is "error" for every text.
#  2. A repetition of nothing at the beginning of a pattern is refused.
#
# The line that begins a paragraph is the pattern, the replacement and the texts.

`

// TestJava compares with what Java answered.
func TestJava(t *testing.T) {
	javatest.Comparison{
		Header: differencesHeader, Least: 100,
		Answers: func(input []string) []string { return answers(input[0], input[1], input[2:]) },
	}.Run(t)
}

// answers does what the oracle does.
func answers(pattern, replacement string, texts []string) []string {
	p, err := Compile(pattern)
	if err != nil {
		return []string{"error"}
	}
	r, refused := p.Replacement(replacement)
	var lines []string
	for _, text := range texts {
		matches, err := p.Matches(text)
		if err != nil {
			return []string{"error"}
		}
		replaced := "error"
		if refused == nil {
			if replaced, err = p.ReplaceFirst(text, r); err != nil {
				replaced = "error"
			}
		}
		lines = append(lines, fmt.Sprintf("%s\t%v\t%s", text, matches, replaced))
	}
	return lines
}

// TestCatastrophe wants a pattern that backtracks without end to be stopped (I5).
func TestCatastrophe(t *testing.T) {
	p, err := Compile(`(?:(?=a)a+)+b`)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = p.Matches(strings.Repeat("a", 200))
	if err == nil || !strings.Contains(err.Error(), "took longer than") {
		t.Errorf("got %v, want an error of the time", err)
	}
	if took := time.Since(start); took > 300*matchTimeout {
		t.Errorf("it took %s", took)
	}
}

func TestLinearWherePossible(t *testing.T) {
	for pattern, linear := range map[string]bool{`(a+)+b`: true, `([a-z]+)\.(?<n>.*)`: true, `(.)\1`: false, `(?=a).`: false, `a++`: false} {
		p, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.find != nil; got != linear {
			t.Errorf("%s: linear %v, want %v", pattern, got, linear)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, pattern := range []string{strings.Repeat("(", 5000), strings.Repeat("(", 200) + strings.Repeat(")", 200),
		strings.Repeat("[", 200) + "a" + strings.Repeat("]", 200), strings.Repeat("()", 200), "\xff", `\x{110000}`, `\x{d800}`} {
		if _, err := Compile(pattern); err == nil {
			t.Errorf("%.40q... was accepted", pattern)
		}
	}
	p, err := Compile("((a{1000}){1000}){1000}")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Matches("aaaa"); ok || err != nil {
		t.Errorf("repetitions of repetitions: got %v, %v", ok, err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`([a-z]+)\.(?<s>\w+)`, `[a-z&&[^m]]*+`, `(?i)\Qa.b\E{2,3}?`, `(a)\1\k<x>`, `\p{L}\x{1F600}[\Q]\E]`, `(?<=a)b$`} {
		f.Add(seed, "$1-x", "orders.a.b")
	}
	f.Fuzz(func(t *testing.T, pattern, replacement, text string) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		if _, err := p.Matches(text); err != nil {
			return
		}
		if r, err := p.Replacement(replacement); err == nil {
			_, _ = p.ReplaceFirst(text, r)
		}
	})
}

func BenchmarkReplaceFirst(b *testing.B) {
	for _, test := range []struct{ name, pattern string }{{"linear", `([a-z]+)\.([a-z]+)`}, {"backtracking", `([a-z]++)\.([a-z]+)`}} {
		b.Run(test.name, func(b *testing.B) {
			p, err := Compile(test.pattern)
			if err != nil {
				b.Fatal(err)
			}
			r, err := p.Replacement("$2-$1")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.ReplaceFirst("inventory.customer", r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
