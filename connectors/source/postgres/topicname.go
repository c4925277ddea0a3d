package postgres

import (
	"strings"
	"unicode/utf16"

	"github.com/sluice-data/sluice/internal/avroname"
	"github.com/sluice-data/sluice/internal/javaregex"
)

// maxTopicLength is Kafka's limit of a topic's name.
const maxTopicLength = 249

// table returns the topic of a table, and the topic's name before a regular
// expression changed it.
func (o *topicOptions) table(n tableName) (topic, origin string, err error) {
	parts := []string{o.prefix, n.schema, n.name}
	if !o.naming.schema {
		parts = []string{o.prefix, n.name}
	}
	origin = strings.Join(parts, o.delimiter)
	topic = o.sanitize(origin)
	r := o.naming.regex
	if r == nil {
		return topic, origin, nil
	}
	renamed, err := replaceWhole(r.topic, r.replacement, topic)
	if err != nil || renamed == "" {
		return topic, origin, err
	}
	return renamed, origin, nil
}

// keyField returns the value of the field that tells tables of one topic apart.
func (r *regexNaming) keyFieldValue(origin string) (string, error) {
	if r.key == nil {
		return origin, nil
	}
	return replaceWhole(r.key, r.keyReplace, origin)
}

// transactions, heartbeats and messages are the topics beside those of tables.
func (o *topicOptions) transactions() string { return o.prefix + o.delimiter + o.transaction }

func (o *topicOptions) messages() string { return o.prefix + ".message" }

func (o *topicOptions) heartbeats() string {
	if o.heartbeatName != "" {
		return o.heartbeatName
	}
	return o.heartbeatPrefix + o.delimiter + o.prefix
}

// sanitize makes a valid topic of a name. Characters are those of Java: two for
// one outside the basic plane.
func (o *topicOptions) sanitize(name string) string {
	var b strings.Builder
	for _, c := range utf16.Encode([]rune(name)) {
		if topicChar(c) && !(o.naming.unicode && c == '_') {
			b.WriteByte(byte(c))
		} else {
			b.WriteString(o.replace(c))
		}
	}
	switch topic := b.String(); {
	case len(topic) > maxTopicLength:
		return topic[:maxTopicLength]
	case topic == "." || topic == "..":
		return strings.Repeat(o.replace('.'), len(topic))
	default:
		return topic
	}
}

func (o *topicOptions) replace(c uint16) string {
	if o.naming.unicode {
		return avroname.Escape(c)
	}
	return "_"
}

func topicChar(c uint16) bool {
	return isLetter(c) || isDigit(c) || c == '.' || c == '_' || c == '-'
}

func isLetter(c uint16) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c uint16) bool { return c >= '0' && c <= '9' }

// replaceWhole replaces the first match in text if the pattern matches all of it.
func replaceWhole(p *javaregex.Pattern, r *javaregex.Replacement, text string) (string, error) {
	ok, err := p.Matches(text)
	if err != nil || !ok {
		return text, err
	}
	return p.ReplaceFirst(text, r)
}
