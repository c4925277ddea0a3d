package engine_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// block is a place where connector code hangs until the test ends, whatever its
// context says.
type block struct {
	reached chan struct{}
	release chan struct{}
	once    sync.Once
}

func newBlock(t *testing.T) *block {
	b := &block{reached: make(chan struct{}), release: make(chan struct{})}
	t.Cleanup(func() { close(b.release) })
	return b
}

func (b *block) hang() {
	b.once.Do(func() { close(b.reached) })
	<-b.release
}

// blockingCases hang in one call each, in the manner of Kafka Connect's
// BlockingConnectorTest. Initialize and start of a Kafka connector are Split
// here, its stop is the end of Monitor.
func blockingCases() map[string]func(*block) []connect.Spec {
	hooked := func(change func(*hooks, *block)) func(*block) []connect.Spec {
		return func(b *block) []connect.Spec {
			h := &hooks{}
			change(h, b)
			return []connect.Spec{h.plugin()}
		}
	}
	source := func(change func(*enginetest.Source, *block)) func(*block) []connect.Spec {
		return hooked(func(h *hooks, b *block) {
			h.source = func() connect.Source {
				s := &enginetest.Source{}
				change(s, b)
				return s
			}
		})
	}
	sink := func(change func(*enginetest.Sink, *block)) func(*block) []connect.Spec {
		return func(b *block) []connect.Spec {
			return []connect.Spec{enginetest.SinkPlugin(func() connect.Sink {
				s := &enginetest.Sink{}
				change(s, b)
				return s
			})}
		}
	}
	return map[string]func(*block) []connect.Spec{
		"split": hooked(func(h *hooks, b *block) { h.onSplit = func(int) []map[string]string { b.hang(); return nil } }),
		"monitor": hooked(func(h *hooks, b *block) {
			h.onMonitor = func(context.Context, func()) error { b.hang(); return nil }
		}),
		"source open": source(func(s *enginetest.Source, b *block) {
			s.OnOpen = func(context.Context, connect.SourceContext) error { b.hang(); return nil }
		}),
		"source read": source(func(s *enginetest.Source, b *block) {
			s.OnRead = func(context.Context, *connect.Batch) error { b.hang(); return nil }
		}),
		"source close": source(func(s *enginetest.Source, b *block) { s.OnClose = func() error { b.hang(); return nil } }),
		"sink open": sink(func(s *enginetest.Sink, b *block) {
			s.OnOpen = func(context.Context, connect.SinkContext) error { b.hang(); return nil }
		}),
		"sink write": sink(func(s *enginetest.Sink, b *block) {
			s.OnWrite = func(context.Context, *connect.Batch) error { b.hang(); return nil }
		}),
		"sink close": sink(func(s *enginetest.Sink, b *block) { s.OnClose = func() error { b.hang(); return nil } }),
	}
}

func impatient(cfg *engine.Config) { cfg.TaskShutdownTimeout = 100 * time.Millisecond }

// normal is a connector beside the one that hangs.
func normal(log *enginetest.Log) connect.Spec { return counting("normal", 10, log) }

// checkAlive makes, changes and deletes another connector, and restarts and
// deletes the one that hangs, none of which may wait for it until the request ends (I5).
func checkAlive(t *testing.T, w *enginetest.Worker, name string) {
	t.Helper()
	w.Create(t, "normal", sourceConf())
	w.Await(t, "normal", engine.Running, engine.Running)
	if _, err := w.Status(t.Context(), name); err != nil {
		t.Errorf("status: %v", err)
	}
	if _, err := w.Restart(t.Context(), name, true, false); err != nil {
		t.Errorf("restart: %v", err)
	}
	must(t, w.Pause(t.Context(), name))
	must(t, w.Resume(t.Context(), name))
	must(t, w.Worker.Stop(t.Context(), name))
	must(t, w.Delete(t.Context(), name))
	must(t, w.Delete(t.Context(), "normal"))
}

// TestBlockingCallHoldsUpNobody hangs a connector in each call of its lifecycle.
func TestBlockingCallHoldsUpNobody(t *testing.T) {
	for where, plugins := range blockingCases() {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			c := enginetest.Fake(t)
			b := newBlock(t)
			w := enginetest.Start(t, c, impatient, append(plugins(b), normal(new(enginetest.Log)))...)
			createBlocking(t, c, w, where)
			if where != "source close" && where != "sink close" {
				<-b.reached
			}
			checkAlive(t, w, "blocks")
			w.Stop(t) // within the graceful timeout, although the call never returns
		})
	}
}

func createBlocking(t *testing.T, c *enginetest.Cluster, w *enginetest.Worker, where string) {
	t.Helper()
	if len(where) > 4 && where[:4] == "sink" {
		enginetest.Produce(t, c, &kgo.Record{Topic: "in", Value: []byte("a")})
		w.Create(t, "blocks", sinkConf())
		return
	}
	w.Create(t, "blocks", conf(hookedClass))
}

// TestBlockingCallAndNewWorker restarts the worker while a connector hangs as it
// starts or stops.
func TestBlockingCallAndNewWorker(t *testing.T) {
	for _, where := range []string{"split", "monitor"} {
		t.Run(where, func(t *testing.T) {
			c := enginetest.Fake(t)
			b := newBlock(t)
			plugins := append(blockingCases()[where](b), normal(new(enginetest.Log)))
			w := enginetest.Start(t, c, impatient, plugins...)
			createBlocking(t, c, w, where)
			<-b.reached
			w.Stop(t)
			w = enginetest.Start(t, c, impatient, plugins...)
			checkAlive(t, w, "blocks")
		})
	}
}

// TestBlockingValidation hangs where a config is read: the request itself fails
// after a while, and another connector's does not wait for it.
func TestBlockingValidation(t *testing.T) {
	for where, change := range map[string]func(*hooks, *block){
		"define":   func(h *hooks, b *block) { h.onDefine = b.hang },
		"validate": func(h *hooks, b *block) { h.onValidate = func() []*connect.ConfigError { b.hang(); return nil } },
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			b, h := newBlock(t), &hooks{}
			change(h, b)
			w := enginetest.Start(t, enginetest.Fake(t), impatient, h.plugin(), normal(new(enginetest.Log)))
			failed := make(chan error, 2)
			ctx, giveUp := context.WithCancel(t.Context())
			go func() {
				_, err := w.Worker.Create(ctx, "blocks", conf(hookedClass), "")
				failed <- err
			}()
			go func() {
				_, err := w.Validate(ctx, hookedClass, conf(hookedClass, "name", "blocks"))
				failed <- err
			}()
			<-b.reached
			w.Create(t, "normal", sourceConf())
			w.Await(t, "normal", engine.Running, engine.Running)
			giveUp()
			for range 2 {
				if err := <-failed; err == nil {
					t.Error("a config that cannot be read was taken")
				}
			}
		})
	}
}

// TestBlockedCallsAreBounded checks I5: requests for a plugin that hangs do not
// pile up goroutines.
func TestBlockedCallsAreBounded(t *testing.T) {
	b := newBlock(t)
	h := &hooks{onDefine: b.hang}
	w := enginetest.Start(t, enginetest.Fake(t), impatient, h.plugin(), normal(new(enginetest.Log)))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	enginetest.Eventually(t, func() bool {
		_, err := w.Validate(gone, hookedClass, conf(hookedClass))
		return err != nil && err.Error() == "read the config of the connector: 64 calls of the plugin's code have not returned; restart the worker"
	}, func() string { return "calls are not bounded" })
	w.Create(t, "normal", sourceConf())
}
