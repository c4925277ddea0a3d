package rest

import (
	"net/http"
	"strings"
)

// The endpoints between the workers of a group (KIP-507, KIP-618). They are Kafka
// Connect's, so that Java workers can be in the group. A request has to be signed
// with the group's session key; a worker alone has none and answers 404.

// putTasks takes the task configs of a connector over from the worker that runs it.
func (a *api) putTasks(w http.ResponseWriter, r *http.Request) error {
	body, err := a.signed(r)
	if err != nil {
		return err
	}
	var tasks []map[string]string
	if err := decode(body, &tasks); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent, a.worker.PutTasks(r.Context(), r.PathValue("name"), tasks))
}

// fenceTasks fences earlier tasks of a source for a worker that is about to run one.
func (a *api) fenceTasks(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.signed(r); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent, a.worker.FenceTasks(r.Context(), r.PathValue("name")))
}

// signed returns the body of a request that a worker of the group has signed.
func (a *api) signed(r *http.Request) ([]byte, error) {
	body, err := readAll(r)
	if err == nil {
		err = a.worker.VerifyPeer(r.Header, body)
	}
	if err == nil && tooDeep(body) {
		err = errTooDeep()
	}
	return body, err
}

// betweenWorkers tells of a request that has a signature in the place of a user.
func betweenWorkers(r *http.Request) bool {
	path, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.EscapedPath(), "/"), "/connectors/")
	name, what, _ := strings.Cut(path, "/")
	return ok && name != "" && (r.Method == http.MethodPost && what == "tasks" || r.Method == http.MethodPut && what == "fence")
}
