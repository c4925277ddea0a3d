package engine_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/cluster"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/engine/rest"
)

// TestRESTThroughAFollower sends every request that changes something to a worker
// that does not lead, and looks at its effect through the same worker.
func TestRESTThroughAFollower(t *testing.T) {
	sinks := func(c *crew) {
		plugins := c.plugins
		c.plugins = func(worker string) []connect.Spec {
			return append(plugins(worker), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
		}
	}
	withCrew(t, 0, nil, func(t *testing.T, c *crew) {
		sinks(c)
		for i := range 3 {
			c.start(fmt.Sprint("w", i+1))
		}
		f := c.follower()
		c.worker(f).way.slow(20 * time.Millisecond) // it reads later than others
		body := c.must(f, `POST /connectors {"name":"a/b","config":`+configText(3)+`}`, 201)
		if !strings.Contains(body, `"name":"a/b"`) {
			t.Errorf("the answer to a new connector: %s", body)
		}
		c.must(f, "GET /connectors/a%2Fb", 200)
		c.awaitSpread(3)
		c.must(f, `POST /connectors {"name":"a/b","config":`+configText(3)+`}`, 409)
		c.must(f, `POST /connectors {"name":"x","config":{"connector.class":"Nowhere"}}`, 400)
		c.must(f, "PUT /connectors/a%2Fb/config "+configText(3, "test.topic", "t2"), 200)
		if got := c.must(f, "GET /connectors/a%2Fb/config", 200); !strings.Contains(got, "t2") {
			t.Errorf("the config right after it was changed: %s", got)
		}
		c.must(f, `PATCH /connectors/a%2Fb/config {"test.topic":"t3"}`, 200)
		c.must(f, `PATCH /connectors/none/config {"test.topic":"t3"}`, 404)
		c.wait(2 * time.Second) // the tasks have their new configs by then
		c.awaitSpread(3)
		for i := range 3 { // one of them runs on each worker
			before := c.runs.started()
			c.must(f, fmt.Sprintf("POST /connectors/a%%2Fb/tasks/%d/restart", i), 204)
			enginetest.Eventually(t, func() bool { return c.runs.since(before, "a/b") == 1 }, func() string { return "the task is not restarted" })
			c.awaitSpread(3)
		}
		c.must(f, "POST /connectors/a%2Fb/tasks/7/restart", 404)
		c.must(f, "POST /connectors/a%2Fb/restart", 204)
		if got := c.must(f, "POST /connectors/a%2Fb/restart?includeTasks=true&onlyFailed=false", 202); strings.Count(got, "RESTARTING") != 4 {
			t.Errorf("the plan of a restart: %s", got)
		}
		c.awaitSpread(3)
		c.must(f, "PUT /connectors/a%2Fb/pause", 202)
		c.worker(f).Await(t, "a/b", engine.Paused, engine.Paused, engine.Paused, engine.Paused)
		c.must(f, "PUT /connectors/a%2Fb/resume", 202)
		c.worker(f).Await(t, "a/b", engine.Running, engine.Running, engine.Running, engine.Running)
		c.must(f, "PUT /connectors/a%2Fb/topics/reset", 202)
		c.must(f, `PUT /admin/loggers/some.logger?scope=cluster {"level":"WARN"}`, 204)
		for _, name := range c.names() {
			enginetest.Eventually(t, func() bool { code, _ := c.ask(name, "GET /admin/loggers/some.logger"); return code == 200 },
				func() string { return name + " does not set the level of a logger" })
		}
		testOffsetsThroughAFollower(t, c, f)
		c.must(f, "DELETE /connectors/a%2Fb", 204)
		c.must(f, "GET /connectors/a%2Fb/status", 404)
		c.must(f, "DELETE /connectors/a%2Fb", 404)
	})
}

// testOffsetsThroughAFollower changes offsets of a source and a sink whose tasks run
// on three workers, right after the connectors were stopped.
func testOffsetsThroughAFollower(t *testing.T, c *crew, f string) {
	const change = `PATCH /connectors/a%2Fb/offsets {"offsets":[{"partition":{"p":1},"offset":{"n":7}}]}`
	c.must(f, change, 400)
	c.must(f, "PUT /connectors/a%2Fb/stop", 204)
	c.must(f, change, 200)
	if now := c.runs.snapshot(); len(now) > 0 {
		t.Errorf("offsets were changed while tasks run: %v", now)
	}
	if got := c.must(f, "GET /connectors/a%2Fb/offsets", 200); !strings.Contains(got, `{"n":7}`) {
		t.Errorf("offsets right after they were changed: %s", got)
	}
	c.must(f, "DELETE /connectors/a%2Fb/offsets", 200)
	for i := range 3 {
		enginetest.Produce(t, c.cluster, &kgo.Record{Topic: fmt.Sprint("in", i), Value: []byte("x")})
	}
	c.must(f, fmt.Sprintf(`PUT /connectors/snk/config {"connector.class":%q,"topics":"in0,in1,in2","tasks.max":"3","test.tasks":"3"}`, enginetest.SinkClass), 201)
	c.worker(f).Await(t, "snk", engine.Running, engine.Running, engine.Running, engine.Running)
	c.must(f, "PUT /connectors/snk/stop", 204)
	c.must(f, `PATCH /connectors/snk/offsets {"offsets":[{"partition":{"kafka_topic":"in0","kafka_partition":0},"offset":{"kafka_offset":0}}]}`, 200)
	c.must(f, "DELETE /connectors/snk/offsets", 200)
}

// TestRequestsWaitForALeader sends a change at the moment in which the leader dies:
// it waits for the next one instead of failing.
func TestRequestsWaitForALeader(t *testing.T) {
	withCrew(t, 3, nil, func(t *testing.T, c *crew) {
		f := c.follower()
		c.kill(c.leader())
		began := time.Now()
		c.must(f, "PUT /connectors/a/config "+configText(2), 201)
		if waited := time.Since(began); waited < time.Second || waited > 30*time.Second {
			t.Errorf("the change waited for %s, want about a session timeout", waited)
		}
		c.awaitSpread(2)
	})
}

// TestWorkersSignTheirRequests holds the endpoints between workers to KIP-507.
func TestWorkersSignTheirRequests(t *testing.T) {
	withCrew(t, 2, nil, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/a/config "+configText(1), 201)
		c.awaitSpread(1)
		leader := c.worker(c.leader())
		for _, tt := range []struct {
			signature, algorithm string
			want                 int
			text                 string
		}{
			{"", "", 400, "missing required signature"},
			{"AAAA", "", 400, "missing required signature"},
			{"AAAA", "HmacSHA1", 400, "does not support the 'HmacSHA1' key signing algorithm"},
			{"?", "HmacSHA256", 400, "not base64"},
			{"AAAA", "HmacSHA256", 403, "Internal request contained invalid signature."},
		} {
			for _, request := range []string{"POST /connectors/a/tasks [{}]", "PUT /connectors/a/fence"} {
				method, rest, _ := strings.Cut(request, " ")
				path, body, _ := strings.Cut(rest, " ")
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-Connect-Authorization", tt.signature)
				r.Header.Set("X-Connect-Request-Signature-Algorithm", tt.algorithm)
				rec := httptest.NewRecorder()
				leader.api.ServeHTTP(rec, r)
				var e struct{ Message string }
				_ = json.Unmarshal(rec.Body.Bytes(), &e)
				if rec.Code != tt.want || !strings.Contains(e.Message, tt.text) {
					t.Errorf("%s signed %q with %q: got %d %s, want %d %s", request, tt.signature, tt.algorithm, rec.Code, rec.Body, tt.want, tt.text)
				}
			}
		}
	})
}

// TestCompatibleWorkersDoNotSign lets workers share connectors by the older protocol.
// One that is not set to it wants signatures all the same.
func TestCompatibleWorkersDoNotSign(t *testing.T) {
	older := func(cfg *engine.Config) {
		if cfg.WorkerID != "w3:8083" {
			cfg.Group.Protocol = cluster.Compatible
		}
	}
	withCrew(t, 3, older, func(t *testing.T, c *crew) {
		c.must(c.follower(), "PUT /connectors/a/config "+configText(3), 201)
		c.awaitSpread(3)
		if leader := c.leader(); leader != "w1" {
			t.Fatalf("%s leads, want the first to come", leader)
		}
		c.must("w1", "PUT /connectors/a/fence", 204)
		c.must("w3", "PUT /connectors/a/fence", 400)
	})
}

// TestUsersAndWorkers wants the user of a forwarded request to be asked for by the
// leader too, and requests between workers to need their signature in place of one.
func TestUsersAndWorkers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	if err := os.WriteFile(path, []byte(`{"users": [{"name": "eve", "password": "plain$secret", "connectors": {"*": "edit"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	withCrew(t, 0, nil, func(t *testing.T, c *crew) {
		c.protect = func(h http.Handler) http.Handler {
			access, err := rest.OpenAccess(path, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			return access.Handler(h)
		}
		for i := range 3 {
			c.start(fmt.Sprint("w", i+1))
		}
		for _, name := range []string{"a", "b", "c"} { // one of which runs on each worker
			c.must(c.follower(), "PUT /connectors/"+name+"/config "+configText(1), 201)
		}
		c.awaitSpread(3)
		for request, want := range map[string]int{
			"PUT /connectors/a/pause": 401, "POST /connectors/a/tasks/0/restart": 401, "POST /connectors/tasks": 401, "GET /connectors/a/tasks": 401,
			"POST /connectors/a/tasks": 400, "PUT /connectors/a/fence": 400, "PUT /connectors/a/fence/": 400, "PUT /connectors/a/tasks": 401,
			"PUT /connectors/a%2F..%2Fb/fence": 400, "PUT /connectors/../admin/loggers/fence": 401,
		} {
			method, path, _ := strings.Cut(request, " ")
			rec := httptest.NewRecorder()
			c.worker(c.leader()).api.ServeHTTP(rec, httptest.NewRequest(method, path, nil))
			if rec.Code != want {
				t.Errorf("%s without a user: got %d %s, want %d", request, rec.Code, rec.Body, want)
			}
		}
	})
}
