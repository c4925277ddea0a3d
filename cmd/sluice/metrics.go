package main

import (
	"net/http"

	process "github.com/VictoriaMetrics/metrics"

	"github.com/sluice-data/sluice/internal/metrics"
)

// newMetrics is what GET /metrics shows: this process; the parts of the server add theirs.
func newMetrics() *metrics.Registry {
	r := &metrics.Registry{}
	r.RegisterRaw(process.WriteProcessMetrics)
	r.RegisterRaw(process.WriteFDMetrics)
	return r
}

// withMetrics answers GET /metrics from a registry and leaves the rest to the API. It is not a ServeMux, which would clean
// the paths of connectors whose names have slashes or dots.
func withMetrics(api http.Handler, r *metrics.Registry) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/metrics" && (q.Method == http.MethodGet || q.Method == http.MethodHead) {
			r.ServeHTTP(w, q)
			return
		}
		api.ServeHTTP(w, q)
	})
}
