package engine

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what came out into testdata")

// TestConfigState plays the records of testdata/configstate: after the line
// "---" stands what they add up to.
func TestConfigState(t *testing.T) {
	files, err := filepath.Glob("testdata/configstate/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			records, want, _ := strings.Cut(string(text), "---\n")
			got := playConfig(records)
			if *update {
				if err := os.WriteFile(file, []byte(records+"---\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func playConfig(records string) string {
	s := newConfigState()
	var out strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(records), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		key, value, hasValue := strings.Cut(line, " ")
		var v []byte
		if hasValue {
			v = []byte(value)
		}
		if _, err := s.apply(int64(i), key, v); err != nil {
			fmt.Fprintf(&out, "record %d: %v\n", i, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.removals)) {
		fmt.Fprintf(&out, "%s: to be removed yet: %v\n", name, s.removals[name])
	}
	for _, name := range slices.Sorted(maps.Keys(s.connectors)) {
		c, _ := s.connector(name)
		fmt.Fprintf(&out, "%s: %v revision %d, %s, tasks %v, inconsistent %v\n", name, c.config, c.revision, c.target, c.tasks, c.inconsistent)
	}
	return out.String()
}

func FuzzConfigState(f *testing.F) {
	for _, key := range []string{"connector-a", "task-a-0", "task-", "commit-a", "target-state-a", "restart-connector-a"} {
		f.Add(key, `{"properties":{"a":"b"},"tasks":1,"state":"STARTED"}`, "commit-a", `{"tasks":-1}`)
		f.Add(key, `{"properties":null}`, "commit-a", `{"tasks":1000000000000}`)
	}
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		s := newConfigState()
		for i, kv := range [][2]string{{"connector-a", `{"properties":{}}`}, {key1, value1}, {key2, value2}, {"commit-a", `{"tasks":1}`}} {
			_, _ = s.apply(int64(i), kv[0], []byte(kv[1]))
		}
		s.connector("a")
	})
}
