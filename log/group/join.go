package group

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Client says who sent a request.
type Client struct{ ID, Host string }

// Join handles JoinGroup. It blocks until the rebalance is complete; when ctx
// ends first the answer is NOT_COORDINATOR, and the member stays.
func (c *Coordinator) Join(ctx context.Context, client Client, q *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	session := time.Duration(q.SessionTimeoutMillis) * time.Millisecond
	if session < c.cfg.MinSessionTimeout || session > c.cfg.MaxSessionTimeout {
		return joinError(q.MemberID, kerr.InvalidSessionTimeout)
	}
	if err := checkJoinNames(q); err != nil {
		return joinError(q.MemberID, err)
	}
	if _, err := c.store.topic(); err != nil {
		return joinError(q.MemberID, kerr.CoordinatorNotAvailable)
	}
	g, err := c.lock(q.Group, q.MemberID == "")
	if err == nil && g == nil {
		err = kerr.UnknownMemberID
	}
	if err != nil {
		return joinError(q.MemberID, err)
	}
	answer := make(chan *kmsg.JoinGroupResponse, 1)
	after, err := g.joinRequest(client, q, answer)
	if err != nil {
		answer <- joinRefused(q.MemberID, err)
	}
	g.forgetIfUnused()
	g.mu.Unlock()
	if after != nil {
		after()
	}
	select {
	case resp := <-answer:
		return resp
	case <-ctx.Done():
		return joinError(q.MemberID, kerr.NotCoordinator)
	}
}

func joinError(memberID string, err error) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.ErrorCode = codeOf(err)
	resp.MemberID = memberID
	resp.Generation = -1
	resp.Protocol = kmsg.StringPtr("") // null only from v7
	resp.Members = []kmsg.JoinGroupResponseMember{}
	return resp
}

// joinRefused is joinError, with the member id that an error may carry.
func joinRefused(memberID string, err error) *kmsg.JoinGroupResponse {
	var required *memberIDRequired
	if errors.As(err, &required) {
		memberID = required.id
	}
	return joinError(memberID, err)
}

func checkJoinNames(q *kmsg.JoinGroupRequest) error {
	for i := range q.Protocols {
		if err := checkNames(&q.Protocols[i].Name); err != nil {
			return err
		}
	}
	return checkNames(&q.MemberID, &q.ProtocolType, q.InstanceID)
}

// joinRequest decides what a JoinGroup means. It either returns an error or
// sees to it that answer gets exactly one response. The caller calls after, when
// there is one, without the mutex.
func (g *group) joinRequest(client Client, q *kmsg.JoinGroupRequest, answer chan *kmsg.JoinGroupResponse) (after func(), err error) {
	if g.consumer != nil && len(g.consumer.members) > 0 {
		return g.classicJoin(client, q, answer)
	}
	if err := g.checkProtocols(q); err != nil {
		return nil, err
	}
	if err := g.c.admit(g.joinBytes(q)); err != nil {
		return nil, err
	}
	if err := g.endConsumer(); err != nil {
		return nil, err
	}
	m := newMember(client, q)
	m.join = answer
	if q.MemberID != "" {
		return nil, g.joinKnown(m, q.ProtocolType)
	}
	if m.instanceID != nil {
		m.id = *m.instanceID + "-" + newID()
		if old, ok := g.static[*m.instanceID]; ok {
			return g.replaceStatic(g.members[old], m, q.Version), nil
		}
		return nil, g.joinNew(m, q.ProtocolType)
	}
	m.id = client.ID + "-" + newID()
	if q.Version >= 4 { // KIP-394: the member must come again with its id
		if len(g.pending)+len(g.members) >= g.c.cfg.MaxMembers {
			return nil, kerr.GroupMaxSizeReached
		}
		g.addPending(m.id, m.sessionTimeout)
		return nil, &memberIDRequired{m.id}
	}
	return nil, g.joinNew(m, q.ProtocolType)
}

func newMember(client Client, q *kmsg.JoinGroupRequest) *member {
	m := &member{
		id:               q.MemberID,
		clientID:         client.ID,
		clientHost:       client.Host,
		sessionTimeout:   time.Duration(q.SessionTimeoutMillis) * time.Millisecond,
		rebalanceTimeout: time.Duration(q.RebalanceTimeoutMillis) * time.Millisecond,
	}
	if q.RebalanceTimeoutMillis <= 0 { // v0 has none
		m.rebalanceTimeout = m.sessionTimeout
	}
	if q.InstanceID != nil {
		id := *q.InstanceID
		m.instanceID = &id
	}
	for _, p := range q.Protocols { // copied: q is gone when the request ends
		m.protocols = append(m.protocols, protocol{p.Name, bytes.Clone(p.Metadata)})
	}
	return m
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// checkProtocols refuses a member that has no protocol in common with the others.
func (g *group) checkProtocols(q *kmsg.JoinGroupRequest) error {
	if q.ProtocolType == "" || len(q.Protocols) == 0 {
		return kerr.InconsistentGroupProtocol
	}
	if len(g.members) == 0 {
		return nil
	}
	if q.ProtocolType != g.protocolType {
		return kerr.InconsistentGroupProtocol
	}
	common := g.commonProtocols()
	for _, p := range q.Protocols {
		if common[p.Name] {
			return nil
		}
	}
	if len(g.members) == 1 && g.members[q.MemberID] != nil {
		return nil // the only member may change its mind
	}
	return kerr.InconsistentGroupProtocol
}

// addPending remembers an id that was given out, for the time of a session.
func (g *group) addPending(id string, timeout time.Duration) {
	g.pending[id] = time.AfterFunc(timeout, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.removePending(id) {
			g.pendingGone()
		}
	})
}

// pendingGone is memberGone for an id that was never used: nobody but a join
// phase waits for it.
func (g *group) pendingGone() {
	if g.state == preparingRebalance {
		g.tryCompleteJoin()
	}
	g.forgetIfUnused()
}

func (g *group) removePending(id string) bool {
	t, ok := g.pending[id]
	if ok {
		t.Stop()
		delete(g.pending, id)
	}
	return ok
}

// joinNew adds the member and starts a rebalance.
func (g *group) joinNew(m *member, protocolType string) error {
	if len(g.members) >= g.c.cfg.MaxMembers {
		return kerr.GroupMaxSizeReached
	}
	g.protocolType = protocolType // the same as the others', if there are any
	m.isNew = true
	g.insert(m)
	g.extend(m, newMemberTimeout)
	if g.delaying {
		g.newMember = true
	}
	g.prepareRebalance()
	return nil
}

// joinKnown handles a member that gives its id. fresh is the request; the member
// in the group takes over what it says.
func (g *group) joinKnown(fresh *member, protocolType string) error {
	if fresh.instanceID == nil && g.removePending(fresh.id) {
		return g.joinNew(fresh, protocolType)
	}
	m, err := g.find(fresh.id, fresh.instanceID)
	if err != nil {
		return err
	}
	unchanged := m.sameProtocols(fresh.protocols)
	switch {
	case g.state == completingRebalance && unchanged:
		// It missed the answer: tell it again.
		fresh.answerJoin(g.joinResponse(m))
		g.touch(m)
	case g.state == stable && unchanged && m.id != g.leader:
		fresh.answerJoin(g.joinResponse(m))
		g.touch(m)
	case g.state == empty:
		return kerr.UnknownMemberID
	default:
		g.rejoin(m, fresh)
		g.prepareRebalance()
	}
	return nil
}

// rejoin takes what a member sends anew. An answer that its former request waits
// for is a rebalance in progress: only one request of a member can wait.
func (g *group) rejoin(m, fresh *member) {
	m.answerJoin(joinError(m.id, kerr.RebalanceInProgress))
	m.answerSync(syncError(kerr.RebalanceInProgress))
	m.protocols = fresh.protocols
	m.sessionTimeout, m.rebalanceTimeout = fresh.sessionTimeout, fresh.rebalanceTimeout
	m.clientID, m.clientHost = fresh.clientID, fresh.clientHost
	m.join = fresh.join
	g.weigh()
	g.touch(m)
}

// replaceStatic lets a static member that has restarted take its former place
// (KIP-345). The old member id is fenced. There is no rebalance unless the
// protocol or the subscribed topics are others now: what assignors put beside
// them, such as the partitions owned before, always is after a restart.
func (g *group) replaceStatic(old, m *member, version int16) (after func()) {
	formerLeader := g.leader
	wasLeader := g.leader == old.id
	subscribes := old.sameSubscription(m)
	m.assignment, m.synced = old.assignment, old.synced
	g.drop(old, kerr.FencedInstanceID)
	g.insert(m)
	m.order = old.order
	if wasLeader {
		g.leader = m.id
	}
	g.touch(m)
	if g.state != stable || !subscribes || g.chooseProtocol() != g.protocol {
		g.prepareRebalance()
		return nil
	}
	// Nothing changes for the group: the member continues in its generation, and
	// nobody else notices. The new id has to be durable first.
	answer := m.join
	m.join = nil
	resp := g.joinResponse(m)
	switch {
	case wasLeader && version >= 9: // KIP-814: leader again, but must not assign anew
		resp.SkipAssignment = true
	case wasLeader:
		resp.LeaderID = formerLeader // so that it does not believe that it leads
		resp.Members = []kmsg.JoinGroupResponseMember{}
	}
	w := g.save(nil)
	return func() {
		if err := w.wait(); err != nil {
			resp = joinError(m.id, err)
		}
		answer <- resp
	}
}

// joinResponse tells m about the generation; the leader also gets the members.
func (g *group) joinResponse(m *member) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Generation = g.generation
	resp.ProtocolType = kmsg.StringPtr(g.protocolType)
	resp.Protocol = kmsg.StringPtr(g.protocol)
	resp.LeaderID = g.leader
	resp.MemberID = m.id
	resp.Members = []kmsg.JoinGroupResponseMember{}
	if m.id != g.leader {
		return resp
	}
	for _, o := range g.sorted() {
		rm := kmsg.NewJoinGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ProtocolMetadata = o.id, o.instanceID, o.metadata(g.protocol)
		resp.Members = append(resp.Members, rm)
	}
	return resp
}
