package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/logtest"
)

// embedded serves a log in a directory, as the binary does: workers dial it in
// memory. Calling stop twice is harmless.
func embedded(t testing.TB, dir string) (c *enginetest.Cluster, stop func()) {
	t.Helper()
	return embeddedOn(t, vfs.OS, dir)
}

func embeddedOn(t testing.TB, fs vfs.FS, dir string) (c *enginetest.Cluster, stop func()) {
	t.Helper()
	n := logtest.Start(t, logtest.On(fs, dir), logtest.Partitions(5), func(c *logtest.Config) { c.Log.CompactionInterval = 100 * time.Millisecond })
	return &enginetest.Cluster{Opts: n.Opts(), Dial: n.DialContext}, n.Stop
}

// TestEmbeddedLog runs a source and a sink over the real log, stops everything in
// the order of the binary, and starts again on the same directory.
func TestEmbeddedLog(t *testing.T) {
	enginetest.NoLeaks(t)
	dir := t.TempDir()
	var got collector
	plugins := func(n int) []connect.Spec {
		return []connect.Spec{counting("in", n, new(enginetest.Log)),
			enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} })}
	}
	c, stop := embedded(t, dir)
	w := enginetest.Start(t, c, nil, plugins(1000)...)
	w.Create(t, "snk", sinkConf())
	w.Create(t, "src", sourceConf())
	got.await(t, texts(0, 1000)...)
	w.Stop(t)
	stop()

	c, _ = embedded(t, dir)
	w = enginetest.Start(t, c, nil, plugins(1100)...)
	w.Await(t, "src", engine.Running, engine.Running)
	got.await(t, texts(0, 1100)...)
}

// TestEmptyEnd deletes a connector, whose tombstones are the last records in the topic of
// configs, and starts a worker after they have been compacted away.
func TestEmptyEnd(t *testing.T) {
	dir := t.TempDir()
	c, stop := embedded(t, dir)
	w := enginetest.Start(t, c, nil, counting("in", 10, new(enginetest.Log)))
	w.Create(t, "src", sourceConf())
	w.Await(t, "src", engine.Running, engine.Running)
	if err := w.Delete(t.Context(), "src"); err != nil {
		t.Fatal(err)
	}
	w.Stop(t)
	stop()
	n := logtest.StartEmptyEnd(t, dir, "connect-configs")
	w = enginetest.Start(t, &enginetest.Cluster{Opts: n.Opts(), Dial: n.DialContext}, nil, counting("in", 10, new(enginetest.Log)))
	w.Create(t, "src", sourceConf())
	w.Await(t, "src", engine.Running, engine.Running)
}

// window holds a source up until what it read is committed, as an MQTT server
// does that waits for acknowledgements.
type window chan struct{}

func (w window) acquire() { w <- struct{}{} }

func (w window) release() {
	select {
	case <-w:
	default:
	}
}

// BenchmarkEmbedded measures a source and a sink over the embedded log.
func BenchmarkEmbedded(b *testing.B) {
	for _, linger := range []string{"0", "1"} {
		for _, size := range []int{20, 100, 2000} {
			b.Run(fmt.Sprintf("source/batch=%d/linger=%s", size, linger), func(b *testing.B) {
				c, _ := embedded(b, b.TempDir())
				value := []byte(strings.Repeat("x", 100))
				read, over, window := 0, make(chan struct{}), make(window, 1)
				w := enginetest.Start(b, c, func(cfg *engine.Config) { cfg.Logger = nil }, enginetest.SourcePlugin(func() connect.Source {
					return &enginetest.Source{
						OnRead: func(ctx context.Context, batch *connect.Batch) error {
							if read >= b.N {
								<-ctx.Done()
								return ctx.Err()
							}
							if size == 20 {
								window.acquire()
							}
							for range min(size, b.N-read) {
								r := batch.Append()
								r.Topic, r.ValueSchema, r.Value = "out", connect.BytesSchema, connect.BytesValue(value)
								read++
							}
							batch.Mark(connect.Mark{Token: uint64(read)})
							return nil
						},
						OnCommit: func(m connect.Mark) {
							window.release()
							if m.Token == uint64(b.N) {
								close(over)
							}
						},
					}
				}))
				b.ReportAllocs()
				b.ResetTimer()
				w.Create(b, "src", sourceConf("producer.override.linger.ms", linger))
				<-over
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
	b.Run("sink", func(b *testing.B) {
		c, _ := embedded(b, b.TempDir())
		producer := enginetest.Client(b, c, kgo.AllowAutoTopicCreation())
		value := []byte(strings.Repeat("x", 100))
		for range b.N {
			producer.Produce(b.Context(), &kgo.Record{Topic: "in", Value: value}, nil)
		}
		if err := producer.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		var seen atomic.Int64
		over := make(chan struct{})
		w := enginetest.Start(b, c, func(cfg *engine.Config) { cfg.Logger = nil }, enginetest.SinkPlugin(func() connect.Sink {
			return &enginetest.Sink{OnWrite: func(_ context.Context, batch *connect.Batch) error {
				if seen.Add(int64(batch.Len())) == int64(b.N) {
					close(over)
				}
				return nil
			}}
		}))
		b.ReportAllocs()
		b.ResetTimer()
		w.Create(b, "snk", sinkConf())
		<-over
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}
