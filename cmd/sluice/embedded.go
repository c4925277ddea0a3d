package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/security"
	"github.com/sluice-data/sluice/log/txn"
)

// logDir is the folder of the log in the data directory.
const logDir = "log"

// embedded is the log in this process and the broker in front of it.
type embedded struct {
	log      *log.Log
	groups   *group.Coordinator
	txns     *txn.Coordinator
	security *security.Store
	broker   *broker.Broker
	logger   *slog.Logger
	serving  sync.WaitGroup
	ended    chan struct{} // closed when the first listener is not served any more

	mu     sync.Mutex // guards served, and that ended is closed once
	served error      // of the listener that ended first
}

// openEmbedded recovers the log in a data directory and serves it on the open
// listeners, one for each of c.
func openEmbedded(c *Config, cfg log.Config, lns []net.Listener, registry *metrics.Registry, logger *slog.Logger) (*embedded, error) {
	dir := filepath.Join(c.DataDir, logDir)
	cfg.Dir, cfg.Logger = dir, logger
	cfg.RetentionInterval, cfg.CompactionInterval = c.broker.cleaning.retention, c.broker.cleaning.compaction
	l, err := log.Open(cfg)
	if err != nil {
		return nil, openLogError(c.DataDir, err)
	}
	gc := c.broker.groups
	gc.Log, gc.Logger, gc.InitialRebalanceDelay = l, logger, cmp.Or(gc.InitialRebalanceDelay, groupRebalanceDelay)
	groups, err := group.Open(gc)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start group coordinator: %w", err), l.Close())
	}
	txns, err := txn.Open(txn.Config{Log: l, EndOffsets: groups.EndTransaction, Dir: dir, Logger: logger})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start transaction coordinator: %w", err), groups.Close(), l.Close())
	}
	e := &embedded{log: l, groups: groups, txns: txns, logger: logger, ended: make(chan struct{})}
	if err := e.serve(c, cfg.FS, lns, registry); err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), txns.Close(), groups.Close(), l.Close())
	}
	return e, nil
}

// serve starts the broker.
func (e *embedded) serve(c *Config, fsys vfs.FS, lns []net.Listener, registry *metrics.Registry) error {
	if fsys == nil {
		fsys = vfs.OS
	}
	dir := filepath.Join(c.DataDir, logDir)
	var err error
	if e.security, err = security.Open(dir, fsys); err != nil {
		return err
	}
	if err := addUsers(e.security, c.broker.users); err != nil {
		return err
	}
	served, err := brokerListeners(c, lns, e.logger)
	if err != nil {
		return err
	}
	cfg := c.broker.config(e.security)
	cfg.Log, cfg.Groups, cfg.Txns, cfg.Dir, cfg.Logger, cfg.AdvertisedAddr = e.log, e.groups, e.txns, dir, e.logger, served[0].AdvertisedAddr
	cfg.Metrics = registry
	if e.broker, err = broker.New(cfg); err != nil {
		return err
	}
	for i, ln := range lns {
		e.serving.Go(func() { e.serveListener(ln, served[i]) })
	}
	return nil
}

// serveListener serves until the broker is shut down: that ends it, not a
// context, because clients are served while tasks drain.
func (e *embedded) serveListener(ln net.Listener, l broker.Listener) {
	err := e.broker.ServeListener(context.Background(), ln, l)
	if err != nil {
		err = fmt.Errorf("serve Kafka clients of listener %s: %w", l.Name, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.ended:
	default:
		e.served = err
		close(e.ended)
	}
}

// err is why the first listener is not served any more.
func (e *embedded) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.served
}

// addUsers adds the users that have no credential of their mechanism: what was
// changed since the first start stays.
func addUsers(store *security.Store, users []security.Change) error {
	known := store.Credentials()
	var missing []security.Change
	for _, u := range users {
		if _, ok := known[u.User][u.Mechanism]; !ok {
			missing = append(missing, u)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return store.AlterCredentials(missing)
}

// brokerListeners are the listeners of the config as they are open.
func brokerListeners(c *Config, lns []net.Listener, logger *slog.Logger) ([]broker.Listener, error) {
	var all []broker.Listener
	for i, k := range c.kafkaListeners() {
		l := k.Listener
		if l.AdvertisedAddr == "" {
			l.AdvertisedAddr = advertised(lns[i].Addr())
		}
		if k.tls != nil {
			o := *k.tls
			o.Logger = logger
			var err error
			if l.TLS, err = security.NewTLS(o); err != nil {
				return nil, fmt.Errorf("listener %s: %w", l.Name, err)
			}
		}
		logger.Info("Kafka clients are served", "listener", l.Name, "address", lns[i].Addr().String(), "advertised", l.AdvertisedAddr,
			"tls", l.TLS != nil, "sasl", l.Mechanisms)
		all = append(all, l)
	}
	return all, nil
}

// config is what the broker's config says beyond its listeners.
func (c *brokerConfig) config(store *security.Store) broker.Config {
	cfg := broker.Config{
		Security:                     store,
		MaxConnections:               c.limits.maxConnections,
		MaxConnectionsPerIP:          c.limits.maxConnectionsPerIP,
		MaxConnectionsPerIPOverrides: c.limits.perIPOverrides,
		IdleTimeout:                  c.limits.idle,
		FailedAuthDelay:              c.limits.failedAuthDelay,
		MaxFrameBytes:                c.limits.maxFrameBytes,
		MaxUnauthenticatedFrameBytes: c.limits.maxUnauthenticatedFrameBytes,
		MaxInFlightBytes:             c.limits.maxInFlightBytes,
	}
	if c.authorize {
		cfg.Authorizer = &security.Authorizer{Store: store, SuperUsers: c.superUsers, AllowIfNoACL: c.allowIfNoACL}
	}
	return cfg
}

// advertised is the address that clients are told to dial: the listener's, or
// this machine's name when it listens on all addresses.
func advertised(addr net.Addr) string {
	a, ok := addr.(*net.TCPAddr)
	if !ok || !a.IP.IsUnspecified() {
		return addr.String()
	}
	host, err := os.Hostname()
	if err != nil {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, fmt.Sprint(a.Port))
}

// close ends the broker, then the log. Connections have a few seconds to get
// their answers; none when the log has failed, because it has none to give.
func (e *embedded) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	select {
	case <-e.log.Failed():
		cancel()
	default:
	}
	var errs []error
	if err := e.broker.Shutdown(ctx); err != nil && !errors.Is(err, ctx.Err()) {
		errs = append(errs, fmt.Errorf("shut down broker: %w", err))
	}
	e.serving.Wait()
	e.logger.Info("broker has stopped")
	if err := e.txns.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close transactions: %w", err))
	}
	if err := e.groups.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close groups: %w", err))
	}
	if err := e.log.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close log: %w", err))
	}
	e.logger.Info("log is closed")
	return errors.Join(errs...)
}

// makeDataDir makes the data directory and finds out whether it can be written.
func makeDataDir(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = probe(dir)
	}
	return dataDirError(dir, err)
}

func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".write-test-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// dataDirError says what to do about a data directory that cannot be used.
func dataDirError(dir string, err error) error {
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("--data-dir %s: the disk is full; free space or choose another directory with --data-dir", dir)
	case errors.As(err, &path):
		return fmt.Errorf("--data-dir %s: the directory cannot be written (%w); let this user write it or choose another with --data-dir", dir, path.Err)
	}
	return fmt.Errorf("--data-dir %s: %w", dir, err)
}

func openLogError(dataDir string, err error) error {
	if errors.Is(err, log.ErrLocked) {
		return fmt.Errorf("--data-dir %s: another sluice process uses the directory (%s there says which); stop it or choose another directory with --data-dir", dataDir, addressesFile)
	}
	return fmt.Errorf("--data-dir %s: open log: %w", dataDir, err)
}
