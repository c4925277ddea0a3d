package batch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// recordsOf lists offset, timestamp, key, value and headers of the records of a batch.
func rewrittenRecords(t *testing.T, b []byte) string {
	t.Helper()
	if _, err := Validate(b); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(b, NewDecompressor(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for r.Next() {
		m := r.Record()
		out = append(out, fmt.Sprintf("%d@%d %q=%.5q %q", m.Offset, m.Timestamp, m.Key, m.Value, m.Headers(nil)))
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return strings.Join(out, ", ")
}

// TestRewrite takes records out of a batch in every codec, with and without a delete horizon: the others stay as they are, and so does
// what the header says about offsets and the producer.
func TestRewrite(t *testing.T) {
	var w Rewriter
	for c := None; c <= Zstd; c++ {
		b := sample(t, c)
		SetOffset(b, 100, 3)
		h, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		all := rewrittenRecords(t, b)
		r, err := NewReader(b, NewDecompressor(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		var records []Record
		for r.Next() {
			records = append(records, *r.Record())
		}
		for _, horizon := range []int64{-1, 5_000_000} {
			whole, err := w.Rewrite([]byte("before"), h, records, horizon)
			if err != nil {
				t.Fatal(err)
			}
			if got := rewrittenRecords(t, whole[len("before"):]); got != all {
				t.Errorf("%s: all records\ngot  %s\nwant %s", c, got, all)
			}
			part, err := w.Rewrite(nil, h, records[2:], horizon)
			if err != nil {
				t.Fatal(err)
			}
			if got := rewrittenRecords(t, part); !strings.HasSuffix(all, ", "+got) {
				t.Errorf("%s: the last record\ngot  %s\nwant the end of %s", c, got, all)
			}
			g, err := Parse(part)
			if err != nil {
				t.Fatal(err)
			}
			want := h
			want.Length, want.CRC, want.Count, want.MaxTimestamp = g.Length, g.CRC, 1, 990
			if horizon >= 0 {
				want.Attributes |= deleteHorizonBit
				want.BaseTimestamp = horizon
			}
			if g != want {
				t.Errorf("%s: header\ngot  %+v\nwant %+v", c, g, want)
			}
		}
	}
}

func TestRewriteKeepsLogAppendTime(t *testing.T) {
	b := sample(t, None)
	SetLogAppendTime(b, 5555)
	h, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(b, nil)
	if err != nil || !r.Next() {
		t.Fatal(err, r.Err())
	}
	out, err := new(Rewriter).Rewrite(nil, h, []Record{*r.Record()}, 77)
	if err != nil {
		t.Fatal(err)
	}
	if got := rewrittenRecords(t, out); !strings.HasPrefix(got, "0@5555 ") {
		t.Errorf("got %s, want the time of the append", got)
	}
}

// TestAppendEmpty keeps what a header says without records.
func TestAppendEmpty(t *testing.T) {
	b := sample(t, Zstd)
	SetOffset(b, 100, 3)
	h, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	out := AppendEmpty(nil, h)
	g, err := Validate(out)
	if err != nil {
		t.Fatal(err)
	}
	want := h
	want.Length, want.CRC, want.Count, want.BaseTimestamp, want.Attributes = g.Length, g.CRC, 0, -1, 0
	if g != want || rewrittenRecords(t, out) != "" {
		t.Errorf("got  %+v\nwant %+v", g, want)
	}
	if _, err := ReadMarker(out); !errors.Is(err, ErrNoMarker) {
		t.Errorf("ReadMarker: %v", err)
	}
}
