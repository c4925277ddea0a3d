package differential

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/process"
)

var update = flag.Bool("update", false, "write testdata/differences.txt; reasons stay, new differences need one")

const (
	differencesFile = "testdata/differences.txt"
	noReason        = "NO REASON YET: fix it, or say here why Sluice answers otherwise."
)

// Sluice answers every request as Kafka did, but for the differences that are
// listed with a reason.
func TestAnswersAsKafkaDoes(t *testing.T) {
	scripts, err := ReadScripts("testdata")
	if err != nil {
		t.Fatal(err)
	}
	addr := process.New(t).Addr
	var got []Difference
	requests, began := 0, time.Now()
	for _, s := range scripts {
		want := readAnswers(t, s.Name)
		answers, err := Run(addr, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range want {
			requests += int(a.Max-a.Min) + 1
		}
		if missing := unanswered(s, want); len(missing) > 0 {
			t.Errorf("script %s: Kafka's answers to %q are not recorded; run test/conformance/record.sh", s.Name, missing)
		}
		got = append(got, Compare(s.Name, want, answers)...)
	}
	t.Logf("%d requests compared in %v", requests, time.Since(began).Round(time.Second))
	listed := readDifferences(t)
	explain(got, listed)
	if *update {
		if err := os.WriteFile(differencesFile, []byte(FormatDifferences(got)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check(t, got, listed)
}

// unanswered lists the steps of a script that want has no answer to.
func unanswered(s Script, want []Answer) []string {
	var names []string
	for _, step := range s.Steps {
		if !step.Start && !slices.ContainsFunc(want, func(a Answer) bool { return a.Step == step.Name }) {
			names = append(names, step.Name)
		}
	}
	return names
}

// explain gives every difference the reason that is listed for its step.
func explain(got, listed []Difference) {
	for i := range got {
		got[i].Reason = noReason
		for _, l := range listed {
			if l.Script == got[i].Script && l.Step == got[i].Step {
				got[i].Reason = l.Reason
			}
		}
	}
}

func check(t *testing.T, got, listed []Difference) {
	t.Helper()
	want := map[string][]string{}
	for _, d := range listed {
		want[d.title()] = d.Lines
	}
	for _, d := range got {
		lines, ok := want[d.title()]
		delete(want, d.title())
		switch {
		case !ok:
			t.Errorf("%s differs from Kafka's answer:\n%s", d.title(), strings.Join(d.Lines, "\n"))
		case !slices.Equal(lines, d.Lines):
			t.Errorf("%s differs from Kafka's answer in another way than listed:\n%s", d.title(), strings.Join(d.Lines, "\n"))
		case d.Reason == noReason:
			t.Errorf("%s: the listed difference has no reason", d.title())
		}
	}
	for title := range want {
		t.Errorf("%s: a difference is listed in %s that is none any more; -update takes it out", title, differencesFile)
	}
}

func readAnswers(t *testing.T, script string) []Answer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", script+".kafka"))
	if err != nil {
		t.Fatalf("%v: Kafka's answers are not recorded; run test/conformance/record.sh", err)
	}
	answers, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func readDifferences(t *testing.T) []Difference {
	t.Helper()
	text, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := ParseDifferences(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return listed
}

func TestMain(m *testing.M) {
	code := m.Run()
	process.Clean()
	os.Exit(code)
}
