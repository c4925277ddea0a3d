package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/engine/rest"
	"github.com/sluice-data/sluice/internal/vfs"
)

// crew is a broker and the workers of one group, in a bubble of virtual time: each
// worker has a network of its own to the broker, and reaches the others' REST API
// by their names.
type crew struct {
	t       *testing.T
	cluster *enginetest.Cluster
	change  func(*engine.Config)
	plugins func(worker string) []connect.Spec
	protect func(http.Handler) http.Handler // the REST API; may be nil
	runs    runs

	mu      sync.Mutex // guards workers
	workers map[string]*hand
}

// hand is a worker of a crew.
type hand struct {
	*enginetest.Worker
	name string
	way  *network
	api  http.Handler
}

// withCrew runs a test with workers of one group, w1 to wn.
func withCrew(t *testing.T, n int, change func(*engine.Config), test func(t *testing.T, c *crew)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		enginetest.NoLeaks(t)
		cluster, _ := embeddedOn(t, vfs.NewMem(), "/data")
		c := &crew{t: t, cluster: cluster, change: change, workers: make(map[string]*hand)}
		c.runs.now, c.runs.starts = make(map[engine.TaskID]string), make(map[engine.TaskID]int)
		c.plugins = func(worker string) []connect.Spec {
			return []connect.Spec{enginetest.SourcePlugin(func() connect.Source { return c.runs.source(worker) })}
		}
		t.Cleanup(func() {
			for _, double := range c.runs.doubles {
				t.Error(double)
			}
		})
		for i := range n {
			c.start(fmt.Sprint("w", i+1))
		}
		test(t, c)
	})
}

// start adds a worker and waits until it is in the group.
func (c *crew) start(name string) *hand {
	c.t.Helper()
	h := &hand{name: name, way: &network{dial: c.cluster.Dial}}
	cluster := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(h.way.connect)}}
	h.Worker = enginetest.Start(c.t, cluster, func(cfg *engine.Config) {
		cfg.WorkerID = name + ":8083"
		cfg.Logger = cfg.Logger.With("worker", name)
		cfg.TaskShutdownTimeout = 5 * time.Second
		cfg.Group = engine.GroupConfig{URL: "http://" + name + ":8083/", Client: &http.Client{Transport: c}, HeartbeatInterval: time.Second, MaxDelay: -1}
		if c.change != nil {
			c.change(cfg)
		}
	}, c.plugins(name)...)
	if h.api = rest.New(h.Worker.Worker); c.protect != nil {
		h.api = c.protect(h.api)
	}
	c.mu.Lock()
	c.workers[name] = h
	c.mu.Unlock()
	enginetest.Eventually(c.t, func() bool { return h.Health(c.t.Context()).Status == engine.Healthy },
		func() string { return name + " does not join the group" })
	return h
}

// RoundTrip implements http.RoundTripper: the network between the workers.
func (c *crew) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	h := c.workers[strings.TrimSuffix(r.URL.Host, ":8083")]
	c.mu.Unlock()
	if h == nil {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	h.api.ServeHTTP(rec, served)
	return rec.Result(), nil
}

// leave removes a worker that stops as it should.
func (c *crew) leave(name string) {
	c.t.Helper()
	h := c.remove(name)
	h.Stop(c.t)
}

// kill removes a worker as kill -9 does: from one moment to the next nothing of it
// reaches anybody. Its tasks go on until it notices.
func (c *crew) kill(name string) { c.remove(name).way.cut() }

func (c *crew) remove(name string) *hand {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.workers[name]
	delete(c.workers, name)
	return h
}

func (c *crew) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.workers))
}

func (c *crew) worker(name string) *hand {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers[name]
}

// leader returns the name of the worker that leads, once all agree.
func (c *crew) leader() string {
	c.t.Helper()
	var urls map[string]bool
	enginetest.Eventually(c.t, func() bool {
		urls = make(map[string]bool)
		for _, name := range c.names() {
			_, url, err := c.worker(name).Leader(c.t.Context())
			if err != nil {
				c.t.Fatal(err)
			}
			urls[url] = true
		}
		return len(urls) == 1
	}, func() string { return fmt.Sprint("leaders: ", urls) })
	for url := range urls {
		return strings.TrimSuffix(strings.TrimPrefix(url, "http://"), ":8083/")
	}
	return ""
}

// follower returns the name of a worker that does not lead.
func (c *crew) follower() string {
	leader := c.leader()
	names := slices.DeleteFunc(c.names(), func(name string) bool { return name == leader })
	return names[0]
}

// ask sends a request line "METHOD path body" to a worker.
func (c *crew) ask(worker, line string) (int, string) {
	c.t.Helper()
	method, rest, _ := strings.Cut(line, " ")
	path, body, hasBody := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if hasBody {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.protect != nil {
		r.SetBasicAuth("eve", "secret")
	}
	rec := httptest.NewRecorder()
	c.worker(worker).api.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// must is ask that wants a status.
func (c *crew) must(worker, line string, want int) string {
	c.t.Helper()
	code, body := c.ask(worker, line)
	if code != want {
		c.t.Fatalf("%s: %s: got %d %s, want %d", worker, line, code, body, want)
	}
	return body
}

// awaitSpread waits until every task of the connectors runs, the workers have
// numbers of tasks that differ by one at most, and the statuses say so.
func (c *crew) awaitSpread(tasks int) {
	c.t.Helper()
	var counts map[string]int
	enginetest.Eventually(c.t, func() bool {
		counts = c.runs.counts(c.names())
		total, least, most := 0, tasks, 0
		for _, n := range counts {
			total, least, most = total+n, min(least, n), max(most, n)
		}
		return total == tasks && most-least <= 1 && len(counts) == len(c.names())
	}, func() string { return fmt.Sprint("tasks by worker: ", counts, ", want in all ", tasks) })
	for id, name := range c.runs.snapshot() {
		var status engine.TaskStatus
		enginetest.Eventually(c.t, func() bool {
			status, _ = c.worker(c.names()[0]).TaskStatus(c.t.Context(), id)
			return status.State == engine.Running && status.WorkerID == name+":8083"
		}, func() string { return fmt.Sprintf("%v runs on %s, its status is %+v", id, name, status) })
	}
}

// runs is what the sources of a crew do.
type runs struct {
	mu      sync.Mutex // guards the fields below
	now     map[engine.TaskID]string
	starts  map[engine.TaskID]int
	doubles []string // tasks that ran twice at a time
}

// source returns a source that notes that it runs.
func (r *runs) source(worker string) connect.Source {
	var id engine.TaskID
	return &enginetest.Source{
		OnOpen: func(_ context.Context, sc connect.SourceContext) error {
			id = engine.TaskID{Connector: sc.Connector, Task: sc.Task}
			r.mu.Lock()
			defer r.mu.Unlock()
			if other := r.now[id]; other != "" {
				r.doubles = append(r.doubles, fmt.Sprintf("%v runs on %s and %s", id, other, worker))
			}
			r.now[id] = worker
			r.starts[id]++
			return nil
		},
		OnClose: func() error {
			// Whoever does not wait for the end is found out; w1 leads as a rule.
			if worker == "w1" {
				<-time.After(2 * time.Second)
			} else {
				<-time.After(2500 * time.Millisecond)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.now[id] == worker {
				delete(r.now, id)
			}
			return nil
		},
	}
}

func (r *runs) snapshot() map[engine.TaskID]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.now)
}

// counts returns how many tasks each of the workers runs.
func (r *runs) counts(workers []string) map[string]int {
	counts := make(map[string]int)
	for _, name := range workers {
		counts[name] = 0
	}
	for _, name := range r.snapshot() {
		counts[name]++
	}
	return counts
}

func (r *runs) started() map[engine.TaskID]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.starts)
}

// since returns how often the tasks of a connector, or with a minus those of all
// others, have been started since.
func (r *runs) since(before map[engine.TaskID]int, connector string) int {
	n := 0
	name, others := strings.CutPrefix(connector, "-")
	for id, starts := range r.started() {
		if (id.Connector == name) != others {
			n += starts - before[id]
		}
	}
	return n
}

// network is a worker's way to the broker. It can be cut, and it can lose requests
// of some kinds.
type network struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu    sync.Mutex // guards the fields below
	gone  bool
	lost  []int16       // API keys
	delay time.Duration // of what comes from the broker
	conns []net.Conn
}

func (n *network) connect(ctx context.Context, proto, address string) (net.Conn, error) {
	c, err := n.dial(ctx, proto, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone {
		_ = c.Close()
		return nil, errNoDial
	}
	n.conns = append(n.conns, c)
	return netConn{c, n}, nil
}

// cut ends every connection and refuses new ones.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

// lose drops requests of some kinds from now on; none: all pass.
func (n *network) lose(keys ...int16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = keys
	if len(keys) == 0 { // what waits for an answer would wait on
		for _, c := range n.conns {
			_ = c.Close()
		}
		n.conns = nil
	}
}

// slow delays what comes from the broker from now on.
func (n *network) slow(delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = delay
}

// Read implements net.Conn.
func (c netConn) Read(p []byte) (int, error) {
	read, err := c.Conn.Read(p)
	c.n.mu.Lock()
	delay := c.n.delay
	c.n.mu.Unlock()
	if delay > 0 {
		<-time.After(delay)
	}
	return read, err
}

func (n *network) loses(key int16) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.lost, key)
}

type netConn struct {
	net.Conn
	n *network
}

// Write implements net.Conn. The client writes one request at a time.
func (c netConn) Write(p []byte) (int, error) {
	if len(p) > 6 && c.n.loses(int16(binary.BigEndian.Uint16(p[4:]))) {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// configText is a request body for a connector with tasks.
func configText(tasks int, more ...string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"connector.class":%q,"tasks.max":"%d","test.tasks":"%[2]d"`, enginetest.SourceClass, tasks)
	for i := 0; i < len(more); i += 2 {
		fmt.Fprintf(&b, ",%q:%q", more[i], more[i+1])
	}
	b.WriteString("}")
	return b.String()
}

// wait lets virtual time pass.
func (c *crew) wait(d time.Duration) { <-time.After(d) }
