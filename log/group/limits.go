package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxNameBytes of a group's id and of what else names things: records have room
// for 32,767 bytes, and nobody needs as many.
const maxNameBytes = 4096

// checkNames refuses names that are too long.
func checkNames(names ...*string) error {
	for _, n := range names {
		if n != nil && len(*n) > maxNameBytes {
			return withMessage(kerr.InvalidRequest, "a name in the request has %d bytes, more than %d", len(*n), maxNameBytes)
		}
	}
	return nil
}

// What entries take beside the bytes of their strings, about.
const (
	offsetOverhead    = 160
	memberOverhead    = 512
	partitionOverhead = 48
)

// admit refuses what would make the groups hold more than Config.MaxBytes (I5).
// Clients try again, and the others are not disturbed: what is there may go on.
func (c *Coordinator) admit(bytes int) error {
	if bytes <= 0 || c.held.Load()+int64(bytes) <= c.cfg.MaxBytes {
		return nil
	}
	c.cfg.Logger.Warn("groups take too much memory; refusing more", "limit", c.cfg.MaxBytes, "wanted", bytes)
	return withMessage(kerr.CoordinatorNotAvailable, "the groups of this broker take the %d bytes that they may", c.cfg.MaxBytes)
}

// grow counts what the group's offsets hold.
func (g *group) grow(bytes int) {
	g.offsetBytes += bytes
	g.c.held.Add(int64(bytes))
}

// weigh counts what the group's members hold. It is called after each change of
// what they send or are assigned.
func (g *group) weigh() {
	bytes := 0
	for _, m := range g.members {
		bytes += m.size()
	}
	if g.consumer != nil {
		bytes += g.consumer.size()
	}
	g.c.held.Add(int64(bytes - g.memberBytes))
	g.memberBytes = bytes
}

// unweigh gives back what a group held that is gone.
func (g *group) unweigh() {
	g.c.held.Add(-int64(g.offsetBytes + g.memberBytes))
	g.offsetBytes, g.memberBytes = 0, 0
}

func (m *member) size() int {
	return memberOverhead + len(m.id) + len(m.assignment) + sizeOf(m.protocols)
}

func sizeOf(protocols []protocol) int {
	n := 0
	for _, p := range protocols {
		n += len(p.name) + len(p.metadata)
	}
	return n
}

func (g *consumerGroup) size() int {
	n := 0
	for _, m := range g.members {
		n += memberOverhead + len(m.id) + m.info.size()
		n += (m.current.assigned.size() + m.current.revoking.size() + g.targets[m.id].size()) * partitionOverhead
	}
	for pattern, re := range g.regexes {
		n += len(pattern) + stringsSize(re.topics)
	}
	return n
}

func (v *memberInfo) size() int {
	n := len(v.clientID) + len(v.regex) + stringsSize(v.topics)
	if v.classic != nil {
		n += sizeOf(v.classic.protocols)
	}
	return n
}

func stringsSize(all []string) int {
	n := 0
	for _, s := range all {
		n += len(s) + 16
	}
	return n
}

// joinBytes is what a JoinGroup would add to what its member holds already.
func (g *group) joinBytes(q *kmsg.JoinGroupRequest) int {
	n := memberOverhead
	for _, p := range q.Protocols {
		n += len(p.Name) + len(p.Metadata)
	}
	if m, ok := g.members[q.MemberID]; ok {
		n -= memberOverhead + sizeOf(m.protocols)
	}
	if g.consumer != nil {
		n -= g.consumer.held(q.MemberID)
	}
	return n
}

// held is what a member of a consumer group holds, partitions apart.
func (g *consumerGroup) held(id string) int {
	if m, ok := g.members[id]; ok {
		return memberOverhead + m.info.size()
	}
	return 0
}

// heartbeatBytes is joinBytes for ConsumerGroupHeartbeat.
func (g *group) heartbeatBytes(q *kmsg.ConsumerGroupHeartbeatRequest) int {
	if q.SubscribedTopicNames == nil && q.SubscribedTopicRegex == nil {
		return 0
	}
	n := memberOverhead + stringsSize(q.SubscribedTopicNames)
	if g.consumer != nil {
		n -= g.consumer.held(q.MemberID)
	}
	return n
}

// syncBytes is what a leader's SyncGroup would add.
func (g *group) syncBytes(q *kmsg.SyncGroupRequest) int {
	n := 0
	for _, a := range q.GroupAssignment {
		n += len(a.MemberAssignment)
	}
	for _, m := range g.members {
		n -= len(m.assignment)
	}
	return n
}

// size is what an offset takes.
func (o committed) size(tp topicPartition) int {
	return offsetOverhead + len(tp.topic) + len(o.metadata)
}

// commitBytes is what a commit would add: an offset that is there already adds
// nothing but a longer note.
func (g *group) commitBytes(offsets []Offset) int {
	n := 0
	for _, o := range offsets {
		tp := topicPartition{o.Topic, o.Partition}
		size := o.committed(0, 0).size(tp)
		if old, ok := g.offsets[tp]; ok {
			size -= old.size(tp)
		}
		n += max(size, 0)
	}
	return n
}

func (g *group) setOffset(tp topicPartition, o committed) {
	g.dropOffset(tp)
	g.offsets[tp] = o
	g.grow(o.size(tp))
}

func (g *group) dropOffset(tp topicPartition) {
	if old, ok := g.offsets[tp]; ok {
		g.grow(-old.size(tp))
		delete(g.offsets, tp)
	}
}

func (g *group) setPending(producerID int64, tp topicPartition, o committed) {
	if g.txns[producerID] == nil {
		g.txns[producerID] = map[topicPartition]committed{}
	}
	g.dropPending(producerID, tp)
	g.txns[producerID][tp] = o
	g.grow(o.size(tp))
}

func (g *group) dropPending(producerID int64, tp topicPartition) {
	if old, ok := g.txns[producerID][tp]; ok {
		g.grow(-old.size(tp))
		delete(g.txns[producerID], tp)
	}
}
