package s3

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// leftovers are what former owners of a partition have left: uploads that are not to become visible, and objects with states that no committed state
// names. The ids of uploads are in states as far as a state was committed after they were made; the server knows the rest. A partition is owned by one
// task, which alone writes the names of its objects, and what is listed at the assignment is not its own yet. Another connector may write the same topic
// into the same directory under other names: what could not be a name of ours is not touched.
//
// Nothing of it is taken away before a commit of the partition: a task that hung while the partition was assigned to it may find what the next owner
// has. Such a commit shows that there was no next owner yet (I3).
//
// A part that a former owner still sends while its upload is aborted may stay: S3 keeps its bytes, versitygw the upload with them. Only asking again
// helps, which the next assignment does, or the bucket's lifecycle rule.
type leftovers struct {
	uploads []savedUpload
	strays  []string
}

func (l *leftovers) any() bool { return len(l.uploads)+len(l.strays) > 0 }

// findUploads lists the uploads of partitions that are being assigned.
func (s *Sink) findUploads(ctx context.Context, added []connect.PartitionOffset) {
	byTopic := make(map[string][]connect.TopicPartition)
	for _, a := range added {
		byTopic[a.Topic] = append(byTopic[a.Topic], a.TopicPartition)
	}
	for topic, tps := range byTopic {
		names := ownNames{sink: s, tps: tps, perPart: make(map[connect.TopicPartition]*regexp.Regexp)}
		err := s.retrier.within(ctx, s.limits.list, s.config.topicDir(topic), func(ctx context.Context) error {
			return s.store.eachUpload(ctx, s.config.topicDir(topic), func(u savedUpload, _ time.Time) {
				if p := names.partition(u.Key); p != nil {
					p.left.uploads = append(p.left.uploads, u)
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

// ownNames tells which of some partitions of one topic names of objects are of.
type ownNames struct {
	sink    *Sink
	tps     []connect.TopicPartition
	perPart map[connect.TopicPartition]*regexp.Regexp // made when first needed; nil for one that cannot be
}

// partition is the one whose object the name is; nil when it is of none.
func (o *ownNames) partition(key string) *partition {
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
			return o.sink.partitions[tp]
		}
	}
	return nil
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

// restore takes out what is to be completed and adds what was under way.
func (l *leftovers) restore(saved state) {
	known := make(map[string]bool, len(saved.Complete)+len(l.uploads))
	for _, u := range saved.Complete {
		known[u.ID] = true
	}
	l.uploads = slices.DeleteFunc(l.uploads, func(u savedUpload) bool { return known[u.ID] })
	for _, u := range l.uploads {
		known[u.ID] = true
	}
	for _, u := range saved.Open {
		if !known[u.ID] {
			l.uploads = append(l.uploads, u)
		}
	}
}

// dropLeftovers takes away what former owners of a partition have left, best effort.
func (s *Sink) dropLeftovers(p *partition) {
	for _, u := range p.left.uploads {
		s.abortUpload(s.restoredFile(u))
	}
	for _, key := range p.left.strays {
		s.deleteLater(key)
	}
	p.left = leftovers{}
}
