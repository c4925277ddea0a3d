package postgres

import (
	"errors"
	"regexp"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/javaregex"
)

// Names of the options that messages refer to.
const (
	optPrefix           = "topic.prefix"
	optNaming           = "topic.naming.strategy"
	optTopicRegex       = "topic.regex"
	optTopicReplacement = "topic.replacement"
	optKeyRegex         = "topic.key.field.regex"
	optKeyReplacement   = "topic.key.field.replacement"
)

// namingPrefix is the Java package of Debezium's strategies.
const namingPrefix = "io.debezium.schema."

// topicOptions are about the names of topics.
type topicOptions struct {
	prefix          string // also the logical name of the database
	delimiter       string
	heartbeatPrefix string
	heartbeatName   string // the whole name; "": heartbeatPrefix, delimiter and prefix
	transaction     string

	naming struct {
		strategy string
		schema   bool // the table's schema is in the name
		unicode  bool // characters that are not allowed become _uXXXX
		regex    *regexNaming
	}

	regexText, replacement       string
	keyRegexText, keyReplacement string
	keyField                     string
	keyUnique                    bool
	cacheSize                    int
	regex, keyRegex              *javaregex.Pattern
}

// regexNaming renames topics, so that several tables can share one.
type regexNaming struct {
	topic       *javaregex.Pattern
	replacement *javaregex.Replacement
	keyField    string // "": the key stays as it is
	key         *javaregex.Pattern
	keyReplace  *javaregex.Replacement
}

func (o *topicOptions) define(d *connect.Def) {
	d.Add(group(groupTopics,
		connect.Option{Name: optPrefix, Var: &o.prefix, Required: true, Aliases: []string{"database.server.name"}, Check: checkTopic(&o.prefix),
			Doc: "Name of the database in all topics, schemas and in source.name: letters, digits, dots, dashes and underscores. Offsets belong to it. " +
				"No two connectors may share one.",
			Importance: connect.High, Display: "Topic Prefix"},
		connect.Option{Name: optNaming, Var: &o.naming.strategy, Default: namingPrefix + "SchemaTopicNamingStrategy", Class: true, OneOf: namingStrategies(),
			Doc:   "How the topics of tables are named: prefix.schema.table, prefix.table (Default…), or by a regular expression (…Regex…).",
			Width: connect.WidthLong, Importance: connect.Medium, Display: "Topic Naming Strategy"},
		connect.Option{Name: "topic.delimiter", Var: &o.delimiter, Default: ".", Check: checkTopic(&o.delimiter),
			Doc:        "What stands between the parts of a topic's name.",
			Importance: connect.Low, Display: "Topic Delimiter"},
		connect.Option{Name: "topic.transaction", Var: &o.transaction, Default: "transaction", Check: checkTopic(&o.transaction),
			Doc:        "Name after the prefix of the topic of transactions.",
			Importance: connect.Low, Display: "Transaction Topic"},
		connect.Option{Name: "topic.heartbeat.prefix", Var: &o.heartbeatPrefix, Default: "__debezium-heartbeat", Aliases: []string{"heartbeat.topics.prefix"},
			Check:      checkTopic(&o.heartbeatPrefix),
			Doc:        "Name before the prefix of the topic of heartbeats.",
			Importance: connect.Low, Display: "Heartbeat Topic Prefix"},
		connect.Option{Name: "topic.heartbeat.name", Var: &o.heartbeatName, Check: checkTopic(&o.heartbeatName),
			Doc:        "Name of the topic of heartbeats, in place of that made with topic.heartbeat.prefix.",
			Importance: connect.Low, Display: "Heartbeat Topic"},
		connect.Option{Name: "topic.cache.size", Var: &o.cacheSize, Default: "10000",
			Doc:        "No effect: a table keeps the name of its topic.",
			Importance: connect.Low, Display: "Topic Cache Size"},
	)...)
	d.Add(group(groupTopics, o.regexOptions()...)...)
}

func (o *topicOptions) regexOptions() []connect.Option {
	return []connect.Option{
		{Name: optTopicRegex, Var: &o.regexText, Check: compileRegex(&o.regexText, &o.regex),
			Doc:        "With a strategy by regular expression: what the whole name of a topic must match to be replaced.",
			Importance: connect.Low, Display: "Topic Regex"},
		{Name: optTopicReplacement, Var: &o.replacement,
			Doc:        "With a strategy by regular expression: the new name, in which $1 stands for the first group.",
			Importance: connect.Low, Display: "Topic Replacement"},
		{Name: "topic.key.enforce.uniqueness", Var: &o.keyUnique, Default: "true",
			Doc:        "With a strategy by regular expression: whether keys get a field that tells tables of one topic apart.",
			Importance: connect.Low, Display: "Unique Keys"},
		{Name: "topic.key.field.name", Var: &o.keyField, Default: "__dbz__physicalTableIdentifier",
			Doc:        "With a strategy by regular expression: the name of that field.",
			Importance: connect.Low, Display: "Key Field"},
		{Name: optKeyRegex, Var: &o.keyRegexText, Check: compileRegex(&o.keyRegexText, &o.keyRegex),
			Doc:        "With a strategy by regular expression: what the topic's former name must match for the field to be made by topic.key.field.replacement.",
			Importance: connect.Low, Display: "Key Field Regex"},
		{Name: optKeyReplacement, Var: &o.keyReplacement,
			Doc:        "With a strategy by regular expression: the field's value. Otherwise it is the topic's former name.",
			Importance: connect.Low, Display: "Key Field Replacement"},
	}
}

func namingStrategies() []string {
	var all []string
	for _, kind := range []string{"", "Regex", "Unicode"} {
		for _, parts := range []string{"Schema", "Default"} {
			all = append(all, namingPrefix+parts+kind+"TopicNamingStrategy")
		}
	}
	return all
}

var topicText = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)

// checkTopic is the check of an option that becomes a part of topics' names.
func checkTopic(text *string) func() error {
	return func() error {
		if !topicText.MatchString(*text) {
			return errors.New("it has characters other than letters, digits, dots, dashes and underscores")
		}
		if len(*text) > maxTopicLength {
			return errors.New("a topic's name has at most 249 characters")
		}
		return nil
	}
}

func compileRegex(text *string, re **javaregex.Pattern) func() error {
	return func() (err error) {
		*re = nil
		if *text != "" {
			*re, err = javaregex.Compile(*text)
		}
		return err
	}
}

// validate puts the strategy together.
func (o *topicOptions) validate() []*connect.ConfigError {
	n := &o.naming
	name := strings.TrimPrefix(n.strategy, namingPrefix)
	n.schema = strings.HasPrefix(name, "Schema")
	n.unicode = strings.Contains(name, "Unicode")
	n.regex = nil
	if !strings.Contains(name, "Regex") {
		return nil
	}
	if o.regex == nil {
		return []*connect.ConfigError{{Option: optTopicRegex, Reason: "it is needed with " + name}}
	}
	if o.replacement == "" {
		return []*connect.ConfigError{{Option: optTopicReplacement, Reason: "it must not be empty with " + optTopicRegex}}
	}
	if o.keyRegex != nil && o.keyReplacement == "" {
		return []*connect.ConfigError{{Option: optKeyReplacement, Reason: "it must not be empty with " + optKeyRegex}}
	}
	r := &regexNaming{topic: o.regex, key: o.keyRegex}
	var err error
	if r.replacement, err = o.regex.Replacement(o.replacement); err != nil {
		return []*connect.ConfigError{{Option: optTopicReplacement, Reason: err.Error()}}
	}
	if r.key != nil {
		if r.keyReplace, err = r.key.Replacement(o.keyReplacement); err != nil {
			return []*connect.ConfigError{{Option: optKeyReplacement, Reason: err.Error()}}
		}
	}
	if o.keyUnique {
		r.keyField = o.keyField
	}
	n.regex = r
	return nil
}
