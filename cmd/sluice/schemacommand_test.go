package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

var update = flag.Bool("update", false, "write what the commands of testdata print into it")

// TestSchemaCommands runs the commands of testdata/schema.txt and compares what they print.
func TestSchemaCommands(t *testing.T) {
	path, err := filepath.Abs("testdata/schema.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files, script, _ := strings.Cut(string(text), "-- script --\n")
	t.Chdir(t.TempDir())
	for _, file := range strings.Split(files, "\n-- ")[1:] {
		name, content, _ := strings.Cut(file, " --\n")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names := strings.NewReplacer("$URL", registryURL(t), "$OTHER", registryURL(t))
	got := files + "-- script --\n"
	for _, block := range strings.Split(strings.TrimSpace(script), "\n\n") {
		command, _, _ := strings.Cut(block, "\n")
		got += "\n" + command + "\n" + runScript(t, names.Replace(strings.TrimPrefix(command, "$ ")))
	}
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(text) {
		t.Errorf("got\n%s", got)
	}
}

func registryURL(t *testing.T) string {
	t.Helper()
	_, url := registryServerURL(t, func(h http.Handler) http.Handler { return h })
	return url
}

func registryServerURL(t *testing.T, wrap func(http.Handler) http.Handler) (*schemaregistry.Registry, string) {
	t.Helper()
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	server := httptest.NewServer(wrap(rest.New(r, rest.Options{})))
	t.Cleanup(server.Close)
	return r, server.URL
}

// An export has all that makes a schema what it is, in an order in which it can be imported: each context counts its own ids.
func TestExportImport(t *testing.T) {
	same := func(h http.Handler) http.Handler { return h }
	from, fromURL := registryServerURL(t, same)
	_, toURL := registryServerURL(t, same)
	t.Chdir(t.TempDir())
	put := func(subject, text string, rules *schemaregistry.RuleSet, references ...schemaregistry.Reference) {
		t.Helper()
		in := schemaregistry.Input{Text: text, References: references, Rules: rules, Metadata: &schemaregistry.Metadata{Properties: map[string]string{"owner": "me"}}}
		if _, err := from.Register(t.Context(), schemaregistry.ParseName(subject), in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
			t.Fatal(err)
		}
	}
	put(":.b:first", `"int"`, nil)
	put(":.b:e", `{"type":"enum","name":"E","symbols":["A"]}`, nil)
	put(":.a:user", `{"type":"array","items":"E"}`, &schemaregistry.RuleSet{DomainRules: []schemaregistry.Rule{{Name: "r", Type: "CEL", Expr: "true"}}},
		schemaregistry.Reference{Name: "E", Subject: ":.b:e", Version: 1})
	runScript(t, "schema export --url "+fromURL+" >export.jsonl")
	if got := runScript(t, "schema import export.jsonl --url "+toURL); got != "3 versions of 3 subjects were imported, and 0 settings\n" {
		t.Errorf("the import: %s", got)
	}
	exported, err := os.ReadFile("export.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if got := runScript(t, "schema export --url "+toURL); got != string(exported) || !strings.Contains(got, `"expr":"true"`) {
		t.Errorf("exported again\n%swant\n%s", got, exported)
	}
}

// An import that is interrupted leaves no subject in mode IMPORT.
func TestInterruptedImport(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	r, url := registryServerURL(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPost {
				interrupt()
			}
			h.ServeHTTP(w, req)
		})
	})
	path := filepath.Join(t.TempDir(), "export.jsonl")
	if err := os.WriteFile(path, []byte(`{"subject":"s","version":1,"id":1,"schema":"\"int\""}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	c := &schemaCall{program: &program{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}, ctx: ctx, name: "import", args: []string{path}, client: client}
	if err := schemaImport(c); err == nil {
		t.Error("it was not interrupted")
	}
	if m, err := r.Mode(t.Context(), schemaregistry.ParseName("s"), true); err != nil || m != schemaregistry.ReadWrite {
		t.Errorf("mode %s, %v", m, err)
	}
}

// runScript returns what a command prints, and its exit code when that is not 0.
func runScript(t *testing.T, command string) string {
	t.Helper()
	command, to, redirected := strings.Cut(command, " >")
	var stdout, stderr bytes.Buffer
	p := &program{stdout: &stdout, stderr: &stderr}
	code := p.run(strings.Fields(command))
	if redirected {
		if err := os.WriteFile(to, stdout.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout.Reset()
	}
	out := stdout.String() + stderr.String()
	if code != 0 {
		out += fmt.Sprintf("[exit code %d]\n", code)
	}
	return out
}
