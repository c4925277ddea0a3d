package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
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
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	server := httptest.NewServer(rest.New(r, rest.Options{}))
	t.Cleanup(server.Close)
	return server.URL
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
