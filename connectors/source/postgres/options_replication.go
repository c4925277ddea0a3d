package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Names of the options that messages refer to.
const (
	optPlugin          = "plugin.name"
	optSlot            = "slot.name"
	optPublication     = "publication.name"
	optAutocreate      = "publication.autocreate.mode"
	optMismatch        = "offset.mismatch.strategy"
	optSlotLost        = "slot.lost.policy"
	optReplicaIdentity = "replica.identity.autoset.values"
	optFlushMode       = "lsn.flush.mode"
	optFlushLSN        = "flush.lsn.source"
	optStreamParams    = "slot.stream.params"
	optHeartbeat       = "heartbeat.interval.ms"
	optHeartbeatQuery  = "heartbeat.action.query"
	optBinary          = "streaming.binary"
)

// Values of publication.autocreate.mode.
const (
	autocreateAllTables = "all_tables"
	autocreateDisabled  = "disabled"
	autocreateFiltered  = "filtered"
	autocreateNoTables  = "no_tables"
)

// Values of lsn.flush.mode.
const (
	flushConnector          = "connector"
	flushManual             = "manual"
	flushConnectorAndDriver = "connector_and_driver"
)

// Values of offset.mismatch.strategy.
const (
	mismatchNoValidation = "no_validation"
	mismatchTrustOffset  = "trust_offset"
	mismatchTrustSlot    = "trust_slot"
	mismatchTrustGreater = "trust_greater_lsn"
)

// Values of slot.lost.policy.
const (
	slotLostFail     = "fail"
	slotLostSnapshot = "snapshot"
	slotLostContinue = "continue"
)

// replicationOptions are about the slot, the publication and the stream.
type replicationOptions struct {
	plugin       string
	slot         string
	dropOnStop   bool
	failover     bool
	maxRetries   int
	retryDelay   time.Duration
	streamParams []streamParam // further options of the output plugin
	mismatch     string
	slotLost     string

	publication          string
	autocreate           string
	viaPartitionRoot     bool
	replicaIdentity      []identityRule
	statusUpdateInterval time.Duration
	xminInterval         time.Duration // 0: source.xmin stays empty
	flushMode            string
	heartbeatInterval    time.Duration // 0: none
	heartbeatQuery       string
	streamingDelay       time.Duration

	// inProgress asks the server to send large transactions before they commit.
	inProgress     bool
	spillDirectory string // "": the system's temporary folder
	spillMaxBytes  int64
	binary         bool // ask for values in binary form

	identityText, params string
	flushLSN             bool
}

// streamParam is one option of START_REPLICATION.
type streamParam struct{ name, value string }

func (o *replicationOptions) define(d *connect.Def) {
	d.Add(group(groupReplication, o.slotOptions()...)...)
	d.Add(group(groupReplication, o.publicationOptions()...)...)
	d.Add(group(groupReplication, o.streamOptions()...)...)
	d.Add(group(groupReplication, o.heartbeatOptions()...)...)
}

func (o *replicationOptions) slotOptions() []connect.Option {
	return []connect.Option{
		{Name: optPlugin, Var: &o.plugin, Default: "pgoutput", IgnoreCase: true,
			OneOf: []string{"pgoutput", "decoderbufs", "wal2json", "wal2json_streaming", "wal2json_rds", "wal2json_rds_streaming"},
			Doc: "Output plugin of the slot. It is always pgoutput, which every server has: other names, and so Debezium's default decoderbufs, " +
				"are accepted and logged. A slot that was made with another plugin cannot be read: give slot.name a new one.",
			Importance: connect.Medium, Display: "Plugin"},
		{Name: optSlot, Var: &o.slot, Default: "debezium", Check: o.checkSlot,
			Doc:        "Name of the replication slot. It is created when it is missing; only one connector can use it.",
			Importance: connect.Medium, Display: "Slot"},
		{Name: "slot.drop.on.stop", Var: &o.dropOnStop, Default: "false", Aliases: []string{"slot.drop_on_stop"},
			Doc:        "Whether the slot is dropped when the connector stops in order. What is written while it is stopped is then lost: for tests only.",
			Importance: connect.Medium, Display: "Drop Slot on Stop"},
		{Name: "slot.failover", Var: &o.failover, Default: "false",
			Doc:        "Whether a new slot is one that standby servers keep too (PostgreSQL 17 or later, on a primary).",
			Importance: connect.Medium, Display: "Failover Slot"},
		{Name: "slot.max.retries", Var: &o.maxRetries, Default: "6", Check: atLeast(&o.maxRetries, 0),
			Doc:        "How often to try again when the slot is in use by another connection.",
			Importance: connect.Low, Display: "Retries"},
		{Name: "slot.retry.delay.ms", Var: &o.retryDelay, Default: "10000", Check: atLeast(&o.retryDelay, 0),
			Doc:        "Milliseconds between these attempts.",
			Importance: connect.Low, Display: "Retry Delay (ms)"},
		{Name: optMismatch, Var: &o.mismatch, Default: mismatchNoValidation, IgnoreCase: true,
			OneOf: []string{mismatchNoValidation, mismatchTrustOffset, mismatchTrustSlot, mismatchTrustGreater},
			Doc: "What to do when the stored offset and the slot's confirmed position differ: no_validation reads from the offset unless the slot is " +
				"past it (see slot.lost.policy), trust_offset advances the slot to the offset, trust_slot moves the offset to the slot, " +
				"trust_greater_lsn moves whichever is behind.",
			Importance: connect.Low, Display: "Offset Mismatch Strategy"},
		{Name: optSlotLost, Var: &o.slotLost, Default: slotLostFail, IgnoreCase: true,
			OneOf: []string{slotLostFail, slotLostSnapshot, slotLostContinue},
			Doc: "What to do when changes after the stored offset are gone: the slot was dropped, made anew, advanced or invalidated, or the server " +
				"is another one. fail stops with the remedy, snapshot reads all tables again, continue goes on from what there is and writes a record about the gap (type GAP) to " +
				"notification.sink.topic.name, or <topic.prefix>.notification.",
			Importance: connect.Medium, Display: "Lost Slot Policy"},
	}
}

func (o *replicationOptions) publicationOptions() []connect.Option {
	return []connect.Option{
		{Name: optPublication, Var: &o.publication, Default: "dbz_publication", Check: o.checkPublication,
			Doc:        "Name of the publication that says which tables' changes are sent.",
			Importance: connect.Medium, Display: "Publication"},
		{Name: optAutocreate, Var: &o.autocreate, Default: autocreateAllTables, IgnoreCase: true,
			OneOf: []string{autocreateAllTables, autocreateDisabled, autocreateFiltered, autocreateNoTables},
			Doc: "What to do about the publication: all_tables makes one for all tables when it is missing (which takes a superuser), disabled fails " +
				"when it is missing, filtered makes it for the captured tables and keeps their list right, no_tables makes an empty one.",
			Importance: connect.Medium, Display: "Publication Auto-Create Mode"},
		{Name: "publish.via.partition.root", Var: &o.viaPartitionRoot, Default: "false",
			Doc:        "Whether a publication that the connector makes sends changes of partitions as changes of the partitioned table.",
			Importance: connect.Medium, Display: "Publish via Partition Root"},
		{Name: optReplicaIdentity, Var: &o.identityText, NoDefault: true, Check: o.parseIdentity,
			Doc: "Replica identities to set: a list of table:identity, where table is a regular expression for schema.table and identity is DEFAULT, " +
				"FULL, NOTHING or INDEX and an index name. Tables that are not captured are left alone.",
			Width: connect.WidthLong, Importance: connect.Medium, Display: "Replica Identities"},
	}
}

func (o *replicationOptions) streamOptions() []connect.Option {
	return []connect.Option{
		{Name: optStreamParams, Var: &o.params, Check: o.parseParams,
			Doc:        "Further options of the output plugin as name=value, separated by semicolons: origin=none.",
			Importance: connect.Low, Display: "Stream Parameters"},
		{Name: "status.update.interval.ms", Var: &o.statusUpdateInterval, Default: "10000", Check: atLeast(&o.statusUpdateInterval, 100*time.Millisecond),
			Doc:        "Milliseconds between reports of the confirmed position to the server.",
			Importance: connect.Medium, Display: "Status Update Interval (ms)"},
		{Name: "xmin.fetch.interval.ms", Var: &o.xminInterval, Default: "0", Check: atLeast(&o.xminInterval, 0),
			Doc:        "Milliseconds between reads of the slot's xmin for source.xmin; 0 leaves it empty.",
			Importance: connect.Medium, Display: "Xmin Fetch Interval (ms)"},
		{Name: optFlushMode, Var: &o.flushMode, NoDefault: true, IgnoreCase: true,
			OneOf: []string{flushConnector, flushManual, flushConnectorAndDriver},
			Doc: "Who tells the server what it may forget: connector, as soon as it is durable in the log; manual, somebody else (the slot then keeps " +
				"all WAL until they do); connector_and_driver is the same as connector here, which also confirms idle time. Default connector.",
			Importance: connect.Low, Display: "LSN Flush Mode"},
		{Name: optFlushLSN, Var: &o.flushLSN, Default: "true",
			Doc:        "Older form of lsn.flush.mode: true is connector, false is manual.",
			Importance: connect.Low, Display: "Flush LSN"},
		{Name: "streaming.delay.ms", Var: &o.streamingDelay, Default: "0", Check: atLeast(&o.streamingDelay, 0),
			Doc:        "Milliseconds between the end of the snapshot and the start of the stream.",
			Importance: connect.Low, Display: "Streaming Delay (ms)"},
		{Name: optBinary, Var: &o.binary, Default: "true",
			Doc: "Whether the server sends values in their binary form, which takes less of its and our time than text. Records are the same. A table with a " +
				"type that can be read as text only (include.unknown.datatypes) turns it off by itself.",
			Importance: connect.Low, Display: "Stream Binary Values"},
		{Name: "streaming.in.progress", Var: &o.inProgress, Default: "true",
			Doc: "Whether the server sends transactions that outgrow its logical_decoding_work_mem before they commit, instead of writing them to its " +
				"disk first. They are kept in a temporary file until then.",
			Importance: connect.Low, Display: "Stream In-Progress Transactions"},
		{Name: "streaming.spill.directory", Var: &o.spillDirectory,
			Doc:        "Folder for these files. The system's temporary folder by default.",
			Importance: connect.Low, Display: "Spill Directory"},
		{Name: "streaming.spill.max.bytes", Var: &o.spillMaxBytes, Default: "17179869184", Check: atLeast(&o.spillMaxBytes, 1<<20),
			Doc:        "Most bytes that these files may take together. When they are used up the task fails and reads the transactions again with streaming.in.progress off.",
			Importance: connect.Low, Display: "Spill Limit (bytes)"},
	}
}

func (o *replicationOptions) heartbeatOptions() []connect.Option {
	return []connect.Option{
		{Name: optHeartbeat, Var: &o.heartbeatInterval, Default: "0", Check: atLeast(&o.heartbeatInterval, 0),
			Doc: "Milliseconds between records to the heartbeat topic; 0 sends none. The confirmed position moves on without them too, " +
				"also when only other databases of the server are busy.",
			Importance: connect.Medium, Display: "Heartbeat Interval (ms)"},
		{Name: optHeartbeatQuery, Var: &o.heartbeatQuery, NoDefault: true,
			Doc:   "SQL statement to run with each heartbeat.",
			Width: connect.WidthLong, Importance: connect.Low, Display: "Heartbeat Query"},
	}
}

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

func (o *replicationOptions) checkSlot() error {
	if !slotName.MatchString(o.slot) {
		return errors.New("Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63")
	}
	return nil
}

func (o *replicationOptions) checkPublication() error {
	if o.publication == "" || len(o.publication) > 63 || strings.ContainsRune(o.publication, 0) {
		return errors.New("it must have 1 to 63 bytes")
	}
	return nil
}

func (o *replicationOptions) parseParams() error {
	o.streamParams = nil
	for part := range strings.SplitSeq(o.params, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return fmt.Errorf("%q is not of the form name=value", part)
		}
		switch name {
		case "proto_version", "publication_names", "streaming", "messages", "binary", "two_phase":
			return fmt.Errorf("%s is the connector's own to set", name)
		}
		o.streamParams = append(o.streamParams, streamParam{name, strings.TrimSpace(value)})
	}
	return nil
}

// resolveFlushMode applies the older option where the newer one is not given.
func (o *replicationOptions) resolveFlushMode() {
	if o.flushMode == "" {
		o.flushMode = flushConnector
		if !o.flushLSN {
			o.flushMode = flushManual
		}
	}
}

// identityRule is one element of replica.identity.autoset.values.
type identityRule struct {
	tables   pattern
	identity string // DEFAULT, FULL, NOTHING or INDEX
	index    string // with INDEX
}

var identityForm = regexp.MustCompile(`(?i)^\s*([^\s:]+):\s*(DEFAULT|FULL|NOTHING|INDEX\s+(\S+))\s*$`)

func (o *replicationOptions) parseIdentity() error {
	o.replicaIdentity = nil
	for _, part := range splitPatterns(o.identityText) {
		m := identityForm.FindStringSubmatch(part)
		if m == nil {
			return fmt.Errorf("%q is not of the form schema.table:DEFAULT, :FULL, :NOTHING or :INDEX name", part)
		}
		p, err := compilePattern(m[1])
		if err != nil {
			return err
		}
		rule := identityRule{tables: p, identity: strings.ToUpper(strings.Fields(m[2])[0]), index: m[3]}
		o.replicaIdentity = append(o.replicaIdentity, rule)
	}
	return nil
}
