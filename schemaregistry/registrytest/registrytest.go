// Package registrytest runs registries on a real log for tests.
package registrytest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/txn"
	"github.com/sluice-data/sluice/schemaregistry"
)

// Cluster serves a log in a directory, as the binary does.
func Cluster(t testing.TB, fs vfs.FS, dir string) (opts []kgo.Opt, stop func()) {
	t.Helper()
	l, err := log.Open(log.Config{Dir: dir, FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := group.Open(group.Config{Log: l, Partitions: 1, InitialRebalanceDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	txns, err := txn.Open(txn.Config{Log: l, EndOffsets: groups.EndTransaction, Dir: dir, FS: fs, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Log: l, Groups: groups, Txns: txns, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(b.Shutdown(ctx), txns.Close(), groups.Close(), l.Close()); err != nil {
			t.Errorf("stop the log: %v", err)
		}
	})
	t.Cleanup(stop)
	return []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(b.DialContext)}, stop
}

// Start runs a registry until the test ends or stop is called.
func Start(t testing.TB, opts []kgo.Opt) (r *schemaregistry.Registry, stop func()) {
	t.Helper()
	r = schemaregistry.New(schemaregistry.Settings{ClientOpts: opts, Providers: schemaregistry.Providers(),
		Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return r, stop
}
