package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// topicsInterval is how often the cluster is asked for its topics when nothing
// else is said.
const topicsInterval = time.Second

// watchTopics subscribes to the topics that topics.regex matches, as they come,
// when the pattern is one that the client cannot match itself. A match that takes
// too long fails the task: to leave the topic out would lose its records.
func (s *sinkTask) watchTopics(ctx context.Context) error {
	interval := s.def.options.consumer.metadataMaxAge
	if interval == 0 {
		interval = topicsInterval
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	trouble := s.trouble("list the cluster's topics")
	admin := kadm.NewClient(s.client)
	seen := map[string]bool{}
	for {
		topics, err := admin.ListTopics(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			trouble.note(err)
		default:
			trouble.over()
			if err := s.subscribe(topics.Names(), seen); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// subscribe adds those of the topics that match, of which seen has those that were
// looked at and are still there.
func (s *sinkTask) subscribe(topics []string, seen map[string]bool) error {
	var fresh []string
	there := make(map[string]bool, len(topics))
	for _, topic := range topics {
		there[topic] = true
		if seen[topic] || s.cfg.internalTopic(topic) {
			continue
		}
		seen[topic] = true
		ok, err := s.def.options.topicsRegexPattern.Matches(topic)
		if err != nil {
			return fmt.Errorf("match topics.regex with the topic %s: %w", topic, err)
		}
		if ok {
			fresh = append(fresh, topic)
		}
	}
	for topic := range seen {
		if !there[topic] {
			delete(seen, topic)
		}
	}
	s.client.AddConsumeTopics(fresh...)
	return nil
}
