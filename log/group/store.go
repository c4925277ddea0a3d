package group

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// maxStoreBatch is the size in bytes beyond which records go to another batch.
const maxStoreBatch = 256 << 10

// store writes the records of the offsets topic.
type store struct {
	log        *log.Log
	partitions int

	mu     sync.Mutex      // guards broken and the creation of the topic
	broken map[int32]error // partitions that could not be read, so that nothing is known of their groups
}

// record is a key and a value of the offsets topic; a nil value is a tombstone.
type record struct{ key, value []byte }

// topic returns the offsets topic and creates it when it is missing.
func (s *store) topic() (*log.Topic, error) {
	if t, ok := s.log.Topic(OffsetsTopic); ok {
		return t, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.log.Topic(OffsetsTopic); ok {
		return t, nil
	}
	return s.log.CreateTopic(OffsetsTopic, s.partitions, map[string]string{
		"cleanup.policy":   "compact",
		"compression.type": "producer",
		"segment.bytes":    "104857600", // Kafka's: compaction works on closed segments
	})
}

// check returns an error when the group's partition could not be read.
func (s *store) check(group string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.broken) == 0 {
		return nil
	}
	t, ok := s.log.Topic(OffsetsTopic)
	if !ok {
		return nil
	}
	if _, bad := s.broken[log.PartitionFor(group, t.Partitions())]; bad {
		return kerr.CoordinatorNotAvailable
	}
	return nil
}

func (s *store) setBroken(partition int32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = map[int32]error{}
	}
	s.broken[partition] = err
}

// write is records on their way to the disk.
type write struct {
	partition *log.Partition
	last      int64 // offset of the last record
	err       error
}

// wait returns nil only after the records are durable (I1). It is always decided
// soon, so it takes no context.
func (w write) wait() error {
	if w.err != nil || w.partition == nil {
		return w.err
	}
	return w.partition.WaitDurable(context.Background(), w.last)
}

// append writes the records in order to the group's partition.
func (s *store) append(group string, records []record) write {
	return s.appendAs(group, records, batch.Builder{})
}

// appendAs is append by a producer: b says which, and whether in a transaction.
func (s *store) appendAs(group string, records []record, b batch.Builder) write {
	t, err := s.topic()
	if err != nil {
		return write{err: fmt.Errorf("create %s: %w", OffsetsTopic, err)}
	}
	p, ok := t.Partition(log.PartitionFor(group, t.Partitions()))
	if !ok {
		return write{err: kerr.CoordinatorNotAvailable}
	}
	w := write{partition: p, last: -1}
	for len(records) > 0 && w.err == nil {
		var n int
		b.Reset()
		n, w.last, w.err = appendBatch(p, records, &b)
		records = records[n:]
	}
	return w
}

// appendBatch writes as many records as one batch takes, at least one.
func appendBatch(p *log.Partition, records []record, b *batch.Builder) (n int, last int64, err error) {
	now := time.Now().UnixMilli()
	size := 0
	for _, r := range records {
		if n > 0 && size+len(r.key)+len(r.value) > maxStoreBatch {
			break
		}
		b.Append(now, r.key, r.value)
		size += len(r.key) + len(r.value)
		n++
	}
	raw, err := b.Build(nil)
	if err != nil {
		return n, -1, err
	}
	res, err := p.Append(raw, log.AppendOptions{Internal: true})
	if err != nil {
		return n, -1, fmt.Errorf("append to %s: %w", OffsetsTopic, err)
	}
	return n, res.LastOffset, nil
}

// save writes the group's metadata, with the assignments given for members that
// have none of their own yet.
func (g *group) save(assignment map[string][]byte) write {
	w := g.c.store.append(g.id, []record{g.metadataRecord(assignment)})
	if w.err == nil {
		g.stored = true
	}
	return w
}

// metadataRecord is what save writes.
func (g *group) metadataRecord(assignment map[string][]byte) record {
	key := kmsg.NewGroupMetadataKey()
	key.Version, key.Group = 2, g.id
	v := kmsg.NewGroupMetadataValue()
	v.Version = 3
	v.ProtocolType = g.protocolType
	v.Generation = g.generation
	v.CurrentStateTimestamp = g.stateSince.UnixMilli()
	if len(g.members) > 0 {
		v.Protocol, v.Leader = kmsg.StringPtr(g.protocol), kmsg.StringPtr(g.leader)
	}
	v.Members = []kmsg.GroupMetadataValueMember{}
	for _, m := range g.sorted() {
		vm := m.stored(g.protocol)
		if a, ok := assignment[m.id]; ok {
			vm.Assignment = append([]byte{}, a...)
		}
		v.Members = append(v.Members, vm)
	}
	return record{key.AppendTo(nil), v.AppendTo(nil)}
}

func (m *member) stored(protocol string) kmsg.GroupMetadataValueMember {
	v := kmsg.NewGroupMetadataValueMember()
	v.MemberID, v.InstanceID = m.id, m.instanceID
	v.ClientID, v.ClientHost = m.clientID, m.clientHost
	v.SessionTimeoutMillis = int32(m.sessionTimeout.Milliseconds())
	v.RebalanceTimeoutMillis = int32(m.rebalanceTimeout.Milliseconds())
	v.Subscription = m.metadata(protocol)
	v.Assignment = append([]byte{}, m.assignment...)
	return v
}

// groupTombstone and offsetTombstone delete what save and Commit have written.
func groupTombstone(group string) record {
	key := kmsg.NewGroupMetadataKey()
	key.Version, key.Group = 2, group
	return record{key: key.AppendTo(nil)}
}

func offsetTombstone(group string, tp topicPartition) record {
	return record{key: offsetKey(group, tp)}
}

func offsetKey(group string, tp topicPartition) []byte {
	key := kmsg.NewOffsetCommitKey()
	key.Version, key.Group, key.Topic, key.Partition = 1, group, tp.topic, tp.partition
	return key.AppendTo(nil)
}
