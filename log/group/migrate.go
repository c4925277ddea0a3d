package group

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// MigrationPolicy says which way a group with members may go from one protocol to
// the other while its members are replaced (group.consumer.migration.policy).
type MigrationPolicy string

// The values of group.consumer.migration.policy.
const (
	MigrateBoth MigrationPolicy = "bidirectional"
	Upgrade     MigrationPolicy = "upgrade"
	Downgrade   MigrationPolicy = "downgrade"
	NoMigration MigrationPolicy = "disabled"
)

func (p MigrationPolicy) upgrades() bool   { return p == MigrateBoth || p == Upgrade }
func (p MigrationPolicy) downgrades() bool { return p == MigrateBoth || p == Downgrade }

// consumerType is the protocol type of groups whose metadata and assignments are
// those of the consumer embedded protocol.
const consumerType = "consumer"

// toConsumer makes a group of the consumer protocol of one that is not, when a
// member joins. Members with the classic protocol stay in it with what they have.
func (e *edit) toConsumer(joining bool) error {
	g := e.g
	switch {
	case g.consumer != nil:
		return nil
	case !joining:
		return withMessage(kerr.GroupIDNotFound, "Group %s is not a consumer group.", g.id)
	}
	cg := newConsumerGroup()
	e.undo = append(e.undo, func() { g.consumer = nil })
	g.consumer = cg
	if len(g.members) > 0 {
		if err := e.adoptClassic(); err != nil {
			return err
		}
		g.c.cfg.Logger.Info("group migrates to the consumer protocol", "group", g.id, "members", len(g.members))
	}
	if g.stored {
		e.records = append([]record{groupTombstone(g.id)}, e.records...)
	}
	e.after = append(e.after, func() {
		g.clearClassic()
		for _, m := range cg.members {
			if m.classic() {
				g.touchConsumer(m)
			}
		}
	})
	return nil
}

// adoptClassic takes the classic group's members over: its generation is their
// epoch and its assignment their target.
func (e *edit) adoptClassic() error {
	g := e.g
	switch {
	case !g.c.cfg.MigrationPolicy.upgrades():
		return withMessage(kerr.GroupIDNotFound, "Cannot upgrade classic group %s to consumer group because online upgrade is disabled.", g.id)
	case g.protocolType != consumerType:
		return withMessage(kerr.GroupIDNotFound, "Cannot upgrade classic group %s to consumer group because the group does not use the consumer embedded protocol.", g.id)
	case len(g.members) > g.c.cfg.MaxConsumerMembers:
		return withMessage(kerr.GroupIDNotFound, "Cannot upgrade classic group %s to consumer group because the group size exceeds the consumer group maximum size.", g.id)
	}
	e.set(epochChange{&groupEpoch{epoch: g.generation}})
	for _, m := range g.sorted() {
		name := g.protocol
		if name == "" {
			name = m.protocols[0].name
		}
		sub, err := decodeSubscription(m.metadata(name))
		if err != nil {
			return withMessage(kerr.GroupIDNotFound, "Cannot upgrade classic group %s to consumer group because the embedded consumer protocol is malformed.", g.id)
		}
		assigned, err := g.c.fromEmbedded(m.assignment, g.generation)
		if err != nil {
			return err
		}
		info := &memberInfo{
			instanceID: m.instanceID, rackID: sub.Rack, clientID: m.clientID, clientHost: m.clientHost,
			topics: sub.Topics, rebalanceTimeoutMs: int32(m.rebalanceTimeout.Milliseconds()),
			classic: &classicUse{int32(m.sessionTimeout.Milliseconds()), m.protocols},
		}
		e.set(infoChange{m.id, info})
		e.set(targetChange{m.id, assigned})
		e.set(currentChange{m.id, &currentAssignment{g.generation, g.generation, memberStable, assigned, nil}})
	}
	e.set(targetsEpoch{epoch: g.generation})
	return nil
}

// clearClassic empties the classic side of a group that now has the other
// protocol. Who waits there has to join again.
func (g *group) clearClassic() {
	g.cancelTimer()
	for id := range g.pending {
		g.removePending(id)
	}
	for _, m := range g.members {
		m.session.stop()
		m.answerJoin(joinError(m.id, kerr.RebalanceInProgress))
		m.answerSync(syncError(kerr.RebalanceInProgress))
	}
	g.members, g.static = map[string]*member{}, map[string]string{}
	g.generation, g.protocolType, g.protocol, g.leader = 0, "", "", ""
	g.delaying, g.storing, g.stored = false, false, false
	g.setState(empty)
	g.weigh()
}

// canDowngrade reports whether the policy and the limits let a group with only
// members of the classic protocol become a classic one.
func (c *Coordinator) canDowngrade(g *consumerGroup) bool {
	return c.cfg.MigrationPolicy.downgrades() && len(g.members) <= c.cfg.MaxMembers
}

// toClassic makes a classic group of one whose members all use that protocol:
// the group's epoch is its generation, the targets its assignment. The members
// are asked to join again when rebalance is set.
func (e *edit) toClassic(rebalance bool) error {
	g, cg := e.g, e.g.consumer
	members, err := g.classicMembers(cg)
	if err != nil {
		return err
	}
	e.tombstones()
	next := newGroup(g.c, g.id)
	next.protocolType, next.generation, next.state = consumerType, cg.epoch, stable
	for _, m := range members {
		next.insert(m)
	}
	next.protocol = next.chooseProtocol()
	next.unweigh() // it only serves to make the record
	e.records = append(e.records, next.metadataRecord(nil))
	e.after = append(e.after, func() {
		g.consumer = nil
		for id := range cg.timers {
			cg.stopTimers(id)
		}
		g.members, g.static, g.joined = next.members, next.static, next.joined
		g.protocolType, g.protocol, g.leader = next.protocolType, next.protocol, next.leader
		g.generation, g.stored = next.generation, true
		g.setState(stable)
		for _, m := range g.members {
			g.touch(m)
		}
		g.c.cfg.Logger.Info("group migrates to the classic protocol", "group", g.id, "members", len(g.members))
		if rebalance {
			g.prepareRebalance()
		}
	})
	return nil
}

// endConsumer turns a consumer group without members into an empty classic one,
// for the member with the classic protocol that is about to join.
func (g *group) endConsumer() error {
	if g.consumer == nil {
		return nil
	}
	e := edit{g: g}
	e.tombstones()
	e.after = append(e.after, func() { g.consumer = nil })
	return e.save()
}

// tombstones writes the removal of everything that the log has of the consumer
// group, its epoch last. The state in memory is the caller's to drop.
func (e *edit) tombstones() {
	add := func(c change) { e.records = append(e.records, c.record(e.g.id)) }
	cg := e.g.consumer
	for _, m := range cg.sorted() {
		add(currentChange{member: m.id})
		add(targetChange{member: m.id})
		add(infoChange{member: m.id})
	}
	for pattern := range cg.regexes {
		add(regexChange{pattern: pattern})
	}
	add(targetsEpoch{remove: true})
	add(epochChange{})
}

// classicMembers makes members of the classic protocol of those of a consumer group.
func (g *group) classicMembers(cg *consumerGroup) ([]*member, error) {
	var all []*member
	for _, cm := range cg.sorted() {
		use := cm.info.classic
		sub, err := decodeSubscription(use.protocols[0].metadata)
		if err != nil {
			return nil, err
		}
		all = append(all, &member{
			id: cm.id, instanceID: cm.info.instanceID,
			clientID: cm.info.clientID, clientHost: cm.info.clientHost,
			sessionTimeout:   time.Duration(use.sessionTimeoutMs) * time.Millisecond,
			rebalanceTimeout: time.Duration(cm.info.rebalanceTimeoutMs) * time.Millisecond,
			protocols:        use.protocols,
			assignment:       g.c.embedded(cg.targets[cm.id], sub.Version),
			synced:           true,
		})
	}
	return all, nil
}

// maxEmbeddedVersion is the newest version of the consumer embedded protocol that
// is known; newer ones only add fields at the end.
const maxEmbeddedVersion = 3

// decodeSubscription reads the metadata that a member of a classic group of type
// consumer sends: ConsumerProtocolSubscription. Everything in it is a copy.
func decodeSubscription(b []byte) (*kmsg.ConsumerMemberMetadata, error) {
	var v kmsg.ConsumerMemberMetadata
	if len(b) < 2 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return nil, kerr.InconsistentGroupProtocol
	}
	if err := v.ReadFrom(b); err != nil {
		return nil, kerr.InconsistentGroupProtocol
	}
	v.Version = min(v.Version, maxEmbeddedVersion)
	v.Topics = slices.Clone(v.Topics)
	slices.Sort(v.Topics)
	v.Topics = slices.Compact(v.Topics)
	v.UserData = nil
	return &v, nil
}

// embedded encodes partitions as a member of the classic protocol gets them:
// ConsumerProtocolAssignment. Topics that are gone are left out.
func (c *Coordinator) embedded(a assignment, version int16) []byte {
	v := kmsg.ConsumerMemberAssignment{Version: version}
	for _, id := range a.topics() {
		if name := c.topicName(id); name != "" {
			v.Topics = append(v.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: a.partitions(id)})
		}
	}
	slices.SortFunc(v.Topics, func(a, b kmsg.ConsumerMemberAssignmentTopic) int {
		return slices.Compare([]byte(a.Topic), []byte(b.Topic))
	})
	return v.AppendTo(nil)
}

// fromEmbedded decodes what a classic group's leader has assigned to a member,
// which may be nothing yet. What a custom assignor has put beside it would be
// lost, so that is refused, as Kafka does.
func (c *Coordinator) fromEmbedded(b []byte, epoch int32) (assignment, error) {
	a := assignment{}
	if len(b) == 0 {
		return a, nil
	}
	var v kmsg.ConsumerMemberAssignment
	if len(b) < 2 || int16(binary.BigEndian.Uint16(b)) < 0 || v.ReadFrom(b) != nil {
		return nil, withMessage(kerr.GroupIDNotFound, "Cannot upgrade a classic group to consumer group because the embedded consumer protocol is malformed.")
	}
	if len(v.UserData) > 0 {
		return nil, withMessage(kerr.GroupIDNotFound, "Cannot upgrade a classic group to consumer group because an unsupported custom assignor is in use. Switch to a default assignor first.")
	}
	for _, t := range v.Topics {
		c.addNamed(a, t.Topic, t.Partitions, epoch)
	}
	return a, nil
}

// addNamed adds partitions of a topic that is given by name, if it exists.
func (c *Coordinator) addNamed(a assignment, topic string, partitions []int32, epoch int32) {
	t, ok := c.cfg.Log.Topic(topic)
	if !ok {
		return
	}
	for _, p := range partitions {
		if p >= 0 && int(p) < t.Partitions() {
			a.add(t.ID(), p, epoch)
		}
	}
}
