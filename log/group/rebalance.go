package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// arm starts the group's timer; fire runs with the mutex held, unless the timer
// was replaced or cancelled meanwhile.
func (g *group) arm(d time.Duration, fire func()) {
	g.cancelTimer()
	id := g.timerID
	g.timer = time.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.timerID == id && g.state != dead {
			fire()
		}
	})
}

func (g *group) cancelTimer() {
	g.timerID++
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
}

// rebalanceTimeout is the longest that a member asks for.
func (g *group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range g.members {
		d = max(d, m.rebalanceTimeout)
	}
	return d
}

// prepareRebalance asks every member to join again. When a rebalance is being
// prepared already it only looks whether that is complete now.
func (g *group) prepareRebalance() {
	if g.state == preparingRebalance {
		g.tryCompleteJoin()
		return
	}
	if g.state == completingRebalance {
		for _, m := range g.members {
			m.answerSync(syncError(kerr.RebalanceInProgress))
		}
	}
	g.storing = false
	first := g.state == empty
	g.setState(preparingRebalance)
	if first && g.c.cfg.InitialRebalanceDelay > 0 {
		g.delaying, g.newMember = true, false
		g.delayLeft = g.rebalanceTimeout()
		g.delay()
		return
	}
	g.arm(g.rebalanceTimeout(), g.completeJoin)
	g.tryCompleteJoin()
}

// delay waits for more members of a new group, anew for each one that comes, but
// not longer than the rebalance timeout.
func (g *group) delay() {
	d := min(g.c.cfg.InitialRebalanceDelay, g.delayLeft)
	g.delayLeft -= d
	g.newMember = false
	g.arm(d, func() {
		if g.newMember && g.delayLeft > 0 {
			g.delay()
			return
		}
		g.delaying = false
		g.completeJoin()
	})
}

// tryCompleteJoin completes the join phase when nobody is missing.
func (g *group) tryCompleteJoin() {
	if g.delaying && len(g.members) > 0 {
		return
	}
	if len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.join == nil {
			return
		}
	}
	g.completeJoin()
}

// completeJoin ends the join phase: members that did not come are out, the rest
// form a new generation. Static members stay, they may come back.
func (g *group) completeJoin() {
	g.delaying = false
	g.cancelTimer()
	for _, m := range g.sorted() {
		if m.join == nil && m.instanceID == nil {
			g.c.cfg.Logger.Info("group member did not rejoin in time", "group", g.id, "member", m.id, "generation", g.generation)
			g.drop(m, kerr.UnknownMemberID)
		}
	}
	if len(g.members) > 0 && !g.electLeader() {
		g.arm(g.rebalanceTimeout(), g.completeJoin) // only absent static members: wait for them
		return
	}
	g.generation++
	if len(g.members) == 0 {
		g.becomeEmpty()
		return
	}
	g.protocol = g.chooseProtocol()
	g.setState(completingRebalance)
	for _, m := range g.sorted() {
		m.isNew, m.synced = false, false
		g.touch(m)
		m.answerJoin(g.joinResponse(m))
	}
	g.arm(g.rebalanceTimeout(), g.expireUnsynced)
}

// electLeader keeps the leader when it has rejoined, takes the first member that
// has otherwise, and reports whether there is one.
func (g *group) electLeader() bool {
	if m, ok := g.members[g.leader]; ok && m.join != nil {
		return true
	}
	for _, m := range g.sorted() {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// becomeEmpty records that the last member is gone; offsets stay.
func (g *group) becomeEmpty() {
	g.setState(empty)
	g.protocol, g.leader = "", ""
	g.save(nil) // without waiting: who reads the log and misses it sees members that expire
}

// expireUnsynced removes the members that joined this generation and then never
// sent SyncGroup.
func (g *group) expireUnsynced() {
	gone := false
	for _, m := range g.sorted() {
		if !m.synced {
			g.c.cfg.Logger.Info("group member did not sync in time", "group", g.id, "member", m.id, "generation", g.generation)
			g.drop(m, kerr.UnknownMemberID)
			gone = true
		}
	}
	if gone {
		g.memberGone()
	}
}
