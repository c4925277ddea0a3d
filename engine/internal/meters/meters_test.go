package meters

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/metrics/metricstest"
)

func pass(d time.Duration) { <-time.After(d) }

// bubble runs a test in a time of its own.
func bubble(t *testing.T, f func(*testing.T)) { synctest.Test(t, f) }

func TestWindowForgets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w window
		want := func(when string, avg, largest, smallest, rate float64) {
			t.Helper()
			now := time.Now()
			got := []float64{w.avg(now), w.max(now), w.min(now), w.rate(now)}
			for i, v := range []float64{avg, largest, smallest, rate} {
				if got[i] != v && !(math.IsNaN(got[i]) && math.IsNaN(v)) {
					t.Errorf("%s: average, largest, smallest, rate are %v, want %v", when, got, []float64{avg, largest, smallest, rate})
					return
				}
			}
		}
		nan := math.NaN()
		want("before anything", nan, nan, nan, 0)
		w.observe(time.Now(), 30)
		w.observe(time.Now(), 60)
		want("at once", 45, 60, 30, 3)
		pass(40 * time.Second)
		w.observe(time.Now(), 10)
		want("in the next sample", 100./3, 60, 10, 2.5)
		pass(20 * time.Second)
		want("a minute after the first", 10, 10, 10, 1./3)
		pass(40 * time.Second)
		want("a minute after the last", nan, nan, nan, 0)
	})
}

func TestSourceLag(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := new(Task).Begin()
		lag := func() string {
			seconds, known := r.task.counts.source.lagSeconds(time.Now())
			return fmt.Sprint(seconds, known)
		}
		want := func(when, want string) {
			t.Helper()
			if got := lag(); got != want {
				t.Errorf("%s: lag %s, want %s", when, got, want)
			}
		}
		r.SetKind(Source)
		want("before a record", "0 false")
		r.Polled(1, 0, connect.NoTimestamp)
		r.Delivered(1, 1, connect.NoTimestamp)
		want("after one without a timestamp", "0 false")
		r.Polled(10, 0, time.Now().UnixMilli()-2000)
		want("while a record of 2 s waits", "2 true")
		pass(3 * time.Second)
		want("while it waits longer", "5 true")
		r.Polled(5, 0, time.Now().UnixMilli()-1000)
		r.Delivered(10, 10, time.Now().UnixMilli()-5000)
		want("when it is durable", "5 true")
		pass(time.Hour)
		want("while the next waits", "3605 true") // it is newer than the first
		r.Delivered(5, 5, time.Now().UnixMilli()-4000)
		want("when that is durable", "4 true")
		pass(time.Hour)
		want("while there is nothing to read", "4 true")
	})
}

var p0 = connect.TopicPartition{Topic: "t"}

// lagOf shows the lag of the only partition.
func lagOf(r *Run) string {
	lags := r.task.lags(time.Now())
	if len(lags) != 1 {
		return "unknown"
	}
	return fmt.Sprintf("%d records, %g s", lags[0].records, lags[0].seconds)
}

func TestSinkLag(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := new(Task).Begin()
		r.SetKind(Sink)
		want := func(when, lag string, active int64) {
			t.Helper()
			if got := lagOf(r); got != lag || r.task.counts.active != active {
				t.Errorf("%s: %s, %d active; want %s, %d", when, got, r.task.counts.active, lag, active)
			}
		}
		fetch := func(first, next, position, end int64, age time.Duration) {
			r.Fetched(p0, Fetch{Records: int(next - first), First: first, Next: next, Position: position, HighWatermark: end,
				Timestamp: time.Now().Add(-age).UnixMilli()})
		}
		r.Assigned(p0, 10)
		want("before the end is known", "unknown", 0)
		r.End(p0, 0, 15)
		want("before a fetch", "5 records, 0 s", 0)
		pass(7 * time.Second)
		want("7 s before a fetch", "5 records, 7 s", 0)
		fetch(10, 13, 13, 16, time.Minute)
		fetch(13, 15, 16, 16, time.Second) // and a marker
		want("after two fetches", "6 records, 60 s", 5)
		r.CommittedTo(p0, 12)
		want("in the first batch", "4 records, 60 s", 3)
		r.CommittedTo(p0, 13)
		want("after the first batch", "3 records, 1 s", 2)
		pass(9 * time.Second)
		want("later", "3 records, 10 s", 2)
		r.CommittedTo(p0, 15)
		want("when only the marker is left", "0 records, 0 s", 0)
		r.End(p0, 0, 20)
		pass(3 * time.Second)
		want("while the task does not fetch", "4 records, 3 s", 0)
		r.Removed(p0)
		want("without the partition", "unknown", 0)
	})
}

// TestSinkLagWithoutAnOffset begins where reading begins.
func TestSinkLagWithoutAnOffset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := new(Task).Begin()
		r.Assigned(p0, -1)
		if tps := r.Unmeasured(); len(tps) != 1 {
			t.Errorf("to be measured: %v", tps)
		}
		r.End(p0, 5, 8)
		if got := lagOf(r); got != "3 records, 0 s" || len(r.Unmeasured()) != 0 || len(r.Partitions()) != 1 {
			t.Errorf("%s, to be measured: %v", got, r.Unmeasured())
		}
		r.Assigned(p0, -1)
		r.Fetched(p0, Fetch{Records: 2, First: 6, Next: 8, Position: 8, HighWatermark: 9, Timestamp: time.Now().UnixMilli()})
		if got := lagOf(r); got != "3 records, 0 s" {
			t.Errorf("after a fetch: %s", got)
		}
	})
}

// TestAgesAreBounded keeps few timestamps of many batches, and none that is
// younger than the record it stands for.
func TestAgesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := new(Task).Begin()
		r.Assigned(p0, 0)
		start := time.Now()
		for i := range int64(10_000) {
			r.Fetched(p0, Fetch{Records: 1, First: i, Next: i + 1, Position: i + 1, HighWatermark: i + 1, Timestamp: time.Now().UnixMilli()})
			pass(time.Second)
		}
		p := r.task.partitions[p0]
		if n := len(p.ages); n > maxAges {
			t.Errorf("%d timestamps are kept, want at most %d", n, maxAges)
		}
		last := math.Inf(1)
		for offset := int64(100); offset < 10_000; offset += 100 {
			r.CommittedTo(p0, offset)
			_, seconds, _ := p.lag(time.Now())
			if age := time.Since(start).Seconds() - float64(offset); seconds < age || seconds > last {
				t.Fatalf("committed %d: the oldest record is %g s old, then %g s, but is %g s", offset, last, seconds, age)
			}
			last = seconds
		}
	})
}

// TestRunThatIsOverIsNotHeard keeps an abandoned run from changing what the next
// one counts.
func TestRunThatIsOverIsNotHeard(t *testing.T) {
	var w Worker
	old := w.Task("c", 0).Begin()
	old.SetKind(Sink)
	old.Assigned(p0, 0)
	next := w.Task("c", 0).Begin()
	next.Assigned(p0, 5)
	old.Assigned(connect.TopicPartition{Topic: "u"}, 0)
	old.Fetched(p0, Fetch{Records: 1, Next: 1, Position: 1, HighWatermark: 100})
	old.Put(1, 0)
	old.CommittedTo(p0, 1)
	old.Committed(0, nil)
	old.Polled(1, 0, 0)
	old.Delivered(1, 1, 0)
	old.Transaction(1)
	old.Removed(p0)
	old.Failed()
	old.SetKind(Source)
	old.Ended(nil)
	c := w.Task("c", 0).load(time.Now())
	if len(next.Partitions()) != 1 || len(old.Partitions()) != 0 || next.task.partitions[p0].committed != 5 {
		t.Errorf("partitions %v", next.Partitions())
	}
	if c.kind != Sink || c.active != 0 || c.sink.read+c.sink.sent+c.sink.commits+c.source.polled+c.source.written+c.errors.failures != 0 {
		t.Errorf("%+v", c)
	}
}

// TestPage has the samples of a worker in a group, and none of one that is alone.
func TestPage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w Worker
		r := &metrics.Registry{}
		w.Register(r, nil, func(name string) (kind, class, version string) { return "sink", "X", "" })
		if page := strings.Join(metricstest.Scrape(t, r), "\n"); strings.Contains(page, "\nkafka_connect_worker_rebalance_epoch") {
			t.Errorf("a worker without a group has an epoch:\n%s", page)
		}
		last := time.Now()
		w.WatchRebalances(func() Rebalances {
			return Rebalances{Leader: "http://a:8083/", Protocol: "sessioned", Epoch: 7, Completed: 3, Rebalancing: true,
				Avg: 20 * time.Millisecond, Max: 30 * time.Millisecond, Last: last, Connectors: 1, Tasks: 2}
		})
		w.SetConnectorState("c", "PAUSED")
		w.ConnectorRestarted("c")
		w.ConnectorStarted(errors.New("no"))
		w.SetTaskState("c", 11, "PAUSED")
		w.SetTaskState("c", 2, "RUNNING")
		run := w.Task("c", 2).Begin()
		run.SetKind(Sink)
		pass(30 * time.Second)
		w.SetTaskState("c", 2, "PAUSED")
		pass(10 * time.Second)
		run.Committed(100*time.Microsecond, nil)
		run.Committed(300*time.Microsecond, nil)
		run.Committed(time.Second, errors.New("no"))
		w.TaskRestarted("c", 2)
		page := metricstest.Scrape(t, r)
		for _, want := range []string{
			`kafka_connect_worker_rebalance_leader_name{leader_name="http://a:8083/"} 1`,
			`kafka_connect_worker_rebalance_connect_protocol{connect_protocol="sessioned"} 1`,
			`kafka_connect_worker_rebalance_epoch 7`, `kafka_connect_worker_rebalance_completed_rebalances_total 3`,
			`kafka_connect_worker_rebalance_rebalancing 1`, `kafka_connect_worker_rebalance_rebalance_avg_time_ms 20`,
			`kafka_connect_worker_rebalance_rebalance_max_time_ms 30`, `kafka_connect_worker_rebalance_time_since_last_rebalance_ms 40000`,
			`kafka_connect_coordinator_assigned_connectors 1`, `kafka_connect_coordinator_assigned_tasks 2`,
			`kafka_connect_connector_connector_type{connector="c",connector_type="sink"} 1`,
			`kafka_connect_worker_connector_startup_failure_percentage 1`, `kafka_connect_worker_connector_startup_success_percentage 0`,
			`kafka_connect_worker_connector_total_task_count{connector="c"} 2`, `kafka_connect_worker_connector_paused_task_count{connector="c"} 2`,
			`kafka_connect_connector_task_running_ratio{connector="c",task="2"} 0.75`, `kafka_connect_connector_task_pause_ratio{connector="c",task="2"} 0.25`,
			`kafka_connect_connector_task_offset_commit_avg_time_ms{connector="c",task="2"} 0.2`,
			`kafka_connect_connector_task_offset_commit_max_time_ms{connector="c",task="2"} 0.3`,
			fmt.Sprintf(`kafka_connect_connector_task_offset_commit_success_percentage{connector="c",task="2"} %v`, 2./3),
			`kafka_connect_sink_task_offset_commit_completion_total{connector="c",task="2"} 2`,
			`kafka_connect_sink_task_offset_commit_seq_no{connector="c",task="2"} 3`,
			`sluice_restarts_total{connector="c"} 1`, `sluice_restarts_total{connector="c",task="2"} 1`, `sluice_restarts_total{connector="c",task="11"} 0`,
		} {
			if !slices.Contains(page, want) {
				t.Errorf("no line %s", want)
			}
		}
		for _, line := range page {
			if strings.HasPrefix(line, "kafka_connect_source_task") || strings.Contains(line, "connector_version=") {
				t.Errorf("a sink without a version has %s", line)
			}
		}
		w.ForgetTask("c", 2)
		w.ForgetTask("c", 11)
		w.ForgetConnector("c")
		if page := strings.Join(metricstest.Scrape(t, r), "\n"); strings.Contains(page, `connector="c"`) {
			t.Errorf("what was forgotten is still shown:\n%s", page)
		}
	})
}

// batch is what counting costs a batch of a source and one of a sink.
func batch(source, sink *Run, offset int64) {
	source.Polled(2048, time.Millisecond, 1)
	source.Delivered(2048, 2048, 1)
	sink.Fetched(p0, Fetch{Records: 2048, First: offset, Next: offset + 2048, Position: offset + 2048, HighWatermark: 1 << 40, Timestamp: 1})
	sink.Put(2048, time.Millisecond)
}

func countingRuns() (source, sink *Run) {
	source, sink = new(Task).Begin(), new(Task).Begin()
	sink.Assigned(p0, 0)
	return source, sink
}

func TestCountingAllocatesNothing(t *testing.T) {
	source, sink := countingRuns()
	offset := int64(0)
	for range maxAges { // the memory of the timestamps
		batch(source, sink, offset)
		offset += 2048
	}
	if n := testing.AllocsPerRun(1000, func() { batch(source, sink, offset); offset += 2048 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBatch(b *testing.B) {
	source, sink := countingRuns()
	b.ReportAllocs()
	for i := range b.N {
		batch(source, sink, int64(i)*2048)
	}
}

func TestOwnMetrics(t *testing.T) {
	plugins := []connect.Spec{{Metrics: []connect.Metric{{Name: "x_lag", Help: "Lag."}, {Name: "x_total", Help: "Count.", Counter: true}}}}
	var w Worker
	r := &metrics.Registry{}
	w.Register(r, plugins, func(string) (kind, class, version string) { return "source", "X", "" })
	first := w.Task("c", 0).Begin()
	first.Measure(plugins[0].Metrics, func(v []float64) { v[0] = 7 })
	w.Task("c", 1).Begin().Measure(plugins[0].Metrics, func(v []float64) { panic("defect") })
	page := strings.Join(metricstest.Scrape(t, r), "\n")
	for _, want := range []string{"# TYPE sluice_x_total counter\n", "sluice_x_lag{connector=\"c\",task=\"0\"} 7\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, unwanted := range []string{"sluice_x_total{", "sluice_x_lag{connector=\"c\",task=\"1\"}"} {
		if strings.Contains(page, unwanted) {
			t.Errorf("the page has %q, which is not known", unwanted)
		}
	}
	if own, broken, none := w.Own("c", 0), w.Own("c", 1), w.Own("d", 0); !maps.Equal(own, map[string]float64{"x_lag": 7}) || broken != nil || none != nil {
		t.Errorf("a status has %v, %v of what panics and %v of what is not there", own, broken, none)
	}
	first.Ended(nil)
	if own := w.Own("c", 0); own != nil {
		t.Errorf("a run that has ended still shows %v", own)
	}
	if page := strings.Join(metricstest.Scrape(t, r), "\n"); strings.Contains(page, "sluice_x_lag{") {
		t.Error("a run that has ended still shows its numbers")
	}
}
