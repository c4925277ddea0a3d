package rest

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-data/sluice/internal/httpauth"
	"github.com/sluice-data/sluice/schemaregistry"
)

const byIDPath = "/schemas/ids/"

// quick answers what clients ask for most before anything is done that it does not need: an id of the default context that one version has, with
// no wishes in the query, asked by somebody who may read everything. The rest goes to next, where the same request gets the same answer; m is that
// endpoint's.
func (a *api) quick(m *endpointMetrics, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		v, ok := a.onlyVersion(r)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		j := a.schema(v)
		j.Subject, j.Version, j.ID = "", 0, 0
		setHeaders(w.Header(), r)
		writeJSON(w, r, http.StatusOK, j)
		m.count(http.StatusOK, time.Since(began))
	})
}

func (a *api) onlyVersion(r *http.Request) (v schemaregistry.Version, ok bool) {
	digits, ok := strings.CutPrefix(r.URL.Path, byIDPath)
	if !ok || r.Method != http.MethodGet || r.URL.RawQuery != "" || httpauth.UserOf(r.Context()) != nil {
		return v, false
	}
	id, err := strconv.Atoi(digits)
	if err != nil {
		return v, false
	}
	return a.registry.Only(schemaregistry.DefaultContext, id)
}

// notCached is the value of a header, which is only read.
var notCached = []string{"no-cache, no-store, must-revalidate"}

// requestID is a header in the form that http.Header has it.
const requestID = "X-Request-Id"

// setHeaders sets what every answer has.
func setHeaders(header http.Header, r *http.Request) {
	header["Cache-Control"] = notCached
	id := r.Header[requestID]
	if len(id) == 0 || id[0] == "" {
		id = []string{strconv.FormatUint(rand.Uint64(), 36)} // tells requests apart, and is no secret
	}
	header[requestID] = id[:1:1]
}
