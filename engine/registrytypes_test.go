package engine_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// enforced is a type of schemas with a change of a field that its rules refuse, and one that they take.
type enforced struct {
	converter string
	reasons   []string // in the error of a record with the refused schema
	// refused and accepted are schemas of {id, more} after old.
	old, refused, accepted *connect.Schema
	id                     func(value []byte) int64 // behind the id of the schema
}

func enforcedTypes() []enforced {
	order := func(more *connect.Schema) *connect.Schema {
		return connect.MustStruct("Order", connect.Field{Name: "id", Schema: connect.Int64Schema}, connect.Field{Name: "more", Schema: more})
	}
	return []enforced{
		{"io.confluent.connect.json.JsonSchemaConverter", []string{"TYPE_CHANGED", "#/properties/more", "fix: 'keep the type"},
			order(connect.Int32Schema), order(connect.StringSchema), order(connect.Float64Schema), func(value []byte) int64 {
				var order struct{ ID int64 }
				_ = json.Unmarshal(value, &order) // which leaves zero
				return order.ID
			}},
		{"io.confluent.connect.protobuf.ProtobufConverter", []string{"FIELD_SCALAR_KIND_CHANGED", "#/Order/2", "fix: 'keep the type"},
			order(connect.OptionalInt32Schema), order(connect.OptionalStringSchema), order(connect.OptionalInt64Schema), func(value []byte) int64 {
				if len(value) == 0 || len(value) > 2 && value[1] != 1<<3 {
					return 0 // proto3 leaves zero out
				}
				n, _ := binary.Uvarint(value[2:]) // behind the index and the tag
				return int64(n)
			}},
	}
}

// orders are the ids of ten records, with the ids of their schemas.
func (e enforced) orders(t *testing.T, records []*kgo.Record) (values []int64, schemas []uint32) {
	t.Helper()
	for _, r := range records {
		values, schemas = append(values, e.id(r.Value[5:])), append(schemas, binary.BigEndian.Uint32(r.Value[1:]))
	}
	return values, schemas
}

// start runs a worker with a source of ten orders: five with the old schema, five with what next says when one is read.
func (e enforced) start(t *testing.T, next func() *connect.Schema, conf ...string) (*enginetest.Cluster, *registryServer, *enginetest.Worker) {
	c, _ := embedded(t, t.TempDir())
	reg := serveRegistry(t, c)
	w := enginetest.Start(t, c, func(cfg *engine.Config) {
		cfg.RegistryURL, cfg.OffsetFlushInterval = reg.URL, 20*time.Millisecond
	}, ordersOf(func(n int) (*connect.Schema, connect.Value) {
		s := e.old
		if n >= 5 {
			s = next()
		}
		more := map[connect.Type]connect.Value{connect.Int32: connect.Int32Value(7), connect.Int64: connect.Int64Value(7),
			connect.Float64: connect.Float64Value(7), connect.String: connect.StringValue("7")}[s.Fields()[1].Schema.Type()]
		return s, connect.StructValue([]connect.Value{connect.Int64Value(int64(n)), more})
	}))
	w.Create(t, "src", sourceConf(append([]string{"value.converter", e.converter}, conf...)...))
	return c, reg, w
}

// A schema that the registry refuses fails the task with its reason, and the task goes on without a loss: with the same schema once the level
// of the subject is another, and with a schema that fits once the connector has one.
func TestRefusedSchemasOfAllTypes(t *testing.T) {
	for _, e := range enforcedTypes() {
		for _, repair := range []string{"level", "schema"} {
			t.Run(fmt.Sprintf("%s/%s", e.converter[strings.LastIndexByte(e.converter, '.')+1:], repair), func(t *testing.T) {
				next := make(chan *connect.Schema, 1) // the schema of what is read next
				next <- e.refused
				c, reg, w := e.start(t, func() *connect.Schema {
					s := <-next
					next <- s
					return s
				})
				trace := failure(t, w)
				for _, want := range append([]string{"convert the value", "subject orders-value", "409", "oldSchemaVersion: 1"}, e.reasons...) {
					if !strings.Contains(trace, want) {
						t.Errorf("the task's error has no %q: %s", want, trace)
					}
				}
				if got, _ := e.orders(t, enginetest.Consume(t, c, "orders", 5)); !slices.Equal(got, zeroToNine[:5]) {
					t.Errorf("before: got %d", got)
				}
				if repair == "level" {
					reg.put(t, "/config/orders-value", `{"compatibility":"NONE"}`)
				} else {
					<-next
					next <- e.accepted
				}
				_, err := w.Restart(t.Context(), "src", true, true)
				must(t, err)
				values, schemas := e.orders(t, enginetest.Consume(t, c, "orders", 10))
				if want := []uint32{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}; !slices.Equal(values, zeroToNine) || !slices.Equal(schemas, want) {
					t.Errorf("after: got %d of schemas %d", values, schemas)
				}
				w.Await(t, "src", engine.Running, engine.Running)
			})
		}
	}
}

// failure waits until the task of src has failed and returns its error.
func failure(t *testing.T, w *enginetest.Worker) (trace string) {
	t.Helper()
	enginetest.Eventually(t, func() bool {
		status, err := w.Status(t.Context(), "src")
		if err == nil && len(status.Tasks) == 1 && status.Tasks[0].State == engine.Failed {
			trace = status.Tasks[0].Trace
		}
		return trace != ""
	}, func() string { return "the task did not fail" })
	return trace
}

// With errors.tolerance=all such records go to the dead letter queue, with the reason in a header, and the others to the topic.
func TestRefusedSchemasOfAllTypesToTheDeadLetterQueue(t *testing.T) {
	for _, e := range enforcedTypes() {
		t.Run(e.converter[strings.LastIndexByte(e.converter, '.')+1:], func(t *testing.T) {
			c, _, _ := e.start(t, func() *connect.Schema { return e.refused }, "errors.tolerance", "all", "errors.deadletterqueue.topic.name", "dlq",
				"errors.deadletterqueue.topic.replication.factor", "1", "errors.deadletterqueue.context.headers.enable", "true")
			for i, r := range enginetest.Consume(t, c, "dlq", 5) {
				reason := ""
				for _, h := range r.Headers {
					if h.Key == "__connect.errors.exception.message" {
						reason = string(h.Value)
					}
				}
				if want := fmt.Sprintf(`{"id":%d,"more":"7"}`, 5+i); string(r.Value) != want || !strings.Contains(reason, e.reasons[0]) {
					t.Errorf("letter %d: got %s because of %q, want %s because of %s", i, r.Value, reason, want, e.reasons[0])
				}
			}
			if got, _ := e.orders(t, enginetest.Consume(t, c, "orders", 5)); !slices.Equal(got, zeroToNine[:5]) {
				t.Errorf("got %d", got)
			}
		})
	}
}
