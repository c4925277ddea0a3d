package rest

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/schemaregistry"
)

// endpointMetrics counts the requests of one method and path. Both are from the table of routes, so there is a fixed number of them.
type endpointMetrics struct {
	method, path string
	statuses     [6]atomic.Int64 // by the first digit
	times        metrics.Histogram
}

// measured counts what h answers.
func (m *endpointMetrics) measured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(s, r)
		m.count(s.status, time.Since(began))
	})
}

func (m *endpointMetrics) count(status int, took time.Duration) {
	m.statuses[min(status/100, len(m.statuses)-1)].Add(1)
	m.times.Observe(took)
}

// asked tells whether there was a request: endpoints that nobody uses take no lines.
func (m *endpointMetrics) asked() bool {
	for i := range m.statuses {
		if m.statuses[i].Load() > 0 {
			return true
		}
	}
	return false
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// WriteString passes on to writers that take strings.
func (w *statusWriter) WriteString(s string) (int, error) { return io.WriteString(w.ResponseWriter, s) }

// otherPaths is the path of requests that no route has.
const otherPaths = "other"

// register shows the requests of endpoints and what the registry has.
func register(r *metrics.Registry, reg *schemaregistry.Registry, endpoints []*endpointMetrics) {
	slices.SortFunc(endpoints, func(a, b *endpointMetrics) int { return strings.Compare(a.path+" "+a.method, b.path+" "+b.method) })
	var (
		registered = &metrics.Desc{Name: "kafka_schema_registry_registered_count", Type: metrics.GaugeType, Help: "Versions of subjects that are not deleted, in all contexts.", Labels: []string{"schema_type"}}
		deleted    = &metrics.Desc{Name: "kafka_schema_registry_deleted_count", Type: metrics.GaugeType, Help: "Versions of subjects that are soft deleted.", Labels: []string{"schema_type"}}
		subjects   = &metrics.Desc{Name: "sluice_schema_registry_subjects", Type: metrics.GaugeType, Help: "Subjects with a version that is not deleted."}
		requests   = &metrics.Desc{Name: "sluice_schema_registry_requests_total", Type: metrics.CounterType, Help: "Requests answered, by the class of the status.", Labels: []string{"method", "path", "status"}}
		seconds    = &metrics.Desc{Name: "sluice_schema_registry_request_seconds", Type: metrics.HistogramType, Help: "Time from a request's headers to its answer.", Labels: []string{"method", "path"}}
	)
	r.Register(metrics.Collector{Descs: []*metrics.Desc{registered, deleted, subjects, requests, seconds}, Collect: func(w *metrics.Writer) {
		c := reg.Counts()
		types := []*metrics.Desc{registered, deleted}
		for i, counts := range []map[string]int{c.Registered, c.Deleted} {
			w.Family(types[i])
			for _, t := range slices.Sorted(maps.Keys(counts)) {
				w.Int(int64(counts[t]), t)
			}
		}
		w.One(subjects, int64(c.Subjects))
		w.Family(requests)
		for _, e := range endpoints {
			for class := range e.statuses {
				if n := e.statuses[class].Load(); n > 0 {
					w.Int(n, e.method, e.path, string(rune('0'+class))+"xx")
				}
			}
		}
		w.Family(seconds)
		for _, e := range endpoints {
			if e.asked() {
				w.Histogram(&e.times, e.method, e.path)
			}
		}
	}})
}
