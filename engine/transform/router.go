package transform

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/transform/javadate"
	"github.com/sluice-data/sluice/internal/javaregex"
)

// maxTopics is how many topics a transform or predicate keeps its answer for (I5).
// When there are more, all are dropped.
const maxTopics = 1024

// byTopic keeps what was found out about topics. Records that follow each other
// have mostly the same.
type byTopic[T any] struct {
	last *topicAnswer[T]
	all  map[string]*topicAnswer[T]
}

type topicAnswer[T any] struct {
	topic string // a copy: a record's topic is the batch's memory
	value T
}

// of returns what find finds for the topic. Errors are not kept.
func (t *byTopic[T]) of(topic string, find func(string) (T, error)) (T, error) {
	if t.last != nil && topic == t.last.topic {
		return t.last.value, nil
	}
	a, ok := t.all[topic]
	if !ok {
		a = &topicAnswer[T]{topic: strings.Clone(topic)}
		var err error
		if a.value, err = find(a.topic); err != nil {
			return a.value, err
		}
		if t.all == nil || len(t.all) >= maxTopics {
			t.all = make(map[string]*topicAnswer[T])
		}
		t.all[a.topic] = a
	}
	t.last = a
	return a.value, nil
}

// regexRouter is RegexRouter.
type regexRouter struct {
	regex, replacement string

	pattern *javaregex.Pattern
	replace *javaregex.Replacement
	topics  byTopic[string]
}

func (t *regexRouter) options() []connect.Option {
	return []connect.Option{
		{Name: "regex", Var: &t.regex, Required: true, Check: checkRegex(&t.regex, &t.pattern), Importance: connect.High,
			Doc: "Java regular expression that matches the whole topic."},
		{Name: "replacement", Var: &t.replacement, Required: true, AllowEmpty: true, Importance: connect.High,
			Doc: "The new topic, in which $1 and ${name} are groups of regex."},
	}
}

// checkRegex compiles a pattern in Java's syntax.
func checkRegex(text *string, pattern **javaregex.Pattern) func() error {
	return func() (err error) {
		if *pattern, err = javaregex.Compile(*text); err != nil {
			return fmt.Errorf("Invalid regex: %w", err)
		}
		return nil
	}
}

func (t *regexRouter) prepare() (err error) {
	if t.replace, err = t.pattern.Replacement(t.replacement); err != nil {
		return &connect.ConfigError{Option: "replacement", Reason: err.Error()}
	}
	return nil
}

func (t *regexRouter) apply(_ *connect.Batch, r *connect.Record) (bool, error) {
	topic, err := t.topics.of(r.Topic, t.route)
	if err != nil {
		return false, err
	}
	r.Topic = topic
	return true, nil
}

// route replaces as Kafka does: the first place that the pattern matches, once it is
// known to match the whole topic, which with a reluctant pattern is less.
func (t *regexRouter) route(topic string) (string, error) {
	if ok, err := t.pattern.Matches(topic); err != nil || !ok {
		return topic, err
	}
	return t.pattern.ReplaceFirst(topic, t.replace)
}

// timestampRouter is TimestampRouter.
type timestampRouter struct {
	topicFormat, timestampFormat string

	format    *javadate.Format
	text      []byte // the timestamp of the record
	lastText  string // that of the last record, whose topic was lastTopic
	lastTopic string
	result    string
}

func (t *timestampRouter) options() []connect.Option {
	return []connect.Option{
		{Name: "topic.format", Var: &t.topicFormat, Default: "${topic}-${timestamp}", Importance: connect.High,
			Doc: "The new topic, in which ${topic} is the old one and ${timestamp} the record's timestamp."},
		{Name: "timestamp.format", Var: &t.timestampFormat, Default: "yyyyMMdd", Check: t.checkFormat, Importance: connect.High,
			Doc: "Pattern of Java's SimpleDateFormat for the timestamp, in UTC."},
	}
}

func (t *timestampRouter) checkFormat() (err error) {
	t.format, err = javadate.Compile(t.timestampFormat, time.Now())
	return err
}

func (t *timestampRouter) prepare() error { return nil }

func (t *timestampRouter) apply(_ *connect.Batch, r *connect.Record) (bool, error) {
	if r.Timestamp == connect.NoTimestamp {
		return false, errors.New("Timestamp missing on record")
	}
	t.text = t.format.Append(t.text[:0], r.Timestamp)
	if t.result == "" || string(t.text) != t.lastText || r.Topic != t.lastTopic {
		t.lastText, t.lastTopic = string(t.text), strings.Clone(r.Topic)
		topic := strings.ReplaceAll(t.topicFormat, "${topic}", r.Topic)
		t.result = strings.Clone(strings.ReplaceAll(topic, "${timestamp}", t.lastText))
	}
	r.Topic = t.result
	return true, nil
}
