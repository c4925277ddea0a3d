package schemaregistry

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// FuzzState applies records that nobody has checked: the state stays whole whatever comes, and a key's bytes mean the
// same when they are written again.
func FuzzState(f *testing.F) {
	for _, file := range []string{"testdata/foreign.txt", "testdata/records.txt"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newState()
		lines := strings.Split(text, "\n")
		for i := 0; i+1 < len(lines); i++ {
			value := []byte(lines[i+1])
			if lines[i+1] == "(null)" {
				value = nil
			}
			_ = s.apply(int64(i), 0, []byte(lines[i]), value) // what it does not take it leaves alone
			if k, err := parseKey([]byte(lines[i])); err == nil {
				if again, err := parseKey(k.bytes()); err != nil || again != k {
					t.Fatalf("key %s is %+v, written again %+v, %v", lines[i], k, again, err)
				}
			}
		}
		wantWhole(t, s)
	})
}

// wantWhole checks that all that the state knows of a version agrees.
func wantWhole(t *testing.T, s *state) {
	t.Helper()
	ids := make(map[sum]int)
	for name, c := range s.contexts {
		for id, e := range c.ids {
			ids[e.sum]++
			if len(e.versions) == 0 || s.contents[e.sum] == nil || !slices.Contains(c.bySum[e.sum], id) || c.lastID < id {
				t.Fatalf("context %s, id %d: %+v", name, id, e)
			}
			for _, v := range e.versions {
				if v.id != id || v.entry != e || s.subjects[v.name] == nil || s.subjects[v.name].find(v.number) != v {
					t.Fatalf("context %s, id %d: version %+v", name, id, v)
				}
			}
		}
	}
	for of, sh := range s.contents {
		if sh.ids != ids[of] {
			t.Fatalf("content %s is said to have %d ids and has %d", of.GUID(), sh.ids, ids[of])
		}
	}
	for name, sub := range s.subjects {
		if len(sub.versions) == 0 || !slices.IsSortedFunc(sub.versions, func(a, b *version) int { return a.number - b.number }) {
			t.Fatalf("subject %s: %v", name, sub.versions)
		}
	}
}
