package meters

import (
	"math"
	"time"
)

// windowLength is Kafka Connect's metrics.sample.window.ms. There are two
// samples, so rates, averages and extremes are of the last 30 to 60 seconds.
const windowLength = 30 * time.Second

// window is what was observed lately. The zero value is ready.
type window struct {
	samples [2]sample
	current int
}

type sample struct {
	began         time.Time
	n             int64
	sum, min, max int64
}

func (w *window) observe(now time.Time, v int64) {
	s := &w.samples[w.current]
	if now.Sub(s.began) >= windowLength {
		w.current ^= 1
		s = &w.samples[w.current]
		*s = sample{began: now, min: v, max: v}
	}
	s.n++
	s.sum += v
	s.min, s.max = min(s.min, v), max(s.max, v)
}

// recent adds up the samples that are not too old.
func (w *window) recent(now time.Time) (all sample) {
	for _, s := range w.samples {
		if s.n == 0 || now.Sub(s.began) >= 2*windowLength {
			continue
		}
		if all.n == 0 {
			all = s
			continue
		}
		if s.began.Before(all.began) {
			all.began = s.began
		}
		all.n += s.n
		all.sum += s.sum
		all.min, all.max = min(all.min, s.min), max(all.max, s.max)
	}
	return all
}

// rate is how much was observed in a second.
func (w *window) rate(now time.Time) float64 {
	s := w.recent(now)
	if s.n == 0 {
		return 0
	}
	return float64(s.sum) / max(now.Sub(s.began), windowLength).Seconds()
}

// avg is NaN when nothing was observed, as in Kafka; so are max and min.
func (w *window) avg(now time.Time) float64 {
	s := w.recent(now)
	return float64(s.sum) / float64(s.n)
}

func (w *window) max(now time.Time) float64 {
	if s := w.recent(now); s.n > 0 {
		return float64(s.max)
	}
	return math.NaN()
}

func (w *window) min(now time.Time) float64 {
	if s := w.recent(now); s.n > 0 {
		return float64(s.min)
	}
	return math.NaN()
}
