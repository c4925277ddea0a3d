package restapi

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/process"
)

func TestMain(m *testing.M) {
	code := m.Run()
	process.Clean()
	os.Exit(code)
}

const (
	sourceClass = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	sinkClass   = "org.apache.kafka.connect.file.FileStreamSinkConnector"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// server is a server with a file to read and one to write.
type server struct {
	url, in, out string
}

func startServer(t *testing.T) server {
	t.Helper()
	dir := t.TempDir()
	s := server{in: filepath.Join(dir, "in.txt"), out: filepath.Join(dir, "out.txt")}
	if err := os.WriteFile(s.in, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + process.New(t, "offset.flush.interval.ms=100").REST
	return s
}

func (s server) source() map[string]any {
	return map[string]any{"connector.class": sourceClass, "file": s.in, "topic": "lines", "tasks.max": "1"}
}

func (s server) sink() map[string]any {
	return map[string]any{"connector.class": sinkClass, "file": s.out, "topics": "lines", "tasks.max": 1}
}

// awaitOutput waits until the sink's file has the source's lines.
func (s server) awaitOutput(t *testing.T) {
	t.Helper()
	eventually(t, "the lines in the sink's file", func() bool {
		text, err := os.ReadFile(s.out)
		return err == nil && strings.Contains(string(text), "three\n")
	})
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// must fails the test for an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a command and returns what it printed; a failure ends the test.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}
