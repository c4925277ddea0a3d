package workers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"
)

// Config says what to run.
type Config struct {
	Binary    string   // sluice
	Bootstrap []string // of the cluster
	Dir       string   // for files; it must be empty
	Group     string
	// Properties are further lines of the workers' properties.
	Properties string

	Workers      int
	Sources      int // connectors with two tasks each
	Sinks        int // connectors that write what the first sources make to files
	Throughput   int // records a second of each task of a source
	Rounds       int // workers killed
	Every        time.Duration
	Session      time.Duration // session.timeout.ms
	Delay        time.Duration // scheduled.rebalance.max.delay.ms
	RestartAfter time.Duration // a killed worker
	Out          io.Writer
}

// tasksOfSource is tasks.max of each source.
const tasksOfSource = 2

// Report is what came of it.
type Report struct {
	Records    int64 // of all sources
	Lost       int64 // numbers that are missing
	Doubled    int64 // numbers that are there again
	SinkLost   int64 // records that no file has
	SinkAgain  int64 // lines that a file has more than once, which is allowed
	Uninvolved int   // tasks that were started again without need
	Recoveries []time.Duration
}

// Err tells what must not be, however slow the machine is.
func (r *Report) Err() error {
	var errs []error
	if r.Records == 0 {
		errs = append(errs, errors.New("nothing was written"))
	}
	if r.Lost+r.Doubled+r.SinkLost > 0 {
		errs = append(errs, fmt.Errorf("of %d records %d are lost and %d doubled; sinks have lost %d", r.Records, r.Lost, r.Doubled, r.SinkLost))
	}
	return errors.Join(errs...)
}

// crew are the workers of a run.
type crew struct {
	*Config
	events  *events
	workers []*worker
	report  Report
}

// Run does it all.
func Run(ctx context.Context, config Config) (*Report, error) {
	c := &crew{Config: &config, events: newEvents()}
	defer c.killAll()
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	if err := c.create(ctx); err != nil {
		return nil, err
	}
	for n := range c.Rounds {
		if err := c.round(ctx, n); err != nil {
			return nil, fmt.Errorf("round %d: %w", n+1, err)
		}
	}
	if err := c.stopSources(ctx); err != nil {
		return nil, err
	}
	if err := c.checkTopics(ctx); err != nil {
		return nil, err
	}
	for _, w := range c.workers {
		if err := w.stop(); err != nil {
			return nil, err
		}
	}
	c.workers = nil
	return &c.report, nil
}

// killAll ends what a failure has left.
func (c *crew) killAll() {
	for _, w := range c.workers {
		if w.cmd != nil && w.cmd.ProcessState == nil {
			_ = w.kill()
		}
	}
}

func (c *crew) start(ctx context.Context) error {
	for n := range c.Workers {
		w, err := newWorker(c.Config, n+1, c.events)
		if err != nil {
			return err
		}
		c.workers = append(c.workers, w)
		if err := w.start(); err != nil {
			return err
		}
	}
	for _, w := range c.workers {
		if err := w.awaitHealthy(ctx); err != nil {
			return fmt.Errorf("%s does not start; its log is %s: %w", w.name, w.path("log"), err)
		}
	}
	return nil
}

func source(n int) string { return fmt.Sprintf("source-%02d", n) }

func (c *crew) file(n int) string { return filepath.Join(c.Dir, fmt.Sprintf("sink-%02d.txt", n)) }

// create makes the connectors, each by another worker, and waits for their tasks.
func (c *crew) create(ctx context.Context) error {
	began := time.Now()
	all := map[task]bool{}
	configs := map[string]map[string]string{}
	for n := range c.Sources {
		configs[source(n)] = map[string]string{"connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector", "tasks.max": fmt.Sprint(tasksOfSource),
			"topic": source(n), "throughput": fmt.Sprint(c.Throughput), "complete.record.data": "true"}
		for t := range tasksOfSource {
			all[task{source(n), t}] = true
		}
	}
	for n := range c.Sinks {
		name := fmt.Sprintf("sink-%02d", n)
		configs[name] = map[string]string{"connector.class": "FileStreamSink", "tasks.max": "1", "topics": source(n), "file": c.file(n),
			"value.converter": "org.apache.kafka.connect.storage.StringConverter"}
		all[task{name, 0}] = true
	}
	n := 0
	for name, config := range configs {
		if err := c.put(ctx, n, "/connectors/"+name+"/config", config); err != nil {
			return err
		}
		n++
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("the tasks do not start"))
	defer cancel()
	last, err := c.events.await(ctx, all, began)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%d workers run %d connectors with %d tasks after %.1f s\n", c.Workers, len(configs), len(all), last.Sub(began).Seconds())
	return pause(ctx, c.Session) // the group comes to rest
}

// put sends a change to a worker, the n-th in turn, until one takes it.
func (c *crew) put(ctx context.Context, n int, path string, body any) error {
	return retry(ctx, func() error {
		_, err := call(ctx, http.MethodPut, "http://"+c.workers[n%len(c.workers)].rest+path, body)
		n++
		return err
	})
}

// victim is the worker to kill in a round: the leader and a follower in turn.
func (c *crew) victim(n int) (w *worker, role string) {
	wantLeader := n%2 == 1
	for i := range c.workers {
		w = c.workers[(n+i)%len(c.workers)]
		if c.events.leads(w) == wantLeader {
			break
		}
	}
	if c.events.leads(w) {
		return w, "the leader"
	}
	return w, "a follower"
}

// round kills a worker, starts it again, and looks at what became of its tasks and of
// the others'.
func (c *crew) round(ctx context.Context, n int) error {
	victim, role := c.victim(n)
	involved := c.events.of(victim.name)
	killed := time.Now()
	if err := victim.kill(); err != nil {
		return err
	}
	if err := pause(ctx, c.RestartAfter); err != nil {
		return err
	}
	if err := victim.start(); err != nil {
		return err
	}
	limit, cancel := context.WithTimeoutCause(ctx, c.Session+c.Delay+time.Minute, errors.New("the tasks of the killed worker do not run again"))
	defer cancel()
	last, err := c.events.await(limit, involved, killed)
	if err != nil {
		return err
	}
	recovery := last.Sub(killed)
	if len(involved) == 0 {
		recovery = 0
	}
	c.report.Recoveries = append(c.report.Recoveries, recovery)
	if err := victim.awaitHealthy(ctx); err != nil {
		return err
	}
	if err := pause(ctx, time.Until(killed.Add(c.Every))); err != nil {
		return err
	}
	others := c.events.uninvolved(involved)
	c.report.Uninvolved += len(others)
	fmt.Fprintf(c.Out, "round %d: killed %s (%s) with %d tasks; all of them ran again after %.1f s; others started again: %d %v\n",
		n+1, victim.name, role, len(involved), recovery.Seconds(), len(others), others)
	return nil
}

func (c *crew) stopSources(ctx context.Context) error {
	for n := range c.Sources {
		if err := c.put(ctx, n, "/connectors/"+source(n)+"/stop", nil); err != nil {
			return err
		}
	}
	return nil
}
