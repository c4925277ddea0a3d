package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file serves members that use the classic protocol in a group of the
// consumer protocol, while the members of the group are being replaced (KIP-848,
// online migration). To such a member its epoch is the generation, and it never
// leads: JoinGroup is a heartbeat that says everything, SyncGroup tells it what
// it has, and Heartbeat when it has to join again.

// classicJoin handles a JoinGroup: it returns an error, or what answers when it
// is called without the mutex.
func (g *group) classicJoin(client Client, q *kmsg.JoinGroupRequest, answer chan *kmsg.JoinGroupResponse) (after func(), err error) {
	e := edit{g: g}
	m, err := e.classicJoin(client, q)
	if err != nil {
		e.rollback()
		return nil, err
	}
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.MemberID, resp.Generation = m.id, m.current.epoch
	resp.ProtocolType = kmsg.StringPtr(consumerType)
	resp.Protocol = kmsg.StringPtr(m.info.classic.protocols[0].name)
	resp.Members = []kmsg.JoinGroupResponseMember{}
	if err := e.save(); err != nil {
		return nil, err
	}
	written := g.written
	return func() {
		if err := written.wait(); err != nil {
			resp = joinError(resp.MemberID, err)
		}
		answer <- resp
	}, nil
}

func (e *edit) classicJoin(client Client, q *kmsg.JoinGroupRequest) (*consumerMember, error) {
	if err := e.checkClassic(q); err != nil {
		return nil, err
	}
	if err := e.g.c.admit(e.g.joinBytes(q)); err != nil {
		return nil, err
	}
	sub, err := decodeSubscription(q.Protocols[0].Metadata)
	if err != nil {
		return nil, err
	}
	m, replaced, err := e.classicMember(client, q)
	if err != nil {
		return nil, err
	}
	changed, err := e.subscribe(m, classicInfo(client, q, sub), nil)
	if err != nil {
		return nil, err
	}
	cg := e.g.consumer
	downgrade := replaced && cg.onlyClassic() && e.g.c.canDowngrade(cg)
	stale := cg.targetEpoch < cg.epoch
	if !downgrade {
		e.retarget()
	}
	if !downgrade || !stale {
		if err := e.reconcile(m, changed, e.g.c.fromOwned(sub)); err != nil {
			return nil, err
		}
	}
	if downgrade {
		return m, e.toClassic(stale)
	}
	e.after = append(e.after, func() {
		t := cg.timersOf(m.id)
		cancel(&t.join)
		cancel(&t.sync)
		t.sync = e.g.fenceAfter(cg, m.id, m.info.rebalanceTimeoutMs, "did not sync in time", func(*consumerMember) bool { return true })
		e.g.touchConsumer(m)
	})
	return m, nil
}

// checkClassic refuses members that the group cannot have: it is for what has the
// consumer embedded protocol, and all have to have one protocol in common in
// case the group becomes a classic one.
func (e *edit) checkClassic(q *kmsg.JoinGroupRequest) error {
	if e.g.c.cfg.MigrationPolicy == NoMigration || q.ProtocolType != consumerType || len(q.Protocols) == 0 {
		return kerr.InconsistentGroupProtocol
	}
	supported := map[string]int{}
	all := 0
	for _, m := range e.g.consumer.members {
		if !m.classic() {
			continue
		}
		all++
		for _, p := range m.info.classic.protocols {
			supported[p.name]++
		}
	}
	for _, p := range q.Protocols {
		if supported[p.Name] == all {
			return nil
		}
	}
	return kerr.InconsistentGroupProtocol
}

// classicMember finds or makes the member of a JoinGroup. replaced says that it
// takes the place of a static member that used the consumer protocol.
func (e *edit) classicMember(client Client, q *kmsg.JoinGroupRequest) (m *consumerMember, replaced bool, err error) {
	cg := e.g.consumer
	id := q.MemberID
	if id == "" {
		id = client.ID + "-" + newID()
	}
	if err := e.checkRoom(id, q.InstanceID); err != nil {
		return nil, false, err
	}
	if q.InstanceID == nil {
		if q.MemberID == "" && q.Version >= 4 { // KIP-394: it must come again with its id
			return nil, false, &memberIDRequired{id}
		}
		if m, ok := cg.members[id]; ok {
			return m, false, nil
		}
		return e.newMember(id), false, nil
	}
	old := cg.members[cg.static[*q.InstanceID]]
	switch {
	case q.MemberID != "":
		return old, false, checkInstance(old, id, *q.InstanceID)
	case old == nil:
		return e.newMember(id), false, nil
	}
	replaced = !old.classic()
	return e.replace(old, id), replaced, nil
}

// memberIDRequired is MEMBER_ID_REQUIRED with the id that the member is to use.
type memberIDRequired struct{ id string }

func (e *memberIDRequired) Error() string { return "member id required" }
func (e *memberIDRequired) Unwrap() error { return kerr.MemberIDRequired }

// classicInfo is what a JoinGroup says of its member, copied.
func classicInfo(client Client, q *kmsg.JoinGroupRequest, sub *kmsg.ConsumerMemberMetadata) *memberInfo {
	m := newMember(client, q)
	return &memberInfo{
		instanceID: m.instanceID, rackID: sub.Rack, clientID: m.clientID, clientHost: m.clientHost,
		topics: sub.Topics, rebalanceTimeoutMs: int32(m.rebalanceTimeout.Milliseconds()),
		classic: &classicUse{int32(m.sessionTimeout.Milliseconds()), m.protocols},
	}
}

// fromOwned is the partitions that a subscription says its member has.
func (c *Coordinator) fromOwned(sub *kmsg.ConsumerMemberMetadata) assignment {
	a := assignment{}
	for _, t := range sub.OwnedPartitions {
		c.addNamed(a, t.Topic, t.Partitions, 0)
	}
	return a
}

// findClassic finds the member of a request of the classic protocol.
func (g *group) findClassic(id string, instanceID *string, generation int32) (*consumerMember, error) {
	m := g.consumer.members[id]
	if instanceID != nil {
		m = g.consumer.members[g.consumer.static[*instanceID]]
		if err := checkInstance(m, id, *instanceID); err != nil {
			return nil, err
		}
	}
	switch {
	case m == nil || !m.classic():
		return nil, kerr.UnknownMemberID
	case m.current.epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// classicSync tells the member what it has.
func (g *group) classicSync(q *kmsg.SyncGroupRequest, answer chan *kmsg.SyncGroupResponse) (after func(), err error) {
	m, err := g.findClassic(q.MemberID, q.InstanceID, q.Generation)
	if err != nil {
		return nil, err
	}
	use := m.info.classic
	if differs(q.ProtocolType, consumerType) || differs(q.Protocol, use.protocols[0].name) {
		return nil, kerr.InconsistentGroupProtocol
	}
	if g.consumer.targetEpoch > m.current.epoch && m.current.state != memberUnrevoked {
		g.expectJoin(m)
		return nil, kerr.RebalanceInProgress
	}
	cancel(&g.consumer.timersOf(m.id).sync)
	g.touchConsumer(m)
	sub, err := decodeSubscription(use.protocols[0].metadata)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType = kmsg.StringPtr(consumerType)
	resp.Protocol = kmsg.StringPtr(use.protocols[0].name)
	resp.MemberAssignment = g.c.embedded(m.current.assigned, sub.Version)
	written := g.written
	return func() {
		if err := written.wait(); err != nil {
			resp = syncError(err)
		}
		answer <- resp
	}, nil
}

// classicHeartbeat sends the member to join again when there is another target,
// when it has to give something up, or when what it waits for is free.
func (g *group) classicHeartbeat(id string, generation int32, instanceID *string) error {
	m, err := g.findClassic(id, instanceID, generation)
	if err != nil {
		return err
	}
	g.touchConsumer(m)
	c := m.current
	if c.epoch < g.consumer.targetEpoch || c.state == memberUnrevoked || (c.state == memberUnreleased && !g.consumer.waits(m)) {
		g.expectJoin(m)
		return kerr.RebalanceInProgress
	}
	return nil
}

// waits reports whether another member still has a partition of m's target.
func (g *consumerGroup) waits(m *consumerMember) bool {
	for tp := range g.targets[m.id].all {
		if _, owned := g.owners[tp]; owned && !m.current.assigned.has(tp.topic, tp.partition) {
			return true
		}
	}
	return false
}

// expectJoin gives the member the time of a rebalance to join again.
func (g *group) expectJoin(m *consumerMember) {
	if t := g.consumer.timersOf(m.id); t.join == nil {
		t.join = g.fenceAfter(g.consumer, m.id, m.info.rebalanceTimeoutMs, "did not rejoin in time", func(*consumerMember) bool { return true })
	}
}

// classicLeave handles LeaveGroup, which an administrator also uses for members
// with the consumer protocol.
func (g *group) classicLeave(members []kmsg.LeaveGroupRequestMember) []error {
	outcomes := make([]error, len(members))
	var gone []string
	seen := map[string]struct{}{}
	for i, q := range members {
		m := g.consumer.members[q.MemberID]
		if q.InstanceID != nil {
			m = g.consumer.members[g.consumer.static[*q.InstanceID]]
			if id := q.MemberID; id != "" {
				outcomes[i] = checkInstance(m, id, *q.InstanceID)
			}
		}
		if m == nil && outcomes[i] == nil {
			outcomes[i] = kerr.UnknownMemberID
		}
		if outcomes[i] != nil {
			continue
		}
		if _, ok := seen[m.id]; !ok {
			seen[m.id] = struct{}{}
			gone = append(gone, m.id)
		}
	}
	if len(gone) == 0 {
		return outcomes
	}
	if err := g.fence(gone...); err != nil {
		for i := range outcomes {
			if outcomes[i] == nil {
				outcomes[i] = err
			}
		}
	}
	return outcomes
}

// checkEpoch says whether a member of a consumer group may commit: with the epoch
// that it was told last, or with one in which it had each of the partitions
// (KIP-1251: a commit may cross the bump of an epoch on its way).
func (g *group) checkEpoch(q CommitRequest) error {
	cg := g.consumer
	m := cg.members[q.MemberID]
	if q.InstanceID != nil && m == nil {
		if static := cg.members[cg.static[*q.InstanceID]]; static != nil {
			return kerr.FencedInstanceID
		}
	}
	if m == nil {
		return kerr.UnknownMemberID
	}
	stale := kerr.StaleMemberEpoch
	if m.classic() {
		stale = kerr.IllegalGeneration
	}
	switch {
	case q.Generation == m.current.epoch:
		return nil
	case q.Generation > m.current.epoch:
		return stale
	}
	for _, o := range q.Offsets {
		since, ok := g.assignedSince(m, o.Topic, o.Partition)
		if !ok || q.Generation < since {
			return stale
		}
	}
	return nil
}

// assignedSince is the epoch in which the member got a partition that it has or
// has to give up.
func (g *group) assignedSince(m *consumerMember, topic string, partition int32) (int32, bool) {
	t, ok := g.c.cfg.Log.Topic(topic)
	if !ok {
		return 0, false
	}
	for _, a := range []assignment{m.current.assigned, m.current.revoking} {
		if since, ok := a[t.ID()][partition]; ok {
			return since, true
		}
	}
	return 0, false
}
