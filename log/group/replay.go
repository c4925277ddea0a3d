package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// replay reads the offsets topic. A partition that cannot be read makes its
// groups unavailable, not the others: guessing that they have no offsets would
// make their consumers start over.
func (c *Coordinator) replay() error {
	t, ok := c.cfg.Log.Topic(OffsetsTopic)
	if !ok {
		return nil
	}
	var dec batch.Decompressor
	for i := range int32(t.Partitions()) {
		p, ok := t.Partition(i)
		if !ok {
			continue
		}
		err := p.EachBatch(func(h *batch.Header, b []byte) error { return c.replayBatch(i, h, b, &dec) })
		if err != nil {
			if errors.Is(err, log.ErrFailed) || errors.Is(err, log.ErrClosed) {
				return err
			}
			c.cfg.Logger.Error("groups of this partition are not available", "topic", OffsetsTopic, "partition", i, "error", err)
			c.store.setBroken(i, err)
		}
	}
	for _, g := range c.all() {
		g.mu.Lock()
		g.forgetIfUnused()
		g.mu.Unlock()
	}
	return nil
}

// source says where a record of the offsets topic comes from.
type source struct {
	partition  int32
	offset     int64
	producerID int64 // -1: not part of a transaction
}

func (c *Coordinator) replayBatch(partition int32, h *batch.Header, b []byte, dec *batch.Decompressor) error {
	rd, err := batch.NewReader(b, dec)
	if err != nil {
		return err
	}
	from := source{partition, 0, -1}
	if h.Transactional() {
		from.producerID = h.ProducerID
	}
	for rd.Next() {
		r := rd.Record()
		from.offset = r.Offset
		if h.Control() {
			c.replayMarker(r.Key, from)
		} else if err := c.replayRecord(r.Key, r.Value, from); err != nil {
			return fmt.Errorf("record at offset %d: %w", r.Offset, err)
		}
	}
	return rd.Err()
}

// replayRecord applies one record. Keys of other versions belong to protocols that
// are not served here.
func (c *Coordinator) replayRecord(key, value []byte, from source) error {
	if len(key) < 2 {
		return errors.New("key without a version")
	}
	switch binary.BigEndian.Uint16(key) {
	case keyOffsetOld, keyOffset:
		return c.replayOffset(key, value, from)
	case keyClassicGroup:
		return c.replayGroup(key, value)
	case keyConsumerGroup, keyMember, keyTargetEpoch, keyTarget, keyCurrent, keyRegex:
		return c.replayConsumer(key, value)
	}
	return nil
}

// replayConsumer applies a record of a consumer group. Any of them may be the
// first that compaction has left; the removal of the group's epoch is the last.
func (c *Coordinator) replayConsumer(key, value []byte) error {
	id, change, err := decodeChange(key, value)
	if err != nil {
		return err
	}
	g := c.replayed(id)
	switch {
	case g.consumer == nil && value == nil:
		return nil
	case g.consumer == nil:
		g.consumer = newConsumerGroup()
	}
	change.apply(g.consumer)
	if e, ok := change.(epochChange); ok && e.v == nil {
		g.consumer = nil
	}
	return nil
}

func (c *Coordinator) replayOffset(key, value []byte, from source) error {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(key); err != nil {
		return fmt.Errorf("read offset key: %w", err)
	}
	tp := topicPartition{k.Topic, k.Partition}
	g := c.replayed(k.Group)
	if value == nil {
		g.forgetOffset(tp)
		return nil
	}
	var v kmsg.OffsetCommitValue
	if err := checkValue(value, (*reader).offsetValue); err != nil {
		return err
	}
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("read offset value: %w", err)
	}
	epoch := v.LeaderEpoch
	if v.Version < 3 {
		epoch = -1
	}
	o := committed{offset: v.Offset, leaderEpoch: epoch, metadata: v.Metadata, commitMs: v.CommitTimestamp, logOffset: from.offset}
	if v.Version == 1 && v.ExpireTimestamp >= 0 {
		o.expireMs = v.ExpireTimestamp
	}
	if from.producerID >= 0 {
		c.hold(g, transaction{from.partition, from.producerID}, tp, o)
	} else {
		g.setOffset(tp, o)
	}
	return nil
}

// replayMarker ends a transaction as its marker says. The key of a control record
// is a version and a type, 0 for abort and 1 for commit (KIP-98); other types
// are of no concern here.
func (c *Coordinator) replayMarker(key []byte, from source) {
	if len(key) < 4 || from.producerID < 0 {
		return
	}
	if kind := binary.BigEndian.Uint16(key[2:]); kind <= 1 {
		c.EndTransaction(from.partition, from.producerID, 0, kind == 1)
	}
}

func (c *Coordinator) replayGroup(key, value []byte) error {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(key); err != nil {
		return fmt.Errorf("read group key: %w", err)
	}
	g := c.replayed(k.Group)
	g.clearClassic()
	if value == nil {
		return nil
	}
	var v kmsg.GroupMetadataValue
	if err := checkValue(value, (*reader).groupValue); err != nil {
		return err
	}
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("read group value: %w", err)
	}
	g.restore(&v)
	return nil
}

// replayed returns the group, made when it is not there yet. The limit on groups
// does not apply to what was accepted before.
func (c *Coordinator) replayed(id string) *group {
	g, ok := c.groups[id]
	if !ok {
		g = newGroup(c, id)
		c.groups[id] = g
	}
	return g
}

// restore takes the group over from its record.
func (g *group) restore(v *kmsg.GroupMetadataValue) {
	g.stored = true
	g.generation = v.Generation
	g.protocolType = v.ProtocolType
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	for i := range v.Members {
		vm := &v.Members[i]
		g.insert(&member{
			id: vm.MemberID, instanceID: vm.InstanceID,
			clientID: vm.ClientID, clientHost: vm.ClientHost,
			sessionTimeout:   time.Duration(vm.SessionTimeoutMillis) * time.Millisecond,
			rebalanceTimeout: time.Duration(vm.RebalanceTimeoutMillis) * time.Millisecond,
			protocols:        []protocol{{g.protocol, append([]byte{}, vm.Subscription...)}},
			assignment:       append([]byte{}, vm.Assignment...),
			synced:           true,
		})
	}
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	if len(g.members) > 0 {
		g.state = stable
	}
	g.stateSince = time.Time{} // not known
	if v.Version >= 2 && v.CurrentStateTimestamp >= 0 {
		g.stateSince = time.UnixMilli(v.CurrentStateTimestamp)
	}
}

// maxValueVersion of offsets and classic groups. Written is 3; 4, which is
// flexible, comes from other brokers.
const (
	maxValueVersion      = 4
	flexibleValueVersion = 4
)

// checkValue checks the version of a value and, before the decoder sees it, the
// layout of a flexible one: the decoder would loop as often as a tag section
// claims (I5).
func checkValue(value []byte, flexible func(*reader)) error {
	if len(value) < 2 {
		return errors.New("value without a version")
	}
	r := reader{src: value}
	v := r.int16()
	if v < 0 || v > maxValueVersion {
		return fmt.Errorf("value version %d is not known, only 0 to %d", v, maxValueVersion)
	}
	if v < flexibleValueVersion {
		return nil
	}
	if flexible(&r); r.bad {
		return errRecord
	}
	return nil
}

// offsetValue walks OffsetCommitValue v4.
func (r *reader) offsetValue() {
	r.take(8 + 4)
	r.string()
	r.take(8)
	r.tags(nil)
}

// groupValue walks GroupMetadataValue v4.
func (r *reader) groupValue() {
	r.string()
	r.take(4)
	r.nullable()
	r.nullable()
	r.take(8)
	for range r.count() {
		if r.bad {
			return
		}
		r.string()
		r.nullable()
		r.string()
		r.string()
		r.take(4 + 4)
		r.take(r.count())
		r.take(r.count())
		r.tags(nil)
	}
	r.tags(nil)
}
