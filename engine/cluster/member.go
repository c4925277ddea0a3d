package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// retryPause is how long a member waits after a request that failed, and between
// two looks at the config topic that it has to read.
const retryPause = 250 * time.Millisecond

// Why a member stops what it does and joins again.
var (
	errRebalance  = errors.New("the group rebalances")
	errGeneration = errors.New("the group rebalanced without this member")
	errUnknown    = errors.New("the coordinator does not know this member any more")
	errNoContact  = errors.New("the coordinator has not answered for half of the session timeout")
	errBehind     = errors.New("the leader cannot read the config topic as far as others have")
	errOver       = errors.New("the phase is over")
)

// Member is a worker's membership in its group.
type Member struct {
	cfg      Config
	listener Listener
	rejoin   chan string // holds the reason to join again, until the next join
	stats    stats

	lease lease
	// Run's own:
	current  *assignment // nil: in no group
	assignor state
	// Of the last round that this member computed:
	unowned       []TaskID
	workers       []string // URLs
	lastCompleted int32    // generation of the last assignment that arrived
}

func newMember(cfg Config, listener Listener) *Member {
	return &Member{cfg: cfg, listener: listener, rejoin: make(chan string, 1), assignor: newState(),
		lastCompleted: -1, lease: lease{id: identity{generation: -1}}, stats: stats{Stats: Stats{Generation: -1}}}
}

// Rejoin makes the member join its group again, so that the leader looks at the config
// topic anew: connectors or tasks came or went. It does not block; a reason that is
// already waiting is enough.
func (m *Member) Rejoin(reason string) {
	select {
	case m.rejoin <- reason:
	default:
	}
}

// Run is a member of the group until ctx ends; then it stops its work, leaves the
// group and returns nil. An error is one that no retry can help, such as a group that
// is not one of workers. Run is called once.
func (m *Member) Run(ctx context.Context) error {
	for {
		err := m.turn(ctx)
		switch {
		case ctx.Err() != nil:
			m.leave(ctx)
			return nil
		case permanent(err):
			m.leave(ctx)
			return fmt.Errorf("join the group %s of workers: %w", m.cfg.GroupID, err)
		case errors.Is(err, errUnknown):
			if !m.lose(err) { // a new member that is put out again and again
				m.pause(ctx)
			}
			m.lease.forget()
		case errors.Is(err, errNoContact):
			m.lose(err)
			m.lease.end()
		case errors.Is(err, errBehind):
			offset := m.current.offset
			m.leave(ctx)
			m.sitOut(ctx, offset)
		case errors.Is(err, errRebalance), errors.Is(err, errGeneration):
		case err != nil:
			m.cfg.Logger.Warn("join the group of workers; trying again", "group", m.cfg.GroupID, "error", err)
			m.pause(ctx)
		}
	}
}

// permanent reports whether the group can never be joined as it is.
func permanent(err error) bool {
	return slices.ContainsFunc([]error{kerr.InconsistentGroupProtocol, kerr.InvalidGroupID, kerr.InvalidSessionTimeout, kerr.UnsupportedVersion},
		func(e error) bool { return errors.Is(err, e) })
}

// turn joins the group, does what the assignment says, and stays until there is
// reason to join again.
func (m *Member) turn(ctx context.Context) error {
	m.stats.begin()
	var next *assignment
	err := m.attend(ctx, joining, func(ctx context.Context) (err error) {
		next, err = m.join(ctx)
		return err
	})
	if err != nil {
		return err
	}
	again, err := m.take(ctx, next)
	if err != nil {
		return err
	}
	delay := next.delay
	switch {
	case next.err != NoError && next.leader == m.lease.identity().member:
		return errBehind
	case next.err != NoError:
		m.cfg.Logger.Warn("nothing could be assigned: the leader has read less of the config topic than others", "leader", next.leaderURL, "offset", next.offset)
		delay = m.cfg.SyncTimeout // should the leader not see to it
	case again:
		return nil
	}
	return m.attend(ctx, staying, func(ctx context.Context) error { return m.stay(ctx, delay) })
}

// take stops what is revoked and tells the listener what is owned now. It reports
// whether the member has to join again so that others can have what it stopped.
func (m *Member) take(ctx context.Context, next *assignment) (again bool, err error) {
	revoked := common(m.owned(), next.revoked)
	if len(revoked) > 0 {
		err := m.attend(ctx, joining, func(context.Context) error {
			m.revoke(revoked)
			return nil
		})
		m.current.work = without(m.current.work, revoked)
		if err != nil {
			return false, err
		}
	}
	// What is new stands first: that is what leaders take away first, so that work that
	// was taken over for a while goes back and the rest stays.
	owned := m.owned()
	owned = append(without(next.work, owned), owned...)
	m.current = &assignment{err: next.err, leader: next.leader, leaderURL: next.leaderURL, offset: next.offset, work: owned, delay: next.delay}
	id := m.lease.identity()
	m.lastCompleted = id.generation
	a := Assignment{MemberID: id.member, LeaderID: next.leader, LeaderURL: next.leaderURL, Generation: id.generation,
		Offset: next.offset, IsLeader: next.leader == id.member, Sessioned: next.version >= version2, Err: next.err}
	a.Connectors, a.Tasks = split(owned)
	if a.IsLeader && a.Err == NoError {
		a.UnownedConnectors, a.UnownedTasks = split(m.unowned)
		a.Workers = m.workers
	}
	m.cfg.Logger.Info("assigned work", "generation", a.Generation, "leader", a.LeaderURL, "connectors", len(a.Connectors),
		"tasks", len(a.Tasks), "added", len(next.work), "revoked", len(revoked), "delay", next.delay)
	m.listener.OnAssigned(a)
	m.stats.complete(&a)
	return len(revoked) > 0, nil
}

func common(a, b []TaskID) []TaskID { return without(a, without(a, b)) }

func without(work, gone []TaskID) []TaskID {
	out := setOf(gone)
	return slices.DeleteFunc(slices.Clone(work), func(t TaskID) bool { return out[t] })
}

// owned returns a copy of what this member has.
func (m *Member) owned() []TaskID {
	if m.current == nil {
		return nil
	}
	return slices.Clone(m.current.work)
}

func (m *Member) revoke(work []TaskID) {
	if len(work) == 0 {
		return
	}
	connectors, tasks := split(work)
	m.listener.OnRevoked(connectors, tasks)
}

func split(work []TaskID) (connectors []string, tasks []TaskID) {
	for _, t := range work {
		if t.isConnector() {
			connectors = append(connectors, t.Connector)
		} else {
			tasks = append(tasks, t)
		}
	}
	return connectors, tasks
}

// lose stops everything, if there is anything: others may be given it.
func (m *Member) lose(why error) bool {
	if m.current == nil {
		return false
	}
	m.cfg.Logger.Warn("left out of the group of workers; stopping all work", "group", m.cfg.GroupID, "items", len(m.current.work), "error", why)
	m.revoke(m.current.work)
	m.current = nil
	m.listener.OnAssigned(Assignment{Generation: -1})
	return true
}

// leave stops everything and tells the coordinator, so that nobody has to wait for
// the session to end.
func (m *Member) leave(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	_ = m.attend(ctx, joining, func(context.Context) error {
		if m.current != nil {
			m.revoke(m.current.work)
			m.current = nil
			m.listener.OnAssigned(Assignment{Generation: -1})
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(ctx, m.cfg.SyncTimeout)
	defer cancel()
	if err := m.sendLeave(ctx); err != nil {
		m.cfg.Logger.Warn("leave the group of workers; its session will end by itself", "group", m.cfg.GroupID, "error", err)
	}
}

// stay waits until there is reason to join again.
func (m *Member) stay(ctx context.Context, delay time.Duration) error {
	var scheduled <-chan time.Time
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		scheduled = t.C
	}
	select {
	case reason := <-m.rejoin:
		m.cfg.Logger.Info("joining the group of workers again", "reason", reason)
	case <-scheduled:
		m.cfg.Logger.Info("joining the group of workers again", "reason", "the delay of the last assignment is over")
	case <-ctx.Done():
	}
	return nil
}

// sitOut waits out of the group, so that another worker leads it, until this one has
// read as much of the config topic as the last assignment asked for.
func (m *Member) sitOut(ctx context.Context, offset int64) {
	m.cfg.Logger.Error("staying out of the group of workers until the config topic is read as far as the others have; do all have the same config.storage.topic?",
		"group", m.cfg.GroupID, "offset", offset)
	for !m.hasRead(ctx, offset) {
		m.pause(ctx)
	}
}

// hasRead reports whether the config topic is read up to an offset, or ctx is over.
func (m *Member) hasRead(ctx context.Context, offset int64) bool {
	s, err := m.cfg.Snapshot(ctx)
	return ctx.Err() != nil || err == nil && s.Offset >= offset
}

func (m *Member) pause(ctx context.Context) {
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// attend keeps the lease alive while do works. When the lease ends, or the heartbeats
// say that the phase does, do's context ends; then attend returns why.
func (m *Member) attend(ctx context.Context, p phase, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errOver)
	var beats sync.WaitGroup
	if m.lease.identity().generation >= 0 {
		beats.Go(func() { cancel(m.heartbeats(ctx, p)) })
	}
	err := do(ctx)
	cancel(errOver)
	beats.Wait()
	if cause := context.Cause(ctx); cause != errOver {
		return cause
	}
	return err
}
