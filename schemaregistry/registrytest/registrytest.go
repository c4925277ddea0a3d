// Package registrytest runs registries on a real log for tests.
package registrytest

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/log/logtest"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
)

// Cluster serves a log in a directory, as the binary does.
func Cluster(t testing.TB, fs vfs.FS, dir string) (opts []kgo.Opt, stop func()) {
	t.Helper()
	n := logtest.Start(t, logtest.On(fs, dir))
	return n.Opts(), n.Stop
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
