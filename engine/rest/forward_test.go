package rest_test

import (
	"strings"
	"testing"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/engine/rest"
)

// TestWorkerAloneHasNoEndpointsForWorkers wants the endpoints between workers to be
// closed where nobody could sign for them.
func TestWorkerAloneHasNoEndpointsForWorkers(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil, plugins()...)
	w.Create(t, "src", map[string]string{"connector.class": "TestSource"})
	w.Await(t, "src", engine.Running, engine.Running)
	h := rest.New(w.Worker)
	for _, request := range []string{`POST /connectors/src/tasks [{"task.class":"x"}]`, "PUT /connectors/src/fence"} {
		if got := answer(h, request); !strings.HasPrefix(got, "404") {
			t.Errorf("%s: %s", request, got)
		}
	}
	if got := answer(h, "GET /connectors/src/tasks"); strings.Contains(got, `"x"`) {
		t.Errorf("the tasks were changed: %s", got)
	}
}
