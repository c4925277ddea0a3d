package connect

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
)

// Source reads records from another system. The package comment has the rules
// for all calls.
type Source interface {
	// Open connects. It is called once, before Read.
	Open(ctx context.Context, sc SourceContext) error
	// Read appends records and marks to b, which is empty.
	Read(ctx context.Context, b *Batch) error
	// Close frees what Open took. It does not tell the upstream to forget
	// anything: that is Commit's part alone.
	Close() error
}

// SourceContext is what a source gets from the engine.
type SourceContext struct {
	Connector string       // the connector's name
	Task      int          // the task's number, from 0
	Logger    *slog.Logger // carries connector and task already
	// Offset returns the offset stored for a source partition, nil when there is
	// none. It may be called in Open and in Read.
	Offset func(ctx context.Context, partition json.RawMessage) (json.RawMessage, error)
	// Measure, where it is not nil, takes the function that reads the numbers of
	// Spec.Metrics, which replaces an earlier one. Each scrape calls it, from any
	// goroutine, until Close returned: it fills values, one for each metric in order,
	// and may not block. What it leaves at NaN is not known.
	Measure func(read func(values []float64))
	// Follow, where it is not nil, reads a topic: see Follower for what restarts and
	// trouble do. It may be called in Open and in Read, a few times for one source. A
	// *ConfigError names a setting that is wrong; it does not wait for the cluster.
	Follow func(f Follow) (Follower, error)
}

// Metric is a number that tasks of a plugin show beside those that the engine
// counts. GET /metrics has it with the labels connector and task.
type Metric struct {
	Name    string // after sluice_, such as postgres_retained_wal_bytes
	Help    string // one sentence
	Counter bool   // it only grows while the task runs; else a gauge
}

// Committer is a Source whose upstream waits to hear what it may forget: a
// replication slot, a message broker that wants acknowledgements.
type Committer interface {
	// Commit says that every record before the mark, and the mark's offset where
	// it has one, are durable in the log (I2). Marks of one source partition come
	// in the order they were made; a mark stands for all earlier ones of its
	// partition, which may be left out. The mark is the caller's memory.
	//
	// Commit comes from the log's side while Read may be waiting. It must not
	// block: it notes the mark, and wakes a goroutine of the source's own if
	// something has to be sent.
	Commit(m Mark)
}

// Sink writes records to another system.
type Sink interface {
	// Open connects. It is called once, before Write.
	Open(ctx context.Context, sc SinkContext) error
	// Write takes the records of b, which belong to the topic-partition b.From.
	Write(ctx context.Context, b *Batch) error
	// Close frees what Open took and gives up what Flush has not made durable.
	Close() error
}

// SinkContext is what a sink gets from the engine.
type SinkContext struct {
	Connector string       // the connector's name
	Task      int          // the task's number, from 0
	Logger    *slog.Logger // carries connector and task already
	// Report says that a record cannot be handled while others can: it is skipped
	// and goes to the dead letter queue, which has it before its offset moves
	// (KIP-610). The record is one of the batch in hand, or a copy of an earlier one
	// with the topic and partition that it was read from. With errors.tolerance=none
	// Report returns an error, which the sink returns in turn. It is called where
	// the sink's methods are; a Write that can name its records itself returns a
	// *BatchError instead.
	Report func(r *Record, cause error) error
	// ExactlyOnce is for a TwoPhase sink: whether its states are committed with the
	// consumer offsets. Without it what Prepare returns is applied before the
	// offsets move, which is at least once, and states are not kept.
	ExactlyOnce bool
	// Due asks for Prepare, or Flush, before its regular turn: files have reached their age, what the next Prepare was waiting for has arrived. It
	// never blocks and may be called from any goroutine. The engine keeps a distance between turns, and nothing is lost when it comes
	// at its regular time. nil: nobody can be asked.
	Due func()
}

// Flusher is a Sink whose records become durable later than Write: files that
// are completed by size or age, commits of a table.
type Flusher interface {
	// Flush makes durable what is due by the sink's own rules and returns how
	// far each topic-partition is durable; one that has not moved since the last
	// call may be left out. The consumer offsets move to what it returns.
	//
	// The engine calls it about once a second, after Writes or without, soon
	// after SinkContext.Due, and before it gives partitions up or stops.
	Flush(ctx context.Context) ([]PartitionOffset, error)
}

// TwoPhase is a Sink whose output is made durable first and visible afterwards:
// parts of an upload and its completion, staged files and the commit of a table.
// The engine commits what is to become visible together with the consumer offsets
// in between, in one transaction that a former owner of the partitions cannot
// make (I3):
//
//	Assign ─► Restore ─► Write … ─► Prepare ─► transaction ─► Apply ─► Write …
//
// After an Assign or a Restore that has not ended well comes neither Write nor Prepare, but the same call again, Revoke or Close.
//
// A TwoPhase sink keeps something for each partition, so it is an Assigner too. It
// is not a Flusher.
//
// What Prepare has returned without an Apply after it may be committed or not, and
// the sink cannot know (but see Withdrawer): neither Revoke nor Close may destroy it or show it. If it
// is committed, the partition's next owner gets it in Restore.
type TwoPhase interface {
	Assigner
	// Restore hands over, after Assign, the states of added partitions that have
	// one. The sink makes visible what they name, in case the former owner did not
	// get that far, which it may have done or be doing just now. Records from the
	// partition's offset on are not in it and come in Write.
	Restore(ctx context.Context, states []PartitionState) error
	// Prepare makes durable, but not visible, what is due by the sink's own rules.
	// It returns the partitions whose offset or state has to change: everything
	// that was not applied yet, so that the next Prepare makes up for a transaction
	// that did not happen.
	//
	// The engine calls it twice a second, after Writes or without, soon after
	// SinkContext.Due, and before it gives partitions up or stops.
	Prepare(ctx context.Context) ([]PartitionState, error)
	// Apply makes visible what the last Prepare returned, which is committed now.
	// After a Retriable error it is called again before the next Prepare.
	Apply(ctx context.Context) error
}

// Leaver is a TwoPhase sink that can end early what it would otherwise drop.
type Leaver interface {
	// Leave says, before the last Prepare, which partitions the task gives up: another has them next, or nobody. What is prepared then is
	// committed and applied as always; what is not is dropped, and read again.
	Leave(removed []TopicPartition)
}

// Withdrawer is a TwoPhase sink that wants to know when what it has prepared is certain not to be committed. A former owner of partitions
// is told so when it is refused. Without that it would have to keep, for good, what nobody will ask for.
type Withdrawer interface {
	// Withdraw comes after a Prepare whose states were not committed and never will be. Until the next Prepare, Revoke and Close may destroy them.
	Withdraw()
}

// PartitionState is what a TwoPhase sink wants to be committed for a partition:
// the offset of the next record to read, which moves no further than Write has
// been and never back, and the state that Restore needs once this is committed.
type PartitionState struct {
	PartitionOffset
	// State is a JSON value that replaces the one before, of 512 KiB at most (the log
	// takes records of 1 MiB); nil: there is nothing to restore.
	State json.RawMessage
}

// PartitionOffset is a position in a partition: the offset of the next record to
// read.
type PartitionOffset struct {
	TopicPartition
	Offset int64
}

// Assigner is a Sink that keeps something for each topic-partition it reads.
type Assigner interface {
	// Assign says which partitions are added and where reading them starts
	// (Offset is -1 when nothing was ever committed).
	Assign(ctx context.Context, added []PartitionOffset) error
	// Revoke says which partitions another task takes over. A Flusher's Flush
	// came before. What is not durable is dropped: the next owner reads it again.
	Revoke(ctx context.Context, removed []TopicPartition) error
}

// Spec describes a plugin. A connector package exports one.
type Spec struct {
	// Class is the plugin's own name, such as sluice.S3SinkConnector.
	Class string
	// Aliases are further names under which configs refer to it: the Java class
	// names of the connectors that it stands in for.
	Aliases []string
	Version string
	Doc     string // one paragraph
	// New returns an empty config, which is a SourceConfig or a SinkConfig.
	New func() Config
	// Metrics are shown of each task; a source gives their values with
	// SourceContext.Measure.
	Metrics []Metric
}

// Config is the typed config of one connector and makes its tasks' sources or
// sinks. Define binds its fields to options; once they are parsed without error
// the other methods may be called.
type Config interface {
	Define(d *Def)
}

// SourceConfig is the Config of a source connector.
type SourceConfig interface {
	Config
	// Source returns a new source that Open has not been called on.
	Source() Source
}

// ExactlyOnce is a SourceConfig that knows whether its source can be exactly once
// (KIP-618). Without it exactly.once.support=required is refused, and the engine
// takes the marks at their word.
type ExactlyOnce interface {
	// ExactlyOnce tells whether a source that is opened with the offset of a mark
	// reads exactly the records after it. False keeps the records out of
	// transactions: the position is the upstream's, which is told only after the
	// records are durable (I2).
	ExactlyOnce() bool
}

// TransactionBoundaries is a SourceConfig whose source can end transactions with
// Batch.EndTransaction.
type TransactionBoundaries interface {
	TransactionBoundaries() bool
}

// SinkConfig is the Config of a sink connector.
type SinkConfig interface {
	Config
	// Sink returns a new sink that Open has not been called on.
	Sink() Sink
}

// Dynamic is a Config with options whose names are partly the user's, such as
// column.mask.with.8.chars.
type Dynamic interface {
	// DefineFor declares such options for those of the settings' names that call for
	// one. It is called once, after Define. The names are sorted.
	DefineFor(d *Def, names []string)
}

// Splitter is a Config that divides the work among tasks.
type Splitter interface {
	// Split returns, for each of at most maxTasks tasks, the settings that differ
	// from the connector's. Without it a source runs one task and a sink runs
	// tasks.max equal ones, which share the topics' partitions.
	Split(maxTasks int) []map[string]string
}

// Validator is a Config with rules between options.
type Validator interface {
	// Validate is called after every option parsed on its own. It returns all
	// violations.
	Validate() []*ConfigError
}

// Pinger is a Config that can tell whether its server answers. It serves the
// validation request, never the creation of a connector, because a server may
// come later than its connector.
type Pinger interface {
	// Ping returns a *ConfigError that names the option to look at, or nil.
	Ping(ctx context.Context) error
}

// Monitor is a Config whose Split depends on something that changes while the
// connector runs: the tables of a database, the partitions of a feed.
type Monitor interface {
	// Monitor watches until ctx ends. It calls changed, from any goroutine, each
	// time Split could return something else; the engine then splits a new Config
	// of the same settings and changes the tasks that differ. An error fails the
	// connector; nil before the end of ctx means that there is nothing to watch.
	Monitor(ctx context.Context, changed func()) error
}

// Remover is a Config whose tasks leave something in their system that outlives
// them there: a session of a broker that goes on keeping messages, a slot that goes
// on keeping a log.
type Remover interface {
	// Remove removes what the task of this config has left, because the task will not
	// run again: its connector was deleted, or has fewer tasks now. The task has
	// stopped before, and none of that name and number starts until Remove returns.
	//
	// The context ends after a while. An error is logged and no more: nothing waits
	// for it. After a worker that died meanwhile, what tasks of a deleted connector have left
	// is removed by the next start, so that it may be called again for what is removed.
	Remove(ctx context.Context, rc RemoveContext) error
}

// RemoveContext says which task it is that will not run again.
type RemoveContext struct {
	Connector string       // the connector's name
	Task      int          // the task's number, from 0
	Logger    *slog.Logger // carries connector and task already
	// Deleted: the connector was deleted. Otherwise it goes on with fewer tasks, and
	// what nobody has read yet may still be wanted.
	Deleted bool
}

// SourceOffsetAlterer is a SourceConfig that checks new offsets, or keeps offsets
// outside of the log.
type SourceOffsetAlterer interface {
	// AlterOffsets is called before offsets of a stopped connector are changed; a
	// mark without an offset resets its partition (KIP-875). An error refuses the
	// change. It returns true when whatever is kept elsewhere was changed as well.
	AlterOffsets(ctx context.Context, marks []Mark) (bool, error)
}

// SinkOffsetAlterer is a SinkConfig that checks new offsets, or keeps offsets in
// its own system.
type SinkOffsetAlterer interface {
	// AlterOffsets is what SourceOffsetAlterer has; the offset -1 resets a
	// partition.
	AlterOffsets(ctx context.Context, offsets []PartitionOffset) (bool, error)
}

// DefineAll declares all options of a config for settings that are to be parsed.
func DefineAll(c Config, d *Def, settings map[string]string) {
	c.Define(d)
	if dynamic, ok := c.(Dynamic); ok {
		dynamic.DefineFor(d, slices.Sorted(maps.Keys(settings)))
	}
}

// Configure returns the plugin's config with its options set from settings, or
// all errors in them joined.
func (s *Spec) Configure(settings map[string]string) (Config, error) {
	cfg := s.New()
	var d Def
	DefineAll(cfg, &d, settings)
	if err := Err(d.Parse(settings)); err != nil {
		return nil, err
	}
	if v, ok := cfg.(Validator); ok {
		var errs []error
		for _, e := range v.Validate() {
			errs = append(errs, e)
		}
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}
