package javadate

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/javatest"
)

const differencesHeader = `# Where the answers to testdata/inputs.txt are not Java's (java.txt), on purpose:
#
#  1. In October 1582, which has no 5th to 14th, W and F count those days.
#
# The line that begins a paragraph is the input.

`

// recordedAt is when Java's answers were recorded, which years of two digits go by.
var recordedAt = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// TestJava compares with what Java answered.
func TestJava(t *testing.T) {
	javatest.Comparison{
		Header: differencesHeader, Least: 70, Title: 2,
		Answers: func(input []string) []string { return answers(input[0], input[1], input[2:]) },
	}.Run(t)
}

// answers does what the oracle does.
func answers(kind, pattern string, inputs []string) []string {
	f, err := Compile(pattern, recordedAt)
	if err != nil {
		return []string{"error"}
	}
	var lines []string
	for _, in := range inputs {
		out := "error"
		if kind == "f" {
			ms, err := strconv.ParseInt(in, 10, 64)
			if err == nil {
				out = string(f.Append(nil, ms))
			}
		} else if ms, ok := f.Parse(in); ok {
			out = strconv.FormatInt(ms, 10)
		}
		lines = append(lines, in+"\t"+out)
	}
	return lines
}

func TestLimits(t *testing.T) {
	if _, err := Compile(strings.Repeat("y", 1000), recordedAt); err == nil {
		t.Error("a pattern of 1000 letters was accepted")
	}
}

func FuzzFormat(f *testing.F) {
	for _, seed := range []string{"yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "EEE, d MMM yy hh:mm a z", "YYYY-'W'ww-u", "G D F W k K", "''yyyyMMdd"} {
		f.Add(seed, "2020-01-02T03:04:05Z", int64(1700000000123))
	}
	f.Fuzz(func(t *testing.T, pattern, text string, ms int64) {
		format, err := Compile(pattern, recordedAt)
		if err != nil {
			return
		}
		format.Parse(text)
		out := string(format.Append(nil, ms))
		if len(out) > 64*(len(pattern)+1) {
			t.Fatalf("%q made %d bytes", pattern, len(out))
		}
		format.Parse(out)
	})
}

// FuzzRoundTrip wants a format that tells everything to be read as it was written.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int64(1700000000123))
	f.Add(int64(-12219292800001))
	f.Fuzz(func(t *testing.T, ms int64) {
		const limit = 290_000_000_000_000 // beyond it years have five digits
		ms %= limit
		format, err := Compile("G yyyy-MM-dd HH:mm:ss.SSS", recordedAt)
		if err != nil {
			t.Fatal(err)
		}
		text := string(format.Append(nil, ms))
		if got, ok := format.Parse(text); !ok || got != ms {
			t.Fatalf("%d is %q, which is read as %d, %v", ms, text, got, ok)
		}
	})
}

func BenchmarkFormat(b *testing.B) {
	f, err := Compile("yyyy-MM-dd'T'HH:mm:ss.SSSX", recordedAt)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			dst = f.Append(dst[:0], 1700000000123)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Parse("2023-11-14T22:13:20.123Z")
		}
	})
}
