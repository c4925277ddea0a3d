package metrics

import (
	"math/bits"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Buckets of a Histogram: one for each µs up to 4, then four for each doubling, up to two minutes and beyond.
const (
	perDoubling = 4
	doublings   = 25
	bucketCount = perDoubling * (1 + doublings)
)

// window is how old what quantiles look at is at least; at most it is twice that, when somebody asks often enough.
const window = 5 * time.Minute

// Histogram counts durations in buckets that are at most a quarter wide. Observe takes no lock and allocates nothing. The
// zero value is ready.
type Histogram struct {
	counts [bucketCount]atomic.Int64
	sumNs  atomic.Int64

	mu        sync.Mutex // guards the fields below, which only scrapes use
	old, next counts     // the counts at the start of the window, and of the next one
	turned    time.Time  // when next was taken
}

type counts [bucketCount]int64

// Observe counts a duration.
func (h *Histogram) Observe(d time.Duration) {
	h.counts[bucketOf(d)].Add(1)
	h.sumNs.Add(int64(d))
}

// bucketOf is the bucket of a duration.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < perDoubling {
		return int(us)
	}
	e := bits.Len64(us) - 3 // 0 for 4 to 7 µs
	return min(perDoubling*(1+e)+int(us>>e&(perDoubling-1)), bucketCount-1)
}

// upperBound is where a bucket ends, in seconds.
func upperBound(bucket int) float64 {
	us := bucket + 1
	if bucket >= perDoubling {
		us = (perDoubling + bucket%perDoubling + 1) << (bucket/perDoubling - 1)
	}
	return float64(us) / 1e6
}

func (h *Histogram) load() (c counts) {
	for i := range c {
		c[i] = h.counts[i].Load()
	}
	return c
}

// recent is what was counted in the last minutes.
func (h *Histogram) recent(c counts, now time.Time) counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.turned) >= window {
		h.old, h.next, h.turned = h.next, c, now
	}
	for i := range c {
		c[i] -= h.old[i]
	}
	return c
}

func (c *counts) total() (n int64) {
	for _, v := range c {
		n += v
	}
	return n
}

// quantile is the upper bound in seconds of the bucket in which the quantile lies.
func (c *counts) quantile(q float64) float64 {
	rank := int64(q * float64(c.total()))
	for i, n := range c {
		if rank -= n; rank < 0 {
			return upperBound(i)
		}
	}
	return 0
}

// Quantiles of a summary: those of Kafka's own metrics.
var quantiles = []struct {
	text string
	q    float64
}{{"0.50", 0.5}, {"0.75", 0.75}, {"0.95", 0.95}, {"0.98", 0.98}, {"0.99", 0.99}, {"0.999", 0.999}}

// Summary writes the quantiles of the last five to ten minutes, and count and sum since the start. factor is what a second is
// in the family's unit: 1000 for ms.
func (w *Writer) Summary(h *Histogram, factor float64, labels ...string) {
	if w.desc == nil {
		return
	}
	all := h.load()
	recent := h.recent(all, time.Now())
	for _, q := range quantiles {
		w.sample("", labels, "quantile", q.text)
		w.value(recent.quantile(q.q) * factor)
	}
	w.head("_sum", labels)
	w.value(float64(h.sumNs.Load()) / 1e9 * factor)
	w.head("_count", labels)
	w.value(float64(all.total()))
}

// Histogram writes cumulative buckets in seconds, one for each doubling.
func (w *Writer) Histogram(h *Histogram, labels ...string) {
	if w.desc == nil {
		return
	}
	all := h.load()
	n := int64(0)
	for i, v := range all {
		n += v
		if i%perDoubling == perDoubling-1 && i < bucketCount-1 {
			w.sample("_bucket", labels, "le", strconv.FormatFloat(upperBound(i), 'g', -1, 64))
			w.value(float64(n))
		}
	}
	w.sample("_bucket", labels, "le", "+Inf")
	w.value(float64(n))
	w.head("_sum", labels)
	w.value(float64(h.sumNs.Load()) / 1e9)
	w.head("_count", labels)
	w.value(float64(n))
}

// sample writes a sample's name and labels with one label more.
func (w *Writer) sample(suffix string, labels []string, name, value string) {
	w.buf = append(w.buf, w.desc.Name...)
	w.buf = append(w.buf, suffix...)
	for i, v := range labels {
		w.label(i == 0, w.desc.Labels[i], v)
	}
	w.label(len(labels) == 0, name, value)
	w.buf = append(w.buf, '}')
}
