package rest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/metrics/metricstest"
	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// TestMetrics wants requests counted where they belong, and every family documented.
func TestMetrics(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	var m metrics.Registry
	h := rest.New(r, rest.Options{Metrics: &m})
	for _, request := range []string{`POST /subjects/s/versions {"schema":"\"int\""}`, `POST /subjects/s/versions {"schema":"\"long\""}`,
		`POST /subjects/s/versions {"schema":"no"}`, "DELETE /subjects/s/versions/1", "GET /schemas/ids/9", "GET /nothing"} {
		answer(h, request)
	}
	page := metricstest.Scrape(t, &m)
	for _, want := range []string{
		`kafka_schema_registry_registered_count{schema_type="AVRO"} 1`,
		`kafka_schema_registry_deleted_count{schema_type="AVRO"} 1`,
		`sluice_schema_registry_subjects 1`,
		`sluice_schema_registry_requests_total{method="POST",path="/subjects/{subject}/versions",status="2xx"} 2`,
		`sluice_schema_registry_requests_total{method="POST",path="/subjects/{subject}/versions",status="4xx"} 1`,
		`sluice_schema_registry_requests_total{method="GET",path="/schemas/ids/{id}",status="4xx"} 1`,
		`sluice_schema_registry_requests_total{method="",path="other",status="4xx"} 1`,
		`sluice_schema_registry_request_seconds_count{method="POST",path="/subjects/{subject}/versions"} 3`,
	} {
		if !slices.Contains(page, want) {
			t.Errorf("%s is not in\n%s", want, strings.Join(page, "\n"))
		}
	}
	metricstest.Documented(t, &m, "../../docs/metrics.md", "registry", *update)
}
