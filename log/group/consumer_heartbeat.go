package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerHeartbeat handles ConsumerGroupHeartbeat, which is joining, staying in
// and leaving a group of the consumer protocol (KIP-848). visible says which
// topics a regular expression of this client may match; nil: all. What it
// answers is durable (I1).
func (c *Coordinator) ConsumerHeartbeat(client Client, q *kmsg.ConsumerGroupHeartbeatRequest, visible func(topic string) bool) *kmsg.ConsumerGroupHeartbeatResponse {
	resp, err := c.consumerHeartbeat(client, q, visible)
	if err == nil {
		return resp
	}
	resp = kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.ErrorCode, resp.ErrorMessage = codeOf(err), kmsg.StringPtr(err.Error())
	return resp
}

func (c *Coordinator) consumerHeartbeat(client Client, q *kmsg.ConsumerGroupHeartbeatRequest, visible func(topic string) bool) (*kmsg.ConsumerGroupHeartbeatResponse, error) {
	if err := checkConsumerHeartbeat(q); err != nil {
		return nil, err
	}
	if _, err := c.store.topic(); err != nil {
		return nil, err
	}
	g, err := c.lock(q.Group, q.MemberEpoch == epochJoin)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, withMessage(kerr.GroupIDNotFound, "group %q not found", q.Group)
	}
	var resp *kmsg.ConsumerGroupHeartbeatResponse
	if q.MemberEpoch < 0 {
		resp, err = g.consumerLeave(q)
	} else {
		h := heartbeat{edit: edit{g: g}, q: q, client: client, visible: visible}
		resp, err = h.run()
	}
	written := g.written
	g.forgetIfUnused()
	g.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return resp, written.wait()
}

// checkConsumerHeartbeat checks what does not depend on the group.
func checkConsumerHeartbeat(q *kmsg.ConsumerGroupHeartbeatRequest) error {
	isEmpty := func(s *string) bool { return s != nil && *s == "" }
	switch {
	case q.MemberID == "" && (q.Version >= 1 || q.MemberEpoch > 0 || q.MemberEpoch == epochLeave):
		return withMessage(kerr.InvalidRequest, "MemberId can't be empty.")
	case q.Group == "":
		return withMessage(kerr.InvalidRequest, "GroupId can't be empty.")
	case isEmpty(q.InstanceID):
		return withMessage(kerr.InvalidRequest, "InstanceId can't be empty.")
	case isEmpty(q.RackID):
		return withMessage(kerr.InvalidRequest, "RackId can't be empty.")
	case q.MemberEpoch < epochLeaveStatic:
		return withMessage(kerr.InvalidRequest, "MemberEpoch is invalid.")
	case q.MemberEpoch == epochLeaveStatic && q.InstanceID == nil:
		return withMessage(kerr.InvalidRequest, "InstanceId can't be null.")
	}
	if err := checkNames(&q.MemberID, q.InstanceID, q.RackID); err != nil {
		return err
	}
	if q.MemberEpoch == epochJoin {
		switch {
		case q.RebalanceTimeoutMillis == -1:
			return withMessage(kerr.InvalidRequest, "RebalanceTimeoutMs must be provided in first request.")
		case q.Topics == nil || len(q.Topics) > 0:
			return withMessage(kerr.InvalidRequest, "TopicPartitions must be empty when (re-)joining.")
		case q.SubscribedTopicNames == nil && q.SubscribedTopicRegex == nil:
			return withMessage(kerr.InvalidRequest, "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
		}
	}
	if q.ServerAssignor != nil {
		if _, ok := assignor(*q.ServerAssignor); !ok {
			return withMessage(kerr.UnsupportedAssignor, "ServerAssignor %s is not supported. Supported assignors: uniform, range.", *q.ServerAssignor)
		}
	}
	return nil
}

// heartbeat is one ConsumerGroupHeartbeat that does not leave.
type heartbeat struct {
	edit
	q       *kmsg.ConsumerGroupHeartbeatRequest
	client  Client
	visible func(string) bool
}

// run makes the changes and the answer, or changes nothing.
func (h *heartbeat) run() (*kmsg.ConsumerGroupHeartbeatResponse, error) {
	resp, err := h.apply()
	if err != nil {
		h.rollback()
		return nil, err
	}
	return resp, h.save()
}

func (h *heartbeat) apply() (*kmsg.ConsumerGroupHeartbeatResponse, error) {
	if err := h.g.c.admit(h.g.heartbeatBytes(h.q)); err != nil {
		return nil, err
	}
	if err := h.toConsumer(h.q.MemberEpoch == epochJoin); err != nil {
		return nil, err
	}
	owned := ownedPartitions(h.q.Topics)
	m, err := h.consumerMember(owned)
	if err != nil {
		return nil, err
	}
	before := m.current
	changed, err := h.subscribe(m, h.update(m.info), h.visible)
	if err != nil {
		return nil, err
	}
	h.retarget()
	if err := h.reconcile(m, changed, owned); err != nil {
		return nil, err
	}
	h.after = append(h.after, func() { h.g.touchConsumer(m) })
	return h.response(m, before), nil
}

// ownedPartitions is what a member says that it has; nil when it does not say.
func ownedPartitions(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) assignment {
	if topics == nil {
		return nil
	}
	owned := assignment{}
	for _, t := range topics {
		for _, p := range t.Partitions {
			owned.add(t.TopicID, p, 0)
		}
	}
	return owned
}

// consumerMember finds the member of the request, or makes it when it joins.
func (h *heartbeat) consumerMember(owned assignment) (*consumerMember, error) {
	g, q := h.g.consumer, h.q
	id := q.MemberID
	if id == "" {
		id = newID()
	}
	if err := h.checkRoom(id, q.InstanceID); err != nil {
		return nil, err
	}
	if q.InstanceID != nil {
		return h.staticMember(id, *q.InstanceID, owned)
	}
	m, ok := g.members[id]
	if !ok && q.MemberEpoch != epochJoin {
		return nil, withMessage(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, h.g.id)
	}
	if !ok {
		return h.newMember(id), nil
	}
	return m, checkMemberEpoch(m, q.MemberEpoch, owned)
}

// newMember makes a member that the log gets with the first change of it.
func (e *edit) newMember(id string) *consumerMember {
	g := e.g.consumer
	e.undo = append(e.undo, func() { delete(g.members, id) })
	e.g.c.cfg.Logger.Info("group member joined", "group", e.g.id, "member", id, "epoch", g.epoch)
	e.fresh = g.member(id)
	return e.fresh
}

// checkRoom refuses a member that would be one too many (group.consumer.max.size).
func (e *edit) checkRoom(id string, instanceID *string) error {
	g := e.g.consumer
	if instanceID != nil && g.static[*instanceID] != "" {
		return nil // it takes the place of the one before, or is refused for that
	}
	if _, ok := g.members[id]; !ok && len(g.members) >= e.g.c.cfg.MaxConsumerMembers { // I5
		return withMessage(kerr.GroupMaxSizeReached, "group %s has reached its maximum size of %d members", e.g.id, e.g.c.cfg.MaxConsumerMembers)
	}
	return nil
}

func (h *heartbeat) staticMember(id, instanceID string, owned assignment) (*consumerMember, error) {
	g := h.g.consumer
	old := g.members[g.static[instanceID]]
	if h.q.MemberEpoch == epochJoin {
		switch {
		case old == nil:
			return h.newMember(id), nil
		case !old.classic() && old.current.epoch != epochLeaveStatic:
			return nil, withMessage(kerr.UnreleasedInstanceID, "Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", id, instanceID, old.id)
		}
		return h.replace(old, id), nil
	}
	if err := checkInstance(old, id, instanceID); err != nil {
		return nil, err
	}
	return old, checkMemberEpoch(old, h.q.MemberEpoch, owned)
}

// checkInstance checks that the member with an instance id, nil for none, has
// the member id.
func checkInstance(m *consumerMember, id, instanceID string) error {
	switch {
	case m == nil:
		return withMessage(kerr.UnknownMemberID, "Instance id %s is unknown.", instanceID)
	case m.id != id:
		return withMessage(kerr.FencedInstanceID, "Static member %s with instance id %s was fenced by member %s.", id, instanceID, m.id)
	}
	return nil
}

// replace lets a new member take the place and the assignments of a static one.
func (e *edit) replace(old *consumerMember, id string) *consumerMember {
	g := e.g.consumer
	info, current, target := old.info, *old.current, g.targets[old.id]
	current.epoch, current.previous = epochJoin, epochJoin
	e.removeMember(old.id)
	e.set(infoChange{id, info})
	e.set(targetChange{id, nonNil(target)})
	e.set(currentChange{id, &current})
	e.g.c.cfg.Logger.Info("static group member replaced", "group", e.g.id, "instance", *info.instanceID, "member", id, "former", old.id)
	return g.members[id]
}

func nonNil(a assignment) assignment {
	if a == nil {
		return assignment{}
	}
	return a
}

// removeMember writes the tombstones in Kafka's order: a member that is half gone
// after a crash still has its name, and expires.
func (e *edit) removeMember(id string) {
	e.set(currentChange{member: id})
	e.set(targetChange{member: id})
	e.set(infoChange{member: id})
	g := e.g.consumer
	e.after = append(e.after, func() { g.stopTimers(id) })
}

// checkMemberEpoch fences a member whose epoch is not the one that it was told.
// The one before will do when the answer with the newer one may have got lost.
func checkMemberEpoch(m *consumerMember, epoch int32, owned assignment) error {
	c := m.current
	switch {
	case epoch == epochJoin || epoch == c.epoch:
		return nil
	case epoch > c.epoch:
		return withMessage(kerr.FencedMemberEpoch, "The consumer group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, c.epoch)
	case epoch == c.previous && owned != nil && subset(owned, c.assigned):
		return nil
	}
	return withMessage(kerr.FencedMemberEpoch, "The consumer group member has a smaller member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, c.epoch)
}

func subset(a, of assignment) bool {
	for tp := range a.all {
		if !of.has(tp.topic, tp.partition) {
			return false
		}
	}
	return true
}

// update is what the member says of itself now; what the request leaves out stays.
// Everything is copied: the request's bytes are gone when it ends.
func (h *heartbeat) update(old *memberInfo) *memberInfo {
	q, v := h.q, *old
	v.clientID, v.clientHost, v.classic = h.client.ID, h.client.Host, nil
	if q.InstanceID != nil {
		v.instanceID = kmsg.StringPtr(*q.InstanceID)
	}
	if q.RackID != nil {
		v.rackID = kmsg.StringPtr(*q.RackID)
	}
	if q.RebalanceTimeoutMillis != -1 {
		v.rebalanceTimeoutMs = q.RebalanceTimeoutMillis
	}
	if q.ServerAssignor != nil {
		v.assignor = *q.ServerAssignor
	}
	if q.SubscribedTopicNames != nil {
		v.topics = slices.Clone(q.SubscribedTopicNames)
		slices.Sort(v.topics)
		v.topics = slices.Compact(v.topics)
	}
	if q.SubscribedTopicRegex != nil {
		v.regex = *q.SubscribedTopicRegex
	}
	return &v
}

// response tells the member its epoch, and its partitions when they are news to
// it or it has said everything, as after an error.
func (h *heartbeat) response(m *consumerMember, before *currentAssignment) *kmsg.ConsumerGroupHeartbeatResponse {
	q := h.q
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID = kmsg.StringPtr(m.id)
	resp.MemberEpoch = m.current.epoch
	resp.HeartbeatIntervalMillis = int32(h.g.c.cfg.ConsumerHeartbeatInterval.Milliseconds())
	full := q.RebalanceTimeoutMillis != -1 && (q.SubscribedTopicNames != nil || q.SubscribedTopicRegex != nil) && q.Topics != nil
	if q.MemberEpoch != epochJoin && !full && m.current.assigned.samePartitions(before.assigned) {
		return resp
	}
	a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	a.Topics = []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{}
	for _, topic := range m.current.assigned.topics() {
		t := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
		t.TopicID, t.Partitions = topic, m.current.assigned.partitions(topic)
		a.Topics = append(a.Topics, t)
	}
	resp.Assignment = &a
	return resp
}

// consumerLeave takes a member out, or, when a static one says that it will be
// back, keeps its place for the time of a session.
func (g *group) consumerLeave(q *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, error) {
	if g.consumer == nil {
		return nil, withMessage(kerr.GroupIDNotFound, "Group %s is not a consumer group.", g.id)
	}
	m := g.consumer.members[q.MemberID]
	if q.InstanceID != nil {
		m = g.consumer.members[g.consumer.static[*q.InstanceID]]
		if err := checkInstance(m, q.MemberID, *q.InstanceID); err != nil {
			return nil, err
		}
	}
	if m == nil {
		return nil, withMessage(kerr.UnknownMemberID, "Member %s is not a member of group %s.", q.MemberID, g.id)
	}
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = kmsg.StringPtr(m.id), q.MemberEpoch
	g.c.cfg.Logger.Info("group member left", "group", g.id, "member", m.id, "epoch", q.MemberEpoch)
	if q.MemberEpoch == epochLeave {
		return resp, g.fence(m.id)
	}
	away := *m.current
	away.epoch, away.revoking, away.assigned = epochLeaveStatic, nil, assignment{}
	for tp := range m.current.assigned.all {
		away.assigned.add(tp.topic, tp.partition, 0) // the next one may commit from the start
	}
	e := edit{g: g}
	e.set(currentChange{m.id, &away})
	return resp, e.save()
}

// fence removes members and lets the others have their partitions. When only
// members with the classic protocol are left, the group becomes a classic one.
func (g *group) fence(ids ...string) error {
	e := edit{g: g}
	cg := g.consumer
	for _, id := range ids {
		e.removeMember(id)
	}
	if cg.onlyClassic() && g.c.canDowngrade(cg) {
		if err := e.toClassic(true); err != nil {
			e.rollback()
			return err
		}
		return e.save()
	}
	e.dropRegexes()
	e.set(epochChange{&groupEpoch{cg.epoch + 1, g.c.topicsHash(cg)}})
	if len(cg.members) == 0 {
		e.set(targetsEpoch{epoch: cg.epoch})
	}
	return e.save()
}

// dropRegexes forgets the regular expressions that nobody subscribes to.
func (e *edit) dropRegexes() {
	for pattern := range e.g.consumer.regexes {
		if e.g.consumer.subscribers(pattern) == 0 {
			e.set(regexChange{pattern: pattern})
		}
	}
}

// timersOf returns the timers of a member, made when there are none.
func (g *consumerGroup) timersOf(id string) *memberTimers {
	t, ok := g.timers[id]
	if !ok {
		t = &memberTimers{}
		g.timers[id] = t
	}
	return t
}

func (g *consumerGroup) stopTimers(id string) {
	if t, ok := g.timers[id]; ok {
		t.stop()
		delete(g.timers, id)
	}
}

// touchConsumer starts the member's session anew, and the time that it has to
// give up partitions when it has just been told to.
func (g *group) touchConsumer(m *consumerMember) {
	cg := g.consumer
	session := g.c.cfg.ConsumerSessionTimeout
	if m.classic() {
		session = time.Duration(m.info.classic.sessionTimeoutMs) * time.Millisecond
	}
	t := cg.timersOf(m.id)
	t.session.extend(session, func() { g.consumerSessionDue(cg, m.id, t) })
	switch {
	case m.classic() || m.current.state != memberUnrevoked:
		cancel(&t.rebalance)
	case t.rebalance == nil:
		epoch := m.current.epoch
		t.rebalance = g.fenceAfter(cg, m.id, m.info.rebalanceTimeoutMs, "did not give up its partitions in time", func(m *consumerMember) bool {
			return m.current.epoch == epoch && m.current.state == memberUnrevoked
		})
	}
}

// consumerSessionDue is called by the member's timer, without the mutex.
func (g *group) consumerSessionDue(cg *consumerGroup, id string, t *memberTimers) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == dead || g.consumer != cg || cg.timers[id] != t || !t.session.passed() {
		return
	}
	g.fenceOverdue(id, "session expired")
}

// fenceAfter fences the member when it is still there after a while and in that
// state.
func (g *group) fenceAfter(cg *consumerGroup, id string, ms int32, reason string, still func(*consumerMember) bool) *time.Timer {
	return time.AfterFunc(time.Duration(ms)*time.Millisecond, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		m, ok := cg.members[id]
		if g.state != dead && g.consumer == cg && ok && still(m) {
			g.fenceOverdue(id, reason)
		}
	})
}

// fenceOverdue fences a member; when the log refuses, its next session does it.
func (g *group) fenceOverdue(id, reason string) {
	m, ok := g.consumer.members[id]
	if !ok {
		g.consumer.stopTimers(id)
		return
	}
	g.c.cfg.Logger.Info("group member fenced", "group", g.id, "member", id, "epoch", m.current.epoch, "reason", reason)
	if err := g.fence(id); err != nil {
		g.c.cfg.Logger.Error("fence group member", "group", g.id, "member", id, "error", err)
		g.consumer.stopTimers(id)
		g.touchConsumer(m)
	}
	g.forgetIfUnused()
}
