package s3

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// orphans are uploads of former owners of partitions. Their ids are in states as far as a state was committed after they were made; the server
// knows the rest. A partition is owned by one task, which alone writes the names of its objects, and what is listed at the assignment is not its own
// yet. Another connector may write the same topic into the same directory under other names: what could not be a name of ours is not touched.
//
// A part that a former owner still sends while its upload is aborted may stay: S3 keeps its bytes, versitygw the upload with them. Only asking again
// helps, which the next assignment does, or the bucket's lifecycle rule.
type orphans struct{ found []savedUpload }

// find lists the uploads of partitions that are being assigned.
func (o *orphans) find(ctx context.Context, s *Sink, added []connect.PartitionOffset) {
	byTopic := make(map[string][]connect.TopicPartition)
	for _, a := range added {
		byTopic[a.Topic] = append(byTopic[a.Topic], a.TopicPartition)
	}
	for topic, tps := range byTopic {
		names := ownNames{sink: s, tps: tps, perPart: make(map[connect.TopicPartition]*regexp.Regexp)}
		err := s.retrier.within(ctx, s.limits.list, s.config.topicDir(topic), func(ctx context.Context) error {
			return s.store.eachUpload(ctx, s.config.topicDir(topic), func(u savedUpload, _ time.Time) {
				if names.has(u.Key) {
					o.found = append(o.found, u)
				}
			})
		})
		if err != nil {
			s.logger.Warn("unfinished uploads of former owners could not be listed, so they stay; give the bucket a lifecycle rule", "topic", topic, "error", err)
			if transient(err) {
				return // the other topics would take as long
			}
		}
	}
}

// ownNames tells whether names of objects are of partitions of one topic.
type ownNames struct {
	sink    *Sink
	tps     []connect.TopicPartition
	perPart map[connect.TopicPartition]*regexp.Regexp // made when first needed; nil for one that cannot be
}

func (o *ownNames) has(key string) bool {
	for _, tp := range o.tps {
		if !strings.Contains(key, o.sink.config.filePrefix(tp)) {
			continue
		}
		e, known := o.perPart[tp]
		if !known {
			e = o.sink.namesOf(tp)
			o.perPart[tp] = e
		}
		if e != nil && e.MatchString(key) {
			return true
		}
	}
	return false
}

// namesOf is a regular expression of the names that the objects of a partition can have.
func (s *Sink) namesOf(tp connect.TopicPartition) *regexp.Regexp {
	c, quote := s.config, regexp.QuoteMeta
	ends := make([]string, len(s.parts))
	for i, p := range s.parts {
		ends[i] = quote(p.suffix + p.format.Extension())
	}
	encoded := s.partitioner.Expression(tp.Partition)
	switch c.schemaAffix {
	case affixPrefix:
		encoded = "schema_name=.*" + quote(c.directoryDelim) + encoded
	case affixSuffix:
		encoded += quote(c.directoryDelim) + "schema_name=.*"
	}
	e, err := regexp.Compile("(?s)^" + quote(c.topicDir(tp.Topic)) + "(?:" + encoded + "|" + quote(c.tombstoneDir) + ")" +
		quote(c.directoryDelim+c.filePrefix(tp)) + "[0-9]+(?:" + strings.Join(ends, "|") + ")$")
	if err != nil {
		s.logger.Warn("the names of objects cannot be told from others, so uploads of former owners stay", "topic", tp.Topic, "partition", tp.Partition, "error", err)
	}
	return e
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
