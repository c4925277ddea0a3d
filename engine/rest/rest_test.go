package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/engine/rest"
)

var update = flag.Bool("update", false, "write the answers that came into testdata")

// TestTranscripts plays the requests of testdata and compares the answers. A
// block is a request line "METHOD path body" and the answer: its status, headers
// that matter, and the body, indented. Blocks are separated by empty lines.
// "await NAME STATES" waits for a status, "until METHOD path" for an answer.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			enginetest.NoLeaks(t)
			c := enginetest.Fake(t)
			enginetest.Produce(t, c, &kgo.Record{Topic: "in", Value: []byte("a")}, &kgo.Record{Topic: "in", Value: []byte("b")})
			w := enginetest.Start(t, c, func(cfg *engine.Config) {
				cfg.AutoRestartDisabled = true
				cfg.OffsetFlushInterval = 20 * time.Millisecond
			}, plugins()...)
			select {
			case <-w.Ready(): // the first transcript asks for the health
			case <-time.After(enginetest.Patience):
				t.Fatal("the worker is not ready")
			}
			play(t, file, w, rest.New(w.Worker))
		})
	}
}

func plugins() []connect.Spec {
	return []connect.Spec{
		enginetest.SourcePlugin(func() connect.Source {
			return &testSource{}
		}),
		enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }),
	}
}

// testSource fails when its connector's name says so, or writes three records to
// the topic out and waits.
type testSource struct {
	enginetest.Source
	writes bool
}

func (s *testSource) Open(_ context.Context, sc connect.SourceContext) error {
	s.writes = strings.Contains(sc.Connector, "writes")
	if strings.Contains(sc.Connector, "fails") {
		return errors.New("the server said no to hunter2-secret")
	}
	return nil
}

func (s *testSource) Read(ctx context.Context, b *connect.Batch) error {
	if !s.writes {
		<-ctx.Done()
		return ctx.Err()
	}
	s.writes = false
	for range 3 {
		r := b.Append()
		r.Topic, r.Value, r.ValueSchema = "out", connect.StringValue("x"), connect.StringSchema
	}
	b.Mark(connect.Mark{Partition: []byte(`{"file":"f","part":1}`), Offset: []byte(`{"line":3}`)})
	return nil
}

func play(t *testing.T, file string, w *enginetest.Worker, h http.Handler) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		request, want, _ := strings.Cut(block, "\n")
		got := ""
		switch {
		case strings.HasPrefix(request, "#"):
			got = want
		case strings.HasPrefix(request, "await "):
			await(t, w, strings.Fields(request)[1:])
		case strings.HasPrefix(request, "until "):
			want, got = awaitAnswer(t, h, strings.TrimPrefix(request, "until "), want), want
		default:
			got = answer(h, request)
		}
		if got != want && !*update {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", request, got, want)
		}
		out = append(out, strings.TrimSpace(request+"\n"+got))
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func await(t *testing.T, w *enginetest.Worker, args []string) {
	t.Helper()
	var states []engine.State
	for _, s := range args[1:] {
		states = append(states, engine.State(s))
	}
	name, err := url.PathUnescape(args[0])
	if err != nil {
		t.Fatal(err)
	}
	w.Await(t, name, states...)
}

// awaitAnswer repeats a request until its answer is the wanted one.
func awaitAnswer(t *testing.T, h http.Handler, request, want string) string {
	t.Helper()
	got := ""
	enginetest.Eventually(t, func() bool {
		got = answer(h, request)
		return got == want || *update && strings.Contains(got, "[\n    {")
	},
		func() string { return request + "\ngot:\n" + got + "\nwant:\n" + want })
	return got
}

// times matches what differs from run to run.
var times = regexp.MustCompile(`"last_modified": [0-9]+`)

// answer serves a request line and returns the answer as text.
func answer(h http.Handler, line string) string {
	method, rest, _ := strings.Cut(line, " ")
	path, body, hasBody := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if hasBody {
		r.Header.Set("Content-Type", "application/json")
	}
	if text, ok := strings.CutPrefix(body, "text:"); ok {
		r = httptest.NewRequest(method, path, strings.NewReader(text))
		r.Header.Set("Content-Type", "text/plain")
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var b strings.Builder
	fmt.Fprint(&b, rec.Code)
	if l := rec.Header().Get("Location"); l != "" {
		fmt.Fprint(&b, " Location: ", l)
	}
	if k := rec.Header().Get("Content-Type"); k != "application/json" {
		fmt.Fprintf(&b, " Content-Type: %q", k)
	}
	var pretty bytes.Buffer
	if rec.Body.Len() > 0 {
		if err := json.Indent(&pretty, rec.Body.Bytes(), "", "  "); err != nil {
			pretty = *rec.Body
		}
		fmt.Fprint(&b, "\n", times.ReplaceAllString(pretty.String(), `"last_modified": 1`))
	}
	return b.String()
}

func TestHealthWhileStarting(t *testing.T) {
	w, err := engine.New(engine.Config{BootstrapServers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	h := rest.New(w)
	if got := answer(h, "GET /health"); !strings.HasPrefix(got, "503\n") || !strings.Contains(got, `"status": "starting"`) || !strings.Contains(got, "Worker is still starting up.") {
		t.Errorf("GET /health: %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "/connectors", nil))
	if got := rec.Body.String(); rec.Code != 500 || !strings.Contains(got, "Request timed out.") {
		t.Errorf("GET /connectors: %d %s", rec.Code, got)
	}
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestDeprecatedEndpointIsLogged wants one line, however often a client asks.
func TestDeprecatedEndpointIsLogged(t *testing.T) {
	var logged bytes.Buffer
	w := enginetest.Start(t, enginetest.Fake(t), func(cfg *engine.Config) {
		cfg.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}, plugins()...)
	w.Create(t, "src", map[string]string{"connector.class": "TestSource"})
	w.Await(t, "src", engine.Running, engine.Running)
	h := rest.New(w.Worker)
	for range 2 {
		if got := answer(h, "GET /connectors/src/tasks-config"); !strings.HasPrefix(got, "200") || !strings.Contains(got, `"src-0"`) {
			t.Errorf("got %s", got)
		}
	}
	w.Stop(t)
	if n := strings.Count(logged.String(), "deprecated"); n != 1 {
		t.Errorf("logged %d times: %s", n, logged.String())
	}
}

func TestBodyLimits(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil, plugins()...)
	h := rest.New(w.Worker)
	for name, body := range map[string]string{
		"413": `{"name":"` + strings.Repeat("x", 9<<20) + `"}`,
		"400": strings.Repeat("[", 100000),
	} {
		if got := answer(h, "POST /connectors "+body); !strings.HasPrefix(got, name) {
			t.Errorf("got %.200s, want %s", got, name)
		}
	}
}

// FuzzRequests checks I5: whatever comes, the answer is JSON or empty and the
// process lives.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{"POST", "/connectors", `{"name":"a","config":{"connector.class":"TestSource"}}`},
		{"PUT", "/connectors/a%2Fb/config", `{"connector.class":"TestSource","tasks.max":1e99}`},
		{"PUT", "/connectors/%00/config", `{"connector.class":null}`},
		{"GET", "/connectors//x/../y", ""}, {"GET", "/connectors/%ff/status", ""},
		{"POST", "/connectors/a/tasks/99999999999999999999/restart", ""},
		{"PUT", "/connector-plugins/TestSink/config/validate", `{"connector.class":"TestSink","topics.regex":"((("}`},
		{"PUT", "/connector-plugins/TestSink/config/validate", `{"a":{"b":[1,2,{"c":null}]}}`},
		{"PATCH", "*", "\x00\xff"},
	} {
		f.Add(seed.method, seed.path, seed.body)
	}
	w := enginetest.Start(f, enginetest.Fake(f), nil, plugins()...)
	h := rest.New(w.Worker)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.Parse("/" + strings.TrimPrefix(path, "/"))
		if err != nil {
			return // net/http answers these
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{"Content-Type": {"application/json"}}, Host: "x"}
		r.Body = http.NoBody
		if body != "" {
			r.Body = readCloser{strings.NewReader(body)}
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Body.Len() > 0 && rec.Code >= 400 && !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %q: %d %q is not JSON", method, path, rec.Code, rec.Body)
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// TestGarbageConnections sends bytes that are not HTTP.
func TestGarbageConnections(t *testing.T) {
	w := enginetest.Start(t, enginetest.Fake(t), nil, plugins()...)
	srv := httptest.NewServer(rest.New(w.Worker))
	defer srv.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		garbage(t, srv, rnd)
	}
	resp, err := http.Get(srv.URL + "/connectors")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("after garbage: %v %v", resp, err)
	}
	resp.Body.Close()
}
