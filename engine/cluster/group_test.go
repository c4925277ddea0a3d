package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/logtest"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
)

// stopTime is how long a test's work takes to stop.
const stopTime = time.Second

// A world is a broker, a config topic and workers in one bubble of virtual time.
type world struct {
	t      testing.TB
	logger *slog.Logger
	fs     *vfs.Mem
	stop   func() // ends the broker

	mu      sync.Mutex // guards the fields below
	broker  *broker.Broker
	config  ConfigSnapshot
	runs    map[TaskID]string // which worker runs what
	starts  map[TaskID]int    // how often it was started
	doubles []string          // what ran twice at a time: a broken promise
	workers []*worker
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, logger: slog.New(slog.NewTextHandler(t.Output(), nil)), fs: vfs.NewMem(),
		config: ConfigSnapshot{Tasks: map[string]int{}}, runs: map[TaskID]string{}, starts: map[TaskID]int{}}
	w.startBroker()
	t.Cleanup(func() {
		for _, worker := range w.workers {
			worker.stop()
		}
		w.stop()
		for _, double := range w.doubles {
			t.Error(double)
		}
	})
	return w
}

// startBroker starts the broker on what it has stored.
func (w *world) startBroker() {
	w.t.Helper()
	n := logtest.Start(w.t, logtest.On(w.fs, logtest.Memory))
	w.mu.Lock()
	w.broker = n.Broker
	w.mu.Unlock()
	w.stop = n.Stop
}

// dial reaches the broker that runs now.
func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	b := w.broker
	w.mu.Unlock()
	return b.DialContext(ctx, network, addr)
}

// worker is a Listener with a Member, a network of its own, and a view of the config
// topic.
type worker struct {
	*Member
	world  *world
	name   string
	net    network
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	// blind workers see nothing new of the config topic.
	blind atomic.Pointer[ConfigSnapshot]

	// guarded by world.mu
	last  Assignment
	dead  bool
	lives int // of this worker: assignments to no group
}

// start adds a worker to the group.
func (w *world) start(name string, change ...func(*Config)) *worker {
	w.t.Helper()
	k := &worker{world: w, name: name, net: network{dial: w.dial}, done: make(chan struct{})}
	var err error
	if k.client, err = kgo.NewClient(kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(k.net.DialContext), kgo.DisableClientMetrics(), kgo.ClientID(name)); err != nil {
		w.t.Fatal(err)
	}
	cfg := Config{Client: k.client, GroupID: "workers", URL: "http://" + name + ":8083/", Snapshot: k.snapshot, Logger: w.logger.With("worker", name)}
	for _, c := range change {
		c(&cfg)
	}
	if k.Member, err = New(cfg, k); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	go func() {
		defer close(k.done)
		defer k.client.Close()
		k.err = k.Run(ctx)
	}()
	w.workers = append(w.workers, k)
	return k
}

// stop leaves the group and waits.
func (k *worker) stop() {
	k.cancel()
	<-k.done
}

// kill ends the worker as a machine ends that loses power.
func (k *worker) kill() {
	w := k.world
	w.mu.Lock()
	k.dead = true
	maps.DeleteFunc(w.runs, func(_ TaskID, name string) bool { return name == k.name })
	w.mu.Unlock()
	k.net.cut()
	k.stop()
}

func (k *worker) snapshot(context.Context) (ConfigSnapshot, error) {
	if s := k.blind.Load(); s != nil {
		return *s, nil
	}
	return k.world.snapshot(), nil
}

func (w *world) snapshot() ConfigSnapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.config
	s.Connectors, s.Tasks = slices.Clone(s.Connectors), maps.Clone(s.Tasks)
	return s
}

// connector makes or changes a connector with some tasks; none deletes it.
func (w *world) connector(name string, tasks int) {
	w.mu.Lock()
	w.config.Offset++
	w.config.Connectors = slices.DeleteFunc(w.config.Connectors, func(n string) bool { return n == name })
	delete(w.config.Tasks, name)
	if tasks > 0 {
		w.config.Connectors = append(w.config.Connectors, name)
		w.config.Tasks[name] = tasks
	}
	w.mu.Unlock()
}

// tell lets every worker know that connectors came or went.
func (w *world) tell() {
	for _, k := range w.workers {
		k.Rejoin("connectors changed")
	}
}

func (k *worker) OnAssigned(a Assignment) {
	w := k.world
	w.mu.Lock()
	defer w.mu.Unlock()
	k.last = a
	if a.LeaderID == "" {
		k.lives++
	}
	if k.dead {
		return
	}
	owned := slices.Clone(a.Tasks)
	for _, c := range a.Connectors {
		owned = append(owned, TaskID{c, connectorTask})
	}
	for _, t := range owned {
		switch owner := w.runs[t]; owner {
		case k.name:
		case "":
			w.runs[t] = k.name
			w.starts[t]++
		default:
			w.doubles = append(w.doubles, fmt.Sprintf("%v was given to %s while it ran on %s", t, k.name, owner))
		}
	}
	for t, owner := range w.runs {
		if owner == k.name && !slices.Contains(owned, t) {
			w.doubles = append(w.doubles, fmt.Sprintf("%v left the assignment of %s without having been revoked", t, k.name))
		}
	}
}

func (k *worker) OnRevoked(connectors []string, tasks []TaskID) {
	<-time.After(stopTime)
	w := k.world
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range connectors {
		tasks = append(tasks, TaskID{c, connectorTask})
	}
	for _, t := range tasks {
		if w.runs[t] == k.name {
			delete(w.runs, t)
		} else if !k.dead {
			w.doubles = append(w.doubles, fmt.Sprintf("%v was taken from %s, which does not have it", t, k.name))
		}
	}
}

// wait lets virtual time pass.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// spread shows who runs how many connectors and tasks, and what nobody runs.
func (w *world) spread() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string][2]int{}
	for _, k := range w.workers {
		if !k.dead && k.last.LeaderID != "" {
			counts[k.name] = [2]int{}
		}
	}
	for t, name := range w.runs {
		c := counts[name]
		if t.isConnector() {
			c[0]++
		} else {
			c[1]++
		}
		counts[name] = c
	}
	missing := 0
	for _, c := range w.config.Connectors {
		for n := connectorTask; n < w.config.Tasks[c]; n++ {
			if w.runs[TaskID{c, n}] == "" {
				missing++
			}
		}
	}
	var out []string
	for _, name := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }) {
		out = append(out, fmt.Sprintf("%s:%d+%d", name, counts[name][0], counts[name][1]))
	}
	if missing > 0 {
		out = append(out, fmt.Sprintf("missing:%d", missing))
	}
	return strings.Join(out, " ")
}

// want checks the spread.
func (w *world) want(when, spread string) {
	w.t.Helper()
	if got := w.spread(); got != spread {
		w.t.Errorf("%s: got %s, want %s", when, got, spread)
	}
}

// started returns how many connectors and tasks were started since the last call.
func (w *world) started() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, starts := range w.starts {
		n += starts
	}
	clear(w.starts)
	return n
}

// of returns what a worker runs.
func (w *world) of(k *worker) set {
	w.mu.Lock()
	defer w.mu.Unlock()
	owned := set{}
	for t, owner := range w.runs {
		if owner == k.name {
			owned[t] = true
		}
	}
	return owned
}

// leader is the worker that leads, by its own account.
func (w *world) leader() *worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.workers {
		if k.last.IsLeader && !k.dead {
			return k
		}
	}
	w.t.Fatal("nobody leads")
	return nil
}

// network reaches the broker until it is cut or swallows everything.
type network struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu      sync.Mutex // guards the fields below
	isCut   bool
	swallow bool
	conns   []*conn
}

// conn is a connection through a network.
type conn struct {
	net.Conn
	net    *network
	closed chan struct{}
	once   sync.Once
}

func (n *network) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	isCut := n.isCut
	n.mu.Unlock()
	if isCut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("the network is cut")}
	}
	inner, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, net: n, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return c, nil
}

// cut ends all connections and refuses new ones.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isCut = true
	for _, c := range n.conns {
		c.Close()
	}
}

// set makes packets vanish in both directions, or get through again; then what was
// open stays broken.
func (n *network) set(swallow bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.swallow = swallow
	if !swallow {
		for _, c := range n.conns {
			c.Close()
		}
	}
}

func (n *network) swallows() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.swallow
}

func (c *conn) Write(b []byte) (int, error) {
	if c.net.swallows() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.net.swallows() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
