package restapi

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kccliVersion is of github.com/ricardo-ch/go-kafka-connect/v3.
const kccliVersion = "v3.0.0-20221117134721-e033f95963cb"

// TestGoKafkaConnect uses the command line of go-kafka-connect, whose library the
// Terraform provider has. With --sync a command waits until the server shows what
// it asked for.
func TestGoKafkaConnect(t *testing.T) {
	t.Parallel() // the client sleeps
	kccli := buildKccli(t)
	s := startServer(t)
	call := func(args ...string) map[string]any {
		t.Helper()
		var answer map[string]any
		out := run(t, kccli, append([]string{"--url", s.url}, args...)...)
		if start := strings.IndexByte(out, '{'); start >= 0 {
			if err := json.Unmarshal([]byte(out[start:]), &answer); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
		}
		return answer
	}
	request := func(name string, config map[string]any) string {
		text, err := json.Marshal(map[string]any{"name": name, "config": config})
		must(t, err)
		return string(text)
	}
	created := call("create", "--sync", "--string", request("src", s.source()))
	if created["Code"] != 201.0 || created["name"] != "src" {
		t.Errorf("created: %v", created)
	}
	call("deploy", "--string", request("src", s.source())) // changes nothing
	call("deploy", "--string", request("snk", s.sink()))   // returns once the config comes back as it was sent
	s.awaitOutput(t)
	if got := run(t, kccli, "--url", s.url, "list"); !strings.Contains(got, "src") || !strings.Contains(got, "snk") {
		t.Errorf("connectors: %s", got)
	}
	changed := s.source()
	changed["batch.size"] = 7
	text, err := json.Marshal(changed)
	must(t, err)
	updated := call("update", "--sync", "--connector", "src", "--string", string(text))
	if updated["Code"] != 200.0 {
		t.Errorf("updated: %v", updated)
	}
	config := call("get", "--config", "--connector", "src")["Config"].(map[string]any)
	if config["batch.size"] != "7" || config["name"] != "src" || len(config) != 6 {
		t.Errorf("config: %v", config)
	}
	await := func(state string) {
		t.Helper()
		eventually(t, "src to be "+state, func() bool {
			status, _ := call("get", "--status", "--connector", "src")["connector"].(map[string]any)
			return status["state"] == state
		})
	}
	call("pause", "--sync", "--connector", "src")
	await("PAUSED")
	call("resume", "--sync", "--connector", "src")
	await("RUNNING")
	eventually(t, "a task", func() bool {
		tasks, _ := call("get", "--tasks", "--connector", "src")["Tasks"].([]any)
		return len(tasks) == 1
	})
	for _, name := range []string{"src", "snk"} {
		if deleted := call("delete", "--sync", "--connector", name); deleted["Code"] != 204.0 {
			t.Errorf("deleted: %v", deleted)
		}
	}
	if gone := call("get", "--connector", "src"); gone["Code"] != 404.0 {
		t.Errorf("a deleted connector: %v", gone)
	}
}

// buildKccli builds the command in the user's cache directory, as a program of its
// own: it is under another licence than this project.
func buildKccli(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "sluice-test", "kccli-"+kccliVersion)
	path := filepath.Join(dir, "kccli")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	must(t, os.MkdirAll(dir, 0o755))
	mod := "module kccli\n\ngo 1.26.0\n\nrequire github.com/ricardo-ch/go-kafka-connect/v3 " + kccliVersion + "\n"
	must(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644))
	cmd := exec.Command("go", "build", "-mod=mod", "-o", path, "github.com/ricardo-ch/go-kafka-connect/v3/cli")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build kccli: %v\n%s", err, out)
	}
	return path
}
