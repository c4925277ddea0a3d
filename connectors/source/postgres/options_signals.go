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
	optSignalTable          = "signal.data.collection"
	optSignalChannels       = "signal.enabled.channels"
	optSignalTopic          = "signal.kafka.topic"
	optNotificationChannels = "notification.enabled.channels"
	optNotificationTopic    = "notification.sink.topic.name"
)

// signalOptions are about signals, the incremental snapshots that they start, and
// notifications.
type signalOptions struct {
	tables          []tableName // of signal rows
	channels        []string    // source, file
	topic           string
	file            string
	pollInterval    time.Duration
	chunkSize       int // rows of a chunk of an incremental snapshot
	watermarking    string
	schemaChanges   bool
	notifications   []string // sink, log
	notificationsTo string   // topic

	tablesText   []string
	servers      []string
	groupID      string
	pollTimeout  time.Duration
	emitRetries  int
	emitBackoff  time.Duration
	channelsText []string
}

func (o *signalOptions) define(d *connect.Def) {
	d.Add(group(groupSignals, o.signalOptions()...)...)
	d.Add(group(groupSignals, o.snapshotOptions()...)...)
	d.Add(group(groupSignals, o.notificationOptions()...)...)
	d.Ignore("signal.consumer.*")
}

func (o *signalOptions) signalOptions() []connect.Option {
	return []connect.Option{
		{Name: optSignalTable, Var: &o.tablesText, Check: o.parseTables,
			Doc: "Tables, as schema.table, whose new rows are signals: columns id, type and data of type varchar. " +
				"Incremental snapshots write their watermarks into the first, unless read.only is set.",
			Importance: connect.Medium, Display: "Signal Table"},
		{Name: optSignalChannels, Var: &o.channelsText, Default: "source", Check: o.parseChannels,
			OneOf:      []string{"source", "kafka", "file", "jmx"},
			Doc:        "Where signals come from: the signal table (source), a file. jmx is accepted and has no effect, kafka is refused.",
			Importance: connect.Medium, Display: "Signal Channels"},
		{Name: optSignalTopic, Var: &o.topic,
			Doc:        "No effect: signals are not read from a topic.",
			Importance: connect.Medium, Display: "Signal Topic"},
		{Name: "signal.kafka.bootstrap.servers", Var: &o.servers,
			Doc:        "No effect.",
			Importance: connect.Low, Display: "Signal Bootstrap Servers"},
		{Name: "signal.kafka.groupId", Var: &o.groupID, Default: "kafka-signal",
			Doc: "No effect.", Importance: connect.Low, Display: "Signal Consumer Group"},
		{Name: "signal.kafka.poll.timeout.ms", Var: &o.pollTimeout, Default: "100",
			Doc: "No effect.", Importance: connect.Low, Display: "Signal Poll Timeout (ms)"},
		{Name: "signal.file", Var: &o.file, Default: "file-signals.txt",
			Doc:        "File of signals, one JSON object a line. It is read and emptied.",
			Importance: connect.Medium, Display: "Signal File"},
		{Name: "signal.poll.interval.ms", Var: &o.pollInterval, Default: "5000", Check: atLeast(&o.pollInterval, time.Millisecond),
			Doc:        "Milliseconds between looks for signals in a file.",
			Importance: connect.Medium, Display: "Signal Poll Interval (ms)"},
		{Name: "signal.emit.failure.max.retries", Var: &o.emitRetries, Default: "0", Check: atLeast(&o.emitRetries, 0),
			Doc:        "How often to try again when a watermark cannot be written.",
			Importance: connect.Low, Display: "Watermark Retries"},
		{Name: "signal.emit.failure.backoff.ms", Var: &o.emitBackoff, Default: "10000", Check: atLeast(&o.emitBackoff, 0),
			Doc:        "Milliseconds between these attempts.",
			Importance: connect.Low, Display: "Watermark Backoff (ms)"},
	}
}

func (o *signalOptions) snapshotOptions() []connect.Option {
	return []connect.Option{
		{Name: "incremental.snapshot.chunk.size", Var: &o.chunkSize, Default: "1024", Check: atLeast(&o.chunkSize, 1),
			Doc:        "Rows that an incremental snapshot reads at once.",
			Importance: connect.Medium, Display: "Incremental Chunk Size"},
		{Name: "incremental.snapshot.watermarking.strategy", Var: &o.watermarking, Default: "insert_insert", IgnoreCase: true,
			OneOf:      []string{"insert_insert", "insert_delete"},
			Doc:        "Whether the row that opens a window in the signal table is followed by another or deleted when the window closes.",
			Importance: connect.Low, Display: "Watermarking"},
		{Name: "incremental.snapshot.allow.schema.changes", Var: &o.schemaChanges, Default: "false",
			Doc:        "No effect: a change of a table's structure in the middle is always handled.",
			Importance: connect.Low, Display: "Allow Schema Changes"},
	}
}

func (o *signalOptions) notificationOptions() []connect.Option {
	return []connect.Option{
		{Name: optNotificationChannels, Var: &o.notifications, OneOf: []string{"sink", "log", "jmx"},
			Doc:        "Where notices of the progress of snapshots go: to a topic, to the log. jmx is accepted and has no effect.",
			Importance: connect.Medium, Display: "Notification Channels"},
		{Name: optNotificationTopic, Var: &o.notificationsTo,
			Doc:        "Topic of notices, needed with the channel sink.",
			Importance: connect.High, Display: "Notification Topic"},
	}
}

func (o *signalOptions) parseTables() error {
	o.tables = nil
	for _, text := range o.tablesText {
		schema, table, ok := strings.Cut(text, ".")
		if !ok || schema == "" || table == "" {
			return fmt.Errorf("%q is not of the form schema.table", text)
		}
		o.tables = append(o.tables, tableName{schema, table})
	}
	return nil
}

func (o *signalOptions) parseChannels() error {
	o.channels = nil
	for _, c := range o.channelsText {
		switch c {
		case "kafka":
			return errors.New("signals are not read from a topic: leave kafka out, and send them by the signal table (source) or a file (file)")
		case "jmx":
		default:
			o.channels = append(o.channels, c)
		}
	}
	return nil
}

func (o *signalOptions) validate(prefix string) (errs []*connect.ConfigError) {
	if o.topic == "" {
		o.topic = prefix + "-signal"
	}
	for _, c := range o.notifications {
		if c == "sink" && o.notificationsTo == "" {
			errs = append(errs, &connect.ConfigError{Option: optNotificationTopic,
				Reason: "it is needed when " + optNotificationChannels + " has sink: name a topic"})
		}
	}
	return errs
}

// isSignalTable tells whether rows of the table are signals.
func (o *signalOptions) isSignalTable(name tableName) bool {
	for _, t := range o.tables {
		if t == name {
			return true
		}
	}
	return false
}
