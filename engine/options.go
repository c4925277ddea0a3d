package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/engine/transform"
	"github.com/sluice-data/sluice/internal/javaregex"
)

const (
	autoRestartOption = "auto.restart.enable"

	nameOption  = "name"
	classOption = "connector.class"
	// taskClassOption is in the config of every task, under Kafka's name.
	taskClassOption = "task.class"
)

// Groups of the framework's options, with Kafka's names.
const (
	groupCommon        = "Common"
	groupTransforms    = "Transforms"
	groupPredicates    = "Predicates"
	groupErrors        = "Error Handling"
	groupTopicCreation = "Topic Creation"
	groupExactlyOnce   = "Exactly Once Support"
	groupOffsetsTopic  = "offsets.topic"
	groupConnector     = "Connector" // of a connector's options without one
	groupClient        = "Client Overrides"
)

// connectorOptions are the framework's options of a connector.
type connectorOptions struct {
	name, class                                 string
	tasksMax                                    int
	tasksMaxEnforce                             bool
	keyConverter, valueConverter, headConverter string
	transforms, predicates                      []string
	reload                                      string
	autoRestart                                 bool
	retryTimeout, retryDelayMax                 time.Duration
	tolerance                                   string
	logErrors, logRecords                       bool
	dlqTopic                                    string
	dlqReplication                              int16
	dlqContext                                  bool

	// the Kafka clients of the tasks
	producer, consumer, admin clientSettings

	// sources
	topicCreation    []string
	topicGroups      []*topicGroup // in order, the default one last
	exactlyOnce      string
	boundary         string
	boundaryInterval time.Duration
	ownOffsetsTopic  string

	// sinks
	topics             []string
	topicsRegex        string
	topicsRegexPattern *javaregex.Pattern
}

// checkTasks refuses more tasks of a connector than tasks.max, with the beginning of
// Kafka Connect's text (KIP-1004).
func (o *connectorOptions) checkTasks(name string, tasks int) error {
	if tasks <= o.tasksMax || !o.tasksMaxEnforce {
		return nil
	}
	return fmt.Errorf("The connector %s has generated %d tasks, which is greater than %d, the maximum number of tasks it is configured to create. "+
		"Raise tasks.max, or set tasks.max.enforce to false", strings.TrimSpace(name), tasks, o.tasksMax)
}

// tolerateAll tells whether records that cannot be handled are skipped.
func (o *connectorOptions) tolerateAll() bool { return o.tolerance == "all" }

// defineCommon declares what sources and sinks share.
func (o *connectorOptions) defineCommon(d *connect.Def) {
	d.Add(
		connect.Option{Name: nameOption, Var: &o.name, Required: true, Importance: connect.High, Group: groupCommon, Width: connect.WidthMedium,
			Display: "Connector name", Doc: "Name of the connector, unique in the cluster."},
		connect.Option{Name: classOption, Var: &o.class, Required: true, Importance: connect.High, Group: groupCommon, Width: connect.WidthLong,
			Display: "Connector class", Doc: "The plugin to run: its full class name or the last element of it."},
		connect.Option{Name: "tasks.max", Var: &o.tasksMax, Default: "1", Check: atLeast(&o.tasksMax, 1), Importance: connect.High, Group: groupCommon,
			Width: connect.WidthShort, Display: "Tasks max", Doc: "Largest number of tasks."},
		connect.Option{Name: "tasks.max.enforce", Var: &o.tasksMaxEnforce, Default: "true", Group: groupCommon, Width: connect.WidthShort,
			Display: "Enforce tasks max", Doc: "Whether more tasks than tasks.max are an error (KIP-1004)."},
		converterOption("key", &o.keyConverter), converterOption("value", &o.valueConverter), converterOption("header", &o.headConverter),
		connect.Option{Name: "transforms", Var: &o.transforms, Group: groupTransforms, Width: connect.WidthLong, Display: "Transforms",
			Check: func() error { return transform.CheckAliases(o.transforms) }, Doc: "Aliases of the transforms that records go through, in this order. transforms.<alias>.type is the class of one."},
		connect.Option{Name: "predicates", Var: &o.predicates, Group: groupPredicates, Width: connect.WidthLong, Display: "Predicates",
			Check: func() error { return transform.CheckAliases(o.predicates) }, Doc: "Aliases of the predicates that transforms refer to. predicates.<alias>.type is the class of one."},
		connect.Option{Name: "config.action.reload", Var: &o.reload, Default: "restart", OneOf: []string{"restart", "none"}, Group: groupCommon,
			Width: connect.WidthMedium, Display: "Reload action", Doc: "What happens when a value that a config provider resolved changes: the connector and its tasks are restarted within some 10 seconds, or nothing."},
	)
	o.defineErrors(d)
	d.Ignore(taskClassOption, "connector.plugin.version", "key.converter.plugin.version", "value.converter.plugin.version", "header.converter.plugin.version")
}

func converterOption(which string, target *string) connect.Option {
	return connect.Option{Name: which + ".converter", Var: target, NoDefault: true, Class: true, OneOf: converterClasses(which == "header"),
		Group: groupCommon, Width: connect.WidthShort, Display: strings.ToUpper(which[:1]) + which[1:] + " converter class",
		Doc: "Converter between the bytes in the log and the " + which + " of a record; the worker's when not given."}
}

func (o *connectorOptions) defineErrors(d *connect.Def) {
	d.Add(
		connect.Option{Name: "errors.retry.timeout", Var: &o.retryTimeout, Default: "0", Importance: connect.Medium, Group: groupErrors, Width: connect.WidthMedium,
			Display: "Retry timeout for errors", Check: atLeastOrForever(&o.retryTimeout), Doc: "How long a converter or transform is tried again after an error that can pass, in milliseconds; -1: for ever. What the connector itself says can pass is tried again for as long as it takes."},
		connect.Option{Name: "errors.retry.delay.max.ms", Var: &o.retryDelayMax, Default: "60000", Check: positive(&o.retryDelayMax), Importance: connect.Medium,
			Group: groupErrors, Width: connect.WidthMedium, Display: "Maximum delay between retries", Doc: "Longest delay between two attempts, in milliseconds. The first is 300 ms, each further one twice as long; once over the maximum, a random time below it."},
		connect.Option{Name: "errors.tolerance", Var: &o.tolerance, Default: "none", OneOf: []string{"none", "all"}, Importance: connect.Medium, Group: groupErrors,
			Width: connect.WidthShort, Display: "Error tolerance", Doc: "What a record that cannot be converted or written does: fail the task (none) or be skipped (all)."},
		connect.Option{Name: "errors.log.enable", Var: &o.logErrors, Default: "false", Importance: connect.Medium, Group: groupErrors, Width: connect.WidthShort,
			Display: "Log errors", Doc: "Whether each skipped record is logged."},
		connect.Option{Name: "errors.log.include.messages", Var: &o.logRecords, Default: "false", Importance: connect.Medium, Group: groupErrors, Width: connect.WidthShort,
			Display: "Log record details", Doc: "Whether the log says where a skipped record is. Its content is never logged."},
		connect.Option{Name: autoRestartOption, Var: &o.autoRestart, NoDefault: true, Importance: connect.Medium, Group: groupErrors, Width: connect.WidthShort,
			Display: "Restart by itself", Doc: "Whether what has failed is restarted by itself, after 10 seconds, then each time after twice as long, up to 10 minutes. When not given: what the worker's property of this name says, which is true by default."},
	)
}

// dlqReplicationOption is the replication factor of a dead letter queue.
const dlqReplicationOption = "errors.deadletterqueue.topic.replication.factor"

// defineLetters declares the dead letter queue. Kafka Connect has one for sinks
// only; sources have the same options here.
func (o *connectorOptions) defineLetters(d *connect.Def, doc string) {
	d.Add(
		connect.Option{Name: "errors.deadletterqueue.topic.name", Var: &o.dlqTopic, Check: o.checkLetters, Importance: connect.Medium, Group: groupErrors,
			Width: connect.WidthMedium, Display: "Dead letter queue topic", Doc: doc},
		connect.Option{Name: dlqReplicationOption, Var: &o.dlqReplication, Default: "3", Check: replication(&o.dlqReplication), Importance: connect.Medium, Group: groupErrors,
			Width: connect.WidthMedium, Display: "Dead letter queue replication factor",
			Doc: "Replicas of the dead letter queue topic when it is created; -1, and on a cluster with fewer brokers the default too: the cluster's default."},
		connect.Option{Name: "errors.deadletterqueue.context.headers.enable", Var: &o.dlqContext, Default: "false", Importance: connect.Medium, Group: groupErrors,
			Width: connect.WidthMedium, Display: "Dead letter queue context headers",
			Doc: "Whether records of the dead letter queue say in headers (__connect.errors.*) where they come from and why."},
	)
}

// checkLetters looks at the name only; checkSink keeps a sink from reading its own
// dead letters.
func (o *connectorOptions) checkLetters() error {
	if o.dlqTopic != "" && !validTopic(o.dlqTopic) {
		return errTopicName
	}
	return nil
}

func atLeastOrForever(v *time.Duration) func() error {
	return func() error {
		if *v < 0 && *v != -time.Millisecond {
			return errors.New("Value must be -1 or at least 0")
		}
		return nil
	}
}

func (o *connectorOptions) defineSource(d *connect.Def) {
	o.defineLetters(d, "Topic for records that cannot be converted or that the log refuses, in the same transaction or before the offset. It needs errors.tolerance=all. Kafka Connect has this for sinks only.")
	d.Add(
		connect.Option{Name: "topic.creation.groups", Var: &o.topicCreation, Group: groupTopicCreation, Width: connect.WidthLong, Display: "Topic creation groups",
			Check: o.checkTopicGroups, Doc: "Groups of settings for topics that are created: the first that matches a topic is used, topic.creation.default.* for the others. Without topic.creation options topics are created by the cluster."},
		connect.Option{Name: "exactly.once.support", Var: &o.exactlyOnce, Default: "requested", OneOf: []string{"requested", "required"}, Importance: connect.Medium,
			Group: groupExactlyOnce, Width: connect.WidthShort, Display: "Exactly once support",
			Doc: "With requested, records and offsets are written in transactions where the worker and the connector support it. With required, a connector that does not is refused."},
		connect.Option{Name: "transaction.boundary", Var: &o.boundary, Default: boundaryPoll, OneOf: []string{boundaryPoll, boundaryInterval, boundaryConnector}, Importance: connect.Medium,
			Group: groupExactlyOnce, Width: connect.WidthShort, Display: "Transaction boundary",
			Doc: "Where transactions end: after each batch that the connector reads (poll; batches that wait share one, and full batches go on with it for up to 50 ms), after an interval, or where the connector says."},
		connect.Option{Name: "transaction.boundary.interval.ms", Var: &o.boundaryInterval, NoDefault: true, Group: groupExactlyOnce, Width: connect.WidthShort,
			Check: within(&o.boundaryInterval, time.Millisecond, maxTransaction-transactionSlack), Display: "Transaction boundary interval",
			Doc: "Length of a transaction with transaction.boundary=interval, in milliseconds; the worker's offset.flush.interval.ms when not given."},
		connect.Option{Name: ownOffsetsOption, Var: &o.ownOffsetsTopic, NoDefault: true, Group: groupOffsetsTopic, Width: connect.WidthLong, Display: "Offsets topic",
			Check: o.checkOwnOffsets, Doc: "A topic of the connector's own for its offsets, which is created when it is missing. The worker's offset topic gets copies."},
	)
}

func (o *connectorOptions) defineSink(d *connect.Def) {
	d.Add(
		connect.Option{Name: "topics", Var: &o.topics, Check: o.checkTopics, Importance: connect.High, Group: groupCommon, Width: connect.WidthLong,
			Display: "Topics", Dependents: []string{"topics.regex"}, Doc: "Topics to read, separated by commas. Either topics or topics.regex is needed."},
		connect.Option{Name: "topics.regex", Var: &o.topicsRegex, Check: o.checkRegex, Importance: connect.High, Group: groupCommon, Width: connect.WidthLong,
			Display: "Topics regex", Doc: "Regular expression, as Java has them, that matches the whole name of each topic to read."},
	)
	o.defineLetters(d, "Topic for records that cannot be handled, as they are in the log. It needs errors.tolerance=all.")
}

func (o *connectorOptions) checkTopics() error {
	for _, t := range o.topics {
		if !validTopic(t) {
			return fmt.Errorf("%q is not a topic name: use letters, digits, '.', '_' and '-', at most 249", t)
		}
	}
	return nil
}

func (o *connectorOptions) checkRegex() error {
	if o.topicsRegex == "" {
		return nil
	}
	var err error
	if o.topicsRegexPattern, err = javaregex.Compile(o.topicsRegex); err != nil {
		return fmt.Errorf("not a regular expression: %w", err)
	}
	return nil
}

// backtracks tells whether topics.regex is beyond what the client can match.
func (o *connectorOptions) backtracks() bool {
	if o.topicsRegexPattern == nil {
		return false
	}
	_, ok := o.topicsRegexPattern.RE2()
	return !ok
}

var errTopicName = errors.New("not a topic name: use letters, digits, '.', '_' and '-', at most 249")

func validTopic(name string) bool {
	if name == "" || len(name) > 249 || name == "." || name == ".." {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
}

// notAvailable refuses a setting that would be ignored silently otherwise.
func notAvailable(used func() bool, what string) func() error {
	return func() error {
		if used() {
			return fmt.Errorf("%s are not available in this version; remove this setting", what)
		}
		return nil
	}
}

func atLeast(v *int, least int) func() error {
	return func() error {
		if *v < least {
			return fmt.Errorf("Value must be at least %d", least)
		}
		return nil
	}
}

func positive(v *time.Duration) func() error {
	return func() error {
		if *v <= 0 {
			return errors.New("Value must be at least 1")
		}
		return nil
	}
}

func within(v *time.Duration, least, most time.Duration) func() error {
	return func() error {
		if *v < least || *v > most {
			return fmt.Errorf("Value must be between %d and %d", least.Milliseconds(), most.Milliseconds())
		}
		return nil
	}
}

// converterClasses are the classes of converters, or of those that serve headers.
func converterClasses(header bool) []string {
	if header {
		return convert.HeaderClasses()
	}
	return convert.Classes()
}
