package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Listed is a group as ListGroups shows it. Type is classic or consumer.
type Listed struct{ Group, ProtocolType, State, Type string }

// Described is a group as DescribeGroups shows it.
type Described struct {
	Listed
	Protocol string
	Members  []Member // in the order in which they joined
}

// Member of a described group.
type Member struct {
	ID, ClientID, ClientHost string
	InstanceID               *string
	Metadata, Assignment     []byte // empty unless the group is stable; not to be changed
}

// List returns the groups sorted by id.
func (c *Coordinator) List() []Listed {
	var list []Listed
	for _, g := range c.all() {
		g.mu.Lock()
		if g.state != dead {
			list = append(list, g.listed())
		}
		g.mu.Unlock()
	}
	return list
}

func (g *group) listed() Listed {
	if g.consumer != nil {
		return Listed{g.id, consumerType, g.consumer.state(), "consumer"}
	}
	return Listed{g.id, g.protocolType, g.state.String(), "classic"}
}

// Stat is a group as metrics show it.
type Stat struct {
	Listed
	Members int
	Offsets []Offset // committed ones, sorted by topic and partition
}

// Stats returns all groups with their sizes and offsets, sorted by id.
func (c *Coordinator) Stats() []Stat {
	var stats []Stat
	for _, g := range c.all() {
		g.mu.Lock()
		if g.state != dead {
			stats = append(stats, g.stat())
		}
		g.mu.Unlock()
	}
	return stats
}

func (g *group) stat() Stat {
	s := Stat{Listed: g.listed(), Members: len(g.members)}
	if g.consumer != nil {
		s.Members = len(g.consumer.members)
	}
	for tp, o := range g.offsets {
		s.Offsets = append(s.Offsets, o.of(tp))
	}
	slices.SortFunc(s.Offsets, Offset.compare)
	return s
}

// Describe returns a classic group; GROUP_ID_NOT_FOUND when there is none.
func (c *Coordinator) Describe(id string) (Described, error) {
	g, err := c.lock(id, false)
	if err != nil {
		return Described{}, err
	}
	if g == nil {
		return Described{}, withMessage(kerr.GroupIDNotFound, "Group %s not found.", id)
	}
	defer g.mu.Unlock()
	if g.consumer != nil {
		return Described{}, withMessage(kerr.GroupIDNotFound, "Group %s is not a classic group.", id)
	}
	d := Described{Listed: g.listed()}
	if g.state == stable {
		d.Protocol = g.protocol
	}
	for _, m := range g.sorted() {
		dm := Member{
			ID: m.id, ClientID: m.clientID, ClientHost: m.clientHost, InstanceID: m.instanceID,
			Metadata: []byte{}, Assignment: []byte{},
		}
		if g.state == stable {
			dm.Metadata = m.metadata(g.protocol)
			dm.Assignment = append(dm.Assignment, m.assignment...)
		}
		d.Members = append(d.Members, dm)
	}
	return d, nil
}

// Delete removes an empty group with its offsets. It returns nil only after that
// is durable (I1).
func (c *Coordinator) Delete(id string) error {
	g, err := c.lock(id, false)
	if err != nil {
		return err
	}
	if g == nil {
		return kerr.GroupIDNotFound
	}
	w := g.deleteRequest()
	g.mu.Unlock()
	return w.wait()
}

func (g *group) deleteRequest() write {
	g.settle()
	if g.state == dead {
		return write{err: kerr.GroupIDNotFound}
	}
	if !g.unattended() {
		return write{err: kerr.NonEmptyGroup}
	}
	return g.erase(g.offsetsOf(func(topicPartition) bool { return true }))
}

// unattended reports whether the group has no members.
func (g *group) unattended() bool {
	return g.state == empty && len(g.members) == 0 && (g.consumer == nil || len(g.consumer.members) == 0)
}

// erase writes tombstones for the offsets, which are all that the group has, and
// for the group, and forgets it.
func (g *group) erase(offsets []topicPartition) write {
	e := edit{g: g}
	for _, tp := range offsets {
		e.records = append(e.records, offsetTombstone(g.id, tp))
	}
	if g.consumer != nil {
		e.tombstones()
	} else {
		e.records = append(e.records, groupTombstone(g.id))
	}
	w := g.c.store.append(g.id, e.records)
	if w.err != nil {
		return w
	}
	for _, t := range g.pending {
		t.Stop()
	}
	g.die()
	return w
}

// settle waits until no commit is between the log and memory, so that tombstones
// can be written for everything that the log has.
func (g *group) settle() {
	for g.committing > 0 {
		g.settled.Wait()
	}
}

// TopicPartitions names partitions of one topic.
type TopicPartitions struct {
	Topic      string
	Partitions []int32
}

// DeleteOffsets removes committed offsets (KIP-496). The outcomes are per topic:
// GROUP_SUBSCRIBED_TO_TOPIC when members of the group consume it. It returns
// after the removal is durable (I1). The error is for the whole request.
func (c *Coordinator) DeleteOffsets(id string, topics []TopicPartitions) ([]error, error) {
	g, err := c.lock(id, false)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, kerr.GroupIDNotFound
	}
	if len(g.members) > 0 && g.protocolType != "consumer" {
		g.mu.Unlock()
		return nil, kerr.NonEmptyGroup
	}
	outcomes := make([]error, len(topics))
	var gone []topicPartition
	for i, t := range topics {
		if g.subscribes(t.Topic) {
			outcomes[i] = kerr.GroupSubscribedToTopic
			continue
		}
		for _, p := range t.Partitions {
			gone = append(gone, topicPartition{t.Topic, p})
		}
	}
	w := g.deleteOffsets(gone)
	g.mu.Unlock()
	return outcomes, w.wait()
}

// subscribes reports whether a member consumes the topic; one whose metadata
// cannot be read might.
func (g *group) subscribes(topic string) bool {
	if g.consumer != nil {
		return slices.Contains(g.consumer.allSubscribed(), topic)
	}
	for _, m := range g.members {
		for _, p := range m.protocols {
			sub, err := decodeSubscription(p.metadata)
			if err != nil || slices.Contains(sub.Topics, topic) {
				return true
			}
		}
	}
	return false
}

// deleteOffsets writes tombstones and removes the offsets.
func (g *group) deleteOffsets(gone []topicPartition) write {
	g.settle()
	var records []record
	for _, tp := range gone {
		if _, ok := g.offsets[tp]; ok || g.unstable(tp) {
			records = append(records, offsetTombstone(g.id, tp))
		}
	}
	if len(records) == 0 || g.state == dead {
		return write{}
	}
	w := g.c.store.append(g.id, records)
	if w.err == nil {
		for _, tp := range gone {
			g.forgetOffset(tp)
		}
	}
	return w
}

// ForgetTopic removes the committed offsets of a deleted topic from every group
// and returns when that is durable.
func (c *Coordinator) ForgetTopic(topic string) error {
	return c.forgetTopics(func(t string) bool { return t == topic })
}

// forgetMissingTopics does what ForgetTopic could not do before a crash. Without
// it a new topic of the same name would inherit the offsets. When the log refuses
// now, the next look at the retention does it.
func (c *Coordinator) forgetMissingTopics() {
	err := c.forgetTopics(func(topic string) bool { return !c.hasTopic(topic) })
	if err != nil {
		c.cfg.Logger.Error("remove offsets of deleted topics", "error", err)
	}
}

func (c *Coordinator) hasTopic(name string) bool {
	_, ok := c.cfg.Log.Topic(name)
	return ok
}

func (c *Coordinator) forgetTopics(match func(topic string) bool) error {
	var writes []write
	for _, g := range c.all() {
		g.mu.Lock()
		g.settle()
		gone := g.offsetsOf(func(tp topicPartition) bool { return match(tp.topic) })
		writes = append(writes, g.deleteOffsets(gone))
		g.mu.Unlock()
	}
	for _, w := range writes {
		if err := w.wait(); err != nil {
			return err
		}
	}
	return nil
}
