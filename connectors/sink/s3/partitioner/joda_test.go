package partitioner

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestJoda compares formats, buckets and parsing with what test/conformance/joda/record.sh recorded of Joda-Time.
func TestJoda(t *testing.T) {
	f, err := os.Open("testdata/joda.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		fields := strings.Split(lines.Text(), "\t")
		if fields[0] == "parse" {
			compareParse(t, fields[1], fields[2])
			continue
		}
		compareFormat(t, fields[1], fields[2], fields[3], fields[4], fields[5])
	}
	if n < 5000 {
		t.Errorf("only %d answers are recorded", n)
	}
}

func compareParse(t *testing.T, text, want string) {
	got := "error"
	if ms, err := parseISO(text); err == nil {
		got = strconv.FormatInt(ms, 10)
	}
	if got != want {
		t.Errorf("parse %q: got %s, want %s", text, got, want)
	}
}

func compareFormat(t *testing.T, id, durationMs, instant, pattern, want string) {
	zone, err := ParseZone(id)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := strconv.ParseInt(durationMs, 10, 64)
	ms, _ := strconv.ParseInt(instant, 10, 64)
	by := NewTime(time.Duration(d)*time.Millisecond, p, zone, nil)
	for range 2 { // the second time it is remembered
		got, err := by.Append(nil, nil, 0, ms)
		if err != nil || string(got) != want {
			t.Errorf("%s %s %s %s: got %s, %v, want %s", id, durationMs, instant, pattern, got, err, want)
			return
		}
	}
}
