package engine_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// registryServer is a schema registry on a cluster's own log, as the binary has it, that can be away.
type registryServer struct {
	*httptest.Server
	away, refused atomic.Int64
}

func serveRegistry(t *testing.T, c *enginetest.Cluster) *registryServer {
	t.Helper()
	reg, _ := registrytest.Start(t, c.Opts)
	s := &registryServer{}
	h := rest.New(reg, rest.Options{})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() > 0 {
			s.refused.Add(1)
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *registryServer) put(t *testing.T, path, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+path, strings.NewReader(body))
	must(t, err)
	resp, err := s.Client().Do(r)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT %s: status %d", path, resp.StatusCode)
	}
}

// evolving is a source of ten records {id}, of which the last five have another field too that must be there: readers of the new schema
// cannot read the old records.
func evolving() connect.Spec {
	old := connect.MustStruct("Order", connect.Field{Name: "id", Schema: connect.Int64Schema})
	new := connect.MustStruct("Order", connect.Field{Name: "id", Schema: connect.Int64Schema}, connect.Field{Name: "note", Schema: connect.StringSchema})
	return ordersOf(func(n int) (*connect.Schema, connect.Value) {
		if n >= 5 {
			return new, connect.StructValue([]connect.Value{connect.Int64Value(int64(n)), connect.StringValue("x")})
		}
		return old, connect.StructValue([]connect.Value{connect.Int64Value(int64(n))})
	})
}

// ordersOf is a source of ten records that are what value says.
func ordersOf(value func(n int) (*connect.Schema, connect.Value)) connect.Spec {
	return enginetest.SourcePlugin(func() connect.Source {
		next := 0
		return &enginetest.Source{
			OnOpen: func(ctx context.Context, sc connect.SourceContext) error {
				stored, err := sc.Offset(ctx, []byte(`{"p":1}`))
				if err == nil && stored != nil {
					_, err = fmt.Sscanf(string(stored), `{"n":%d}`, &next)
				}
				return err
			},
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				if next == 10 {
					<-ctx.Done()
					return ctx.Err()
				}
				r := b.Append()
				r.Topic = "orders"
				r.ValueSchema, r.Value = value(next)
				next++
				b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, next)})
				return nil
			},
		}
	})
}

// ids are those of records {id} in Avro, with the ids of their schemas.
func ids(records []*kgo.Record) (values []int64, schemas []uint32) {
	for _, r := range records {
		n, _ := binary.Varint(r.Value[5:])
		values, schemas = append(values, n), append(schemas, binary.BigEndian.Uint32(r.Value[1:]))
	}
	return values, schemas
}

var zeroToNine = []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}

// A schema that the level of its subject refuses fails the task with the registry's reason. Once the level is another the task goes on
// where it was.
func TestIncompatibleSchemaFailsTheTask(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	reg := serveRegistry(t, c)
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.RegistryURL, cfg.OffsetFlushInterval = reg.URL, 20*time.Millisecond
	}, evolving())
	w.Create(t, "src", sourceConf("value.converter", "io.confluent.connect.avro.AvroConverter"))
	var trace string
	enginetest.Eventually(t, func() bool {
		status, err := w.Status(t.Context(), "src")
		if err == nil && len(status.Tasks) == 1 && status.Tasks[0].State == engine.Failed {
			trace = status.Tasks[0].Trace
		}
		return trace != ""
	}, func() string { return "the task did not fail" })
	for _, want := range []string{"convert the value", "subject orders-value", "READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/1", "409"} {
		if !strings.Contains(trace, want) {
			t.Errorf("the task's error has no %q: %s", want, trace)
		}
	}
	if got, _ := ids(enginetest.Consume(t, c, "orders", 5)); !slices.Equal(got, zeroToNine[:5]) {
		t.Errorf("before: got %d", got)
	}
	reg.put(t, "/config/orders-value", `{"compatibility":"FORWARD"}`)
	_, err := w.Restart(t.Context(), "src", true, true)
	must(t, err)
	values, schemas := ids(enginetest.Consume(t, c, "orders", 10))
	if want := []uint32{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}; !slices.Equal(values, zeroToNine) || !slices.Equal(schemas, want) {
		t.Errorf("after: got %d of schemas %d", values, schemas)
	}
	w.Await(t, "src", engine.Running, engine.Running)
}

// With errors.tolerance=all such records go to the dead letter queue, with the reason in a header.
func TestIncompatibleSchemaToTheDeadLetterQueue(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	reg := serveRegistry(t, c)
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.RegistryURL = reg.URL }, evolving())
	w.Create(t, "src", sourceConf("value.converter", "AvroConverter", "errors.tolerance", "all", "errors.deadletterqueue.topic.name", "dlq",
		"errors.deadletterqueue.topic.replication.factor", "1", "errors.deadletterqueue.context.headers.enable", "true"))
	letters := enginetest.Consume(t, c, "dlq", 5)
	for i, r := range letters {
		reason := ""
		for _, h := range r.Headers {
			if h.Key == "__connect.errors.exception.message" {
				reason = string(h.Value)
			}
		}
		if want := fmt.Sprintf(`{"id":%d,"note":"x"}`, 5+i); string(r.Value) != want || !strings.Contains(reason, "READER_FIELD_MISSING_DEFAULT_VALUE") {
			t.Errorf("letter %d: got %s because of %q, want %s", i, r.Value, reason, want)
		}
	}
	if got, _ := ids(enginetest.Consume(t, c, "orders", 5)); !slices.Equal(got, zeroToNine[:5]) {
		t.Errorf("got %d", got)
	}
}

// A registry that is away holds a task up and costs no record, even where records that fail are skipped: not when the task is stopped
// meanwhile, and neither on the way out of the log.
func TestTasksWaitForTheRegistry(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	reg := serveRegistry(t, c)
	reg.put(t, "/config", `{"compatibility":"NONE"}`)
	reg.away.Store(1)
	var got collector
	write := func(ctx context.Context, b *connect.Batch) error {
		for i, r := range b.Records() { // the id alone
			b.Records()[i].Value = connect.StringValue(fmt.Sprint(r.Value.Cells()[0].Int()))
		}
		return got.write(ctx, b)
	}
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.RegistryURL = reg.URL }, evolving(),
		enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: write} }))
	skipping := []string{"value.converter", "AvroConverter", "errors.tolerance", "all"}
	w.Create(t, "src", sourceConf(skipping...))
	awaitRefusals := func() {
		t.Helper()
		before := reg.refused.Load()
		enginetest.Eventually(t, func() bool { return reg.refused.Load() > before+1 }, func() string { return "nobody asks the registry" })
	}
	awaitRefusals()
	must(t, w.Worker.Stop(t.Context(), "src"))
	w.Await(t, "src", engine.Stopped)
	must(t, w.Resume(t.Context(), "src"))
	awaitRefusals()
	w.Await(t, "src", engine.Running, engine.Running)
	reg.away.Store(0)
	if values, _ := ids(enginetest.Consume(t, c, "orders", 10)); !slices.Equal(values, zeroToNine) {
		t.Errorf("got %d", values)
	}
	reg.away.Store(1)
	w.Create(t, "snk", sinkConf(append(skipping, "topics", "orders")...))
	awaitRefusals()
	must(t, w.Worker.Stop(t.Context(), "snk"))
	w.Await(t, "snk", engine.Stopped)
	must(t, w.Resume(t.Context(), "snk"))
	awaitRefusals()
	reg.away.Store(0)
	got.await(t, texts(0, 10)...)
	w.Await(t, "snk", engine.Running, engine.Running)
}

// With the id in a header the record's bytes are the value alone, and a sink finds the schema by the header.
func TestSchemaIDInHeader(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	reg := serveRegistry(t, c)
	reg.put(t, "/config", `{"compatibility":"NONE"}`)
	var got collector
	write := func(ctx context.Context, b *connect.Batch) error {
		for i, r := range b.Records() {
			b.Records()[i].Value = connect.StringValue(fmt.Sprint(r.Value.Cells()[0].Int()))
		}
		return got.write(ctx, b)
	}
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.RegistryURL = reg.URL }, evolving(),
		enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: write} }))
	w.Create(t, "src", sourceConf("value.converter", "AvroConverter",
		"value.converter.value.schema.id.serializer", "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"))
	for i, r := range enginetest.Consume(t, c, "orders", 10) {
		if n, _ := binary.Varint(r.Value); n != int64(i) || len(r.Headers) != 1 || r.Headers[0].Key != "__value_schema_id" || len(r.Headers[0].Value) != 17 {
			t.Errorf("record %d: %q, headers %v", i, r.Value, r.Headers)
		}
	}
	w.Create(t, "snk", sinkConf("topics", "orders", "value.converter", "AvroConverter"))
	got.await(t, texts(0, 10)...)
}
