package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// FuzzRequests sends what clients may send (I5): every request gets an answer with a JSON body, and none is the server's fault.
func FuzzRequests(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n\n") {
			request, _, _ := strings.Cut(block, "\n")
			if method, rest, ok := strings.Cut(request, " "); ok && method != "#" {
				path, body, _ := strings.Cut(rest, " ")
				f.Add(method, path, body)
			}
		}
	}
	opts, _ := registrytest.Cluster(f, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(f, opts)
	h := rest.New(r, rest.Options{})
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") || u.Host != "" {
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://registry"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Errorf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
		}
		redirect := w.Code == http.StatusMovedPermanently || w.Code == http.StatusTemporaryRedirect // of a path with //
		if !redirect && w.Code != http.StatusNoContent && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s %q: %d, no JSON: %s", method, path, body, w.Code, w.Body)
		}
	})
}
