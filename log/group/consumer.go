package group

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"
)

// topicID is the id of a topic.
type topicID = [16]byte

// topicIDPartition is a partition of the topic with that id.
type topicIDPartition struct {
	topic     topicID
	partition int32
}

// assignment is a set of partitions. In a current assignment each comes with the
// epoch in which the member got it, in a target assignment with 0. It is never
// changed once it is in a group.
type assignment map[topicID]map[int32]int32

func (a assignment) has(topic topicID, partition int32) bool {
	_, ok := a[topic][partition]
	return ok
}

func (a assignment) add(topic topicID, partition, epoch int32) {
	if a[topic] == nil {
		a[topic] = map[int32]int32{}
	}
	a[topic][partition] = epoch
}

// all goes through the partitions in no order.
func (a assignment) all(yield func(topicIDPartition, int32) bool) {
	for topic, partitions := range a {
		for p, epoch := range partitions {
			if !yield(topicIDPartition{topic, p}, epoch) {
				return
			}
		}
	}
}

// topics returns the topic ids in order.
func (a assignment) topics() []topicID {
	return slices.SortedFunc(maps.Keys(a), func(x, y topicID) int { return bytes.Compare(x[:], y[:]) })
}

// partitions returns a topic's partitions in order.
func (a assignment) partitions(topic topicID) []int32 {
	return slices.Sorted(maps.Keys(a[topic]))
}

func (a assignment) size() int {
	n := 0
	for _, partitions := range a {
		n += len(partitions)
	}
	return n
}

func (a assignment) equal(b assignment) bool {
	return maps.EqualFunc(a, b, maps.Equal[map[int32]int32, map[int32]int32])
}

// samePartitions is equal without regard to epochs.
func (a assignment) samePartitions(b assignment) bool {
	return maps.EqualFunc(a, b, func(x, y map[int32]int32) bool {
		return maps.EqualFunc(x, y, func(int32, int32) bool { return true })
	})
}

// memberState is where a member is between its current and its target
// assignment. The numbers are those of Kafka's MemberState.
type memberState int8

const (
	memberStable     memberState = 0
	memberUnrevoked  memberState = 1 // it has to give up partitions first
	memberUnreleased memberState = 2 // it waits for partitions that others still have
)

// Member epochs with a meaning of their own (KIP-848).
const (
	epochJoin        = 0
	epochLeave       = -1
	epochLeaveStatic = -2 // a static member that will be back
)

// groupEpoch is what ConsumerGroupMetadataValue holds.
type groupEpoch struct {
	epoch int32
	hash  int64 // of the subscribed topics, see topicsHash
}

// memberInfo is what ConsumerGroupMemberMetadataValue holds: what a member says
// of itself. It is never changed once it is in a group.
type memberInfo struct {
	instanceID         *string
	rackID             *string
	clientID           string
	clientHost         string
	topics             []string // sorted, each once
	regex              string   // "": none
	rebalanceTimeoutMs int32
	assignor           string      // "": no preference
	classic            *classicUse // nil: the member uses the consumer protocol
}

// classicUse is how a member of a consumer group uses the classic protocol.
type classicUse struct {
	sessionTimeoutMs int32
	protocols        []protocol
}

// currentAssignment is what ConsumerGroupCurrentMemberAssignmentValue holds: what
// a member has. It is never changed once it is in a group.
type currentAssignment struct {
	epoch    int32 // the one that the member has been told
	previous int32
	state    memberState
	assigned assignment
	revoking assignment // still the member's until it says that it no longer has them
}

// reconciledTo reports whether the member has everything of the target with that epoch.
func (c *currentAssignment) reconciledTo(epoch int32) bool {
	return c.state == memberStable && c.epoch == epoch
}

// resolvedRegex is what ConsumerGroupRegularExpressionValue holds.
type resolvedRegex struct {
	topics      []string // sorted
	version     int64    // of the cluster's metadata; not used here
	timestampMs int64
}

// consumerMember is a member of a consumer group.
type consumerMember struct {
	id      string
	info    *memberInfo
	current *currentAssignment
}

func (m *consumerMember) classic() bool { return m.info.classic != nil }

// consumerGroup is the state of a group of the consumer protocol (KIP-848), in
// addition to what every group has. All of it but the timers is in the log: it
// is only changed by changes, see edit, and reading them back gives the same
// state (I7). It is guarded by the group's mutex.
type consumerGroup struct {
	groupEpoch
	targetEpoch int32 // of the targets
	targetTime  int64 // ms, when they were computed
	members     map[string]*consumerMember
	static      map[string]string // group instance id to member id
	targets     map[string]assignment
	regexes     map[string]*resolvedRegex
	owners      map[topicIDPartition]string // who has a partition, or has to give it up

	timers   map[string]*memberTimers
	checked  time.Time // when the hash was last compared
	resolved time.Time // when the regular expressions were last resolved
}

func newConsumerGroup() *consumerGroup {
	return &consumerGroup{
		members: map[string]*consumerMember{},
		static:  map[string]string{},
		targets: map[string]assignment{},
		regexes: map[string]*resolvedRegex{},
		owners:  map[topicIDPartition]string{},
		timers:  map[string]*memberTimers{},
	}
}

// sorted returns the members by id.
func (g *consumerGroup) sorted() []*consumerMember {
	return slices.SortedFunc(maps.Values(g.members), func(a, b *consumerMember) int { return cmp.Compare(a.id, b.id) })
}

// state is the state as ListGroups and ConsumerGroupDescribe name it.
func (g *consumerGroup) state() string {
	switch {
	case len(g.members) == 0:
		return "Empty"
	case g.epoch > g.targetEpoch:
		return "Assigning"
	}
	for _, m := range g.members {
		if !m.current.reconciledTo(g.targetEpoch) {
			return "Reconciling"
		}
	}
	return "Stable"
}

// subscribers counts the members with that regular expression.
func (g *consumerGroup) subscribers(regex string) int {
	n := 0
	for _, m := range g.members {
		if m.info.regex == regex {
			n++
		}
	}
	return n
}

// onlyClassic reports whether there are members and all use the classic protocol.
func (g *consumerGroup) onlyClassic() bool {
	for _, m := range g.members {
		if !m.classic() {
			return false
		}
	}
	return len(g.members) > 0
}

// member returns the member, made when it is not there.
func (g *consumerGroup) member(id string) *consumerMember {
	m, ok := g.members[id]
	if !ok {
		m = &consumerMember{id: id, info: &memberInfo{}, current: &currentAssignment{previous: -1}}
		g.members[id] = m
	}
	return m
}

// A change is one record of a consumer group: it sets what its key names, or
// removes it when its value is nil.
type change interface {
	// apply makes the change and returns the one that takes it back.
	apply(g *consumerGroup) change
	// record is the change as the log has it.
	record(group string) record
}

type (
	epochChange  struct{ v *groupEpoch }
	targetsEpoch struct {
		epoch  int32
		timeMs int64
		remove bool
	}
	infoChange struct {
		member string
		v      *memberInfo
	}
	targetChange struct {
		member string
		v      assignment
	}
	currentChange struct {
		member string
		v      *currentAssignment
	}
	regexChange struct {
		pattern string
		v       *resolvedRegex
	}
)

func (c epochChange) apply(g *consumerGroup) change {
	old := g.groupEpoch
	if g.groupEpoch = (groupEpoch{}); c.v != nil {
		g.groupEpoch = *c.v
	}
	return epochChange{&old}
}

func (c targetsEpoch) apply(g *consumerGroup) change {
	old := targetsEpoch{epoch: g.targetEpoch, timeMs: g.targetTime}
	g.targetEpoch, g.targetTime = c.epoch, c.timeMs
	return old
}

func (c infoChange) apply(g *consumerGroup) change {
	old, ok := g.members[c.member]
	inverse := infoChange{member: c.member}
	if ok {
		inverse.v = old.info
		if id := old.info.instanceID; id != nil && g.static[*id] == c.member {
			delete(g.static, *id)
		}
	}
	if c.v == nil {
		if ok {
			g.release(c.member, old.current) // usually nothing: currentChange comes first
		}
		delete(g.members, c.member)
		return inverse
	}
	g.member(c.member).info = c.v
	if id := c.v.instanceID; id != nil {
		g.static[*id] = c.member
	}
	return inverse
}

func (c targetChange) apply(g *consumerGroup) change {
	inverse := targetChange{c.member, g.targets[c.member]}
	if c.v == nil {
		delete(g.targets, c.member)
	} else {
		g.targets[c.member] = c.v
	}
	return inverse
}

// apply of a removal leaves a member that has nothing; infoChange removes it.
func (c currentChange) apply(g *consumerGroup) change {
	m, ok := g.members[c.member]
	if !ok && c.v == nil {
		return c
	}
	if !ok {
		m = g.member(c.member)
	}
	old := m.current
	g.release(c.member, old)
	if m.current = c.v; c.v == nil {
		m.current = &currentAssignment{previous: -1}
	}
	for _, a := range []assignment{m.current.assigned, m.current.revoking} {
		for tp := range a.all {
			g.owners[tp] = c.member
		}
	}
	if !ok {
		return infoChange{member: c.member}
	}
	return currentChange{c.member, old}
}

// release takes the member's partitions from it, those that others got meanwhile excepted.
func (g *consumerGroup) release(member string, c *currentAssignment) {
	for _, a := range []assignment{c.assigned, c.revoking} {
		for tp := range a.all {
			if g.owners[tp] == member {
				delete(g.owners, tp)
			}
		}
	}
}

func (c regexChange) apply(g *consumerGroup) change {
	inverse := regexChange{c.pattern, g.regexes[c.pattern]}
	if c.v == nil {
		delete(g.regexes, c.pattern)
	} else {
		g.regexes[c.pattern] = c.v
	}
	return inverse
}

// An edit is changes of a consumer group that are made together: in memory at
// once, in the log with save, and taken back when that fails. What others see of
// a group meanwhile they are told only when the log has it, see group.written.
type edit struct {
	g       *group
	fresh   *consumerMember // made by this edit
	records []record
	undo    []func()
	after   []func() // what follows once the log has taken the records
}

func (e *edit) set(c change) {
	group := e.g.consumer
	inverse := c.apply(group)
	e.undo = append(e.undo, func() { inverse.apply(group) })
	e.records = append(e.records, c.record(e.g.id))
}

// save writes the records, or takes everything back.
func (e *edit) save() error {
	if len(e.records) > 0 {
		w := e.g.c.store.append(e.g.id, e.records)
		if w.err != nil {
			e.rollback()
			return w.err
		}
		e.g.written = w
	}
	for _, f := range e.after {
		f()
	}
	if len(e.records) > 0 {
		e.g.weigh()
	}
	return nil
}

func (e *edit) rollback() {
	for _, f := range slices.Backward(e.undo) {
		f()
	}
	e.undo, e.records, e.after, e.fresh = nil, nil, nil, nil
}
