package monitoring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	process "github.com/VictoriaMetrics/metrics"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/internal/metrics"
)

// patience is how long a test waits for what must happen.
const patience = 2 * time.Minute

// readings is a source of ten records.
type readings struct{ given int }

func (*readings) Define(*connect.Def)    {}
func (*readings) Source() connect.Source { return &readings{} }

func (*readings) Open(context.Context, connect.SourceContext) error { return nil }
func (*readings) Close() error                                      { return nil }

func (s *readings) Read(ctx context.Context, b *connect.Batch) error {
	if s.given == 10 {
		<-ctx.Done()
		return ctx.Err()
	}
	for range 10 {
		r := b.Append()
		r.Topic, r.ValueSchema, r.Value, r.Timestamp = "readings", connect.StringSchema, connect.StringValue("21.5"), time.Now().UnixMilli()
	}
	s.given = 10
	b.Mark(connect.Mark{Partition: []byte(`{"meter":1}`), Offset: []byte(`{"given":10}`)})
	return nil
}

// picky is a sink that refuses one record of each batch.
type picky struct{}

func (picky) Define(*connect.Def) {}
func (picky) Sink() connect.Sink  { return picky{} }

func (picky) Open(context.Context, connect.SinkContext) error { return nil }
func (picky) Close() error                                    { return nil }

func (picky) Write(context.Context, *connect.Batch) error {
	return &connect.BatchError{Failed: []connect.RecordError{{Index: 0, Err: errors.New("not this one")}}}
}

// busyPage is the page of a server whose broker and worker were used, and the
// families that it may have.
func busyPage(t *testing.T) (page []byte, families []*metrics.Desc) {
	t.Helper()
	var registry metrics.Registry
	registry.RegisterRaw(process.WriteProcessMetrics)
	registry.RegisterRaw(process.WriteFDMetrics)
	b := startBroker(t, &registry)
	w, err := engine.New(engine.Config{ClientOpts: []kgo.Opt{kgo.SeedBrokers("sluice:9092"), kgo.Dialer(b.DialContext)},
		ExactlyOnceSource: engine.ExactlyOnceEnabled, OffsetFlushInterval: 20 * time.Millisecond, Metrics: &registry, Plugins: append(connectors.Plugins(), // which have figures of their own
			connect.Spec{Class: "Readings", Version: "1", Doc: "A source.", New: func() connect.Config { return &readings{} }},
			connect.Spec{Class: "Picky", Version: "1", Doc: "A sink.", New: func() connect.Config { return picky{} }},
		)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for name, config := range map[string]map[string]string{
		"src": {"connector.class": "Readings"},
		"snk": {"connector.class": "Picky", "topics": "readings", "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq"},
	} {
		if _, err := w.Create(ctx, name, config, ""); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		var out bytes.Buffer
		if _, err := registry.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		missing := missingLines(out.String(), `sluice_sink_committed_lag_records{connector="snk",task="0",topic="readings",partition="0"} 0`,
			`kafka_connect_source_task_source_record_write_total{connector="src",task="0"} 10`,
			`kafka_connect_sink_task_sink_record_read_total{connector="snk",task="0"} 10`)
		if len(missing) == 0 {
			return out.Bytes(), registry.Descs()
		}
		if time.Now().After(deadline) {
			t.Fatalf("the page has no %s:\n%s", missing, out.String())
		}
	}
}

func missingLines(page string, want ...string) []string {
	lines := strings.Split(page, "\n")
	return slices.DeleteFunc(want, func(line string) bool { return slices.Contains(lines, line) })
}

// TestWorkersPageIsReadable gives promtool the page of a worker. The names that
// promtool would have chosen otherwise are Kafka's and a library's.
func TestWorkersPageIsReadable(t *testing.T) {
	page, _ := busyPage(t)
	out, _ := promtool(t, page, "check", "metrics")
	for line := range strings.Lines(out) {
		name, complaint, _ := strings.Cut(strings.TrimSpace(line), " ")
		given := slices.Contains(givenNames, name) || slices.ContainsFunc([]string{"kafka_connect_", "process_", "go_"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if complaint != "" && !given {
			t.Errorf("%s: %s", name, complaint)
		}
	}
	if !bytes.Contains(page, fmt.Append(nil, `kafka_connect_task_error_deadletterqueue_produce_requests{connector="snk",task="0"}`)) {
		t.Errorf("the page has no dead letters:\n%s", page)
	}
}
