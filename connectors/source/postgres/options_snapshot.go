package postgres

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Names of the options that messages refer to.
const (
	optSnapshotMode      = "snapshot.mode"
	optSnapshotIsolation = "snapshot.isolation.mode"
	optSnapshotLocking   = "snapshot.locking.mode"
	optSnapshotQuery     = "snapshot.query.mode"
	optSnapshotTables    = "snapshot.include.collection.list"
	optSelectOverrides   = "snapshot.select.statement.overrides"
	optSnapshotThreads   = "snapshot.max.threads"
)

// Values of snapshot.mode. Older names for noData are read as it.
const (
	snapshotAlways             = "always"
	snapshotInitial            = "initial"
	snapshotInitialOnly        = "initial_only"
	snapshotNoData             = "no_data"
	snapshotWhenNeeded         = "when_needed"
	snapshotConfigurationBased = "configuration_based"
)

// Values of snapshot.isolation.mode and snapshot.locking.mode.
const (
	isolationSerializable    = "serializable"
	isolationRepeatableRead  = "repeatable_read"
	isolationReadCommitted   = "read_committed"
	isolationReadUncommitted = "read_uncommitted"
	lockingNone              = "none"
	lockingShared            = "shared"
)

// snapshotOptions are about the snapshot at the start.
type snapshotOptions struct {
	mode      string // one of the constants, never an older name
	isolation string
	locking   string
	// lockTimeout bounds the wait for the locks of lockingShared.
	lockTimeout time.Duration
	// collections are the tables to read, in order; nil: all captured ones.
	collections patterns
	// overrides are SELECT statements by schema.table.
	overrides   map[string]string
	orderByRows string // disabled, ascending, descending
	delay       time.Duration
	threads     int // SQL connections
	// multiplier: each table is read in threads × multiplier chunks.
	multiplier       int
	tableMultipliers map[string]int // by schema.table
	// Of configuration_based.
	basedOn struct{ data, schema, stream, onSchemaError, onDataError bool }
	// newTables: tables that are captured only since the last start get a snapshot
	// of their own.
	newTables bool
	// chunkRows is about how many rows a chunk of a table has (CTID ranges).
	chunkRows int

	tablesText            []string
	overridesText         string
	queryMode             string
	modeCustom, lockCust  string
	queryCustom           string
	overrideTexts         map[string]*string
	multiplierOfTable     map[string]*int
	fetchSize, queryFetch int
	legacyThreads         bool
}

func (o *snapshotOptions) define(d *connect.Def) {
	d.Add(group(groupSnapshot, o.modeOptions()...)...)
	d.Add(group(groupSnapshot, o.tableOptions()...)...)
	d.Add(group(groupSnapshot, o.speedOptions()...)...)
	d.Add(group(groupSnapshot, o.basedOnOptions()...)...)
	d.Add(group(groupSnapshot, o.refusedOptions()...)...)
}

func (o *snapshotOptions) modeOptions() []connect.Option {
	return []connect.Option{
		{Name: optSnapshotMode, Var: &o.mode, Default: snapshotInitial, IgnoreCase: true, Check: o.checkMode,
			OneOf: []string{snapshotInitial, snapshotAlways, snapshotInitialOnly, snapshotNoData, snapshotWhenNeeded, snapshotConfigurationBased,
				"never", "schema_only", "custom"},
			Doc: "When to read the tables as they are: initial once, before the first change; always at each start; initial_only once, and then stop; " +
				"no_data (formerly never, schema_only) not at all; when_needed without an offset or when the WAL after it is gone; " +
				"configuration_based as snapshot.mode.configuration.based.* say. custom needs Java code and is refused.",
			Importance: connect.Medium, Display: "Snapshot Mode"},
		{Name: optSnapshotIsolation, Var: &o.isolation, Default: isolationSerializable, IgnoreCase: true,
			OneOf: []string{isolationSerializable, isolationRepeatableRead, isolationReadCommitted, isolationReadUncommitted},
			Doc: "Accepted without effect: the transactions are always repeatable_read, on the snapshot that belongs to a place in the stream. " +
				"Anything weaker would lose rows.",
			Importance: connect.Low, Display: "Snapshot Isolation"},
		{Name: optSnapshotLocking, Var: &o.locking, Default: lockingNone, IgnoreCase: true, Check: o.checkLocking,
			OneOf:      []string{lockingNone, lockingShared, "custom"},
			Doc:        "Whether the tables are locked (ACCESS SHARE) against changes of their structure while they are read. custom needs Java code and is refused.",
			Importance: connect.Low, Display: "Snapshot Locking"},
		{Name: "snapshot.lock.timeout.ms", Var: &o.lockTimeout, Default: "10000", Check: atLeast(&o.lockTimeout, 0),
			Doc:        "Milliseconds to wait for these locks.",
			Importance: connect.Medium, Display: "Lock Timeout (ms)"},
		{Name: "snapshot.delay.ms", Var: &o.delay, Default: "0", Check: atLeast(&o.delay, 0),
			Doc:        "Milliseconds to wait before a snapshot.",
			Importance: connect.Low, Display: "Snapshot Delay (ms)"},
	}
}

func (o *snapshotOptions) tableOptions() []connect.Option {
	return []connect.Option{
		{Name: optSnapshotTables, Var: &o.tablesText, Check: o.collections.check(&o.tablesText),
			Doc: "Regular expressions for schema.table: the captured tables that the snapshot reads. All by default. " +
				"Their order is that of table.include.list, then by name.",
			Importance: connect.Medium, Display: "Snapshot Tables"},
		{Name: optSelectOverrides, Var: &o.overridesText,
			Doc: "Tables, as schema.table, that are read with a statement of their own: that of the option " + optSelectOverrides + ".schema.table. " +
				"Rows that it leaves out are missing from the snapshot only.",
			Width: connect.WidthLong, Importance: connect.Medium, Display: "Select Statements"},
		{Name: "snapshot.tables.order.by.row.count", Var: &o.orderByRows, Default: "disabled", IgnoreCase: true,
			OneOf:      []string{"disabled", "ascending", "descending"},
			Doc:        "Whether tables are read by the server's estimate of their rows.",
			Importance: connect.Medium, Display: "Order by Row Count"},
		{Name: "snapshot.new.tables", Var: &o.newTables, Default: "false",
			Doc:        "Whether tables that are captured since a change of the config are read at the next start, while the stream goes on for the others.",
			Importance: connect.Low, Display: "Snapshot New Tables"},
	}
}

func (o *snapshotOptions) speedOptions() []connect.Option {
	return []connect.Option{
		{Name: optSnapshotThreads, Var: &o.threads, Default: "1", Check: atLeast(&o.threads, 1),
			Doc:        "Connections that read at the same time, all on one snapshot.",
			Importance: connect.Medium, Display: "Snapshot Connections"},
		{Name: "snapshot.max.threads.multiplier", Var: &o.multiplier, Default: "1", Check: atLeast(&o.multiplier, 1),
			Doc:        "Debezium's chunks of a table for each connection; with a table's name behind it, for that table. Tables are divided by snapshot.chunk.rows here.",
			Importance: connect.Medium, Display: "Chunks per Connection"},
		{Name: "snapshot.chunk.rows", Var: &o.chunkRows, Default: "100000", Check: atLeast(&o.chunkRows, 1000),
			Doc:        "About how many rows one statement reads, within 64 to 1024 pages. After a crash the snapshot goes on behind the last row, whatever this is.",
			Importance: connect.Low, Display: "Rows per Chunk"},
		{Name: "snapshot.fetch.size", Var: &o.fetchSize, NoDefault: true,
			Doc:        "No effect: rows are streamed by COPY.",
			Importance: connect.Medium, Display: "Snapshot Fetch Size"},
		{Name: "query.fetch.size", Var: &o.queryFetch, Default: "0",
			Doc:        "No effect, as snapshot.fetch.size.",
			Importance: connect.Medium, Display: "Query Fetch Size"},
		{Name: "legacy.snapshot.max.threads", Var: &o.legacyThreads, Default: "false", Aliases: []string{"internal.legacy.snapshot.max.threads"},
			Doc:        "No effect: tables are read in chunks.",
			Importance: connect.Low, Display: "Legacy Snapshot Threads"},
	}
}

func (o *snapshotOptions) basedOnOptions() []connect.Option {
	const prefix = "snapshot.mode.configuration.based."
	b := &o.basedOn
	return []connect.Option{
		{Name: prefix + "snapshot.data", Var: &b.data, Default: "false",
			Doc: "With configuration_based: whether the rows are read.", Importance: connect.Medium},
		{Name: prefix + "snapshot.schema", Var: &b.schema, Default: "false",
			Doc: "With configuration_based: whether the structure of the tables is read. It always is.", Importance: connect.Medium},
		{Name: prefix + "start.stream", Var: &b.stream, Default: "false",
			Doc: "With configuration_based: whether changes follow the snapshot.", Importance: connect.Medium},
		{Name: prefix + "snapshot.on.schema.error", Var: &b.onSchemaError, Default: "false",
			Doc: "With configuration_based: accepted without effect, as there is no schema history that could be lost.", Importance: connect.Medium},
		{Name: prefix + "snapshot.on.data.error", Var: &b.onDataError, Default: "false",
			Doc: "With configuration_based: whether the rows are read when the WAL after the offset is gone.", Importance: connect.Medium},
	}
}

func (o *snapshotOptions) refusedOptions() []connect.Option {
	const java = "it names Java code, which cannot be loaded: leave it out"
	return []connect.Option{
		{Name: optSnapshotQuery, Var: &o.queryMode, Default: "select_all", IgnoreCase: true, OneOf: []string{"select_all", "custom"}, Check: o.checkQuery,
			Doc: "How rows are selected. custom needs Java code and is refused.", Importance: connect.Low},
		{Name: "snapshot.mode.custom.name", Var: &o.modeCustom, Check: refuse(&o.modeCustom, java),
			Doc: "Not supported: Java code.", Importance: connect.Medium},
		{Name: "snapshot.locking.mode.custom.name", Var: &o.lockCust, Check: refuse(&o.lockCust, java),
			Doc: "Not supported: Java code.", Importance: connect.Medium},
		{Name: "snapshot.query.mode.custom.name", Var: &o.queryCustom, Check: refuse(&o.queryCustom, java),
			Doc: "Not supported: Java code.", Importance: connect.Medium},
	}
}

func (o *snapshotOptions) checkMode() error {
	switch o.mode {
	case "never", "schema_only":
		o.mode = snapshotNoData
	case "custom":
		return errors.New("custom needs Java code, which cannot be loaded: choose one of the other modes")
	}
	return nil
}

func (o *snapshotOptions) checkLocking() error {
	if o.locking == "custom" {
		return errors.New("custom needs Java code, which cannot be loaded: choose none or shared")
	}
	return nil
}

func (o *snapshotOptions) checkQuery() error {
	if o.queryMode == "custom" {
		return errors.New("custom needs Java code, which cannot be loaded: choose select_all, and " + optSelectOverrides + " for single tables")
	}
	return nil
}

// defineFor declares the options that end with a table's name.
func (o *snapshotOptions) defineFor(d *connect.Def, names []string) {
	const multiplier = "snapshot.max.threads.multiplier."
	o.overrideTexts = make(map[string]*string)
	o.multiplierOfTable = make(map[string]*int)
	for _, name := range names {
		if table, ok := strings.CutPrefix(name, optSelectOverrides+"."); ok {
			text := new(string)
			o.overrideTexts[table] = text
			d.Add(group(groupSnapshot, connect.Option{Name: name, Var: text,
				Doc:   "The statement that reads " + table + " in a snapshot.",
				Width: connect.WidthLong, Importance: connect.Low})...)
		}
		if table, ok := strings.CutPrefix(name, multiplier); ok {
			n := new(int)
			o.multiplierOfTable[table] = n
			d.Add(group(groupSnapshot, connect.Option{Name: name, Var: n, Default: "1", Check: atLeast(n, 1),
				Doc: "Debezium's chunks of " + table + " for each connection.", Importance: connect.Low})...)
		}
	}
}

// validate puts together what several options say.
func (o *snapshotOptions) validate() (errs []*connect.ConfigError) {
	o.overrides = make(map[string]string)
	for table := range strings.SplitSeq(o.overridesText, ",") {
		if table = strings.TrimSpace(table); table == "" {
			continue
		}
		text, ok := o.overrideTexts[table]
		if !ok || strings.TrimSpace(*text) == "" {
			errs = append(errs, &connect.ConfigError{Option: optSelectOverrides,
				Reason: fmt.Sprintf("%s is listed without its statement: set %s.%s", table, optSelectOverrides, table)})
			continue
		}
		o.overrides[table] = strings.TrimRight(strings.TrimSpace(*text), "; \n\t")
	}
	o.tableMultipliers = make(map[string]int, len(o.multiplierOfTable))
	for table, n := range o.multiplierOfTable {
		o.tableMultipliers[table] = *n
	}
	return errs
}
