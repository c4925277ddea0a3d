package differential

import (
	"fmt"
	"slices"
	"strings"
)

// Format writes a script's answers as text.
func Format(answers []Answer) string {
	var b strings.Builder
	for _, a := range answers {
		fmt.Fprintf(&b, "== %s\n%s\n\n", a.title(), strings.Join(a.Lines, "\n"))
	}
	return b.String()
}

// Parse reads what Format wrote.
func Parse(text string) ([]Answer, error) {
	var answers []Answer
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		title, ok := strings.CutPrefix(line, "== ")
		switch {
		case ok:
			a, err := parseTitle(title)
			if err != nil {
				return nil, err
			}
			answers = append(answers, a)
		case line == "" || strings.HasPrefix(line, "#"):
		case len(answers) == 0:
			return nil, fmt.Errorf("line %q before any answer", line)
		default:
			last := &answers[len(answers)-1]
			last.Lines = append(last.Lines, line)
		}
	}
	return answers, nil
}

func parseTitle(title string) (Answer, error) {
	i := strings.LastIndex(title, " v")
	if i < 0 {
		return Answer{}, fmt.Errorf("title %q has no versions", title)
	}
	a := Answer{Step: title[:i]}
	n, _ := fmt.Sscanf(title[i+2:], "%d-%d", &a.Min, &a.Max)
	if n == 1 {
		a.Max = a.Min
	}
	if n < 1 {
		return Answer{}, fmt.Errorf("title %q has no versions", title)
	}
	return a, nil
}

// A Difference is the lines of an answer that only one of the two servers gives.
type Difference struct {
	Answer        // Lines are "- line" of Kafka and "+ line" of Sluice
	Script string // that the step is in
	Reason string
}

func (d *Difference) title() string { return d.Script + ": " + d.Answer.title() }

// Compare returns how got differs from want, which are answers to one script.
func Compare(script string, want, got []Answer) []Difference {
	var differences []Difference
	wanted, gotten := byVersion(want), byVersion(got)
	for _, a := range want {
		for v := a.Min; v <= a.Max; v++ {
			lines := diff(wanted[at{a.Step, v}], gotten[at{a.Step, v}])
			if len(lines) == 0 {
				continue
			}
			if n := len(differences); n > 0 {
				last := &differences[n-1]
				if last.Step == a.Step && last.Max == v-1 && slices.Equal(last.Lines, lines) {
					last.Max = v
					continue
				}
			}
			differences = append(differences, Difference{Answer{a.Step, v, v, lines}, script, ""})
		}
	}
	return differences
}

// at is one version of a step.
type at struct {
	step    string
	version int16
}

func byVersion(answers []Answer) map[at][]string {
	m := map[at][]string{}
	for _, a := range answers {
		for v := a.Min; v <= a.Max; v++ {
			m[at{a.Step, v}] = a.Lines
		}
	}
	return m
}

// diff lists the lines that only one side has; their order is that of the sides.
func diff(want, got []string) []string {
	var lines []string
	lines = append(lines, missing("- ", want, got)...)
	return append(lines, missing("+ ", got, want)...)
}

// missing lists the lines of a that b has fewer of.
func missing(prefix string, a, b []string) []string {
	count := map[string]int{}
	for _, l := range b {
		count[l]++
	}
	var lines []string
	for _, l := range a {
		if count[l]--; count[l] < 0 {
			lines = append(lines, prefix+l)
		}
	}
	return lines
}

// FormatDifferences writes differences under their reasons:
//
//	# reason
//	== SCRIPT: STEP vA-B
//	- a line that only Kafka's answer has
//	+ a line that only Sluice's answer has
func FormatDifferences(differences []Difference) string {
	var reasons []string
	byReason := map[string][]Difference{}
	for _, d := range differences {
		if _, ok := byReason[d.Reason]; !ok {
			reasons = append(reasons, d.Reason)
		}
		byReason[d.Reason] = append(byReason[d.Reason], d)
	}
	var b strings.Builder
	for _, r := range reasons {
		fmt.Fprintf(&b, "# %s\n\n", r)
		for _, d := range byReason[r] {
			fmt.Fprintf(&b, "== %s\n%s\n\n", d.title(), strings.Join(d.Lines, "\n"))
		}
	}
	return b.String()
}

// ParseDifferences reads what FormatDifferences wrote.
func ParseDifferences(text string) ([]Difference, error) {
	var differences []Difference
	reason := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		title, isTitle := strings.CutPrefix(line, "== ")
		comment, isReason := strings.CutPrefix(line, "# ")
		switch {
		case isReason:
			reason = comment
		case isTitle:
			script, rest, ok := strings.Cut(title, ": ")
			a, err := parseTitle(rest)
			if !ok || err != nil {
				return nil, fmt.Errorf("title %q is not SCRIPT: STEP vN", title)
			}
			differences = append(differences, Difference{a, script, reason})
		case line == "":
		case len(differences) == 0:
			return nil, fmt.Errorf("line %q before any difference", line)
		default:
			last := &differences[len(differences)-1]
			last.Lines = append(last.Lines, line)
		}
	}
	return differences, nil
}
