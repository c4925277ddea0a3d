package cluster

import (
	"context"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// lead computes the assignments of all members of a generation.
func (m *Member) lead(ctx context.Context, joined *kmsg.JoinGroupResponse, snapshot ConfigSnapshot) ([]kmsg.SyncGroupRequestGroupAssignment, error) {
	work, offset := m.readMembers(joined)
	snapshot, err := m.reach(ctx, snapshot, offset)
	if err != nil {
		return nil, err
	}
	reply := assignment{version: version1, leader: joined.MemberID, leaderURL: m.cfg.URL, offset: offset}
	if joined.Protocol != nil && *joined.Protocol == Sessioned {
		reply.version = version2
	}
	changes := map[string]change{}
	if snapshot.Offset < offset {
		reply.err = ConfigMismatch
	} else {
		reply.offset = snapshot.Offset
		m.assignor, changes = m.assignor.assign(round{now: time.Now(), generation: joined.Generation, lastCompleted: m.lastCompleted,
			configured: m.configured(&snapshot), members: work}, m.cfg.MaxDelay)
		reply.delay = m.assignor.delay
		m.unowned = unowned(m.configured(&snapshot), work, changes)
	}
	var all []kmsg.SyncGroupRequestGroupAssignment
	for member := range work {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		reply.work, reply.revoked = changes[member].added, changes[member].revoked
		a.MemberID, a.MemberAssignment = member, reply.encode()
		all = append(all, a)
	}
	return all, nil
}

// unowned returns the work that no member has after a round, in order.
func unowned(configured set, work map[string][]TaskID, changes map[string]change) []TaskID {
	owned := set{}
	for member, tasks := range work {
		tasks = append(without(tasks, changes[member].revoked), changes[member].added...)
		for _, t := range tasks {
			owned[t] = true
		}
	}
	left := configured.minus(owned)
	return append(left.sorted(true), left.sorted(false)...)
}

// readMembers returns what the members have, and the highest offset of the config
// topic that one of them has read. One whose subscription cannot be read takes no part
// in the assignment: it is not told anything (I5).
func (m *Member) readMembers(joined *kmsg.JoinGroupResponse) (work map[string][]TaskID, offset int64) {
	work, offset = map[string][]TaskID{}, math.MinInt64
	m.workers = nil
	for _, member := range joined.Members {
		s, err := decodeSubscription(member.ProtocolMetadata)
		if err != nil {
			m.cfg.Logger.Error("a member of the group of workers gets no work: it is not known what it has", "member", member.MemberID, "error", err)
			continue
		}
		offset = max(offset, s.offset)
		m.workers = append(m.workers, s.url)
		work[member.MemberID] = nil
		if s.current == nil {
			continue
		}
		seen := set{}
		for _, t := range s.current.work {
			if !seen[t] {
				seen[t] = true
				work[member.MemberID] = append(work[member.MemberID], t)
			}
		}
	}
	return work, offset
}

// reach returns a snapshot that has what the members have read, unless that takes too
// long.
func (m *Member) reach(ctx context.Context, snapshot ConfigSnapshot, offset int64) (ConfigSnapshot, error) {
	until := time.Now().Add(m.cfg.SyncTimeout)
	for snapshot.Offset < offset && time.Now().Before(until) {
		m.pause(ctx)
		var err error
		if snapshot, err = m.cfg.Snapshot(ctx); err != nil {
			return snapshot, err
		}
	}
	return snapshot, ctx.Err()
}

// configured is all the work there is. A name that no assignment can hold is left out.
func (m *Member) configured(snapshot *ConfigSnapshot) set {
	all := set{}
	for _, name := range snapshot.Connectors {
		if len(name) > math.MaxInt16 {
			m.cfg.Logger.Error("a connector cannot be assigned: its name is too long", "length", len(name), "limit", math.MaxInt16)
			continue
		}
		all[TaskID{name, connectorTask}] = true
		for n := range snapshot.Tasks[name] {
			all[TaskID{name, n}] = true
		}
	}
	return all
}
