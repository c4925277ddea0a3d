package metrics

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWriter(t *testing.T) {
	counter := &Desc{Name: "c_total", Type: CounterType, Help: "Counts.", Labels: []string{"topic", "partition"}}
	gauge := &Desc{Name: "g", Type: GaugeType, Help: "Goes up and down."}
	stranger := &Desc{Name: "s", Type: GaugeType, Help: "Not declared."}
	var r Registry
	r.Register(Collector{[]*Desc{gauge, counter}, func(w *Writer) {
		w.Family(counter)
		w.Int(7)
		w.Int(3, "a", "0")
		w.Int(4, "quo\"te\\\n\xff", "1")
		w.One(gauge, -2)
		w.Float(0.25)
		w.One(stranger, 1)
	}})
	r.RegisterRaw(func(w io.Writer) { io.WriteString(w, "raw 1\n") })
	var got bytes.Buffer
	if _, err := r.WriteTo(&got); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"# HELP c_total Counts.", "# TYPE c_total counter",
		"c_total 7", `c_total{topic="a",partition="0"} 3`, `c_total{topic="quo\"te\\\n` + "\uFFFD" + `",partition="1"} 4`,
		"# HELP g Goes up and down.", "# TYPE g gauge", "g -2", "g 0.25", "raw 1", "",
	}, "\n")
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if names := r.Descs(); len(names) != 2 || names[0] != counter {
		t.Errorf("descs %v", names)
	}
}

// TestBuckets has every duration in a bucket whose bounds are at most a quarter apart.
func TestBuckets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	last := -1
	for us := range 1000 {
		b := bucketOf(time.Duration(us) * time.Microsecond)
		if b < last || b > last+1 {
			t.Fatalf("%d µs are in bucket %d after %d", us, b, last)
		}
		last = b
	}
	for range 10_000 {
		d := time.Duration(rng.Int64N(int64(2 * time.Minute)))
		b := bucketOf(d)
		low, high := 0.0, upperBound(b)
		if b > 0 {
			low = upperBound(b - 1)
		}
		if s := math.Floor(d.Seconds()*1e6) / 1e6; s < low-1e-9 || s >= high {
			t.Errorf("%v is in bucket %d from %g to %g", d, b, low, high)
		}
		if b > perDoubling && high/low > 1.26 {
			t.Errorf("bucket %d is from %g to %g", b, low, high)
		}
	}
	for _, d := range []time.Duration{-1, math.MaxInt64} {
		bucketOf(d) // in range
	}
}

// TestQuantiles forgets what is more than two windows old.
func TestQuantiles(t *testing.T) {
	var h Histogram
	now := time.Unix(1000, 0)
	for i := range 100 {
		h.Observe(time.Duration(i+1) * time.Millisecond)
	}
	c := h.recent(h.load(), now)
	for q, want := range map[float64]float64{0.5: 0.05, 0.99: 0.1} {
		if got := c.quantile(q); got < want || got > want*1.26 {
			t.Errorf("quantile %g is %g s, want %g and at most a quarter more", q, got, want)
		}
	}
	for range 2 {
		now = now.Add(window)
		h.recent(h.load(), now)
	}
	h.Observe(time.Second)
	if c := h.recent(h.load(), now); c.total() != 1 || c.quantile(0.5) < 1 {
		t.Errorf("the last minutes have %d durations, median %g s; want the one of 1 s", c.total(), c.quantile(0.5))
	}
	if c := (counts{}); c.quantile(0.99) != 0 {
		t.Error("a quantile of nothing is not 0")
	}
}

func TestSummaryAndHistogram(t *testing.T) {
	var h Histogram
	h.Observe(3 * time.Millisecond)
	h.Observe(time.Hour)
	s := &Desc{Name: "s", Type: SummaryType, Labels: []string{"request"}}
	b := &Desc{Name: "b", Type: HistogramType}
	w := &Writer{allowed: []*Desc{s, b}}
	w.Family(s)
	w.Summary(&h, 1000, "Produce")
	w.Family(b)
	w.Histogram(&h)
	lines := strings.Split(string(w.buf), "\n")
	for _, want := range []string{
		`s{request="Produce",quantile="0.50"} 134217.728`, `s_count{request="Produce"} 2`, `s_sum{request="Produce"} 3.600003e+06`,
		`b_bucket{le="0.002048"} 0`, `b_bucket{le="0.004096"} 1`, `b_bucket{le="+Inf"} 2`, "b_count 2", "b_sum 3600.003",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %s in\n%s", want, w.buf)
		}
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	var h Histogram
	if n := testing.AllocsPerRun(100, func() { h.Observe(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
