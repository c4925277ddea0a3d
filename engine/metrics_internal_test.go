package engine

import (
	"testing"

	"github.com/sluice-data/sluice/connectors"
	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/metrics/metricstest"
)

// Every family of the worker and of the built-in connectors is on the page, once,
// and in docs/metrics.md.
func TestMetricsAreDocumented(t *testing.T) {
	r := &metrics.Registry{}
	if _, err := New(Config{BootstrapServers: []string{"127.0.0.1:1"}, Metrics: r, Plugins: connectors.Plugins()}); err != nil {
		t.Fatal(err)
	}
	metricstest.Documented(t, r, "../docs/metrics.md", "worker", *update)
}
