package meters

import (
	"math"
	"time"

	"github.com/sluice-data/sluice/internal/metrics"
)

// taskFamily is a family with one sample for each task of a kind.
type taskFamily struct {
	desc  *metrics.Desc
	kind  Kind // None: of every task
	value func(c *counts, now time.Time) float64
}

func gauge(name, help string, labels ...string) *metrics.Desc {
	return &metrics.Desc{Name: name, Type: metrics.GaugeType, Help: help, Labels: labels}
}

func counter(name, help string, labels ...string) *metrics.Desc {
	return &metrics.Desc{Name: name, Type: metrics.CounterType, Help: help, Labels: labels}
}

// of makes a list of families that share a prefix, the labels and a kind.
type of struct {
	prefix string
	kind   Kind
	all    []taskFamily
}

func (f *of) add(typ metrics.Type, name, help string, value func(*counts, time.Time) float64) {
	d := &metrics.Desc{Name: f.prefix + name, Type: typ, Help: help, Labels: []string{"connector", "task"}}
	f.all = append(f.all, taskFamily{d, f.kind, value})
}

// count adds a counter.
func (f *of) count(name, help string, value func(*counts) int64) {
	f.add(metrics.CounterType, name, help, func(c *counts, _ time.Time) float64 { return float64(value(c)) })
}

// gauge adds a gauge.
func (f *of) gauge(name, help string, value func(*counts, time.Time) float64) {
	f.add(metrics.GaugeType, name, help, value)
}

// window adds the average and the maximum of what was observed lately.
func (f *of) window(avg, maximum, what string, w func(*counts) *window) {
	f.scaled(1, avg, maximum, what, w)
}

// times is window for durations, which it shows in milliseconds.
func (f *of) times(avg, maximum, what string, w func(*counts) *window) {
	f.scaled(float64(time.Millisecond), avg, maximum, what, w)
}

func (f *of) scaled(unit float64, avg, maximum, what string, w func(*counts) *window) {
	f.gauge(avg, what+", average of the last minute.", func(c *counts, now time.Time) float64 { return w(c).avg(now) / unit })
	f.gauge(maximum, what+", largest of the last minute.", func(c *counts, now time.Time) float64 { return w(c).max(now) / unit })
}

func (f *of) rate(name, what string, w func(*counts) *window) {
	f.gauge(name, what+" in a second of the last minute.", func(c *counts, now time.Time) float64 { return w(c).rate(now) })
}

func ratio(part, all time.Duration) float64 {
	if all <= 0 {
		return 0
	}
	return min(part.Seconds()/all.Seconds(), 1)
}

func anyTask() []taskFamily {
	f := &of{prefix: "kafka_connect_connector_task_"}
	f.gauge("running_ratio", "Share of the task's life in which it was running.", func(c *counts, now time.Time) float64 { return ratio(c.running, now.Sub(c.began)) })
	f.gauge("pause_ratio", "Share of the task's life in which it was paused.", func(c *counts, now time.Time) float64 { return ratio(c.paused, now.Sub(c.began)) })
	f.times("offset_commit_avg_time_ms", "offset_commit_max_time_ms", "Milliseconds of a commit of offsets", func(c *counts) *window { return &c.commits })
	f.gauge("offset_commit_success_percentage", "Share, from 0 to 1, of the last minute's commits of offsets that worked.", func(c *counts, now time.Time) float64 { return c.commitsOK.avg(now) })
	f.gauge("offset_commit_failure_percentage", "Share, from 0 to 1, of the last minute's commits of offsets that did not work.", func(c *counts, now time.Time) float64 { return 1 - c.commitsOK.avg(now) })
	f.window("batch_size_avg", "batch_size_max", "Records of a batch as the task got it", func(c *counts) *window { return &c.batches })
	return f.all
}

func sourceTask() []taskFamily {
	f := &of{prefix: "kafka_connect_source_task_", kind: Source}
	f.count("source_record_poll_total", "Records that the source gave, before transforms.", func(c *counts) int64 { return c.source.polled })
	f.rate("source_record_poll_rate", "Records that the source gave", func(c *counts) *window { return &c.source.pollRate })
	f.count("source_record_write_total", "Records in the log, after transforms, whose offsets are durable too; without dead letters.", func(c *counts) int64 { return c.source.written })
	f.rate("source_record_write_rate", "Records written", func(c *counts) *window { return &c.source.writeRate })
	f.times("poll_batch_avg_time_ms", "poll_batch_max_time_ms", "Milliseconds until the source gave a batch, waiting for data included", func(c *counts) *window { return &c.source.pollTimes })
	f.gauge("source_record_active_count", "Records that the source gave and that are not durable yet.", func(c *counts, _ time.Time) float64 { return float64(c.active) })
	f.window("source_record_active_count_avg", "source_record_active_count_max", "Records that are not durable yet, when a batch came", func(c *counts) *window { return &c.actives })
	f.window("transaction_size_avg", "transaction_size_max", "Records of a transaction, dead letters included", func(c *counts) *window { return &c.source.transactions })
	f.gauge("transaction_size_min", "Records of a transaction, dead letters included, smallest of the last minute.", func(c *counts, now time.Time) float64 { return c.source.transactions.min(now) })
	return f.all
}

func sinkTask() []taskFamily {
	f := &of{prefix: "kafka_connect_sink_task_", kind: Sink}
	f.count("sink_record_read_total", "Records read from the log, before transforms.", func(c *counts) int64 { return c.sink.read })
	f.rate("sink_record_read_rate", "Records read from the log", func(c *counts) *window { return &c.sink.readRate })
	f.count("sink_record_send_total", "Records that the sink took, after transforms.", func(c *counts) int64 { return c.sink.sent })
	f.rate("sink_record_send_rate", "Records that the sink took", func(c *counts) *window { return &c.sink.sendRate })
	f.gauge("sink_record_lag_max", "Records that were not fetched, of the partition that has most; those that were fetched but not committed are in sluice_sink_committed_lag_records.", func(c *counts, _ time.Time) float64 { return float64(c.sink.lagMax) })
	f.gauge("partition_count", "Partitions assigned to the task.", func(c *counts, _ time.Time) float64 { return float64(c.sink.partitions) })
	f.gauge("offset_commit_seq_no", "Commits of offsets tried so far.", func(c *counts, _ time.Time) float64 { return float64(c.sink.commitSequence) })
	f.count("offset_commit_completion_total", "Commits of offsets that worked.", func(c *counts) int64 { return c.sink.commits })
	f.rate("offset_commit_completion_rate", "Commits of offsets that worked", func(c *counts) *window { return &c.sink.commitRate })
	f.count("offset_commit_skip_total", "0: no commit is overtaken by another, since they wait for each other.", func(*counts) int64 { return 0 })
	f.gauge("offset_commit_skip_rate", "0, as offset_commit_skip_total.", func(*counts, time.Time) float64 { return 0 })
	f.times("put_batch_avg_time_ms", "put_batch_max_time_ms", "Milliseconds in which the sink took a batch", func(c *counts) *window { return &c.sink.putTimes })
	f.gauge("sink_record_active_count", "Records that were fetched and whose offsets are not committed.", func(c *counts, _ time.Time) float64 { return float64(c.active) })
	f.window("sink_record_active_count_avg", "sink_record_active_count_max", "Records that are not committed, when others came", func(c *counts) *window { return &c.actives })
	return f.all
}

func taskErrors() []taskFamily {
	f := &of{prefix: "kafka_connect_task_error_"}
	f.gauge("total_record_failures", "Times that a record could not be handled, attempts that were repeated included.", func(c *counts, _ time.Time) float64 { return float64(c.errors.failures) })
	f.gauge("total_record_errors", "Records whose failure failed the task.", func(c *counts, _ time.Time) float64 { return float64(c.errors.errors) })
	f.gauge("total_records_skipped", "Records skipped by errors.tolerance=all.", func(c *counts, _ time.Time) float64 { return float64(c.errors.skipped) })
	f.gauge("total_retries", "Attempts repeated: to read from the source, to convert a record, to write to the sink.", func(c *counts, _ time.Time) float64 { return float64(c.errors.retries) })
	f.gauge("total_errors_logged", "Skipped records that the log tells of.", func(c *counts, _ time.Time) float64 { return float64(c.errors.logged) })
	f.gauge("deadletterqueue_produce_requests", "Records sent to the dead letter queue.", func(c *counts, _ time.Time) float64 { return float64(c.errors.letters) })
	f.gauge("deadletterqueue_produce_failures", "Records that the dead letter queue did not take.", func(c *counts, _ time.Time) float64 { return float64(c.errors.lettersFailed) })
	f.gauge("last_error_timestamp", "When a record failed last, in Unix milliseconds; 0 when none did.", func(c *counts, _ time.Time) float64 {
		if c.errors.last.IsZero() {
			return 0
		}
		return float64(c.errors.last.UnixMilli())
	})
	return f.all
}

// ownSource are Sluice's additions. NaN stands for what is not known yet.
func ownSource() []taskFamily {
	f := &of{prefix: "sluice_source_", kind: Source}
	f.gauge("lag_seconds", "Seconds from a record's timestamp at its source to its durability: of the last durable record, or of what waits when that is older. Not known for records without a timestamp.", func(c *counts, now time.Time) float64 {
		if seconds, known := c.source.lagSeconds(now); known {
			return seconds
		}
		return math.NaN()
	})
	f.gauge("last_record_timestamp_seconds", "Timestamp of the last durable record at its source, in Unix seconds.", func(c *counts, _ time.Time) float64 {
		if !c.source.lagKnown {
			return math.NaN()
		}
		return float64(c.source.timestamp) / 1000
	})
	f.gauge("last_delivery_timestamp_seconds", "When records became durable last, in Unix seconds.", func(c *counts, _ time.Time) float64 {
		if c.source.delivered.IsZero() {
			return math.NaN()
		}
		return float64(c.source.delivered.UnixMilli()) / 1000
	})
	return f.all
}
