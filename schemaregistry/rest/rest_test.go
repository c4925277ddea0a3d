package rest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

var update = flag.Bool("update", false, "write the answers that came into testdata")

// TestTranscripts plays the requests of testdata, each file on a new registry, and compares the answers. A block is a request line
// "METHOD path body" and the answer: its status and its body. Blocks are separated by empty lines; one that begins with # is a
// comment. Files named legacy are answered in the shapes before 8.0.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
			r, _ := registrytest.Start(t, opts)
			play(t, file, rest.New(r, rest.Options{Version: "8.0.0", Legacy: strings.Contains(file, "legacy")}))
		})
	}
}

func play(t *testing.T, file string, h http.Handler) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		request, want, _ := strings.Cut(block, "\n")
		got := want
		if !strings.HasPrefix(request, "#") {
			got = answer(h, request)
		}
		if got != want && !*update {
			t.Errorf("%s\ngot  %s\nwant %s", request, got, want)
		}
		out = append(out, strings.TrimSuffix(request+"\n"+got, "\n"))
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What no two runs have in common.
var (
	times    = regexp.MustCompile(`"ts":\d+`)
	clusters = regexp.MustCompile(`"kafka-cluster":"[^"]+"`)
)

func answer(h http.Handler, request string) string {
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	text := clusters.ReplaceAllString(times.ReplaceAllString(w.Body.String(), `"ts":0`), `"kafka-cluster":"ID"`)
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(text), "", " ") == nil && len(text) > 120 {
		text = indented.String()
	}
	return strings.TrimSpace(fmt.Sprintf("%d\n%s", w.Code, text))
}
