package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/engine/transform/javaregex"
)

// checkSink applies the rules between the options of sinks, with Kafka Connect's
// texts.
func (d *definition) checkSink(workerGroup string) {
	o := &d.options
	switch {
	case len(o.topics) == 0 && o.topicsRegex == "":
		d.failBoth("topics", "topics.regex", "Must configure one of topics or topics.regex")
	case len(o.topics) > 0 && o.topicsRegex != "":
		d.failBoth("topics", "topics.regex", "topics and topics.regex are mutually exclusive options, but both are set.")
	case o.dlqTopic != "" && slices.Contains(o.topics, o.dlqTopic):
		d.fail("topics", fmt.Sprintf("The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') consumed by the connector",
			o.dlqTopic, strings.Join(o.topics, ", ")))
	case o.dlqTopic != "" && o.topicsRegexPattern != nil && matches(o.topicsRegexPattern, o.dlqTopic):
		d.fail("topics.regex", fmt.Sprintf("The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector",
			o.dlqTopic, o.topicsRegex))
	}
	switch {
	case workerGroup == "":
	case o.consumer.groupID == workerGroup:
		d.fail("consumer.override.group.id", fmt.Sprintf("Consumer group %s conflicts with Connect worker group %s", o.consumer.groupID, workerGroup))
	case o.consumer.groupID == "" && "connect-"+strings.TrimSpace(o.name) == workerGroup:
		d.fail(nameOption, fmt.Sprintf("Consumer group for sink connector named %s conflicts with Connect worker group %s", o.name, workerGroup))
	}
}

// matches counts what takes too long to find out as a match.
func matches(p *javaregex.Pattern, topic string) bool {
	ok, err := p.Matches(topic)
	return ok || err != nil
}

func (d *definition) failBoth(a, b, reason string) {
	d.fail(a, reason)
	d.fail(b, reason)
}
