package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// letterConf is a config with a dead letter queue.
func letterConf(kv ...string) []string {
	return append([]string{"errors.tolerance", "all", "errors.deadletterqueue.topic.name", "dlq", "errors.deadletterqueue.context.headers.enable", "true"}, kv...)
}

// letterText shows a dead letter and those of its headers that a test pins.
func letterText(r *kgo.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q=%q", r.Key, r.Value)
	for _, h := range r.Headers {
		name := strings.TrimPrefix(h.Key, "__connect.errors.")
		if name == "exception.message" || name == "exception.stacktrace" {
			continue // of the text only the beginning is pinned, below
		}
		fmt.Fprintf(&b, " %s=%s", name, h.Value)
	}
	return b.String()
}

func letterHeader(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return "none"
}

// TestSinkDeadLetters sends a record that cannot be converted, one that Write
// names, one that the sink reports while it has the batch and one that it
// reports later to the queue, each with the bytes that it has in the log.
func TestSinkDeadLetters(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	records := numbered("in", 0, 0, 6)
	records[1] = &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte("{oops"), Headers: []kgo.RecordHeader{{Key: "own", Value: []byte("h")}}}
	enginetest.Produce(t, c, records...)
	var late connect.Record
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond }, enginetest.SinkPlugin(func() connect.Sink {
		var sc connect.SinkContext
		return &enginetest.FlushingSink{
			Sink: enginetest.Sink{
				OnOpen: func(_ context.Context, c connect.SinkContext) error { sc = c; return nil },
				OnWrite: func(_ context.Context, b *connect.Batch) error {
					var failed connect.BatchError
					for i, r := range b.Records() {
						switch r.Offset {
						case 2:
							failed.Failed = append(failed.Failed, connect.RecordError{Index: i, Err: errors.New("no such column")})
						case 3:
							if err := sc.Report(&r, errors.New("constraint hurt by hunter2")); err != nil {
								return err
							}
						case 4:
							late = r
						}
					}
					return &failed
				},
			},
			OnFlush: func(context.Context) ([]connect.PartitionOffset, error) {
				if late.Topic == "" {
					return nil, nil
				}
				if err := sc.Report(&late, errors.New("bulk request said no")); err != nil {
					return nil, err
				}
				late.Topic = ""
				return []connect.PartitionOffset{{TopicPartition: connect.TopicPartition{Topic: "in"}, Offset: 6}}, nil
			},
		}
	}))
	w.Create(t, "snk", sinkConf(letterConf("value.converter", "JsonConverter", "value.converter.schemas.enable", "false", "test.password", "hunter2")...))
	letters := enginetest.Consume(t, c, "dlq", 4)
	context := " connector.name=snk task.id=0 "
	put := "stage=TASK_PUT class.name=org.apache.kafka.connect.sink.SinkTask exception.class.name=org.apache.kafka.connect.errors.ConnectException"
	for i, want := range []string{
		`"k"="{oops" own=h topic=in partition=0 offset=1` + context + "stage=VALUE_CONVERTER class.name=org.apache.kafka.connect.json.JsonConverter exception.class.name=org.apache.kafka.connect.errors.DataException",
		`""="3" topic=in partition=0 offset=3` + context + put,
		`""="2" topic=in partition=0 offset=2` + context + put,
		`""="4" topic=in partition=0 offset=4` + context + put,
	} {
		if got := letterText(letters[i]); got != want {
			t.Errorf("letter %d:\n got %s\nwant %s", i, got, want)
		}
	}
	if got := letterHeader(letters[0], "__connect.errors.exception.message"); !strings.Contains(got, "use StringConverter") {
		t.Errorf("message of a mismatch: got %q, want the converter that fits", got)
	}
	if got := letterHeader(letters[1], "__connect.errors.exception.stacktrace"); !strings.Contains(got, "constraint hurt by [hidden]") {
		t.Errorf("stack trace: got %q (I6)", got)
	}
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 6 }, func() string { return "the offset did not move past the dead letters" })
}

// TestDeadLetterIsDurableBeforeItsOffset wants no offset committed while the
// queue does not answer, and the task failed when it refuses (I3).
func TestDeadLetterIsDurableBeforeItsOffset(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in", "dlq"), kfake.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		q := req.(*kmsg.ProduceRequest)
		if !slices.ContainsFunc(q.Topics, func(topic kmsg.ProduceRequestTopic) bool {
			return topic.TopicID == fake.TopicInfo("dlq").TopicID || topic.Topic == "dlq"
		}) {
			return nil, nil, false
		}
		resp := q.ResponseKind().(*kmsg.ProduceResponse)
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = q.Topics[0].Topic, q.Topics[0].TopicID
		rp := kmsg.NewProduceResponseTopicPartition()
		rp.ErrorCode = kerr.TopicAuthorizationFailed.Code
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond }, enginetest.SinkPlugin(func() connect.Sink {
		return &enginetest.Sink{OnWrite: func(context.Context, *connect.Batch) error {
			return &connect.BatchError{Failed: []connect.RecordError{{Index: 0, Err: errors.New("no")}}}
		}}
	}))
	w.Create(t, "snk", sinkConf(letterConf("value.converter", "StringConverter")...))
	status := w.Await(t, "snk", engine.Running, engine.Failed)
	if want := "to the dead letter queue topic dlq: TOPIC_AUTHORIZATION_FAILED"; !strings.Contains(status.Tasks[0].Trace, want) {
		t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
	}
	if got := committed(t, c, "connect-snk", "in", 0); got != -1 {
		t.Errorf("committed offset: got %d although the dead letter is lost (I3)", got)
	}
}

// TestSourceDeadLetters sends a record that cannot be converted and one that is
// too large for the log to the queue.
func TestSourceDeadLetters(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	read := false
	var log enginetest.Log
	w := enginetest.Start(t, c, nil, enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{
			OnRead: func(ctx context.Context, b *connect.Batch) error {
				if read {
					<-ctx.Done()
					return ctx.Err()
				}
				read = true
				for _, v := range []connect.Value{connect.StringValue("fits"), connect.BytesValue([]byte("bytes")), connect.StringValue(strings.Repeat("x", 2<<20))} {
					r := b.Append()
					r.Topic, r.KeySchema, r.Key, r.ValueSchema, r.Value = "out", connect.StringSchema, connect.StringValue("k"), connect.StringSchema, v
					if v.Type() == connect.Bytes {
						r.Topic, r.ValueSchema = "out", connect.BytesSchema
					}
				}
				b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: []byte(`{"n":3}`), Token: 3})
				return nil
			},
			OnCommit: func(m connect.Mark) { log.Add(fmt.Sprint("commit ", m.Token)) },
		}
	}))
	w.Create(t, "src", sourceConf(letterConf("value.converter", "IntegerConverter", "key.converter", "StringConverter")...))
	letters := enginetest.Consume(t, c, "dlq", 3)
	context := ` topic=out partition={"p":1} offset={"n":3} connector.name=src task.id=0 `
	mismatch := "stage=VALUE_CONVERTER class.name=org.apache.kafka.connect.converters.IntegerConverter exception.class.name=org.apache.kafka.connect.errors.DataException"
	if got, want := letterText(letters[0]), `"k"="fits"`+context+mismatch; got != want {
		t.Errorf("letter:\n got %s\nwant %s", got, want)
	}
	enginetest.Eventually(t, func() bool { return fmt.Sprint(log.Events()) == "[commit 3]" }, func() string { return fmt.Sprint(log.Events()) })
}

// TestTooLargeRecord pins the text of a record that is too large, and its letter.
func TestTooLargeRecord(t *testing.T) {
	for _, tolerance := range []string{"none", "all"} {
		c, _ := embedded(t, t.TempDir())
		read := false
		w := enginetest.Start(t, c, nil, enginetest.SourcePlugin(func() connect.Source {
			return &enginetest.Source{OnRead: func(ctx context.Context, b *connect.Batch) error {
				if read {
					<-ctx.Done()
					return ctx.Err()
				}
				read = true
				r := b.Append()
				r.Topic, r.KeySchema, r.Key, r.ValueSchema, r.Value = "out", connect.StringSchema, connect.StringValue("k"), connect.StringSchema, connect.StringValue(strings.Repeat("x", 2<<20))
				b.Mark(connect.Mark{Token: 1})
				return nil
			}}
		}))
		w.Create(t, "src", sourceConf(letterConf("errors.tolerance", tolerance)...))
		want := "produce a record of 2097153 bytes (key 1, value 2097152) to topic out: MESSAGE_TOO_LARGE"
		if tolerance == "none" {
			status := w.Await(t, "src", engine.Running, engine.Failed)
			if got := status.Tasks[0].Trace; !strings.HasPrefix(got, want) || !strings.Contains(got, "raise producer.override.max.request.size (1048576 bytes now)") {
				t.Errorf("trace: got %q", got)
			}
			continue
		}
		letter := enginetest.Consume(t, c, "dlq", 1)[0]
		if got := letterText(letter); !strings.HasPrefix(got, `"k"="" topic=out`) || !strings.HasSuffix(got, "exception.class.name=org.apache.kafka.common.errors.RecordTooLargeException") {
			t.Errorf("letter: got %s", got)
		}
		if got := letterHeader(letter, "__connect.errors.exception.message"); !strings.Contains(got, want) {
			t.Errorf("message: got %q", got)
		}
	}
}
