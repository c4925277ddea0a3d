package group

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat handles Heartbeat: nil, or the error that tells the member what to do.
func (c *Coordinator) Heartbeat(id string, generation int32, memberID string, instanceID *string) error {
	g, err := c.lock(id, false)
	if err != nil {
		return err
	}
	if g == nil {
		return kerr.UnknownMemberID
	}
	if g.consumer != nil {
		err := g.classicHeartbeat(memberID, generation, instanceID)
		written := g.written
		g.mu.Unlock()
		return cmp.Or(err, written.wait())
	}
	defer g.mu.Unlock()
	m, err := g.find(memberID, instanceID)
	switch {
	case err != nil:
		return err
	case generation != g.generation:
		return kerr.IllegalGeneration
	}
	g.touch(m)
	if g.state == preparingRebalance {
		return kerr.RebalanceInProgress
	}
	return nil
}

// Leave handles LeaveGroup for each of the members and returns their outcomes in
// order. The error is for the whole request.
func (c *Coordinator) Leave(id string, members []kmsg.LeaveGroupRequestMember) ([]error, error) {
	g, err := c.lock(id, false)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return slices.Repeat([]error{kerr.UnknownMemberID}, len(members)), nil
	}
	if g.consumer != nil {
		outcomes := g.classicLeave(members)
		written := g.written
		g.forgetIfUnused()
		g.mu.Unlock()
		return outcomes, written.wait()
	}
	defer g.mu.Unlock()
	outcomes := make([]error, len(members))
	for i := range members {
		outcomes[i] = g.leave(&members[i])
	}
	return outcomes, nil
}

// leave removes one member: by its id, or a static one also by its instance id
// alone, as an administrator does.
func (g *group) leave(q *kmsg.LeaveGroupRequestMember) error {
	memberID := q.MemberID
	if q.InstanceID != nil && memberID == "" {
		memberID = g.static[*q.InstanceID]
	}
	if q.InstanceID == nil && g.removePending(memberID) {
		g.pendingGone()
		return nil
	}
	m, err := g.find(memberID, q.InstanceID)
	if err != nil {
		return err
	}
	g.remove(m, kerr.UnknownMemberID)
	return nil
}
