package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/engine/internal/meters"
)

type countingSink struct {
	seen, want int
	over       chan struct{}
}

func (s *countingSink) Open(context.Context, connect.SinkContext) error { return nil }
func (s *countingSink) Close() error                                    { return nil }
func (s *countingSink) Write(_ context.Context, b *connect.Batch) error {
	if s.seen += b.Len(); s.seen >= s.want {
		close(s.over)
	}
	return nil
}

// quietSinkTask returns a sink task that has no client.
func quietSinkTask(t testing.TB, stop context.Context, valueConverter string) *sinkTask {
	t.Helper()
	cfg := Config{}.withDefaults()
	d := &definition{secrets: strings.NewReplacer()}
	d.options.defineCommon(&d.def)
	d.options.defineSink(&d.def)
	settings := map[string]string{"topics": "in"}
	if valueConverter != "" {
		settings["value.converter"] = valueConverter
	}
	d.options.consumer.read(consumerClient, &d.def, settings, nil)
	d.def.Parse(settings)
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	tk := task{cfg: &cfg, id: TaskID{"snk", 0}, logger: logger, def: d, gate: &gate{}, stop: stop, kill: context.Background(), skipped: &skipLog{logger: logger}, meter: new(meters.Task).Begin()}
	var err error
	if tk.convert, err = newConverters(&cfg, &d.options, settings); err != nil {
		t.Fatal(err)
	}
	return newSinkTask(tk)
}

// TestBatchOfAnEndedAssignmentIsDropped checks that what was fetched before a
// partition went away is not written after it, not even when it comes back or
// when a Write is being retried.
func TestBatchOfAnEndedAssignmentIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		s := quietSinkTask(t, stop, "")
		writes := make(chan int64, 10)
		s.sink = writerFunc(func(b *connect.Batch) error {
			writes <- b.Records()[0].Offset
			return connect.Retriable(errors.New("away"))
		})
		in := connect.TopicPartition{Topic: "in"}
		if err := s.add([]connect.PartitionOffset{{TopicPartition: in, Offset: 5}}); err != nil {
			t.Fatal(err)
		}
		records := []*kgo.Record{{Topic: "in", Offset: 5}}
		for range 2 { // the second waits in the queue
			if err := s.convertPartition(stop, in, records, s.epochs[in]); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error)
		go func() { done <- s.writeAll(nil) }()
		<-writes
		for _, rb := range []rebalance{{removed: []connect.TopicPartition{in}}, {added: []connect.PartitionOffset{{TopicPartition: in, Offset: 5}}}} {
			if err := s.ask(stop, rb); err != nil {
				t.Fatal(err)
			}
		}
		_ = sleep(stop, time.Hour) // of the bubble: every retry would have come
		if len(writes) > 0 {
			t.Errorf("%d writes of batches of the ended assignment", len(writes))
		}
		if got := s.partitions[in].written; got != 5 {
			t.Errorf("written: got %d, want 5", got)
		}
		cancel()
		if err := <-done; !errors.Is(err, errStopping) && err != nil {
			t.Error(err)
		}
	})
}

type writerFunc func(*connect.Batch) error

func (f writerFunc) Open(context.Context, connect.SinkContext) error { return nil }
func (f writerFunc) Write(_ context.Context, b *connect.Batch) error { return f(b) }
func (f writerFunc) Close() error                                    { return nil }

// sinkPipeline takes rounds batches through the engine without a client: convert,
// Write.
func sinkPipeline(t testing.TB, rounds int, valueConverter string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := quietSinkTask(t, ctx, valueConverter)
	records := make([]*kgo.Record, 2048)
	value := []byte(`{"sensor":"temperature","value":21.5,"unit":"C","at":"2026-01-01T00:00:00Z","seq":123456}`)
	for i := range records {
		records[i] = &kgo.Record{Topic: "in", Offset: int64(i), Key: []byte("sensor/1"), Value: value, Timestamp: time.UnixMilli(1)}
	}
	sink := &countingSink{want: rounds * len(records), over: make(chan struct{})}
	s.sink = sink
	in := connect.TopicPartition{Topic: "in"}
	if err := s.add([]connect.PartitionOffset{{TopicPartition: in}}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.writeAll(nil) }()
	for range rounds {
		if err := s.convertPartition(ctx, in, records, s.epochs[in]); err != nil {
			t.Fatal(err)
		}
	}
	<-sink.over
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// BenchmarkSinkPipeline measures a record's way through the engine without a
// client. Auto, the default, checks that the value of 90 bytes is JSON.
func BenchmarkSinkPipeline(b *testing.B) {
	for _, converter := range []string{convert.AutoClass, convert.ByteArrayClass} {
		b.Run(converter, func(b *testing.B) {
			b.ReportAllocs()
			sinkPipeline(b, max(b.N/2048, 1), converter)
		})
	}
}

// TestSinkAllocations bounds what a record costs once the memory of the batches
// is there.
func TestSinkAllocations(t *testing.T) {
	run := func(rounds int) float64 { return testing.AllocsPerRun(1, func() { sinkPipeline(t, rounds, "") }) }
	const few, many = 20, 120
	if perRecord := (run(many) - run(few)) / float64((many-few)*2048); perRecord > 0.01 {
		t.Errorf("%.4f allocations per record, want 0", perRecord)
	}
}
