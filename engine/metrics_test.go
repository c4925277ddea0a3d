package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/metrics/metricstest"
)

// measured returns a worker's change that gives it a registry.
func measured(more func(*engine.Config)) (*metrics.Registry, func(*engine.Config)) {
	r := &metrics.Registry{}
	return r, func(cfg *engine.Config) {
		cfg.Metrics = r
		if more != nil {
			more(cfg)
		}
	}
}

// awaitLines waits until the page has all the lines.
func awaitLines(t *testing.T, r *metrics.Registry, want ...string) {
	t.Helper()
	var missing []string
	enginetest.Eventually(t, func() bool {
		page := metricstest.Scrape(t, r)
		missing = slices.DeleteFunc(slices.Clone(want), func(line string) bool { return slices.Contains(page, line) })
		return len(missing) == 0
	}, func() string {
		text := &strings.Builder{}
		for _, line := range missing {
			name, _, _ := strings.Cut(line, " ")
			got := "nothing"
			for _, l := range metricstest.Scrape(t, r) {
				if strings.HasPrefix(l, name+" ") {
					got = l
				}
			}
			fmt.Fprintf(text, "no line %s, but %s\n", line, got)
		}
		return text.String()
	})
}

// absent fails the test for every line that matches.
func absent(t *testing.T, r *metrics.Registry, pattern string) {
	t.Helper()
	for _, line := range metricstest.Scrape(t, r) {
		if regexp.MustCompile(pattern).MatchString(line) {
			t.Errorf("the page still has %s", line)
		}
	}
}

// TestStatusHasOwnNumbers: what a connector measures of a task is in the task's status
// while it runs.
func TestStatusHasOwnNumbers(t *testing.T) {
	enginetest.NoLeaks(t)
	h := &hooks{source: func() connect.Source {
		return &enginetest.Source{OnOpen: func(_ context.Context, sc connect.SourceContext) error {
			sc.Measure(func(v []float64) { v[0] = 2.5 })
			return nil
		}}
	}}
	spec := h.plugin()
	spec.Metrics = []connect.Metric{{Name: "hooked_lag_seconds", Help: "Lag."}, {Name: "hooked_unknown", Help: "Not known."}}
	w := enginetest.Start(t, enginetest.Fake(t), nil, spec)
	w.Create(t, "src", conf(hookedClass, "hooked.password", "x"))
	var text []byte
	shows := func(want string) {
		t.Helper()
		enginetest.Eventually(t, func() bool {
			status, err := w.Status(t.Context(), "src")
			must(t, err)
			text, err = json.Marshal(status.Tasks)
			must(t, err)
			return string(text) == want
		}, func() string { return fmt.Sprintf("the tasks are %s, want %s", text, want) })
	}
	shows(`[{"id":0,"state":"RUNNING","worker_id":"worker:8083","version":"1","metrics":{"hooked_lag_seconds":2.5}}]`)
	must(t, w.Pause(t.Context(), "src")) // its source stays open
	shows(`[{"id":0,"state":"PAUSED","worker_id":"worker:8083","version":"1","metrics":{"hooked_lag_seconds":2.5}}]`)
	must(t, w.Worker.Stop(t.Context(), "src"))
	shows(`[]`)
}

// TestSourceMetrics counts what a source does, in transactions and without.
func TestSourceMetrics(t *testing.T) {
	for _, support := range []string{engine.ExactlyOnceEnabled, engine.ExactlyOnceDisabled} {
		t.Run(support, func(t *testing.T) {
			c, _ := embedded(t, t.TempDir())
			r, change := measured(func(cfg *engine.Config) { cfg.ExactlyOnceSource = support })
			w := enginetest.Start(t, c, change, enginetest.SourcePlugin(func() connect.Source {
				next := 0
				return &enginetest.Source{OnRead: func(ctx context.Context, b *connect.Batch) error {
					if next == 10 {
						<-ctx.Done()
						return ctx.Err()
					}
					next += 5
					for i := range 5 {
						rec := b.Append()
						rec.Topic, rec.ValueSchema, rec.Value = "out", connect.BytesSchema, connect.BytesValue([]byte("v"))
						rec.Timestamp = time.Now().Add(-time.Hour).UnixMilli()
						if next == 10 && i == 0 {
							rec.ValueSchema, rec.Value = connect.StringSchema, connect.StringValue("no bytes")
						}
					}
					b.Mark(connect.Mark{Partition: []byte(`{"p":1}`), Offset: fmt.Appendf(nil, `{"n":%d}`, next)})
					return nil
				}}
			}))
			w.Create(t, "src", sourceConf(letterConf("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter", "errors.log.enable", "true")...))
			const at = `{connector="src",task="0"}`
			awaitLines(t, r,
				`kafka_connect_source_task_source_record_poll_total`+at+` 10`,
				`kafka_connect_source_task_source_record_write_total`+at+` 9`,
				`kafka_connect_source_task_source_record_active_count`+at+` 0`,
				`kafka_connect_task_error_total_record_failures`+at+` 1`,
				`kafka_connect_task_error_total_records_skipped`+at+` 1`,
				`kafka_connect_task_error_deadletterqueue_produce_requests`+at+` 1`,
				`kafka_connect_connector_task_batch_size_max`+at+` 5`,
				`kafka_connect_connector_task_offset_commit_success_percentage`+at+` 1`,
			)
			if lag := value(t, r, "sluice_source_lag_seconds"+at); lag < 3600 || lag > 3700 {
				t.Errorf("lag %g s, want an hour", lag)
			}
			if at := value(t, r, "sluice_source_last_delivery_timestamp_seconds"+at); time.Since(time.UnixMilli(int64(at*1000))) > time.Minute {
				t.Errorf("last delivery at %g, want now", at)
			}
			transactions := value(t, r, "kafka_connect_source_task_transaction_size_max"+at)
			if inTransactions := support == engine.ExactlyOnceEnabled; inTransactions != (transactions >= 5) {
				t.Errorf("the largest transaction has %g records", transactions)
			}
		})
	}
}

// TestSinkMetrics counts what a sink does, and has its committed lag.
func TestSinkMetrics(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	now := time.Now()
	records := numbered("in", 0, 0, 6)
	for _, rec := range records {
		rec.Timestamp = now.Add(-time.Hour)
	}
	records[1].Value = []byte("{oops")
	enginetest.Produce(t, c, records...)
	var durable atomic.Int64
	r, change := measured(func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond })
	w := enginetest.Start(t, c, change, enginetest.SinkPlugin(func() connect.Sink {
		attempts := 0
		return &enginetest.FlushingSink{
			Sink: enginetest.Sink{OnWrite: func(_ context.Context, b *connect.Batch) error {
				if attempts++; attempts == 1 {
					return connect.Retriable(errors.New("away"))
				}
				return nil
			}},
			OnFlush: func(context.Context) ([]connect.PartitionOffset, error) {
				return []connect.PartitionOffset{{TopicPartition: connect.TopicPartition{Topic: "in"}, Offset: durable.Load()}}, nil
			},
		}
	}))
	w.Create(t, "snk", sinkConf(letterConf("value.converter", "JsonConverter", "value.converter.schemas.enable", "false")...))
	const at, p0 = `{connector="snk",task="0"}`, `{connector="snk",task="0",topic="in",partition="0"}`
	awaitLines(t, r,
		`kafka_connect_sink_task_sink_record_read_total`+at+` 6`,
		`kafka_connect_sink_task_sink_record_send_total`+at+` 5`,
		`kafka_connect_sink_task_sink_record_active_count`+at+` 6`,
		`kafka_connect_sink_task_sink_record_lag_max`+at+` 0`,
		`kafka_connect_sink_task_partition_count`+at+` 1`,
		`sluice_sink_committed_lag_records`+p0+` 6`,
		`kafka_connect_task_error_total_record_failures`+at+` 1`,
		`kafka_connect_task_error_total_records_skipped`+at+` 1`,
		`kafka_connect_task_error_total_retries`+at+` 1`,
		`kafka_connect_task_error_total_errors_logged`+at+` 1`,
		`kafka_connect_task_error_deadletterqueue_produce_requests`+at+` 1`,
		`kafka_connect_task_error_deadletterqueue_produce_failures`+at+` 0`,
		`kafka_connect_worker_task_startup_success_total 1`,
	)
	if age := value(t, r, "sluice_sink_committed_lag_seconds"+p0); age < 3600 || age > 3700 {
		t.Errorf("the oldest record that is not committed is %g s old, want an hour", age)
	}
	durable.Store(4)
	awaitLines(t, r, `sluice_sink_committed_lag_records`+p0+` 2`, `kafka_connect_sink_task_offset_commit_completion_total`+at+` 1`)
	durable.Store(6)
	awaitLines(t, r, `sluice_sink_committed_lag_records`+p0+` 0`, `sluice_sink_committed_lag_seconds`+p0+` 0`,
		`kafka_connect_sink_task_offset_commit_completion_total`+at+` 2`, `kafka_connect_sink_task_offset_commit_seq_no`+at+` 2`,
		`kafka_connect_sink_task_sink_record_active_count`+at+` 0`)
}

// TestTwoPhaseSinkMetrics counts commits that are transactions.
func TestTwoPhaseSinkMetrics(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	enginetest.Produce(t, c, numbered("in", 0, 0, 25)...)
	lake := connecttest.NewLake()
	r, change := measured(quick)
	w := enginetest.Start(t, c, change, lakePlugin(lake, nil))
	w.Create(t, "snk", lakeConf())
	awaitVisible(t, lake, 25)
	awaitLines(t, r, `sluice_sink_committed_lag_records{connector="snk",task="0",topic="in",partition="0"} 0`,
		`kafka_connect_sink_task_sink_record_active_count{connector="snk",task="0"} 0`,
		`kafka_connect_connector_task_offset_commit_success_percentage{connector="snk",task="0"} 1`)
}

// TestLagOfAPausedSink grows though nothing is fetched.
func TestLagOfAPausedSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop := embedded(t, t.TempDir())
		r, change := measured(func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond })
		w := enginetest.Start(t, c, change, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
		enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
		w.Create(t, "snk", sinkConf())
		const p0 = `{connector="snk",task="0",topic="in",partition="0"}`
		awaitLines(t, r, `kafka_connect_sink_task_offset_commit_completion_total{connector="snk",task="0"} 1`, `sluice_sink_committed_lag_records`+p0+` 0`)
		must(t, w.Pause(t.Context(), "snk"))
		awaitLines(t, r, `kafka_connect_connector_status{connector="snk",status="paused",task="0"} 1`)
		for range 3 { // the client still fetches some
			enginetest.Produce(t, c, numbered("in", 0, 0, 5)...)
			pass(time.Minute)
		}
		awaitLines(t, r, `sluice_sink_committed_lag_records`+p0+` 15`)
		if age := value(t, r, `sluice_sink_committed_lag_seconds`+p0); age < 150 || age > 181 {
			t.Errorf("the oldest record that is not committed is %g s old, want three minutes", age)
		}
		must(t, w.Resume(t.Context(), "snk"))
		awaitLines(t, r, `sluice_sink_committed_lag_records`+p0+` 0`)
		w.Stop(t)
		stop()
	})
}

// TestLagBehindTransactions wants no lag when only a transaction's marker is
// after what is committed, before a restart and after it.
func TestLagBehindTransactions(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	client := enginetest.Client(t, c, kgo.TransactionalID("x"), kgo.AllowAutoTopicCreation())
	for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		client.Produce(t.Context(), &kgo.Record{Topic: "in", Value: []byte("1")}, nil)
		if err := client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range []string{"first", "second"} {
		var got collector
		r, change := measured(func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond })
		w := enginetest.Start(t, c, change, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
		if run == "first" {
			w.Create(t, "snk", sinkConf())
			got.await(t, "1")
		}
		awaitLines(t, r, `sluice_sink_committed_lag_records{connector="snk",task="0",topic="in",partition="0"} 0`)
		w.Stop(t)
		if got := committed(t, c, "connect-snk", "in", 0); got != 1 {
			t.Errorf("%s run: committed %d, want 1", run, got)
		}
	}
}

// TestMetricsOfALife follows a connector that fails, restarts, stops and goes.
func TestMetricsOfALife(t *testing.T) {
	var broken atomic.Bool
	var opens atomic.Int32
	broken.Store(true)
	r, change := measured(nil)
	bubble(t, change, []connect.Spec{failing(&broken, &opens)}, func(t *testing.T, w *enginetest.Worker) {
		w.Create(t, "src", sourceConf())
		w.Await(t, "src", engine.Running, engine.Failed)
		awaitLines(t, r,
			`kafka_connect_connector_status{connector="src",status="running"} 1`,
			`kafka_connect_connector_status{connector="src",status="failed",task="0"} 1`,
			`kafka_connect_connector_task_status{connector="src",task="0",status="failed"} 1`,
			`kafka_connect_connector_connector_type{connector="src",connector_type="source"} 1`,
			`kafka_connect_connector_connector_class{connector="src",connector_class="sluice.TestSourceConnector"} 1`,
			`kafka_connect_connector_connector_version{connector="src",connector_version="1.2.3"} 1`,
			`kafka_connect_worker_connector_count 1`, `kafka_connect_worker_task_count 1`,
			`kafka_connect_worker_connector_failed_task_count{connector="src"} 1`,
			`kafka_connect_worker_connector_running_task_count{connector="src"} 0`,
			`kafka_connect_worker_connector_total_task_count{connector="src"} 1`,
			`kafka_connect_worker_connector_startup_success_total 1`,
			`kafka_connect_worker_task_startup_failure_total 1`, `kafka_connect_worker_task_startup_failure_percentage 1`,
			`sluice_restarts_total{connector="src",task="0"} 0`)
		broken.Store(false)
		pass(12 * time.Second)
		w.Await(t, "src", engine.Running, engine.Running)
		awaitLines(t, r,
			`kafka_connect_connector_task_status{connector="src",task="0",status="running"} 1`,
			`kafka_connect_worker_task_startup_attempts_total 2`, `kafka_connect_worker_task_startup_success_percentage 0.5`,
			`sluice_restarts_total{connector="src",task="0"} 1`)
		absent(t, r, `status="failed"`)
		pass(30 * time.Minute)
		if ratio := value(t, r, `kafka_connect_connector_task_running_ratio{connector="src",task="0"}`); ratio < 0.99 || ratio >= 1 {
			t.Errorf("it was running for %g of its life, want all but the first seconds", ratio)
		}
		must(t, w.Worker.Stop(t.Context(), "src"))
		w.Await(t, "src", engine.Stopped)
		awaitLines(t, r, `kafka_connect_connector_status{connector="src",status="stopped"} 1`, `kafka_connect_worker_task_count 0`)
		absent(t, r, `task="0"`)
		must(t, w.Delete(t.Context(), "src"))
		awaitLines(t, r, `kafka_connect_worker_connector_count 0`)
		absent(t, r, `connector="src"`)
	})
}

// value returns the value of a sample.
func value(t *testing.T, r *metrics.Registry, sample string) (v float64) {
	t.Helper()
	for _, line := range metricstest.Scrape(t, r) {
		if text, ok := strings.CutPrefix(line, sample+" "); ok {
			if _, err := fmt.Sscan(text, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("the page has no %s", sample)
	return 0
}
