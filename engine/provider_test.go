package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// logBuffer keeps the log for a test to search.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestReferencesStayReferences runs a connector with secrets of a file, a
// directory and the environment, and looks for them wherever a config or an error
// is shown (I6).
func TestReferencesStayReferences(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "s.properties"), "topic=from-the-file\nnumber=not-a-number\n")
	write(t, filepath.Join(dir, "password"), "from-the-dir\n")
	t.Setenv("SLUICE_TEST_SECRET", "from-the-env")
	file := "${file:" + dir + "/s.properties:topic}"
	opened := make(chan string, 4)
	var logs logBuffer
	c := enginetest.Fake(t)
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		cfg.ConfigProviders = []engine.ProviderConfig{{Name: "file", Class: engine.FileProviderClass}, {Name: "dir", Class: engine.DirectoryProviderClass},
			{Name: "env", Class: engine.EnvProviderClass, Params: map[string]string{"allowlist.pattern": "SLUICE_.*"}}}
	}, enginetest.ConfiguredSource(func(topic string, password connect.Secret) connect.Source {
		return &enginetest.Source{OnOpen: func(context.Context, connect.SourceContext) error {
			opened <- topic + " " + password.Reveal()
			return fmt.Errorf("server said: no such user %s at %s", topic, "from-the-env")
		}}
	}))
	config := sourceConf("test.topic", file, "test.password", "${dir:"+dir+":password}", "test.unread", "${env::SLUICE_TEST_SECRET}",
		"a", "${file:"+dir+"/s.properties:none}", "b", "${vault:x:y}", "c", "${env:HOME}")
	w.Create(t, "src", config)
	if got, want := <-opened, "from-the-file from-the-dir"; got != want {
		t.Errorf("the source got %q, want %q", got, want)
	}
	status := w.Await(t, "src", engine.Running, engine.Failed)
	got, err := w.Connector(t.Context(), "src")
	must(t, err)
	tasks, err := w.Tasks(t.Context(), "src")
	must(t, err)
	validated, err := w.Validate(t.Context(), enginetest.SourceClass, sourceConf("name", "x", "test.topic", file, "test.number", "${file:"+dir+"/s.properties:number}"))
	must(t, err)
	for k, v := range config {
		if got.Config[k] != v {
			t.Errorf("config %s: got %q, want %q", k, got.Config[k], v)
		}
	}
	if validated.ErrorCount != 1 {
		t.Errorf("errors: got %d, want that of the number", validated.ErrorCount)
	}
	shown, err := json.Marshal([]any{status, got, tasks, validated})
	must(t, err)
	for _, secret := range []string{"from-the-file", "from-the-dir", "from-the-env", "not-a-number"} {
		if strings.Contains(string(shown), secret) || strings.Contains(logs.String(), secret) {
			t.Errorf("%s is shown: %s\n%s", secret, shown, logs.String())
		}
	}
	if want := "no such user " + file; !strings.Contains(status.Tasks[0].Trace, want) {
		t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
	}
}

func TestUnreadableReferenceIsAnErrorOfItsOption(t *testing.T) {
	c := enginetest.Fake(t)
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.ConfigProviders = []engine.ProviderConfig{{Name: "file", Class: engine.FileProviderClass}}
	}, counting("out", 1, new(enginetest.Log)))
	_, err := w.Worker.Create(t.Context(), "src", sourceConf("test.topic", "${file:/nowhere/s.properties:topic}"), "")
	if err == nil || !strings.Contains(err.Error(), "Could not resolve ${file:/nowhere/s.properties:topic}") {
		t.Errorf("create: got %v", err)
	}
}

// TestProviderStaysInItsPaths wants no file read outside of allowed.paths, not by
// .. nor by a link.
func TestProviderStaysInItsPaths(t *testing.T) {
	dir := t.TempDir()
	allowed, other := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	must(t, os.Mkdir(allowed, 0o700))
	must(t, os.Mkdir(other, 0o700))
	write(t, filepath.Join(allowed, "a"), "k=inside")
	write(t, filepath.Join(other, "a"), "k=outside")
	must(t, os.Symlink(filepath.Join(other, "a"), filepath.Join(allowed, "link")))
	for ref, want := range map[string]string{
		"${file:" + allowed + "/a:k}":           "inside",
		"${file:" + allowed + "/../out/a:k}":    "",
		"${file:" + allowed + "/link:k}":        "",
		"${file:" + other + "/a:k}":             "",
		"${dir:" + allowed + ":a}":              "k=inside",
		"${dir:" + allowed + ":../out/a}":       "",
		"${dir:" + dir + ":..}":                 "",
		"${file:" + allowed + "/a:k}-${file:a}": "inside-${file:a}",
	} {
		if want == "" {
			want = ref
		}
		cfg, err := engine.ParseProperties(map[string]string{"config.providers": "file, dir",
			"config.providers.file.class": engine.FileProviderClass, "config.providers.file.param.allowed.paths": allowed,
			"config.providers.dir.class": engine.DirectoryProviderClass, "config.providers.dir.param.allowed.paths": allowed,
			"group.id": ref})
		if err != nil {
			t.Errorf("%s: %v", ref, err)
		} else if cfg.GroupID != want {
			t.Errorf("%s: got %q, want %q", ref, cfg.GroupID, want)
		}
	}
}

// TestReloadAfterAValueChanged restarts a connector with the new value of its
// reference, and one with config.action.reload=none not.
func TestReloadAfterAValueChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.properties")
	write(t, path, "topic=old")
	opened := make(chan string, 10)
	c := enginetest.Fake(t)
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.ConfigProviders = []engine.ProviderConfig{{Name: "file", Class: engine.FileProviderClass}}
		cfg.ReloadInterval = 20 * time.Millisecond
	}, enginetest.ConfiguredSource(func(topic string, _ connect.Secret) connect.Source {
		return &enginetest.Source{OnOpen: func(_ context.Context, sc connect.SourceContext) error {
			opened <- sc.Connector + " " + topic
			return nil
		}}
	}))
	w.Create(t, "stays", sourceConf("test.topic", "${file:"+path+":topic}", "config.action.reload", "none"))
	if got := <-opened; got != "stays old" {
		t.Errorf("opened: got %q", got)
	}
	w.Create(t, "src", sourceConf("test.topic", "${file:"+path+":topic}"))
	if got := <-opened; got != "src old" {
		t.Errorf("opened: got %q", got)
	}
	write(t, path+".new", "topic=new") // a file that is half written counts as another value
	must(t, os.Rename(path+".new", path))
	if got := <-opened; got != "src new" {
		t.Errorf("opened: got %q", got)
	}
	w.Await(t, "src", engine.Running, engine.Running)
	w.Stop(t)
	if len(opened) > 0 {
		t.Errorf("opened: got %q although config.action.reload is none", <-opened)
	}
}
