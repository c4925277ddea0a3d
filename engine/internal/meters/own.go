package meters

import (
	"math"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/metrics"
)

// ownMetrics are the numbers that a connector shows of a task itself.
type ownMetrics struct {
	metrics []connect.Metric
	read    func([]float64)
}

// Measure sets what reads the numbers of a plugin's metrics for this run.
func (r *Run) Measure(m []connect.Metric, read func(values []float64)) {
	defer r.unlock()
	if r.lock() != nil {
		r.task.own = ownMetrics{m, read}
	}
}

// measure reads a task's own numbers. One that is not known is NaN.
func (t *Task) measure() (m []connect.Metric, values []float64) {
	t.mu.Lock()
	own := t.own
	t.mu.Unlock()
	if own.read == nil {
		return nil, nil
	}
	values = make([]float64, len(own.metrics))
	for i := range values {
		values[i] = math.NaN()
	}
	defer func() {
		if recover() != nil { // it is the connector's code: the page is shown without (I5)
			m = nil
		}
	}()
	own.read(values)
	return own.metrics, values
}

// Own returns the numbers that a connector shows of a task itself, by the names of its
// metrics; nil where nothing is known.
func (w *Worker) Own(connector string, task int) map[string]float64 {
	w.mu.Lock()
	t := w.tasks[connector][task]
	w.mu.Unlock()
	if t == nil {
		return nil
	}
	var own map[string]float64
	m, values := t.measure()
	for i := range m {
		if v := values[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			if own == nil {
				own = make(map[string]float64)
			}
			own[m[i].Name] = v
		}
	}
	return own
}

// OwnDescs are the families of plugins' own metrics.
func OwnDescs(specs []connect.Spec) []*metrics.Desc {
	var all []*metrics.Desc
	for _, s := range specs {
		for _, m := range s.Metrics {
			desc := gauge
			if m.Counter {
				desc = counter
			}
			all = append(all, desc("sluice_"+m.Name, m.Help, "connector", "task"))
		}
	}
	return all
}

// writeOwn writes the plugins' own metrics.
func (s *scrape) writeOwn() {
	type sample struct {
		task  *taskSample
		value float64
	}
	samples := make(map[string][]sample)
	for i := range s.tasks {
		t := &s.tasks[i]
		m, values := t.task.measure()
		for j := range m {
			if name := "sluice_" + m[j].Name; !math.IsNaN(values[j]) {
				samples[name] = append(samples[name], sample{t, values[j]})
			}
		}
	}
	for _, d := range s.d.own {
		s.out.Family(d)
		for _, v := range samples[d.Name] {
			s.out.Float(v.value, v.task.connector, v.task.number)
		}
	}
}
