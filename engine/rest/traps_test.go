package rest_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/engine/rest"
)

// trapped is a worker with a source and a sink that run.
func trapped(t *testing.T) (*enginetest.Worker, http.Handler) {
	t.Helper()
	secrets := filepath.Join(t.TempDir(), "secrets.properties")
	if err := os.WriteFile(secrets, []byte("password=hunter2-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := enginetest.Fake(t)
	enginetest.Produce(t, c, &kgo.Record{Topic: "in", Value: []byte("a")})
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.AutoRestartDisabled = true
		cfg.ConfigProviders = []engine.ProviderConfig{{Name: "file", Class: engine.FileProviderClass}}
		cfg.Logger = slog.New(slog.DiscardHandler)
	}, plugins()...)
	w.Create(t, "src", map[string]string{"connector.class": "TestSource", "test.password": "${file:" + secrets + ":password}", "unknown.option": " kept "})
	w.Create(t, "snk", map[string]string{"connector.class": "TestSink", "topics": "in"})
	w.Await(t, "src", engine.Running, engine.Running)
	w.Await(t, "snk", engine.Running, engine.Running)
	return w, rest.New(w.Worker)
}

// TestConfigComesBackAsSent (I6): no default, nothing resolved or trimmed, the name
// added; numbers and booleans as text.
func TestConfigComesBackAsSent(t *testing.T) {
	w, h := trapped(t)
	info, err := w.Connector(t.Context(), "src")
	if err != nil {
		t.Fatal(err)
	}
	reference := info.Config["test.password"]
	want := fmt.Sprintf("200\n{\n  \"connector.class\": \"TestSource\",\n  \"name\": \"src\",\n  \"test.password\": %q,\n  \"unknown.option\": \" kept \"\n}", reference)
	if got := answer(h, "GET /connectors/src/config"); got != want || !strings.HasPrefix(reference, "${file:") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	answer(h, `PUT /connectors/n/config {"connector.class":"TestSource","tasks.max":1,"errors.log.enable":true,"test.number":"007"}`)
	want = "200\n{\n  \"connector.class\": \"TestSource\",\n  \"errors.log.enable\": \"true\",\n  \"name\": \"n\",\n  \"tasks.max\": \"1\",\n  \"test.number\": \"007\"\n}"
	if got := answer(h, "GET /connectors/n/config"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, path := range []string{"GET /connectors/src", "GET /connectors/src/tasks", "GET /connectors?expand=info&expand=status", "GET /connectors/src/tasks-config"} {
		if got := answer(h, path); strings.Contains(got, "hunter2") {
			t.Errorf("%s shows a secret: %s", path, got)
		}
	}
}

// TestSuccessCodes has the code that clients wait for, of every request that changes
// something.
func TestSuccessCodes(t *testing.T) {
	w, h := trapped(t)
	for _, step := range []struct {
		request string
		code    int
		empty   bool
		state   engine.State // of src and its task afterwards
	}{
		{`POST /connectors {"name":"new","config":{"connector.class":"TestSource"}}`, 201, false, ""},
		{`PUT /connectors/other/config {"connector.class":"TestSource"}`, 201, false, ""},
		{`PUT /connectors/other/config {"connector.class":"TestSource","test.number":"2"}`, 200, false, ""},
		{`PATCH /connectors/other/config {"test.number":"3"}`, 200, false, ""},
		{"PUT /connectors/src/pause", 202, true, engine.Paused},
		{"PUT /connectors/src/resume", 202, true, engine.Running},
		{"POST /connectors/src/restart", 204, true, engine.Running},
		{"POST /connectors/src/restart?includeTasks=false&onlyFailed=false", 204, true, engine.Running},
		{"POST /connectors/src/restart?includeTasks=true", 202, false, engine.Running},
		{"POST /connectors/src/restart?onlyFailed=true", 202, false, engine.Running},
		{"POST /connectors/src/tasks/0/restart", 204, true, engine.Running},
		{"PUT /connectors/src/topics/reset", 202, true, ""},
		{"PUT /connectors/src/stop", 204, true, ""},
		{"DELETE /connectors/src/offsets", 200, false, ""},
		{`PATCH /connectors/src/offsets {"offsets":[{"partition":{"p":1},"offset":{"n":1}}]}`, 200, false, ""},
		{`PUT /connector-plugins/TestSink/config/validate {"connector.class":"TestSink"}`, 200, false, ""},
		{`PUT /admin/loggers/x {"level":"INFO"}`, 200, false, ""},
		{`PUT /admin/loggers/x?scope=cluster {"level":"INFO"}`, 204, true, ""},
		{"DELETE /connectors/other", 204, true, ""},
	} {
		got := answer(h, step.request)
		if code := fmt.Sprint(step.code); !strings.HasPrefix(got, code) || strings.Contains(got, "\n") == step.empty {
			t.Errorf("%s: got %s, want %d, without a body: %t", step.request, got, step.code, step.empty)
		}
		if step.state != "" {
			w.Await(t, "src", step.state, step.state)
		}
	}
}

// TestTraceIsAbsentWithoutOne looks at statuses with and without failures.
func TestTraceIsAbsentWithoutOne(t *testing.T) {
	w, h := trapped(t)
	w.Create(t, "fails", map[string]string{"connector.class": "TestSource"})
	w.Await(t, "fails", engine.Running, engine.Failed)
	for _, path := range []string{"GET /connectors/src/status", "GET /connectors/src/tasks/0/status", "GET /connectors/snk/status"} {
		if got := answer(h, path); strings.Contains(got, "trace") || strings.Contains(got, "null") {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := answer(h, "GET /connectors/fails/status"); strings.Count(got, `"trace"`) != 1 || strings.Contains(got, "null") {
		t.Errorf("a failed task: %s", got)
	}
	if got := answer(h, "GET /connectors/fails/tasks/0/status"); !strings.Contains(got, `"trace"`) {
		t.Errorf("a failed task: %s", got)
	}
}

// TestStatusIsGoneAtOnce asks right after the answer to the DELETE.
func TestStatusIsGoneAtOnce(t *testing.T) {
	_, h := trapped(t)
	answer(h, "DELETE /connectors/src")
	for _, path := range []string{"/connectors/src/status", "/connectors/src", "/connectors/src/config", "/connectors/src/tasks/0/status"} {
		if got := answer(h, "GET "+path); !strings.HasPrefix(got, "404") {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := answer(h, "GET /connectors"); got != "200\n[\n  \"snk\"\n]" {
		t.Errorf("GET /connectors: %s", got)
	}
}

// TestTypesAndVersions are in small letters, and absent rather than null.
func TestTypesAndVersions(t *testing.T) {
	_, h := trapped(t)
	for path, want := range map[string]string{
		"/connectors/src": `"type": "source"`, "/connectors/snk": `"type": "sink"`, "/connectors/src/status": `"type": "source"`,
		"/connector-plugins": `"type": "sink"`, "/connector-plugins?connectorsOnly=false": `"type": "transformation"`,
	} {
		if got := answer(h, "GET "+path); !strings.Contains(got, want) || strings.Contains(got, `"version": null`) || strings.Contains(got, `"version": ""`) {
			t.Errorf("%s: no %s in %.300s", path, want, got)
		}
	}
}

// TestValidationAnswersWithErrorsInside wants 200 for any values, with and without a
// name, and a group and an order for every option.
func TestValidationAnswersWithErrorsInside(t *testing.T) {
	_, h := trapped(t)
	for body, errors := range map[string]int{
		`{"connector.class":"TestSink","topics":"getPlugins"}`:                                          1, // the name
		`{"connector.class":"TestSink","topics":"in","name":"x"}`:                                       0,
		`{"connector.class":"TestSink","name":"x","topics":"in","tasks.max":"many","test.number":null}`: 2,
		`{"connector.class":"TestSink","name":"x","topics":"in","topics.regex":"((("}`:                  3,
	} {
		got := answer(h, "PUT /connector-plugins/TestSink/config/validate "+body)
		code, text, _ := strings.Cut(got, "\n")
		var v struct {
			Errors  int `json:"error_count"`
			Configs []struct {
				Definition *struct {
					Group string
					Order int
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil || code != "200" || v.Errors != errors {
			t.Errorf("%s: %s, %d errors, want %d (%v)", body, code, v.Errors, errors, err)
		}
		for _, c := range v.Configs {
			if c.Definition != nil && (c.Definition.Group == "" || c.Definition.Order < 1) {
				t.Errorf("%s: an option without group or order: %+v", body, c.Definition)
			}
		}
	}
}

// TestUnknownParametersAreIgnored adds some that no server knows.
func TestUnknownParametersAreIgnored(t *testing.T) {
	_, h := trapped(t)
	for _, path := range []string{"/", "/connectors", "/connectors/src", "/connectors/src/status", "/connectors/src/config", "/connector-plugins", "/admin/loggers"} {
		if got, want := answer(h, "GET "+path+"?colour=red&expand2=x&t=1"), answer(h, "GET "+path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if got, want := answer(h, "GET /connectors?expand=colour&expand=info"), answer(h, "GET /connectors?expand=info"); got != want {
		t.Errorf("an unknown expansion: got %s, want %s", got, want)
	}
	for _, request := range []string{"POST /connectors/src/restart?includeTasks=perhaps", "PUT /connectors/src/pause?forward=true"} {
		if got := answer(h, request); !strings.HasPrefix(got, "20") {
			t.Errorf("%s: %s", request, got)
		}
	}
}

// TestPathsAreNotCleaned wants an empty name to be a wrong path rather than a redirect
// to another resource.
func TestPathsAreNotCleaned(t *testing.T) {
	_, h := trapped(t)
	for _, request := range []string{`PUT /connectors//config {"connector.class":"TestSource"}`, "GET /connectors/../connectors", "GET //connectors", "DELETE /connectors//", "GET /./"} {
		if got := answer(h, request); !strings.HasPrefix(got, "404") || !strings.Contains(got, "HTTP 404 Not Found") {
			t.Errorf("%s: %s", request, got)
		}
	}
	for _, path := range []string{"/connectors/", "/connectors/src/", "/connectors/src/status/"} {
		if got := answer(h, "GET "+path); !strings.HasPrefix(got, "200") {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// TestVersionTurnsFeaturesOn wants a version that clients can compare and that is
// new enough for all that they ask for.
func TestVersionTurnsFeaturesOn(t *testing.T) {
	_, h := trapped(t)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	var root struct{ Version, Commit, Kafka_cluster_id string }
	if err := json.Unmarshal(rec.Body.Bytes(), &root); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`^(\d+)\.(\d+)`).FindStringSubmatch(root.Version)
	if m == nil {
		t.Fatalf("version %q does not begin with major.minor", root.Version)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < 3 || major == 3 && minor < 9 || root.Commit == "" || root.Kafka_cluster_id != "test-cluster" {
		t.Errorf("%+v", root)
	}
}
