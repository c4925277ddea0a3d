package group

import (
	"maps"

	"github.com/twmb/franz-go/pkg/kerr"
)

func (c *currentAssignment) equal(o *currentAssignment) bool {
	return c.epoch == o.epoch && c.previous == o.previous && c.state == o.state &&
		c.assigned.equal(o.assigned) && c.revoking.equal(o.revoking)
}

// reconcile brings a member a step closer to its target: first it gives up what
// it may not keep, then it gets what is free. changed says that the member's
// subscription has just changed, owned what it says that it has, nil when it
// does not say.
func (e *edit) reconcile(m *consumerMember, changed bool, owned assignment) error {
	g := e.g.consumer
	if !changed && m.current.reconciledTo(g.targetEpoch) {
		return nil
	}
	r := reconciler{g: g, m: m, owned: owned, subscribed: map[topicID]struct{}{}}
	for _, id := range e.g.c.topicIDs(g.subscribed(m.info)) {
		r.subscribed[id] = struct{}{}
	}
	next, err := r.next(changed)
	if err != nil {
		return err
	}
	if !next.equal(m.current) {
		e.set(currentChange{m.id, next})
		e.after = append(e.after, func() { cancel(&g.timersOf(m.id).rebalance) }) // it has a step of its own to take now
	}
	return nil
}

// reconciler computes a member's next current assignment.
type reconciler struct {
	g          *consumerGroup
	m          *consumerMember
	owned      assignment
	subscribed map[topicID]struct{}
}

func (r *reconciler) next(changed bool) (*currentAssignment, error) {
	c := r.m.current
	switch c.state {
	case memberStable:
		switch {
		case c.epoch != r.g.targetEpoch:
			return r.advance(c.epoch), nil
		case changed:
			return r.restrict(), nil
		}
		return c, nil
	case memberUnrevoked:
		switch {
		case !r.has(c.revoking):
			return r.advance(c.epoch), nil
		case changed:
			return r.restrict(), nil
		}
		return c, nil
	case memberUnreleased:
		return r.advance(c.epoch), nil
	}
	// A state of a later release: the member has to start from nothing.
	if r.owned == nil || len(r.owned) > 0 {
		return nil, withMessage(kerr.FencedMemberEpoch, "The consumer group member is in an unknown state. The member must abandon all its partitions and rejoin.")
	}
	return r.advance(r.g.targetEpoch), nil
}

// has reports whether the member may still have one of the partitions.
func (r *reconciler) has(partitions assignment) bool {
	if r.owned == nil {
		return true
	}
	for tp := range partitions.all {
		if r.owned.has(tp.topic, tp.partition) {
			return true
		}
	}
	return false
}

// advance takes the member towards its target. It keeps its epoch as long as it
// has something to give up; then it gets the target's epoch and the partitions
// that nobody has, and waits for the rest.
func (r *reconciler) advance(epoch int32) *currentAssignment {
	c, target := r.m.current, r.g.targets[r.m.id]
	keep, revoke := assignment{}, assignment{}
	for tp, since := range c.assigned.all {
		if r.wants(tp) && target.has(tp.topic, tp.partition) {
			keep.add(tp.topic, tp.partition, since)
		} else {
			revoke.add(tp.topic, tp.partition, since)
		}
	}
	if len(revoke) > 0 && r.has(revoke) {
		return &currentAssignment{epoch, c.epoch, memberUnrevoked, keep, revoke}
	}
	state := memberStable
	for tp := range target.all {
		if !r.wants(tp) || keep.has(tp.topic, tp.partition) {
			continue
		}
		if _, owned := r.g.owners[tp]; owned && !c.revoking.has(tp.topic, tp.partition) {
			state = memberUnreleased
			continue
		}
		keep.add(tp.topic, tp.partition, r.g.targetEpoch)
	}
	return &currentAssignment{r.g.targetEpoch, c.epoch, state, keep, nil}
}

// restrict takes from the member the topics that it no longer subscribes to,
// before there is a new target.
func (r *reconciler) restrict() *currentAssignment {
	c := r.m.current
	keep, revoke := assignment{}, assignment{}
	for topic, partitions := range c.revoking {
		revoke[topic] = maps.Clone(partitions)
	}
	removed := false
	for tp, since := range c.assigned.all {
		if r.wants(tp) {
			keep.add(tp.topic, tp.partition, since)
			continue
		}
		removed = true
		revoke.add(tp.topic, tp.partition, since)
	}
	switch {
	case !removed:
		return c
	case r.has(revoke):
		return &currentAssignment{c.epoch, c.epoch, memberUnrevoked, keep, revoke}
	}
	return &currentAssignment{c.epoch, c.epoch, c.state, keep, c.revoking} // it has given them up already
}

func (r *reconciler) wants(tp topicIDPartition) bool {
	_, ok := r.subscribed[tp.topic]
	return ok
}
