package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connectors"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/rest"
	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/security"
)

// server is the command `sluice server`.
func (p *program) server(args []string) error {
	var f serverFlags
	fs := f.define(p)
	if err := parse(fs, args); err != nil {
		return err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	logger, err := f.logs.logger(p.stderr)
	if err != nil {
		return err
	}
	cfg, err := f.load(given, p.environ, fs.Args())
	if err != nil {
		return err
	}
	ctx, stop := p.signals()
	defer stop()
	return NewMain(cfg, logger).Run(ctx)
}

// Main is the server: the log, the worker and its REST API, wired together.
type Main struct {
	cfg    Config
	logger *slog.Logger
	ready  chan Addresses
	log    log.Config // of the embedded log; tests put a file system in

	metrics *metrics.Registry
}

// NewMain returns a server that does nothing until it is run.
func NewMain(cfg Config, logger *slog.Logger) *Main {
	return &Main{cfg: cfg, logger: logger, ready: make(chan Addresses, 1), metrics: newMetrics()}
}

// Ready returns a channel that gets the addresses once the worker answers.
func (m *Main) Ready() <-chan Addresses { return m.ready }

// Run runs the server until ctx ends. It then drains in this order: the worker
// refuses changes, its tasks finish their batches and commit; the REST API; the
// broker; the log. It returns nil after an orderly end.
func (m *Main) Run(ctx context.Context) (err error) {
	workerConfig, err := engine.ParseProperties(m.cfg.Properties)
	if err != nil {
		return fmt.Errorf("worker properties: %w", err)
	}
	m.warnUnknown()
	if err := makeDataDir(m.cfg.DataDir); err != nil {
		return err
	}
	l, err := openListeners(&m.cfg)
	if err != nil {
		return err
	}
	defer l.close()
	if err := m.advertise(&workerConfig, l.rest.Addr()); err != nil {
		return err
	}
	workerConfig.Plugins = connectors.Plugins()
	workerConfig.RegistryURL = m.cfg.registry.url
	if l.registry != nil {
		workerConfig.RegistryURL = m.cfg.registry.scheme() + "://" + l.registry.Addr().String()
	}
	workerConfig.Logger = m.logger
	workerConfig.Metrics = m.metrics
	if m.cfg.external() {
		workerConfig.BootstrapServers = m.cfg.BootstrapServers
		return m.work(ctx, workerConfig, l, nil)
	}
	e, err := openEmbedded(&m.cfg, m.log, l.kafka, m.metrics, m.logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if workerConfig.ExactlyOnceSource == "" {
		workerConfig.ExactlyOnceSource = engine.ExactlyOnceEnabled
	}
	workerConfig.BootstrapServers = []string{advertised(l.kafka[0].Addr())}
	workerConfig.ClientOpts = []kgo.Opt{kgo.Dialer(e.broker.DialContext)}
	return m.work(ctx, workerConfig, l, e)
}

// warnUnknown logs the properties that nothing reads; not their values, which may
// be secrets (I6).
func (m *Main) warnUnknown() {
	for _, u := range engine.UnknownProperties(m.cfg.Properties) {
		args := []any{"property", u.Name}
		if u.Suggestion != "" {
			args = append(args, "did_you_mean", u.Suggestion)
		}
		m.logger.Warn("no worker property has this name; it is ignored", args...)
	}
}

// work runs the worker and its REST API on a log, which is nil when it is
// elsewhere.
func (m *Main) work(ctx context.Context, cfg engine.Config, l listeners, e *embedded) error {
	w, err := engine.New(cfg)
	if err != nil {
		return fmt.Errorf("worker properties: %w", err)
	}
	api := rest.New(w)
	r := &running{embedded: e, workerDone: make(chan struct{})}
	if r.registry, err = m.startRegistry(cfg, l.registry); err != nil {
		return err
	}
	defer r.registry.shutdown()
	if r.rest, r.admin, err = m.serveREST(api, l); err != nil {
		return err
	}
	defer r.rest.shutdown()
	defer r.admin.shutdown()

	keeping, stopKeeping := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { newIdleMemory().run(keeping) })
	defer keeper.Wait()
	defer stopKeeping()

	// The worker's own context, so that everything stops in the order below.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		defer close(r.workerDone)
		r.workerErr = w.Run(working)
	}()
	err = r.wait(ctx, w.Ready())
	if err == nil && ctx.Err() == nil {
		err = m.start(ctx, api, l.addresses())
	}
	if err == nil {
		err = r.wait(ctx, nil)
	}
	m.logger.Info("stopping", "reason", reason(err))
	stop()
	return errors.Join(err, r.drain())
}

func reason(err error) string {
	if err != nil {
		return err.Error()
	}
	return "asked to"
}

// start announces that the server is ready and brings up the connectors of the
// command line.
func (m *Main) start(ctx context.Context, api http.Handler, a Addresses) error {
	if err := a.write(m.cfg.DataDir); err != nil {
		return err
	}
	m.logger.Info("ready", "rest", m.cfg.rest.scheme()+"://"+a.REST, "kafka", a.Kafka, "bootstrap_servers", m.cfg.BootstrapServers,
		"registry", a.Registry, "data_dir", m.cfg.DataDir)
	for _, c := range m.cfg.Connectors {
		if err := putConnector(ctx, api, c); err != nil {
			return fmt.Errorf("connector file %s: %w", c.Path, err)
		}
	}
	m.ready <- a
	return nil
}

// running is what may end by itself, and end the server with it.
type running struct {
	embedded   *embedded // nil: the log is elsewhere
	rest       *httpServer
	registry   *registryServer // nil: it is elsewhere
	admin      *httpServer     // nil: there is none
	workerDone chan struct{}
	workerErr  error // read it after workerDone
}

// wait returns nil when ctx ends or ready is closed, and an error when a part
// of the server ends first.
func (r *running) wait(ctx context.Context, ready <-chan struct{}) error {
	var logFailed, securityFailed, brokerDone <-chan struct{}
	if r.embedded != nil {
		logFailed, securityFailed, brokerDone = r.embedded.log.Failed(), r.embedded.security.Failed(), r.embedded.ended
	}
	select {
	case <-ctx.Done():
		return nil
	case <-ready:
		return nil
	case <-logFailed: // I1: nothing more can be acknowledged
		return fmt.Errorf("the log cannot be written any more: %w", r.embedded.log.Err())
	case <-securityFailed: // I1
		return security.ErrFailed
	case <-brokerDone:
		return cmp.Or(r.embedded.err(), errors.New("the broker ended"))
	case <-r.workerDone:
		return cmp.Or(r.workerErr, errors.New("the worker ended"))
	case <-r.rest.done:
		return r.rest.err
	case <-r.admin.ended():
		return r.admin.err
	case <-r.registry.ended():
		return cmp.Or(r.registry.err, errors.New("the schema registry ended"))
	}
}

// drain waits for the worker, whose context has ended. When the log has failed
// the tasks cannot commit, and waiting is bounded.
func (r *running) drain() error {
	var giveUp <-chan time.Time
	if r.embedded != nil && r.embedded.log.Err() != nil {
		giveUp = time.After(5 * time.Second)
	}
	select {
	case <-r.workerDone:
		return r.workerErr
	case <-giveUp:
		return errors.New("tasks did not stop within 5 s")
	}
}
