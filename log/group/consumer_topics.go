package group

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// topicsRefresh is how often a group looks whether its topics have changed,
	// when a member heartbeats.
	topicsRefresh = time.Second
	// regexRefresh is how often a group resolves its regular expressions anew.
	regexRefresh = 10 * time.Second
	// maxRegexBytes of one regular expression (I5).
	maxRegexBytes = 1024
)

// compileRegex compiles a subscription: it has to match a topic's whole name.
// Kafka's syntax is that of RE2/J, which is that of package regexp.
func compileRegex(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxRegexBytes {
		return nil, withMessage(kerr.InvalidRegularExpression, "the regular expression has %d bytes, more than %d", len(pattern), maxRegexBytes)
	}
	if _, err := regexp.Compile(pattern); err != nil { // by itself: what follows adds parentheses
		return nil, withMessage(kerr.InvalidRegularExpression, "the regular expression %q cannot be used: %v", pattern, err)
	}
	return regexp.Compile("^(?:" + pattern + ")$")
}

// resolve finds the topics that a pattern matches among those that the client may
// see. Internal topics are not among them.
func (c *Coordinator) resolve(pattern string, visible func(topic string) bool) (*resolvedRegex, error) {
	re, err := compileRegex(pattern)
	if err != nil {
		return nil, err
	}
	v := &resolvedRegex{topics: []string{}, timestampMs: time.Now().UnixMilli()}
	for _, t := range c.cfg.Log.Topics() { // sorted by name
		if !t.Internal() && re.MatchString(t.Name()) && (visible == nil || visible(t.Name())) {
			v.topics = append(v.topics, t.Name())
		}
	}
	return v, nil
}

// subscribed is every topic name that a member subscribes to, by name or by
// regular expression, sorted.
func (g *consumerGroup) subscribed(info *memberInfo) []string {
	re := g.regexes[info.regex]
	if re == nil || len(re.topics) == 0 {
		return info.topics
	}
	all := append(slices.Clone(info.topics), re.topics...)
	slices.Sort(all)
	return slices.Compact(all)
}

// allSubscribed is what any member subscribes to, sorted.
func (g *consumerGroup) allSubscribed() []string {
	seen := map[string]struct{}{}
	var all []string
	add := func(names []string) {
		for _, n := range names {
			if _, ok := seen[n]; !ok {
				seen[n] = struct{}{}
				all = append(all, n)
			}
		}
	}
	for _, m := range g.members {
		add(m.info.topics)
	}
	for _, re := range g.regexes {
		add(re.topics)
	}
	slices.Sort(all)
	return all
}

// topicsHash stands for the topics that the group subscribes to, their ids and
// their numbers of partitions (KIP-1101): when it changes, the assignment must
// be computed anew. 0 is no topics.
func (c *Coordinator) topicsHash(g *consumerGroup) int64 {
	h := fnv.New64a()
	var number [8]byte
	found := false
	for _, name := range g.allSubscribed() {
		t, ok := c.cfg.Log.Topic(name)
		if !ok {
			continue
		}
		found = true
		id := t.ID()
		h.Write(id[:])
		binary.BigEndian.PutUint64(number[:], uint64(t.Partitions()))
		h.Write(number[:])
	}
	if !found {
		return 0
	}
	return int64(h.Sum64())
}

// topicIDs is the ids of those topics that there are, sorted.
func (c *Coordinator) topicIDs(names []string) []topicID {
	var ids []topicID
	for _, name := range names {
		if t, ok := c.cfg.Log.Topic(name); ok {
			ids = append(ids, t.ID())
		}
	}
	slices.SortFunc(ids, func(a, b topicID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// topicName is the name of the topic with that id, "" when it is gone.
func (c *Coordinator) topicName(id topicID) string {
	if t, ok := c.cfg.Log.TopicByID(id); ok {
		return t.Name()
	}
	return ""
}
