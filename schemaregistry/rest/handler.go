package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/schemaregistry"
)

// Limits of a request (I5).
const (
	maxBody        = 4 << 20 // bytes; a schema is at most a record, of 1 MB
	requestTimeout = 60 * time.Second
)

// Options are what clients see differently from release to release.
type Options struct {
	// Legacy answers in the shapes of the releases before 8.0: no guid, time and deletion mark, no type for Avro, and the id alone
	// after a registration.
	Legacy bool
	// IncompatibleCode is the error code of a schema that is not compatible: 409, the default, or 40901 as from 8.2 on.
	IncompatibleCode int
	// Version is told in /v1/metadata/version.
	Version string
	// Metrics gets the registry's figures; nil: nobody looks at them.
	Metrics *metrics.Registry
}

// api serves one registry.
type api struct {
	registry *schemaregistry.Registry
	o        Options
}

// handler answers a request with a value, nil for no body. An error is answered as one.
type handler func(r *http.Request) (any, error)

// New returns the handler of a registry's REST API. Requests wait until the registry has read its schemas.
func New(reg *schemaregistry.Registry, o Options) http.Handler {
	if o.IncompatibleCode == 0 {
		o.IncompatibleCode = schemaregistry.CodeIncompatible
	}
	a := &api{registry: reg, o: o}
	mux := http.NewServeMux()
	var endpoints []*endpointMetrics
	handle := func(method, path, pattern string, h handler) *endpointMetrics {
		m := &endpointMetrics{method: method, path: path}
		endpoints = append(endpoints, m)
		mux.Handle(pattern, m.measured(a.answer(h)))
		return m
	}
	var byID *endpointMetrics
	for path, methods := range a.routes() {
		for method, h := range methods {
			m := handle(method, strings.TrimSuffix(path, "{$}"), method+" "+path, h)
			if path == byIDPath+"{id}" {
				byID = m
			}
		}
		mux.Handle(path, a.answer(status(http.StatusMethodNotAllowed)))
	}
	handle("", otherPaths, "/", status(http.StatusNotFound))
	if o.Metrics != nil {
		register(o.Metrics, reg, endpoints)
	}
	return a.quick(byID, a.limit(inContext(mux)))
}

func (a *api) routes() map[string]map[string]handler {
	return map[string]map[string]handler{
		"/{$}":                                                {"GET": a.root, "POST": a.root},
		"/subjects":                                           {"GET": a.subjects},
		"/subjects/{subject}":                                 {"POST": a.lookup, "DELETE": a.deleteSubject},
		"/subjects/{subject}/metadata":                        {"GET": a.byMetadata},
		"/subjects/{subject}/versions":                        {"GET": a.versions, "POST": a.register},
		"/subjects/{subject}/versions/{version}":              {"GET": a.version, "DELETE": a.deleteVersion},
		"/subjects/{subject}/versions/{version}/schema":       {"GET": a.versionText},
		"/subjects/{subject}/versions/{version}/referencedby": {"GET": a.referencedBy},
		"/subjects/{subject}/versions/{version}/tags":         {"POST": a.tag},
		"/schemas":                                             {"GET": a.schemas},
		"/schemas/types":                                       {"GET": a.types},
		"/schemas/ids/{id}":                                    {"GET": a.byID},
		"/schemas/ids/{id}/schema":                             {"GET": a.textByID},
		"/schemas/ids/{id}/subjects":                           {"GET": a.subjectsByID},
		"/schemas/ids/{id}/versions":                           {"GET": a.versionsByID},
		"/schemas/guids/{guid}":                                {"GET": a.byGUID},
		"/schemas/guids/{guid}/ids":                            {"GET": a.idsByGUID},
		"/compatibility/subjects/{subject}/versions":           {"POST": a.compatible},
		"/compatibility/subjects/{subject}/versions/{version}": {"POST": a.compatible},
		"/config":                 {"GET": a.config, "PUT": a.setConfig, "DELETE": a.deleteConfig},
		"/config/{subject}":       {"GET": a.config, "PUT": a.setConfig, "DELETE": a.deleteConfig},
		"/mode":                   {"GET": a.mode, "PUT": a.setMode, "DELETE": a.deleteMode},
		"/mode/{subject}":         {"GET": a.mode, "PUT": a.setMode, "DELETE": a.deleteMode},
		"/contexts":               {"GET": a.contexts},
		"/contexts/{context}":     {"DELETE": a.deleteContext},
		"/v1/metadata/id":         {"GET": a.clusterID},
		"/v1/metadata/version":    {"GET": a.releaseVersion},
		"/v1/metadata/deployment": {"GET": a.deployment},
	}
}

// answer writes what a handler returns.
func (a *api) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header(), r)
		value, err := h(r)
		switch {
		case err != nil:
			a.writeError(w, r, err)
		case value == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, r, http.StatusOK, value)
		}
	})
}

// writeError answers with Confluent's shape of errors.
func (a *api) writeError(w http.ResponseWriter, r *http.Request, err error) {
	var e *schemaregistry.Error
	if !errors.As(err, &e) {
		e = &schemaregistry.Error{Code: http.StatusInternalServerError, Message: err.Error()}
	}
	code := e.Code
	if code == schemaregistry.CodeIncompatible {
		code = a.o.IncompatibleCode
	}
	writeJSON(w, r, e.Status(), errorJSON{code, e.Message})
}

// errorJSON is the body of an answer that is an error.
type errorJSON struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

// status answers always the same error.
func status(code int) handler {
	return func(*http.Request) (any, error) {
		return nil, &schemaregistry.Error{Code: code, Message: fmt.Sprintf("HTTP %d %s", code, http.StatusText(code))}
	}
}

// limit bounds requests in size and time (I5), and takes the slash off that some clients put at the end of a path. A timer costs a
// read more than finding its answer: there is none where nothing has to be waited for.
func (a *api) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !a.registry.Ready() {
			ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
			defer cancel()
			r = r.WithContext(ctx)
		}
		if len(r.URL.Path) > 1 && strings.HasSuffix(r.URL.Path, "/") {
			u := *r.URL
			u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
			r.URL = &u
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

type contextKey struct{}

// inContext serves /contexts/NAME/… as the path behind it, for the subjects of that context.
func inContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/contexts/"); ok {
			if name, path, found := strings.Cut(rest, "/"); found {
				r = inner(r, name, "/"+path)
			}
		}
		next.ServeHTTP(w, r)
	})
}

func inner(r *http.Request, name, path string) *http.Request {
	u, err := r.URL.Parse(path)
	if err != nil {
		return r
	}
	if text, err := unescape(name); err == nil {
		name = text
	}
	name, _ = contextName(name) // a colon in it is refused where the subject is
	r = r.Clone(context.WithValue(r.Context(), contextKey{}, name))
	r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
	return r
}

// contextName reads a context of a path: colons around it and the dot before it may be left out.
func contextName(text string) (string, error) {
	name := strings.Trim(text, ":")
	if !strings.HasPrefix(name, schemaregistry.DefaultContext) {
		name = schemaregistry.DefaultContext + name
	}
	if strings.Contains(name, ":") {
		return name, badContext(name)
	}
	return name, nil
}

// contextOf is the context of a request's path.
func contextOf(r *http.Request) string {
	if name, ok := r.Context().Value(contextKey{}).(string); ok {
		return name
	}
	return schemaregistry.DefaultContext
}

// subject is the subject in a request's path, in the context of the path unless it names its own. The user has to have the role
// for it.
func subject(r *http.Request, role string) (schemaregistry.Name, error) {
	n, err := within(r, r.PathValue("subject"))
	if err != nil {
		return n, err
	}
	return n, allow(r.Context(), role, n)
}

// within puts a name that names no context into that of the path.
func within(r *http.Request, name string) (schemaregistry.Name, error) {
	n := schemaregistry.ParseName(name)
	if n.Context == schemaregistry.DefaultContext {
		n.Context = contextOf(r)
	}
	if strings.Contains(n.Context, ":") {
		return n, badContext(n.Context)
	}
	return n, nil
}

func badContext(name string) error {
	return &schemaregistry.Error{Code: http.StatusBadRequest, Message: "The name of the context " + strconv.Quote(name) + " has a colon in it"}
}
