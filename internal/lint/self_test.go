package lint

import (
	"slices"
	"strings"
	"testing"
)

// TestRulesCanFail shows for each rule a file that breaks it.
func TestRulesCanFail(t *testing.T) {
	long := "package x\nfunc f() {\n" + strings.Repeat("\tf()\n", 101) + "}\n"
	tests := []struct {
		path, text string
		want       []string // a part of each finding
	}{
		{"connect/a.go", "package connect\nimport _ \"golang.org/x/sys/unix\"\n", []string{"standard library only"}},
		{"engine/a.go", "package engine\nimport _ \"" + module + "log\"\n", []string{"engine may not import log"}},
		{"connectors/sink/s3/a.go", "package s3\nimport _ \"" + module + "engine\"\n", []string{"may not import engine"}},
		{"connectors/sink/s3/a.go", "package s3\nimport _ \"github.com/twmb/franz-go/pkg/kgo\"\n", []string{"may not import the client"}},
		{"engine/a.go", "package engine\nimport _ \"" + module + "engine/convert\"\n", nil},
		{"util/a.go", "package util\n", []string{"no place in the import table"}},
		{"log/a.go", "package log\nimport \"log\"\nfunc init() { log.Println() }\n", []string{"not log", "no init"}},
		{"log/a.go", "package log\n// TODO later\nfunc f() { panic(1) }\n", []string{"unfinished", "panic"}},
		{"log/a.go", "package log\nimport \"fmt\"\nfunc f() { fmt.Println(1); println(2) }\n", []string{"standard output", "standard output"}},
		{"log/a_test.go", "package log\nimport \"time\"\nfunc f() { time.Sleep(1); t.Skip() }\n", []string{"no sleeps", "no skipped"}},
		{"engine/a.go", "package engine\nimport _ \"" + module + "connect/connecttest\"\n", []string{"for tests only"}},
		{"log/a.go", "package log\ntype T int\nfunc (T) M() {}\nfunc F() {}\nconst C = 1\nvar v int\nfunc (T) String() string { return \"\" }\n",
			[]string{"exported T", "exported M", "exported F", "exported C"}},
		{"log/a.go", "package log\n// The groups.\nconst (\n\tA = 1\n\tB = 2\n)\n", nil},
		{"log/a.go", strings.Replace(long, "package x", "package log", 1), []string{"longer than 100"}},
		{"log/a.go", "package log\n" + strings.Repeat("\n", 800), []string{"longer than 800"}},
	}
	for _, tt := range tests {
		s, err := parse(tt.path, tt.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := findingsOf(s); !matches(got, tt.want) {
			t.Errorf("%s\n%.200s\ngot  %q\nwant %q", tt.path, tt.text, got, tt.want)
		}
	}
}

func findingsOf(s *source) []string {
	var texts []string
	for _, check := range rules {
		for _, f := range check(s) {
			texts = append(texts, f.text)
		}
	}
	return texts
}

// matches reports whether each wanted part is in a finding of its own.
func matches(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	rest := slices.Clone(got)
	for _, w := range want {
		i := slices.IndexFunc(rest, func(g string) bool { return strings.Contains(g, w) })
		if i < 0 {
			return false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return true
}
