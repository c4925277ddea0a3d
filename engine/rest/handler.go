package rest

import (
	"context"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/sluice-data/sluice/engine"
)

// Limits of a request (I5).
const (
	maxBody  = 8 << 20 // bytes
	maxDepth = 32      // nested JSON objects and arrays
	// requestTimeout is Kafka Connect's.
	requestTimeout = 90 * time.Second
	healthTimeout  = 10 * time.Second
)

// api serves the REST API of one worker.
type api struct{ worker *engine.Worker }

// handler answers a request. What it returns is answered as an error.
type handler func(w http.ResponseWriter, r *http.Request) error

// New returns the handler of a worker's REST API. It may be served before the
// worker runs: requests then wait for it, and GET /health says "starting".
func New(w *engine.Worker) http.Handler {
	a := &api{worker: w}
	mux := http.NewServeMux()
	for path, methods := range a.routes() {
		for method, h := range methods {
			mux.Handle(method+" "+path, restricted(method, path, h))
		}
		mux.Handle(path, status(http.StatusMethodNotAllowed))
	}
	mux.Handle("/", status(http.StatusNotFound))
	return limit(mux)
}

func (a *api) routes() map[string]map[string]handler {
	return map[string]map[string]handler{
		"/{$}":                                      {"GET": a.root},
		"/health":                                   {"GET": a.health},
		"/connectors":                               {"GET": a.listConnectors, "POST": a.led(a.createConnector)},
		"/connectors/{name}":                        {"GET": a.connector, "DELETE": a.led(a.deleteConnector)},
		"/connectors/{name}/config":                 {"GET": a.config, "PUT": a.led(a.putConfig), "PATCH": a.led(a.patchConfig)},
		"/connectors/{name}/status":                 {"GET": a.status},
		"/connectors/{name}/pause":                  {"PUT": a.pause},
		"/connectors/{name}/resume":                 {"PUT": a.resume},
		"/connectors/{name}/stop":                   {"PUT": a.led(a.stop)},
		"/connectors/{name}/restart":                {"POST": a.led(a.restart)},
		"/connectors/{name}/tasks":                  {"GET": a.tasks, "POST": a.putTasks},
		"/connectors/{name}/fence":                  {"PUT": a.fenceTasks},
		"/connectors/{name}/tasks-config":           {"GET": a.tasksConfig},
		"/connectors/{name}/topics":                 {"GET": a.topics},
		"/connectors/{name}/topics/reset":           {"PUT": a.resetTopics},
		"/connectors/{name}/offsets":                {"GET": a.offsets, "PATCH": a.led(a.alterOffsets), "DELETE": a.led(a.resetOffsets)},
		"/connectors/{name}/tasks/{task}/status":    {"GET": a.taskStatus},
		"/connectors/{name}/tasks/{task}/restart":   {"POST": a.owned(a.restartTask)},
		"/connector-plugins":                        {"GET": a.plugins},
		"/connector-plugins/{name}/config":          {"GET": a.pluginConfig},
		"/connector-plugins/{name}/config/validate": {"PUT": a.validate},
		"/admin/loggers":                            {"GET": a.loggers},
		"/admin/loggers/{name}":                     {"GET": a.logger, "PUT": a.setLogLevel},
	}
}

// ServeHTTP answers a request.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		writeError(w, err)
	}
}

// status answers always the same error.
func status(code int) handler {
	return func(http.ResponseWriter, *http.Request) error { return statusError(code) }
}

// limit bounds requests in size and time (I5), and takes the slash off that some
// clients put at the end of a path.
func limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		r = r.Clone(ctx)
		if len(r.URL.Path) > 1 {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
			r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
		}
		if p := r.URL.EscapedPath(); path.Clean(p) != p { // clients would follow the mux to another resource
			writeError(w, statusError(http.StatusNotFound))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}
