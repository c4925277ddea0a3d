package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocolType is the type of a group of Kafka Connect workers.
const protocolType = "connect"

// join joins the group and returns what the leader assigned, computing that itself
// when it is the leader.
func (m *Member) join(ctx context.Context) (*assignment, error) {
	select {
	case <-m.rejoin: // this join looks at the config topic anew
	default:
	}
	snapshot, err := m.cfg.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the connectors: %w", err)
	}
	resp, err := m.sendJoin(ctx, snapshot.Offset)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	m.lease.grant(identity{resp.MemberID, resp.Generation})
	q := kmsg.NewPtrSyncGroupRequest()
	q.Group, q.Generation, q.MemberID = m.cfg.GroupID, resp.Generation, resp.MemberID
	q.ProtocolType, q.Protocol = kmsg.StringPtr(protocolType), resp.Protocol
	q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{} // null is not allowed
	if resp.LeaderID == resp.MemberID {
		q.GroupAssignment, err = m.lead(ctx, resp, snapshot)
		if err != nil {
			return nil, err
		}
	}
	sent := time.Now()
	synced, err := q.RequestWith(ctx, m.cfg.Client)
	if err == nil {
		err = membershipError(synced.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	m.lease.renew(sent)
	return decodeAssignment(synced.MemberAssignment)
}

// sendJoin sends JoinGroup, twice when the member needs an id first (KIP-394).
func (m *Member) sendJoin(ctx context.Context, offset int64) (*kmsg.JoinGroupResponse, error) {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.ProtocolType = m.cfg.GroupID, protocolType
	q.SessionTimeoutMillis = int32(m.cfg.SessionTimeout.Milliseconds())
	q.RebalanceTimeoutMillis = int32(m.cfg.RebalanceTimeout.Milliseconds())
	for _, version := range m.versions() {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = version.name, m.subscription(version.number, offset)
		q.Protocols = append(q.Protocols, p)
	}
	for {
		q.MemberID = m.lease.identity().member
		resp, err := q.RequestWith(ctx, m.cfg.Client)
		if err != nil {
			return nil, err
		}
		err = membershipError(resp.ErrorCode)
		if err == kerr.MemberIDRequired && q.MemberID == "" && resp.MemberID != "" {
			m.lease.grant(identity{resp.MemberID, -1})
			continue
		}
		return resp, err
	}
}

type protocolVersion struct {
	name   string
	number int16
}

// versions are the protocols that the member can use, the best first.
func (m *Member) versions() []protocolVersion {
	all := []protocolVersion{{Sessioned, version2}, {Compatible, version1}}
	if m.cfg.Protocol == Compatible {
		return all[1:]
	}
	return all
}

func (m *Member) subscription(version int16, offset int64) []byte {
	s := subscription{version: version, url: m.cfg.URL, offset: offset}
	if m.current != nil {
		current := *m.current
		current.version = version
		s.current = &current
	}
	return s.encode()
}

// membershipError names the errors that tell a member to join in another way.
func membershipError(code int16) error {
	switch err := kerr.ErrorForCode(code); err {
	case kerr.UnknownMemberID, kerr.FencedInstanceID:
		return errUnknown
	case kerr.RebalanceInProgress:
		return errRebalance
	case kerr.IllegalGeneration:
		return errGeneration
	default:
		return err
	}
}

func (m *Member) sendHeartbeat(ctx context.Context) error {
	id := m.lease.identity()
	q := kmsg.NewPtrHeartbeatRequest()
	q.Group, q.Generation, q.MemberID = m.cfg.GroupID, id.generation, id.member
	resp, err := q.RequestWith(ctx, m.cfg.Client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// sendLeave ends the membership, if there is one.
func (m *Member) sendLeave(ctx context.Context) error {
	id := m.lease.identity()
	m.lease.forget()
	if id.member == "" {
		return nil
	}
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Group, q.MemberID = m.cfg.GroupID, id.member // before version 3 it names one member
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, member.Reason = id.member, kmsg.StringPtr("the worker stops")
	q.Members = append(q.Members, member)
	resp, err := q.RequestWith(ctx, m.cfg.Client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}
