package group

import (
	"bytes"
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sync handles SyncGroup. It blocks until the leader has sent the assignment and
// the assignment is durable.
func (c *Coordinator) Sync(ctx context.Context, q *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	g, err := c.lock(q.Group, false)
	if err == nil && g == nil {
		err = kerr.UnknownMemberID
	}
	if err != nil {
		return syncError(err)
	}
	answer := make(chan *kmsg.SyncGroupResponse, 1)
	after, err := g.syncRequest(q, answer)
	if err != nil {
		answer <- syncError(err)
	}
	g.mu.Unlock()
	if after != nil {
		after()
	}
	select {
	case resp := <-answer:
		return resp
	case <-ctx.Done():
		return syncError(kerr.NotCoordinator)
	}
}

func syncError(err error) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ErrorCode = codeOf(err)
	resp.MemberAssignment = []byte{}
	return resp
}

// syncRequest either returns an error or sees to it that answer gets exactly one
// response. The caller calls after, when there is one, without the mutex.
func (g *group) syncRequest(q *kmsg.SyncGroupRequest, answer chan *kmsg.SyncGroupResponse) (after func(), err error) {
	if g.consumer != nil {
		return g.classicSync(q, answer)
	}
	m, err := g.find(q.MemberID, q.InstanceID)
	switch {
	case err != nil:
		return nil, err
	case q.Generation != g.generation:
		return nil, kerr.IllegalGeneration
	case differs(q.ProtocolType, g.protocolType) || differs(q.Protocol, g.protocol):
		return nil, kerr.InconsistentGroupProtocol
	}
	switch g.state {
	case stable:
		m.synced = true
		g.touch(m)
		answer <- g.syncResponse(m)
	case completingRebalance:
		m.answerSync(syncError(kerr.RebalanceInProgress)) // a former request of the same member
		m.sync, m.synced = answer, true
		if m.id == g.leader && !g.storing {
			if err := g.c.admit(g.syncBytes(q)); err != nil {
				m.sync, m.synced = nil, false
				return nil, err
			}
			return g.storeAssignment(q), nil
		}
	case preparingRebalance:
		return nil, kerr.RebalanceInProgress
	default:
		return nil, kerr.UnknownMemberID
	}
	return nil, nil
}

// differs reports a name that was given and is not the group's.
func differs(given *string, name string) bool { return given != nil && *given != name }

// storeAssignment writes the leader's assignment. The members get their parts
// when it is durable (I1), unless a rebalance has begun meanwhile.
func (g *group) storeAssignment(q *kmsg.SyncGroupRequest) (after func()) {
	assignment := map[string][]byte{}
	for _, a := range q.GroupAssignment { // copied: q is gone when the request ends
		assignment[a.MemberID] = bytes.Clone(a.MemberAssignment)
	}
	generation := g.generation
	g.storing = true
	w := g.save(assignment)
	return func() {
		err := w.wait()
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.generation == generation && g.state == completingRebalance {
			g.storing = false
			g.assign(assignment, err)
		}
	}
}

// assign gives each member that waits its part. After an error the members sync
// again and the leader's next try is stored anew.
func (g *group) assign(assignment map[string][]byte, err error) {
	if err == nil {
		g.setState(stable)
	}
	for _, m := range g.members {
		if err != nil {
			m.answerSync(syncError(err))
			continue
		}
		m.assignment = assignment[m.id]
		if m.sync != nil {
			g.touch(m)
			m.answerSync(g.syncResponse(m))
		}
	}
	g.weigh()
}

func (g *group) syncResponse(m *member) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType = kmsg.StringPtr(g.protocolType)
	resp.Protocol = kmsg.StringPtr(g.protocol)
	resp.MemberAssignment = append([]byte{}, m.assignment...) // never null
	return resp
}
