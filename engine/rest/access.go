package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/sluice-data/sluice/internal/httpauth"
)

// role is what a user may do with a connector. Each includes those before it.
type role int

const (
	nobody role = iota
	view        // see its config, status, tasks, topics and offsets
	manage      // pause, resume, stop, restart
	edit        // create, change and delete it, and change its offsets
)

var roles = map[string]role{"view": view, "manage": manage, "edit": edit}

func (r role) String() string { return [...]string{"nobody", "view", "manage", "edit"}[r] }

// Access knows the users of the REST API and their roles, from a file of package httpauth.
type Access struct{ file *httpauth.File }

// OpenAccess reads an access file. When the file changes it is read again; while
// it cannot be used, what was there before stays in use.
func OpenAccess(path string, logger *slog.Logger) (*Access, error) {
	file, err := httpauth.Open(path, logger)
	if err != nil {
		return nil, err
	}
	return &Access{file}, nil
}

// Handler lets only known users reach next, which is the handler that New
// returns. GET /health is open to all. A request between workers has a signature
// in place of a user, and none of the users' rights.
func (a *Access) Handler(next http.Handler) http.Handler {
	guarded := a.file.Handler(next, func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, &restError{http.StatusUnauthorized, "User cannot access the resource."})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		if betweenWorkers(r) {
			next.ServeHTTP(w, r.WithContext(httpauth.WithNobody(r.Context())))
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// roleFor returns the user's role for a connector. Without users, which is also
// how the process calls itself, everything is allowed.
func roleFor(ctx context.Context, connector string) role {
	u := httpauth.UserOf(ctx)
	if u == nil {
		return edit
	}
	return roles[u.Connector(connector)]
}

// editsSomething tells whether a user may edit any connector.
func editsSomething(ctx context.Context) bool {
	u := httpauth.UserOf(ctx)
	if u == nil {
		return true
	}
	for _, name := range u.Connectors {
		if roles[name] == edit {
			return true
		}
	}
	return false
}

func forbidden(format string, args ...any) error {
	return &restError{http.StatusForbidden, fmt.Sprintf(format, args...)}
}

// allow returns an error unless the user has a role for a connector. The text is
// the same whether or not the connector exists.
func allow(ctx context.Context, needed role, connector string) error {
	if roleFor(ctx, connector) >= needed {
		return nil
	}
	return forbidden("User may not %s connector %s; the access file has the roles", needed, connector)
}

// restricted checks the user's role before a handler runs.
func restricted(method, path string, h handler) handler {
	needed := neededRole(method, path)
	if method == http.MethodPost && path == "/connectors/{name}/tasks" || path == "/connectors/{name}/fence" {
		return h // between workers: the signature counts
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		var err error
		switch {
		case strings.HasPrefix(path, "/connectors/{name}"):
			err = allow(r.Context(), needed, r.PathValue("name"))
		case strings.HasPrefix(path, "/admin/") && needed == edit:
			err = allow(r.Context(), edit, "*")
		case strings.HasSuffix(path, "/config/validate") && !editsSomething(r.Context()):
			err = forbidden("User may not edit any connector; the access file has the roles")
		}
		if err != nil {
			return err
		}
		return h(w, r)
	}
}

func neededRole(method, path string) role {
	if method == http.MethodGet {
		return view
	}
	for _, end := range []string{"/pause", "/resume", "/stop", "/restart", "/topics/reset"} {
		if strings.HasSuffix(path, end) {
			return manage
		}
	}
	return edit
}
