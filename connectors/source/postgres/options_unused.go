package postgres

import (
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// unusedOptions are options of Debezium's that change nothing here, so that
// configs which have them are accepted.
type unusedOptions struct {
	maxBatch, maxQueue, maxQueueBytes, poll, dispatch string
	retries, restartWait, shutdown                    string
	metricTags, statistics, sanitize                  string
	flushTimeout, flushAction                         string
	queue, schemaChanges                              string
}

// ignoredKeys are configs' keys that are not even options of Debezium's
// definition: internal ones, and those for other systems.
var ignoredKeys = []string{
	"internal.*", "driver.*", "openlineage.*", "producer.*",
	"database.history*", "schema.history.*",
	"source.struct.version", "truncate.handling.mode", "sanitize.field.names",
	"database.include.list", "database.exclude.list", "confluent.*",
}

func (o *unusedOptions) define(d *connect.Def) {
	const (
		memory  = "batches are bounded by the worker's memory limits"
		engine  = "the worker starts a failed task again by itself (errors.retry.* and task restarts)"
		metrics = "metrics are at the worker's /metrics"
	)
	unused := func(name string, v *string, def, why string) connect.Option {
		return connect.Option{Name: name, Var: v, Default: def, NoDefault: def == "", Importance: connect.Low,
			Doc: "No effect: " + strings.TrimSuffix(why, ".") + "."}
	}
	d.Add(group(groupUnused,
		unused("max.batch.size", &o.maxBatch, "2048", memory),
		unused("max.queue.size", &o.maxQueue, "8192", memory),
		unused("max.queue.size.in.bytes", &o.maxQueueBytes, "0", memory),
		unused("queue.provider.type", &o.queue, "", memory),
		unused("poll.interval.ms", &o.poll, "500", "changes are handed on as they come"),
		unused("poll.dispatch.interval.ms", &o.dispatch, "0", "changes are handed on as they come"),
		unused("errors.max.retries", &o.retries, "-1", engine),
		unused("retriable.restart.connector.wait.ms", &o.restartWait, "10000", engine),
		unused("executor.shutdown.timeout.ms", &o.shutdown, "4000", "the worker bounds how long a task may take to stop"),
		unused("lsn.flush.timeout.ms", &o.flushTimeout, "30000", "positions are confirmed beside the stream, which never waits for it"),
		unused("lsn.flush.timeout.action", &o.flushAction, "fail", "as lsn.flush.timeout.ms"),
		unused("custom.metric.tags", &o.metricTags, "", metrics),
		unused("statistics.metrics.enabled", &o.statistics, "true", metrics),
		unused("custom.sanitize.pattern", &o.sanitize, "", "secrets are hidden by the type of their option"),
		unused("include.schema.changes", &o.schemaChanges, "", "there is no topic of schema changes for PostgreSQL"),
	)...)
	d.Ignore(ignoredKeys...)
}
