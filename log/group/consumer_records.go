package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Versions of record keys: which kind of record it is. Those above 2 are the
// apiKey of Kafka's coordinator records: ConsumerGroup*Key.json and *Value.json,
// keys without tags, values of version 0 in the flexible encoding (KIP-482).
const (
	keyOffsetOld      = 0
	keyOffset         = 1
	keyClassicGroup   = 2
	keyConsumerGroup  = 3  // ConsumerGroupMetadata
	keyTopics         = 4  // ConsumerGroupPartitionMetadata, not written since Kafka 4.1 (KIP-1101)
	keyMember         = 5  // ConsumerGroupMemberMetadata
	keyTargetEpoch    = 6  // ConsumerGroupTargetAssignmentMetadata
	keyTarget         = 7  // ConsumerGroupTargetAssignmentMember
	keyCurrent        = 8  // ConsumerGroupCurrentMemberAssignment
	keyRegex          = 16 // ConsumerGroupRegularExpression
	consumerVersion   = 0
	tagHash           = 0 // of ConsumerGroupMetadataValue
	tagTargetTime     = 0 // of ConsumerGroupTargetAssignmentMetadataValue
	tagClassic        = 0 // of ConsumerGroupMemberMetadataValue
	tagAssignedEpochs = 0 // of the topics of ConsumerGroupCurrentMemberAssignmentValue
)

// consumerKey makes a key: its version, the group and, for most, one more name.
func consumerKey(version int16, names ...string) []byte {
	w := writer(binary.BigEndian.AppendUint16(nil, uint16(version)))
	for _, n := range names {
		w = binary.BigEndian.AppendUint16(w, uint16(len(n)))
		w = append(w, n...)
	}
	return w
}

func (c epochChange) record(group string) record {
	r := record{key: consumerKey(keyConsumerGroup, group)}
	if c.v != nil {
		w := newValue()
		w.int32(c.v.epoch)
		w.tagged(tagHash, func(t *writer) { t.int64(c.v.hash) })
		r.value = w
	}
	return r
}

func (c targetsEpoch) record(group string) record {
	r := record{key: consumerKey(keyTargetEpoch, group)}
	if !c.remove {
		w := newValue()
		w.int32(c.epoch)
		w.tagged(tagTargetTime, func(t *writer) { t.int64(c.timeMs) })
		r.value = w
	}
	return r
}

func (c infoChange) record(group string) record {
	r := record{key: consumerKey(keyMember, group, c.member)}
	if c.v == nil {
		return r
	}
	w := newValue()
	w.nullable(c.v.instanceID)
	w.nullable(c.v.rackID)
	w.string(c.v.clientID)
	w.string(c.v.clientHost)
	w.strings(c.v.topics)
	w.nullable(&c.v.regex)
	w.int32(c.v.rebalanceTimeoutMs)
	w.optional(c.v.assignor)
	if c.v.classic == nil {
		w.noTags()
	} else {
		w.tagged(tagClassic, func(t *writer) { t.classic(c.v.classic) })
	}
	r.value = w
	return r
}

// classic writes the nullable struct ClassicMemberMetadata: one byte that says
// that it is there, then its fields.
func (w *writer) classic(c *classicUse) {
	*w = append(*w, 1)
	w.int32(c.sessionTimeoutMs)
	w.uvarint(len(c.protocols) + 1)
	for _, p := range c.protocols {
		w.string(p.name)
		w.uvarint(len(p.metadata) + 1)
		*w = append(*w, p.metadata...)
		w.noTags()
	}
	w.noTags()
}

func (c targetChange) record(group string) record {
	r := record{key: consumerKey(keyTarget, group, c.member)}
	if c.v != nil {
		w := newValue()
		w.assignment(c.v, false)
		w.noTags()
		r.value = w
	}
	return r
}

func (c currentChange) record(group string) record {
	r := record{key: consumerKey(keyCurrent, group, c.member)}
	if c.v != nil {
		w := newValue()
		w.int32(c.v.epoch)
		w.int32(c.v.previous)
		w = append(w, byte(c.v.state))
		w.assignment(c.v.assigned, true)
		w.assignment(c.v.revoking, true)
		w.noTags()
		r.value = w
	}
	return r
}

func (c regexChange) record(group string) record {
	r := record{key: consumerKey(keyRegex, group, c.pattern)}
	if c.v != nil {
		w := newValue()
		w.strings(c.v.topics)
		w.int64(c.v.version)
		w.int64(c.v.timestampMs)
		w.noTags()
		r.value = w
	}
	return r
}

// decodeChange reads a record of a consumer group. The change is nil for kinds
// that hold nothing that is used here.
func decodeChange(key, value []byte) (group string, c change, err error) {
	k := reader{src: key}
	version := k.int16()
	group = k.shortString()
	var name string
	switch version {
	case keyMember, keyTarget, keyCurrent, keyRegex:
		name = k.shortString()
	}
	if k.bad || len(k.src) > 0 {
		return "", nil, fmt.Errorf("read key of version %d: %w", version, errRecord)
	}
	v := reader{src: value}
	if value != nil {
		if got := v.int16(); got != consumerVersion {
			return "", nil, fmt.Errorf("read value of key version %d: its version is %d, only %d is known", version, got, consumerVersion)
		}
	}
	c = v.change(version, name, value == nil)
	if v.bad {
		return "", nil, fmt.Errorf("read value of key version %d: %w", version, errRecord)
	}
	return group, c, nil
}

// change reads the value that belongs to a key.
func (r *reader) change(version int16, name string, tombstone bool) change {
	switch version {
	case keyConsumerGroup:
		if tombstone {
			return epochChange{}
		}
		return epochChange{r.groupEpoch()}
	case keyTargetEpoch:
		if tombstone {
			return targetsEpoch{remove: true}
		}
		return r.targetsEpoch()
	case keyMember:
		if tombstone {
			return infoChange{member: name}
		}
		return infoChange{name, r.memberInfo()}
	case keyTarget:
		if tombstone {
			return targetChange{member: name}
		}
		c := targetChange{name, r.assignment(false)}
		r.tags(nil)
		return c
	case keyCurrent:
		if tombstone {
			return currentChange{member: name}
		}
		return currentChange{name, r.current()}
	case keyRegex:
		if tombstone {
			return regexChange{pattern: name}
		}
		return regexChange{name, r.regex()}
	}
	return nil
}

func (r *reader) groupEpoch() *groupEpoch {
	v := &groupEpoch{epoch: r.int32()}
	r.tags(func(tag uint64, t *reader) {
		if tag == tagHash {
			v.hash = t.int64()
		}
	})
	return v
}

func (r *reader) targetsEpoch() targetsEpoch {
	v := targetsEpoch{epoch: r.int32()}
	r.tags(func(tag uint64, t *reader) {
		if tag == tagTargetTime {
			v.timeMs = t.int64()
		}
	})
	return v
}

func (r *reader) memberInfo() *memberInfo {
	v := &memberInfo{
		instanceID: r.nullable(), rackID: r.nullable(),
		clientID: r.string(), clientHost: r.string(),
		topics: r.strings(),
	}
	if regex := r.nullable(); regex != nil {
		v.regex = *regex
	}
	v.rebalanceTimeoutMs = r.int32()
	if assignor := r.nullable(); assignor != nil {
		v.assignor = *assignor
	}
	r.tags(func(tag uint64, t *reader) {
		if tag == tagClassic {
			v.classic = t.classic()
		}
	})
	slices.Sort(v.topics)
	v.topics = slices.Compact(v.topics)
	return v
}

func (r *reader) classic() *classicUse {
	if r.byte() != 1 {
		return nil
	}
	c := &classicUse{sessionTimeoutMs: r.int32()}
	for range r.count() {
		p := protocol{name: r.string(), metadata: append([]byte{}, r.take(r.count())...)}
		r.tags(nil)
		c.protocols = append(c.protocols, p)
	}
	r.tags(nil)
	if len(c.protocols) == 0 {
		r.bad = true // what such a member would be told about nobody knows
	}
	return c
}

func (r *reader) current() *currentAssignment {
	v := &currentAssignment{epoch: r.int32(), previous: r.int32(), state: memberState(r.byte())}
	v.assigned = r.assignment(true)
	v.revoking = r.assignment(true)
	r.tags(nil)
	return v
}

func (r *reader) regex() *resolvedRegex {
	v := &resolvedRegex{topics: r.strings(), version: r.int64(), timestampMs: r.int64()}
	r.tags(nil)
	slices.Sort(v.topics)
	return v
}

// writer appends to a value in the flexible encoding.
type writer []byte

func newValue() writer { return writer{0, consumerVersion} }

func (w *writer) int32(v int32) { *w = binary.BigEndian.AppendUint32(*w, uint32(v)) }
func (w *writer) int64(v int64) { *w = binary.BigEndian.AppendUint64(*w, uint64(v)) }
func (w *writer) uvarint(v int) { *w = binary.AppendUvarint(*w, uint64(v)) }
func (w *writer) noTags()       { *w = append(*w, 0) }

func (w *writer) string(s string) {
	w.uvarint(len(s) + 1)
	*w = append(*w, s...)
}

func (w *writer) nullable(s *string) {
	if s == nil {
		w.uvarint(0)
		return
	}
	w.string(*s)
}

// optional writes "" as null.
func (w *writer) optional(s string) {
	if s == "" {
		w.uvarint(0)
		return
	}
	w.string(s)
}

func (w *writer) strings(all []string) {
	w.uvarint(len(all) + 1)
	for _, s := range all {
		w.string(s)
	}
}

// tagged writes a tag section with one tag.
func (w *writer) tagged(tag int, content func(*writer)) {
	var t writer
	content(&t)
	w.uvarint(1)
	w.uvarint(tag)
	w.uvarint(len(t))
	*w = append(*w, t...)
}

// assignment writes topics with their partitions and, for current assignments,
// the epochs in which the partitions were assigned.
func (w *writer) assignment(a assignment, epochs bool) {
	w.uvarint(len(a) + 1)
	for _, topic := range a.topics() {
		*w = append(*w, topic[:]...)
		partitions := a.partitions(topic)
		w.uvarint(len(partitions) + 1)
		for _, p := range partitions {
			w.int32(p)
		}
		if !epochs {
			w.noTags()
			continue
		}
		w.tagged(tagAssignedEpochs, func(t *writer) {
			t.uvarint(len(partitions) + 1)
			for _, p := range partitions {
				t.int32(a[topic][p])
			}
		})
	}
}

var errRecord = errors.New("record ends early or holds what cannot be")

// reader reads what writer writes and what other brokers of other releases do.
// It allocates no more than the bytes that it reads are worth (I5), and after
// the first fault it returns zero values.
type reader struct {
	src []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.src) {
		r.bad, r.src = true, nil
		return nil
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	u, n := binary.Uvarint(r.src)
	if n <= 0 || u > math.MaxUint32 {
		r.bad, r.src = true, nil
		return 0
	}
	r.src = r.src[n:]
	return u
}

// length reads a length; -1 is null. No element is smaller than a byte.
func (r *reader) length() int {
	n := int(r.uvarint()) - 1
	if n > len(r.src) {
		r.bad, r.src = true, nil
		return 0
	}
	return n
}

// count is length where null is as good as nothing.
func (r *reader) count() int { return max(r.length(), 0) }

func (r *reader) shortString() string { return string(r.take(int(r.int16()))) }

func (r *reader) string() string { return string(r.take(r.count())) }

func (r *reader) nullable() *string {
	n := r.length()
	if n < 0 || r.bad {
		return nil
	}
	s := string(r.take(n))
	return &s
}

func (r *reader) strings() []string {
	var all []string
	for range r.count() {
		all = append(all, r.string())
		if r.bad {
			return nil
		}
	}
	return all
}

// tags reads a tag section; known gets the content of each tag.
func (r *reader) tags(known func(tag uint64, content *reader)) {
	for range r.uvarint() {
		if r.bad {
			return
		}
		tag := r.uvarint()
		content := reader{src: r.take(int(r.uvarint()))}
		if known != nil {
			known(tag, &content)
		}
		r.bad = r.bad || content.bad
	}
}

func (r *reader) assignment(epochs bool) assignment {
	a := assignment{}
	for range r.count() {
		if r.bad {
			break
		}
		var topic topicID
		copy(topic[:], r.take(16))
		var partitions []int32
		for range r.count() {
			partitions = append(partitions, r.int32())
			if r.bad {
				return a
			}
		}
		at := make([]int32, len(partitions))
		r.tags(func(tag uint64, t *reader) {
			if epochs && tag == tagAssignedEpochs {
				t.epochs(at)
			}
		})
		for i, p := range partitions {
			a.add(topic, p, at[i])
		}
	}
	return a
}

// epochs reads as many numbers as there are partitions; null leaves them at 0.
func (r *reader) epochs(at []int32) {
	if n := r.length(); n >= 0 && n != len(at) {
		r.bad = true
		return
	} else if n < 0 {
		return
	}
	for i := range at {
		at[i] = r.int32()
	}
}
