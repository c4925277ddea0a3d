package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/metrics/metricstest"
	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// TestQuickAnswers wants the short way of an id and the long one, which a query takes, to give the same answer, headers
// included, and to count the same.
func TestQuickAnswers(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	for name, o := range map[string]rest.Options{"": {}, "legacy": {Legacy: true}} {
		t.Run(name, func(t *testing.T) {
			var m metrics.Registry
			o.Metrics = &m
			h := rest.New(r, o)
			for _, request := range []string{
				`POST /subjects/one/versions {"schema":"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"doc\":\"é <&> \\\\u2028 \\n\"}","metadata":{"properties":{"a":"b"}}}`,
				`POST /subjects/two/versions {"schema":"\"int\""}`, `POST /subjects/three/versions {"schema":"\"int\""}`,
				`POST /subjects/gone/versions {"schema":"\"long\""}`, "DELETE /subjects/gone/versions/1",
				`POST /subjects/:.c:s/versions {"schema":"\"string\""}`,
			} {
				answer(h, request)
			}
			paths := []string{"1", "2", "3", "4", "0", "-1", "+1", "01", "x", "", "1/"}
			for _, id := range paths {
				short, long := get(h, "/schemas/ids/"+id), get(h, "/schemas/ids/"+id+"?x=")
				if short != long {
					t.Errorf("id %s: short:\n%s\nlong:\n%s", id, short, long)
				}
			}
			want := `sluice_schema_registry_requests_total{method="GET",path="/schemas/ids/{id}",status="2xx"} 12`
			if page := metricstest.Scrape(t, &m); !slices.Contains(page, want) {
				t.Errorf("%s is not in\n%s", want, strings.Join(page, "\n"))
			}
		})
	}
}

// get returns the status, the headers but for the id of the request, and the body.
func get(h http.Handler, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	w.Header().Del("X-Request-Id")
	return fmt.Sprintf("%d %v %s", w.Code, w.Header(), w.Body)
}
