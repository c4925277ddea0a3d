package connect

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// look answers what a script wants to know of the cluster itself.
func (p *Player) look(words []string) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	opts := append([]kgo.Opt{kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(200 * time.Millisecond)}, p.Kafka...)
	if words[0] == "topic" && len(words) == 2 {
		return topic(ctx, words[1], opts)
	}
	if words[0] == "records" && len(words) == 3 {
		n, err := strconv.Atoi(words[2])
		if err != nil {
			return nil, err
		}
		return p.records(ctx, words[1], n, opts)
	}
	return nil, fmt.Errorf("not a line of a script: %s", strings.Join(words, " "))
}

// records returns the first records of a topic, with the texts of exceptions masked.
func (p *Player) records(ctx context.Context, topic string, n int, opts []kgo.Opt) (any, error) {
	client, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var found []any
	for len(found) < n {
		fetches := client.PollRecords(ctx, n-len(found))
		if ctx.Err() != nil {
			return found, fmt.Errorf("topic %s has %d records, want %d", topic, len(found), n)
		}
		for _, r := range fetches.Records() {
			headers := []any{}
			for _, h := range r.Headers {
				headers = append(headers, h.Key+"="+letterText(h))
			}
			found = append(found, map[string]any{"key": p.text(r.Key), "value": p.text(r.Value), "headers": headers})
		}
	}
	return found, nil
}

func (p *Player) text(b []byte) any {
	if b == nil {
		return nil
	}
	return strings.ReplaceAll(string(b), p.Files, "$FILES")
}

// letterText is a header's value. Of an exception's text only its beginning can be
// the same in two programs, the exception's class.
func letterText(h kgo.RecordHeader) string {
	switch {
	case h.Value == nil:
		return "null"
	case h.Key == "__connect.errors.exception.message":
		return "MESSAGE"
	case h.Key == "__connect.errors.exception.stacktrace":
		class, _, _ := strings.Cut(string(h.Value), ":")
		return class + ": ..."
	}
	return string(h.Value)
}

// topic returns a topic's number of partitions and the settings that it was given.
func topic(ctx context.Context, name string, opts []kgo.Opt) (any, error) {
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for {
		topics, err := admin.ListTopics(ctx, name)
		if err == nil && topics.Has(name) && topics[name].Err == nil {
			configs, err := admin.DescribeTopicConfigs(ctx, name)
			if err != nil {
				return nil, err
			}
			settings := map[string]any{}
			for _, c := range configs[0].Configs {
				if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
					settings[c.Key] = c.MaybeValue()
				}
			}
			return map[string]any{"partitions": len(topics[name].Partitions), "settings": settings}, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(err, fmt.Errorf("there is no topic %s", name))
		}
	}
}
