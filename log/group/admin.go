package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Listed is a group as ListGroups shows it.
type Listed struct{ Group, ProtocolType, State string }

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

func (g *group) listed() Listed { return Listed{g.id, g.protocolType, g.state.String()} }

// Describe returns a group; GROUP_ID_NOT_FOUND when there is none.
func (c *Coordinator) Describe(id string) (Described, error) {
	g, err := c.lock(id, false)
	if err != nil {
		return Described{}, err
	}
	if g == nil {
		return Described{}, kerr.GroupIDNotFound
	}
	defer g.mu.Unlock()
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
	if g.state != empty || len(g.members) > 0 {
		return write{err: kerr.NonEmptyGroup}
	}
	var records []record
	for _, tp := range g.offsetsOf(func(topicPartition) bool { return true }) {
		records = append(records, offsetTombstone(g.id, tp))
	}
	w := g.c.store.append(g.id, append(records, groupTombstone(g.id)))
	if w.err != nil {
		return w
	}
	for _, t := range g.pending {
		t.Stop()
	}
	g.setState(dead)
	g.c.forget(g)
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
	for _, m := range g.members {
		for _, p := range m.protocols {
			var meta kmsg.ConsumerMemberMetadata
			if err := meta.ReadFrom(p.metadata); err != nil || slices.Contains(meta.Topics, topic) {
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
	var writes []write
	for _, g := range c.all() {
		g.mu.Lock()
		g.settle()
		gone := g.offsetsOf(func(tp topicPartition) bool { return tp.topic == topic })
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
