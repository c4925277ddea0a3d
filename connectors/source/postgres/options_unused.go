package postgres

import (
	"github.com/sluice-data/sluice/connect"
)

// unusedOptions are options of Debezium's that change nothing here, so that
// configs which have them are accepted.
type unusedOptions struct {
	texts    [4]string
	ints     [3]int
	longs    [6]int64
	switches [1]bool
}

// ignoredKeys are configs' keys that are no options for PostgreSQL, or internal
// ones.
var ignoredKeys = []string{
	"internal.*", "driver.*", "openlineage.*", "memory.management.*", "producer.*",
	"database.history*", "schema.history.*", "include.schema.changes",
	"source.struct.version", "truncate.handling.mode", "sanitize.field.names",
	"database.include.list", "database.exclude.list", "confluent.*",
}

func (o *unusedOptions) define(d *connect.Def) {
	const (
		memory  = "batches are bounded by the worker's memory limits"
		handed  = "changes are handed on as they come"
		engine  = "the worker starts a failed task again by itself"
		metrics = "metrics are at the worker's /metrics"
	)
	unused := func(name string, target any, def, why string, importance connect.Importance) connect.Option {
		return connect.Option{Name: name, Var: target, Default: def, NoDefault: def == "", Importance: importance,
			Doc: "No effect: " + why + "."}
	}
	d.Add(group(groupUnused,
		unused("max.batch.size", &o.ints[0], "2048", memory, connect.Medium),
		unused("max.queue.size", &o.ints[1], "8192", memory, connect.Medium),
		unused("max.queue.size.in.bytes", &o.longs[0], "0", memory, connect.Medium),
		unused("queue.provider.type", &o.texts[0], "", memory, connect.Low),
		unused("poll.interval.ms", &o.longs[1], "500", handed, connect.Medium),
		unused("poll.dispatch.interval.ms", &o.longs[2], "0", handed, connect.Low),
		unused("errors.max.retries", &o.ints[2], "-1", engine, connect.Low),
		unused("retriable.restart.connector.wait.ms", &o.longs[3], "10000", engine, connect.Low),
		unused("executor.shutdown.timeout.ms", &o.longs[4], "4000", "the worker bounds how long a task may take to stop", connect.Medium),
		unused("lsn.flush.timeout.ms", &o.longs[5], "30000", "positions are confirmed beside the stream, which never waits for it", connect.Medium),
		unused("lsn.flush.timeout.action", &o.texts[1], "fail", "as lsn.flush.timeout.ms", connect.Medium),
		unused("custom.metric.tags", &o.texts[2], "", metrics, connect.Low),
		unused("statistics.metrics.enabled", &o.switches[0], "true", metrics, connect.Medium),
		unused("custom.sanitize.pattern", &o.texts[3], "", "secrets are hidden by the type of their option", connect.Low),
	)...)
	d.Ignore(ignoredKeys...)
}
