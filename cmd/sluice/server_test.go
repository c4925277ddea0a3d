package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// anywhere is a config with free ports.
func anywhere(t *testing.T) Config {
	return Config{DataDir: t.TempDir(), REST: "127.0.0.1:0", Kafka: "127.0.0.1:0", Registry: "127.0.0.1:0"}
}

// runMain runs m until the test ends or end is called, which returns Run's error.
func runMain(t *testing.T, m *Main) (a Addresses, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	end = func() error {
		cancel()
		select {
		case err := <-done:
			done <- err
			return err
		case <-time.After(patience):
			return errors.New("Run does not return")
		}
	}
	t.Cleanup(func() { end() })
	select {
	case a = <-m.Ready():
	case err := <-done:
		t.Fatalf("Run returned %v", err)
	case <-time.After(patience):
		t.Fatal("not ready")
	}
	return a, end
}

// TestMainEndsWithoutTraces wants every goroutine joined after Run.
func TestMainEndsWithoutTraces(t *testing.T) {
	before := runtime.NumGoroutine()
	_, end := runMain(t, NewMain(anywhere(t), slog.New(slog.DiscardHandler)))
	if err := end(); err != nil {
		t.Error(err)
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// TestMainEndsWhenTheLogFails wants nothing to be acknowledged after a failed
// fsync, and Run to end with the error (I1).
func TestMainEndsWhenTheLogFails(t *testing.T) {
	var broken atomic.Bool
	m := NewMain(anywhere(t), slog.New(slog.DiscardHandler))
	m.log.FS = &vfs.Fault{FS: vfs.OS, Inject: func(op vfs.Op, name string) error {
		if broken.Load() && op == vfs.OpSync && filepath.Ext(name) == ".log" {
			return syscall.EIO
		}
		return nil
	}}
	a, end := runMain(t, m)
	client, err := kgo.NewClient(kgo.SeedBrokers(a.Kafka), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"),
		kgo.AllowIdempotentProduceCancellation()) // or the second record is tried again for ever
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.ProduceSync(ctx, kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	produced := make(chan error, 1)
	ctx, stopProducing := context.WithCancel(ctx)
	go func() { produced <- client.ProduceSync(ctx, kgo.StringRecord("b")).FirstErr() }()
	eventuallyRefused(t, a.REST)
	stopProducing()
	if err := <-produced; err == nil {
		t.Error("a record was acknowledged that is not on disk")
	}
	if err := end(); err == nil || !strings.Contains(err.Error(), "the log cannot be written any more") {
		t.Errorf("Run returned %v", err)
	}
}

// eventuallyRefused waits until nobody listens at addr.
func eventuallyRefused(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); runtime.Gosched() {
		resp, err := http.Get("http://" + addr)
		if err != nil {
			return
		}
		resp.Body.Close()
	}
	t.Fatal("the server goes on after its log has failed")
}

// TestMainOnACluster runs a worker on the log of another process's place: the
// bootstrap servers are the only difference.
func TestMainOnACluster(t *testing.T) {
	first, _ := runMain(t, NewMain(anywhere(t), slog.New(slog.DiscardHandler)))
	cfg := anywhere(t)
	cfg.BootstrapServers = []string{first.Kafka}
	cfg.Properties = map[string]string{"group.id": "second", "config.storage.topic": "second-configs",
		"offset.storage.topic": "second-offsets", "status.storage.topic": "second-status"}
	second, end := runMain(t, NewMain(cfg, slog.New(slog.DiscardHandler)))
	if second.Kafka != "" {
		t.Errorf("a worker on a cluster listens for Kafka at %s", second.Kafka)
	}
	resp, err := http.Get("http://" + second.REST + "/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("health %s", resp.Status)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
