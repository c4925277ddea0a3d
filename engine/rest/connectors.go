package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/engine"
)

func (a *api) root(w http.ResponseWriter, r *http.Request) error {
	info, err := a.worker.Info(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, info)
	return nil
}

// health answers in a shape of its own (KIP-1017), after healthTimeout at the
// latest.
func (a *api) health(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	h := a.worker.Health(ctx)
	status := http.StatusOK
	switch h.Status {
	case engine.Starting:
		status = http.StatusServiceUnavailable
	case engine.Unhealthy:
		status = http.StatusInternalServerError
	}
	writeJSON(w, status, h)
	return nil
}

// listConnectors answers names, or with expand an object by name. Expansions that
// are not known are ignored.
func (a *api) listConnectors(w http.ResponseWriter, r *http.Request) error {
	names, err := a.worker.Connectors(r.Context())
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return roleFor(r.Context(), name) < view })
	expansions, expand := r.URL.Query()["expand"]
	if !expand {
		writeJSON(w, http.StatusOK, names)
		return nil
	}
	expanded := make(map[string]map[string]any, len(names))
	for _, name := range names {
		if e := a.expand(r, name, expansions); e != nil {
			expanded[name] = e
		}
	}
	writeJSON(w, http.StatusOK, expanded)
	return nil
}

// expand returns nil for a connector that is deleted meanwhile.
func (a *api) expand(r *http.Request, name string, expansions []string) map[string]any {
	e := make(map[string]any)
	for _, x := range expansions {
		var v any
		var err error
		switch x {
		case "info":
			v, err = a.worker.Connector(r.Context(), name)
		case "status":
			v, err = a.worker.Status(r.Context(), name)
		default:
			continue
		}
		if err != nil {
			return nil
		}
		e[x] = v
	}
	return e
}

func (a *api) createConnector(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var req struct {
		Name    string          `json:"name"`
		Config  json.RawMessage `json:"config"`
		Initial *string         `json:"initial_state"`
	}
	if err := decode(body, &req); err != nil {
		return err
	}
	config, nulls, err := decodeConfig(orNull(req.Config))
	if err == nil {
		err = refuseNulls(nulls)
	}
	if err != nil {
		return err
	}
	var initial engine.TargetState
	if req.Initial != nil {
		if initial, err = engine.ParseInitialState(*req.Initial); err != nil {
			return err
		}
	}
	if req.Name == "" {
		req.Name = config["name"]
	}
	if err := allow(r.Context(), edit, strings.TrimSpace(req.Name)); err != nil {
		return err
	}
	info, err := a.worker.Create(r.Context(), req.Name, config, initial)
	if err != nil {
		return err
	}
	writeCreated(w, info)
	return nil
}

// orNull is the JSON of a field that may be absent.
func orNull(text json.RawMessage) []byte {
	if text == nil {
		return []byte("null")
	}
	return text
}

func writeCreated(w http.ResponseWriter, info engine.ConnectorInfo) {
	w.Header().Set("Location", "/connectors/"+url.PathEscape(info.Name))
	writeJSON(w, http.StatusCreated, info)
}

func (a *api) connector(w http.ResponseWriter, r *http.Request) error {
	info, err := a.worker.Connector(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, info)
	return nil
}

func (a *api) config(w http.ResponseWriter, r *http.Request) error {
	info, err := a.worker.Connector(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, info.Config)
	return nil
}

func (a *api) putConfig(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	config, nulls, err := decodeConfig(body)
	if err == nil {
		err = refuseNulls(nulls)
	}
	if err != nil {
		return err
	}
	info, created, err := a.worker.PutConfig(r.Context(), r.PathValue("name"), config)
	switch {
	case err != nil:
		return err
	case created:
		writeCreated(w, info)
	default:
		writeJSON(w, http.StatusOK, info)
	}
	return nil
}

// patchConfig changes a part of a config (KIP-477): null removes a key.
func (a *api) patchConfig(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	set, remove, err := decodeConfig(body)
	if err != nil {
		return err
	}
	info, err := a.worker.PatchConfig(r.Context(), r.PathValue("name"), set, remove)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, info)
	return nil
}

func (a *api) deleteConnector(w http.ResponseWriter, r *http.Request) error {
	return empty(w, http.StatusNoContent, a.worker.Delete(r.Context(), r.PathValue("name")))
}

func (a *api) status(w http.ResponseWriter, r *http.Request) error {
	status, err := a.worker.Status(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

func (a *api) pause(w http.ResponseWriter, r *http.Request) error {
	return empty(w, http.StatusAccepted, a.worker.Pause(r.Context(), r.PathValue("name")))
}

func (a *api) resume(w http.ResponseWriter, r *http.Request) error {
	return empty(w, http.StatusAccepted, a.worker.Resume(r.Context(), r.PathValue("name")))
}

func (a *api) stop(w http.ResponseWriter, r *http.Request) error {
	return empty(w, http.StatusNoContent, a.worker.Stop(r.Context(), r.PathValue("name")))
}

// empty answers a status without a body unless there is an error.
func empty(w http.ResponseWriter, status int, err error) error {
	if err == nil {
		w.WriteHeader(status)
	}
	return err
}

// restart answers 204 without flags, and the planned status with one (KIP-745).
func (a *api) restart(w http.ResponseWriter, r *http.Request) error {
	includeTasks, onlyFailed := flag(r, "includeTasks"), flag(r, "onlyFailed")
	status, err := a.worker.Restart(r.Context(), r.PathValue("name"), includeTasks, onlyFailed)
	if err != nil || !includeTasks && !onlyFailed {
		return empty(w, http.StatusNoContent, err)
	}
	writeJSON(w, http.StatusAccepted, status)
	return nil
}

func flag(r *http.Request, name string) bool {
	return strings.EqualFold(r.URL.Query().Get(name), "true")
}

func (a *api) tasks(w http.ResponseWriter, r *http.Request) error {
	tasks, err := a.worker.Tasks(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, tasks)
	return nil
}

func (a *api) tasksConfig(w http.ResponseWriter, r *http.Request) error {
	configs, err := a.worker.TasksConfig(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, configs)
	return nil
}

func taskID(r *http.Request) (engine.TaskID, error) {
	n, err := strconv.ParseInt(r.PathValue("task"), 10, 32)
	if err != nil {
		return engine.TaskID{}, statusError(http.StatusNotFound)
	}
	return engine.TaskID{Connector: r.PathValue("name"), Task: int(n)}, nil
}

func (a *api) taskStatus(w http.ResponseWriter, r *http.Request) error {
	id, err := taskID(r)
	if err != nil {
		return err
	}
	status, err := a.worker.TaskStatus(r.Context(), id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

func (a *api) restartTask(w http.ResponseWriter, r *http.Request) error {
	id, err := taskID(r)
	if err != nil {
		return err
	}
	return empty(w, http.StatusNoContent, a.worker.RestartTask(r.Context(), id))
}
