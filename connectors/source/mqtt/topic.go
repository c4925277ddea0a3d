package mqtt

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxTopicName is the longest name of a topic of the log.
const maxTopicName = 249

// topicMapper names the topic of the log for each MQTT topic. A device can choose
// its topics, so the number of names is bounded (I5); what finds no name, or none
// that is valid, goes to the fallback.
type topicMapper struct {
	parts    []topicPart
	pattern  *regexp.Regexp // kafka.topic.regex, nil: parts count levels
	fallback string
	most     int

	known map[string]string // by MQTT topic; "" for the fallback
	bytes int               // of the keys of known
	names map[string]string // that were given, by themselves: topics share them
}

// topicPart is text, the whole topic, or one group or level of it.
type topicPart struct {
	text  string
	whole bool
	index int // of a level from 1, or of a group; 0: none
}

// placeholder is ${topic}, ${1} or, with a regular expression, ${name}.
var placeholder = regexp.MustCompile(`\$\{([^{}]*)\}`)

func newTopicMapper(c *Config) (t topicMapper, err error) {
	t = topicMapper{fallback: c.TopicFallback, most: c.TopicsMax, known: make(map[string]string), names: make(map[string]string)}
	if c.TopicRegex != "" {
		if t.pattern, err = regexp.Compile(`^(?:` + c.TopicRegex + `)$`); err != nil {
			return t, fmt.Errorf("not a regular expression: %w", err)
		}
	}
	t.parts, err = parseTopicTemplate(c.KafkaTopic, t.pattern)
	return t, err
}

func parseTopicTemplate(text string, pattern *regexp.Regexp) (parts []topicPart, err error) {
	last := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		parts = append(parts, topicPart{text: text[last:at[0]]})
		p, err := parsePlaceholder(text[at[2]:at[3]], pattern)
		if err != nil {
			return nil, err
		}
		parts, last = append(parts, p), at[1]
	}
	parts = append(parts, topicPart{text: text[last:]})
	for _, p := range parts {
		if p.text != topicText(p.text) {
			return nil, fmt.Errorf("%q is not a name of a topic: letters, digits, '.', '_', '-' and ${topic} or ${1} are allowed", text)
		}
	}
	if len(parts) == 1 && !validTopicName(text) {
		return nil, fmt.Errorf("%q is not a name of a topic: it must have 1 to %d characters and not be . or ..", text, maxTopicName)
	}
	return parts, nil
}

func parsePlaceholder(name string, pattern *regexp.Regexp) (topicPart, error) {
	if name == "topic" {
		return topicPart{whole: true}, nil
	}
	n, err := strconv.Atoi(name)
	switch {
	case pattern == nil && (err != nil || n < 1):
		return topicPart{}, fmt.Errorf("${%s} is neither ${topic} nor the number of a level, from ${1}", name)
	case pattern == nil:
		return topicPart{index: n}, nil
	case err != nil:
		n = pattern.SubexpIndex(name)
	}
	if n < 1 || n > pattern.NumSubexp() {
		return topicPart{}, fmt.Errorf("${%s} is not a group of %s", name, optTopicRegex)
	}
	return topicPart{index: n}, nil
}

func (t *topicMapper) constant() bool { return len(t.parts) == 1 && t.pattern == nil }

// of returns the topic of the log, and whether it is another than the fallback.
func (t *topicMapper) of(topic string) (name string, mapped bool) {
	if t.constant() {
		return t.parts[0].text, true
	}
	name, ok := t.known[topic]
	if !ok {
		name = t.name(topic)
		if len(t.known) >= maxNames || t.bytes > maxKnownBytes {
			t.known, t.bytes = make(map[string]string), 0
		}
		if len(topic) <= maxNameBytes {
			t.known[topic], t.bytes = name, t.bytes+len(topic)
		}
	}
	if name == "" {
		return t.fallback, false
	}
	return name, true
}

// name returns "" for the fallback.
func (t *topicMapper) name(topic string) string {
	var groups []string
	if t.pattern != nil {
		if groups = t.pattern.FindStringSubmatch(topic); groups == nil {
			return ""
		}
	}
	var out strings.Builder
	for _, p := range t.parts {
		text, ok := p.text, true
		switch {
		case p.whole:
			text = topic
		case p.index > 0 && groups != nil:
			text, ok = groups[p.index], groups[p.index] != ""
		case p.index > 0:
			text, ok = level(topic, p.index)
		}
		if !ok {
			return ""
		}
		out.WriteString(topicText(text))
	}
	name := out.String()
	if given, ok := t.names[name]; ok {
		return given
	}
	if !validTopicName(name) || len(t.names) >= t.most {
		return ""
	}
	t.names[name] = name
	return name
}

// topicText replaces what names of topics may not have: a slash by a dot, anything
// else by an underscore.
func topicText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		case r == '/':
			return '.'
		}
		return '_'
	}, s)
}

func validTopicName(s string) bool {
	return s != "" && len(s) <= maxTopicName && s != "." && s != ".." && topicText(s) == s
}

// checkTopicName is the check of an option that names a topic, or nothing.
func checkTopicName(v *string) func() error {
	return func() error {
		if *v != "" && !validTopicName(*v) {
			return errors.New("it is not a valid name of a topic")
		}
		return nil
	}
}
