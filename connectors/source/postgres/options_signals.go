package postgres

import (
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
	optSignalServers        = "signal.kafka.bootstrap.servers"
	optNotificationChannels = "notification.enabled.channels"
	optNotificationTopic    = "notification.sink.topic.name"
)

// signalOptions are about signals, the incremental snapshots that they start, and
// notifications.
type signalOptions struct {
	tables          []tableName // of signal rows
	channels        []string    // source, file, kafka
	topic           string
	consumer        []*consumerSetting // of the topic
	file            string
	pollInterval    time.Duration
	chunkSize       int // rows of a chunk of an incremental snapshot
	watermarking    string
	schemaChanges   bool
	notifications   []string // sink, log, http
	notificationsTo string   // topic
	http            httpOptions

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
	d.Add(group(groupSignals, o.http.options()...)...)
}

func (o *signalOptions) signalOptions() []connect.Option {
	return []connect.Option{
		{Name: optSignalTable, Var: &o.tablesText, Check: o.parseTables,
			Doc: "Tables, as schema.table, whose new rows are signals: columns id, type and data of type varchar. " +
				"Incremental snapshots write their watermarks into the first, unless read.only is set.",
			Importance: connect.Medium, Display: "Signal Table"},
		{Name: optSignalChannels, Var: &o.channelsText, Default: "source", Check: o.parseChannels,
			OneOf:      []string{"source", "kafka", "file", "jmx"},
			Doc:        "Where signals come from: the signal table (source), a topic (kafka), a file (file). jmx is accepted and has no effect.",
			Importance: connect.Medium, Display: "Signal Channels"},
		{Name: optSignalTopic, Var: &o.topic, Check: checkTopic(&o.topic),
			Doc: "Topic of signals, <topic.prefix>-signal by default, of which the partition 0 is read. The key of a record is the topic.prefix of the connector " +
				"that it is for, the value a JSON object with id, type and data.",
			Importance: connect.Medium, Display: "Signal Topic"},
		{Name: optSignalServers, Var: &o.servers, Check: o.checkServers,
			Doc:        "Brokers of the cluster that has the topic. The cluster that the worker uses by default.",
			Importance: connect.Low, Display: "Signal Bootstrap Servers"},
		{Name: "signal.kafka.groupId", Var: &o.groupID, Default: "kafka-signal",
			Doc: "Consumer group that shows how far the topic is read. A connector without an offset begins where the group is, " +
				"or as signal.consumer.auto.offset.reset says; after that its own offset counts.",
			Importance: connect.Low, Display: "Signal Consumer Group"},
		{Name: "signal.kafka.poll.timeout.ms", Var: &o.pollTimeout, Default: "100",
			Doc: "No effect: the topic is read beside the stream.", Importance: connect.Low, Display: "Signal Poll Timeout (ms)"},
		{Name: "signal.file", Var: &o.file, Default: "file-signals.txt",
			Doc:        "File of signals, one JSON object a line. It is read and emptied.",
			Importance: connect.Medium, Display: "Signal File"},
		{Name: "signal.poll.interval.ms", Var: &o.pollInterval, Default: "5000", Check: atLeast(&o.pollInterval, time.Millisecond),
			Doc:        "Milliseconds between looks for signals in a file or a topic while no changes come.",
			Importance: connect.Medium, Display: "Signal Poll Interval (ms)"},
		{Name: "signal.emit.failure.max.retries", Var: &o.emitRetries, Default: "0", Check: atLeast(&o.emitRetries, 0),
			Doc:        "How often to try again when a watermark cannot be written.",
			Importance: connect.Medium, Display: "Watermark Retries"},
		{Name: "signal.emit.failure.backoff.ms", Var: &o.emitBackoff, Default: "10000", Check: atLeast(&o.emitBackoff, 0),
			Doc:        "Milliseconds between these attempts.",
			Importance: connect.Medium, Display: "Watermark Backoff (ms)"},
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
		{Name: optNotificationChannels, Var: &o.notifications, OneOf: []string{"sink", "log", "http", "jmx"},
			Doc:        "Where notices of the progress of snapshots go: to a topic (sink), to the log, to a URL (http). jmx is accepted and has no effect.",
			Importance: connect.Medium, Display: "Notification Channels"},
		{Name: optNotificationTopic, Var: &o.notificationsTo,
			Doc:        "Topic of notices, needed with the channel sink.",
			Importance: connect.High, Display: "Notification Topic"},
	}
}

// consumerPrefix begins the names of the settings of the consumer of the topic.
const consumerPrefix = "signal.consumer."

// consumerSetting is one of them.
type consumerSetting struct {
	name   string // without the prefix
	text   string
	secret connect.Secret // in place of text
}

// defineFor declares those that are given.
func (o *signalOptions) defineFor(d *connect.Def, names []string) {
	o.consumer = nil
	for _, name := range names {
		setting, ok := strings.CutPrefix(name, consumerPrefix)
		if !ok {
			continue
		}
		c := &consumerSetting{name: setting}
		o.consumer = append(o.consumer, c)
		option := connect.Option{Name: name, Var: &c.text, NoDefault: true, Doc: "Setting of the Kafka consumer that reads the topic of signals.",
			Importance: connect.Low, Display: setting}
		if strings.HasPrefix(setting, "sasl.jaas") || strings.HasPrefix(setting, "ssl.keystore.") || strings.Contains(setting, "password") {
			option.Var = &c.secret // I6
		}
		d.Add(group(groupSignals, option)...)
	}
}

// consumerSettings are the settings of the consumer under Kafka's names.
func (o *signalOptions) consumerSettings() map[string]string {
	settings := make(map[string]string, len(o.consumer)+1)
	for _, c := range o.consumer {
		settings[c.name] = c.text + c.secret.Reveal()
	}
	return settings
}

func (o *signalOptions) checkServers() error {
	for _, address := range o.servers {
		if host, port, ok := strings.Cut(address, ":"); !ok || host == "" || port == "" {
			return fmt.Errorf("%q is not HOST:PORT", address)
		}
	}
	return nil
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
		if c != "jmx" {
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
	if err := o.http.validate(o.notifications); err != nil {
		errs = append(errs, &connect.ConfigError{Option: optNotificationURL, Reason: err.Error()})
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
