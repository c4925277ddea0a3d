package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// smt returns the options of transforms with the aliases t0, t1...: each begins
// with its class, "predicates." ones are their predicates.
func smt(transforms ...[]string) []string {
	var kv, aliases []string
	for i, t := range transforms {
		alias := fmt.Sprint("t", i)
		aliases = append(aliases, alias)
		kv = append(kv, "transforms."+alias+".type", t[0])
		for j := 1; j < len(t); j += 2 {
			kv = append(kv, "transforms."+alias+"."+t[j], t[j+1])
		}
	}
	return append(kv, "transforms", strings.Join(aliases, ","))
}

// TestSourceTransforms wants records changed and dropped on their way into the log,
// and dropped ones to count as handled: the mark after them is committed (I2).
func TestSourceTransforms(t *testing.T) {
	c := enginetest.Fake(t)
	var log enginetest.Log
	var read atomic.Bool
	w := enginetest.Start(t, c, nil, enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				if !read.CompareAndSwap(false, true) {
					<-ctx.Done()
					return ctx.Err()
				}
				schema := connect.MustStruct("Row", connect.Field{Name: "id", Schema: connect.Int32Schema})
				for i := range int32(4) {
					r := b.Append()
					r.Topic, r.Timestamp, r.ValueSchema, r.Value = "db.rows", 1700000000123, schema, connect.StructValue(b.Cells(1))
					r.Value.Cells()[0] = connect.Int32Value(i)
					if i >= 2 {
						r.Headers = append(b.Headers(1)[:0], connect.Header{Key: "secret", Schema: connect.BooleanSchema, Value: connect.BooleanValue(true)})
					}
					if i == 3 {
						b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: []byte(`{"n":4}`), Token: 4})
					}
				}
				return nil
			},
			OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint("commit ", m.Token)) },
		}
	}))
	settings := append(smt([]string{"Filter", "predicate", "marked"}, []string{"InsertField$Value", "topic.field", "from", "timestamp.field", "at"},
		[]string{"RegexRouter", "regex", `db\.(.*)`, "replacement", "new-$1"}, []string{"ValueToKey", "fields", "id"}, []string{"ExtractField$Key", "field", "id"}),
		"predicates", "marked", "predicates.marked.type", "HasHeaderKey", "predicates.marked.name", "secret")
	w.Create(t, "src", sourceConf(settings...))
	for i, r := range enginetest.Consume(t, c, "new-rows", 2) {
		want := fmt.Sprintf(`%d={"id":%d,"from":"db.rows","at":1700000000123}`, i, i)
		if got := fmt.Sprintf("%s=%s", r.Key, r.Value); got != want {
			t.Errorf("record %d: got %s, want %s", i, got, want)
		}
	}
	enginetest.Eventually(t, func() bool { return fmt.Sprint(log.Events()) == "[commit 4]" }, func() string { return fmt.Sprint(log.Events()) })
	if topics, err := kadm.NewClient(enginetest.Client(t, c)).ListTopics(t.Context()); err != nil || topics.Has("db.rows") {
		t.Errorf("dropped records were produced to their old topic (%v)", err)
	}
}

// TestSourceDropsWholeBatch wants the mark of a batch of which nothing is left.
func TestSourceDropsWholeBatch(t *testing.T) {
	var log enginetest.Log
	var n atomic.Uint64
	w := enginetest.Start(t, enginetest.Fake(t), nil, enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				if n.Add(1) > 3 {
					<-ctx.Done()
					return ctx.Err()
				}
				r := b.Append()
				r.Topic, r.ValueSchema, r.Value = "out", connect.StringSchema, connect.StringValue("x")
				b.Mark(connect.Mark{Token: n.Load()})
				return nil
			},
			OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint(m.Token)) },
		}
	}))
	w.Create(t, "src", sourceConf(smt([]string{"Filter"})...))
	enginetest.Eventually(t, func() bool { e := log.Events(); return len(e) > 0 && e[len(e)-1] == "3" }, func() string { return fmt.Sprint(log.Events()) })
}

// TestSinkTransforms wants a sink to get changed records that still tell where they
// were read (KIP-793), and the offset to move past dropped ones (I3).
func TestSinkTransforms(t *testing.T) {
	c := enginetest.Fake(t)
	records := numbered("in", 0, 0, 6)
	for i, r := range records {
		r.Value = fmt.Appendf(nil, `{"n":%d}`, i)
	}
	records[1].Value, records[5].Value = nil, nil
	enginetest.Produce(t, c, records...)
	var log enginetest.Log
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond }, enginetest.SinkPlugin(func() connect.Sink {
		return &enginetest.Sink{OnWrite: func(_ context.Context, b *connect.Batch) error {
			for _, r := range b.Records() {
				log.Add(fmt.Sprint(b.From.Topic, "/", b.From.Partition, "/", r.Offset, " ", r.Topic, " ", r.Value))
			}
			return nil
		}}
	}))
	settings := append(smt([]string{"Filter", "predicate", "tomb"}, []string{"RegexRouter", "regex", "in", "replacement", "table"}, []string{"ExtractField$Value", "field", "n"}),
		"predicates", "tomb", "predicates.tomb.type", "RecordIsTombstone")
	w.Create(t, "snk", sinkConf(settings...))
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 6 }, func() string { return "the offset did not move past what was dropped" })
	want := "in/0/0 table 0,in/0/2 table 2,in/0/3 table 3,in/0/4 table 4"
	if got := strings.Join(log.Events(), ","); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTransformErrors wants the failure of a transform to be one of its record: it
// fails the task, or goes to the dead letter queue as the record came.
func TestTransformErrors(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	records := numbered("in", 0, 0, 3)
	for i, r := range records {
		r.Value = fmt.Appendf(nil, `{"n":%d}`, i)
	}
	records[1].Value = []byte(`"text"`)
	enginetest.Produce(t, c, records...)
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond },
		enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	route := smt([]string{"RegexRouter", "regex", ".*", "replacement", "table"}, []string{"InsertField$Value", "static.field", "s", "static.value", "v"})
	w.Create(t, "strict", sinkConf(route...))
	status := w.Await(t, "strict", engine.Running, engine.Failed)
	want := "topic in, partition 0, offset 1: transform t1 (org.apache.kafka.connect.transforms.InsertField$Value): Only Map objects supported in absence of schema for [field insertion], found: java.lang.String"
	if got := status.Tasks[0].Trace; !strings.HasPrefix(got, want) {
		t.Errorf("trace: got %q, want the prefix %q", got, want)
	}
	w.Create(t, "snk", sinkConf(letterConf(route...)...))
	letter := enginetest.Consume(t, c, "dlq", 1)[0]
	want = `""="\"text\"" topic=in partition=0 offset=1 connector.name=snk task.id=0 stage=TRANSFORMATION class.name=org.apache.kafka.connect.transforms.InsertField$Value exception.class.name=org.apache.kafka.connect.errors.DataException`
	if got := letterText(letter); got != want {
		t.Errorf("letter:\n got %s\nwant %s", got, want)
	}
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 3 }, func() string { return "the offset did not move past the dead letter" })
}
