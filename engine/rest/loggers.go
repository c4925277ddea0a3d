package rest

import (
	"net/http"
	"strings"
)

func (a *api) loggers(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, a.worker.Loggers())
	return nil
}

func (a *api) logger(w http.ResponseWriter, r *http.Request) error {
	l, err := a.worker.Logger(r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, l)
	return nil
}

// setLogLevel answers the loggers that were changed, or 204 when all workers
// change theirs. A scope that is not known means this worker.
func (a *api) setLogLevel(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	levels, _, err := decodeConfig(body)
	if err != nil {
		return err
	}
	level, ok := levels["level"]
	if !ok {
		return badRequest("Desired 'level' parameter was not specified in request.")
	}
	name := r.PathValue("name")
	if strings.EqualFold(r.URL.Query().Get("scope"), "cluster") {
		return empty(w, http.StatusNoContent, a.worker.SetClusterLogLevel(r.Context(), name, level))
	}
	changed, err := a.worker.SetLogLevel(name, level)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, changed)
	return nil
}
