package s3

import (
	"context"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// orphans are uploads of former owners of partitions. Their ids are in states as far as a state was committed after they were made; the server
// knows the rest. A partition is owned by one task, which alone writes the names of its objects, and what is listed at the assignment is not its own
// yet.
type orphans struct{ found []savedUpload }

// find lists the uploads of partitions that are being assigned.
func (o *orphans) find(ctx context.Context, s *Sink, added []connect.PartitionOffset) {
	byTopic := make(map[string][]connect.TopicPartition)
	for _, a := range added {
		byTopic[a.Topic] = append(byTopic[a.Topic], a.TopicPartition)
	}
	for topic, tps := range byTopic {
		err := s.retrier.once(ctx, requestTimeout(0), func(ctx context.Context) error {
			return s.store.eachUpload(ctx, s.config.topicDir(topic), func(u savedUpload) {
				if s.config.owns(u.Key, tps) {
					o.found = append(o.found, u)
				}
			})
		})
		if err != nil {
			s.logger.Warn("unfinished uploads of former owners could not be listed, so they stay; give the bucket a lifecycle rule", "topic", topic, "error", err)
		}
	}
}

// owns tells whether an object's name is of one of the partitions.
func (c *Config) owns(key string, tps []connect.TopicPartition) bool {
	name := key[strings.LastIndex(key, c.directoryDelim)+len(c.directoryDelim):]
	for _, tp := range tps {
		if rest, ok := strings.CutPrefix(name, c.filePrefix(tp)); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return false
}

// spare takes out what is to be completed.
func (o *orphans) spare(committed []savedUpload) {
	ids := make(map[string]bool, len(committed))
	for _, u := range committed {
		ids[u.ID] = true
	}
	kept := o.found[:0]
	for _, u := range o.found {
		if !ids[u.ID] {
			kept = append(kept, u)
		}
	}
	o.found = kept
}

// abort takes the rest away, best effort.
func (o *orphans) abort(s *Sink) {
	for _, u := range o.found {
		s.abortUpload(s.restoredFile(u))
	}
	o.found = nil
}
