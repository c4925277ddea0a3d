package partitioner

import (
	"bufio"
	"math/rand/v2"
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

// TestRememberedBuckets has records in any order around changes of the zone's offset and the borders of buckets: a partitioner that has seen others puts each where a
// new one does.
func TestRememberedBuckets(t *testing.T) {
	pattern, err := ParsePattern("yyyy-MM-dd/HH-mm-ss-SSS/ZZ")
	if err != nil {
		t.Fatal(err)
	}
	starts := []string{"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z", "2026-07-01T00:00:00Z", "1969-12-31T22:00:00Z"}
	random := rand.New(rand.NewPCG(5, 6))
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"} {
		zone, err := ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, duration := range []time.Duration{time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour} {
			old := NewTime(duration, pattern, zone, RecordTime)
			for _, start := range starts {
				at, err := time.Parse(time.RFC3339, start)
				if err != nil {
					t.Fatal(err)
				}
				for range 1000 {
					// Ten minutes, and a millisecond before and behind them, of two days.
					ms := at.UnixMilli() + int64(random.IntN(2*24*6)-24*6)*600_000 + int64(random.IntN(3)-1)
					got, err := old.Append(nil, nil, 0, ms)
					if err != nil {
						t.Fatal(err)
					}
					if want, _ := NewTime(duration, pattern, zone, RecordTime).Append(nil, nil, 0, ms); string(got) != string(want) {
						t.Fatalf("%s, %v: %s is in %s, a new partitioner says %s", name, duration, time.UnixMilli(ms).UTC().Format(time.RFC3339Nano), got, want)
					}
				}
			}
		}
	}
}
