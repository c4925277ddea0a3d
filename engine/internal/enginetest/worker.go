package enginetest

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
)

// Patience is how long a test waits for what must happen. It costs nothing when all
// is well, and a machine that others use, too, may do nothing for many seconds.
const Patience = 2 * time.Minute

// Cluster is a Kafka cluster: how clients reach it.
type Cluster struct {
	Opts []kgo.Opt
	// Dial reaches an embedded cluster.
	Dial func(context.Context, string, string) (net.Conn, error)
}

// Fake starts an in-memory Kafka cluster of one broker.
func Fake(t testing.TB) *Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1), kfake.ClusterID("test-cluster"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
}

// Worker is a worker that runs.
type Worker struct {
	*engine.Worker
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// Start runs a worker until the test ends or Stop is called.
func Start(t testing.TB, c *Cluster, change func(*engine.Config), plugins ...connect.Spec) *Worker {
	t.Helper()
	cfg := engine.Config{ClientOpts: c.Opts, WorkerID: "worker:8083", Plugins: plugins,
		Logger: slog.New(slog.NewTextHandler(&logWriter{t: t}, nil)), TaskShutdownTimeout: 20 * time.Second}
	if _, fuzzing := t.(*testing.F); fuzzing {
		cfg.Logger = nil // a fuzz target must not log to its F
	}
	if change != nil {
		change(&cfg)
	}
	inner, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Worker{Worker: inner, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.err = inner.Run(ctx)
	}()
	t.Cleanup(func() { w.Stop(t) })
	return w
}

// Stop drains the worker.
func (w *Worker) Stop(t testing.TB) {
	t.Helper()
	w.stop()
	select {
	case <-w.done:
	case <-time.After(Patience):
		t.Fatalf("the worker did not stop within %s", Patience)
	}
	if w.err != nil {
		t.Errorf("Run: %v", w.err)
	}
}

// Create makes a connector and fails the test when that does not work.
func (w *Worker) Create(t testing.TB, name string, config map[string]string) {
	t.Helper()
	if _, err := w.Worker.Create(t.Context(), name, config, ""); err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
}

// Await waits until the states of a connector and its tasks are the given ones,
// the connector's first, and returns its status.
func (w *Worker) Await(t testing.TB, name string, states ...engine.State) engine.ConnectorStatus {
	t.Helper()
	var status engine.ConnectorStatus
	var got []string
	want := make([]string, len(states))
	for i, s := range states {
		want[i] = string(s)
	}
	Eventually(t, func() bool {
		var err error
		if status, err = w.Status(t.Context(), name); err != nil {
			got = []string{err.Error()}
			return false
		}
		got = []string{string(status.Connector.State)}
		for _, task := range status.Tasks {
			got = append(got, string(task.State))
		}
		return strings.Join(got, " ") == strings.Join(want, " ")
	}, func() string {
		return "status of " + name + ": got " + strings.Join(got, " ") + ", want " + strings.Join(want, " ")
	})
	return status
}

// Eventually polls a condition until it holds.
func Eventually(t testing.TB, condition func() bool, complaint func() string) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal(complaint())
		}
		<-tick.C
	}
}

// Produce writes records to the cluster.
func Produce(t testing.TB, c *Cluster, records ...*kgo.Record) {
	t.Helper()
	client := Client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation(), kgo.MetadataMinAge(10*time.Millisecond), kgo.UnknownTopicRetries(50))
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// Client returns a client of the cluster that is closed with the test.
func Client(t testing.TB, c *Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(slices.Clone(c.Opts), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Consume returns the first n records of a topic.
func Consume(t testing.TB, c *Cluster, topic string, n int) []*kgo.Record {
	t.Helper()
	client := Client(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(10*time.Millisecond),
		kgo.MetadataMaxAge(50*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("topic %s: got %d records, want %d", topic, len(records), n)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// NoLeaks fails the test when goroutines of the engine are left after it.
func NoLeaks(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		var left string
		Eventually(t, func() bool { left = engineGoroutines(); return left == "" },
			func() string { return "goroutines are left:\n" + left })
	})
}

func engineGoroutines() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for _, g := range strings.Split(string(buf), "\n\n") {
		if (strings.Contains(g, "sluice/engine.") || strings.Contains(g, "kgo.")) && !strings.Contains(g, "enginetest.engineGoroutines") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

// logWriter passes the log on to the test for as long as it runs.
type logWriter struct {
	t    testing.TB
	mu   sync.Mutex // guards over
	over bool
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t.Context().Err() == nil && !w.over {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
