package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/txn"
)

// logDir is the folder of the log in the data directory.
const logDir = "log"

// groupRebalanceDelay is how long an empty group waits for more members. Kafka's
// 3 s spare a large cluster some rebalances; here they would only delay the first
// record of a sink.
const groupRebalanceDelay = 100 * time.Millisecond

// embedded is the log in this process and the broker in front of it.
type embedded struct {
	log    *log.Log
	groups *group.Coordinator
	txns   *txn.Coordinator
	broker *broker.Broker
	logger *slog.Logger
	done   chan struct{} // closed when Serve has returned
	err    error         // of Serve; read it after done
}

// openEmbedded recovers the log in a data directory and serves it on ln.
func openEmbedded(dataDir string, cfg log.Config, ln net.Listener, logger *slog.Logger) (*embedded, error) {
	dir := filepath.Join(dataDir, logDir)
	cfg.Dir, cfg.Logger = dir, logger
	l, err := log.Open(cfg)
	if err != nil {
		return nil, openLogError(dataDir, err)
	}
	groups, err := group.Open(group.Config{Log: l, Logger: logger, InitialRebalanceDelay: groupRebalanceDelay})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start group coordinator: %w", err), l.Close())
	}
	txns, err := txn.Open(txn.Config{Log: l, EndOffsets: groups.EndTransaction, Dir: dir, Logger: logger})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start transaction coordinator: %w", err), groups.Close(), l.Close())
	}
	b, err := broker.New(broker.Config{
		Log: l, Groups: groups, Txns: txns, Dir: dir, Logger: logger, AdvertisedAddr: advertised(ln.Addr()),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), txns.Close(), groups.Close(), l.Close())
	}
	e := &embedded{log: l, groups: groups, txns: txns, broker: b, logger: logger, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		// Shutdown ends it, not a context: clients are served while tasks drain.
		if err := b.Serve(context.Background(), ln); err != nil {
			e.err = fmt.Errorf("serve Kafka clients: %w", err)
		}
	}()
	return e, nil
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
	<-e.done
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
