package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/cluster"
	"github.com/sluice-data/sluice/engine/internal/meters"
)

// group is a worker's place among the workers of its group.id. It passes what the
// group assigns on to the reconciler. A worker alone leads itself.
type group struct {
	cfg        *Config
	stores     *stores
	reconciler *reconciler
	// change is the worker's: no other change comes between what f sees and what it does.
	change func(ctx context.Context, f func() error) error

	// reading is a wait for the config topic; only the member's goroutine and run,
	// which do not run at the same time, use it.
	reading     sync.WaitGroup
	stopReading context.CancelFunc // may be nil

	mu      sync.Mutex // guards the fields below
	place   place
	changed chan struct{} // closed and replaced when place changes
	joined  chan struct{} // closed once it has joined for the first time
	member  *cluster.Member
	leave   context.CancelCauseFunc
}

// place is what a worker knows of its group.
type place struct {
	joined     bool // it is a member
	generation int32
	leader     bool
	leaderURL  string // of the leader's REST API
	// offset is how far the config topic had been read for the assignment.
	offset int64
	// sessioned: requests between workers are signed (KIP-507).
	sessioned bool
	// connectors and tasks are how many are assigned to this worker.
	connectors, tasks int
}

// snapshotTimeout bounds the reading of the config topic before an assignment.
const snapshotTimeout = time.Second

// errBehind ends the membership of a worker that cannot read what its leader has.
var errBehind = errors.New("the config topic could not be read as far as the leader has read it")

func newGroup(cfg *Config, s *stores, r *reconciler, change func(context.Context, func() error) error) *group {
	g := &group{cfg: cfg, stores: s, reconciler: r, change: change, changed: make(chan struct{}), joined: make(chan struct{})}
	if cfg.Group.alone() {
		g.place = place{joined: true, leader: true}
	}
	return g
}

// current returns the place, and a channel that is closed when it changes.
func (g *group) current() (place, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.place, g.changed
}

func (g *group) setPlace(p place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.place = p
	close(g.changed)
	g.changed = make(chan struct{})
	select {
	case <-g.joined:
	default:
		if p.joined {
			close(g.joined)
		}
	}
}

// rebalances are the figures of the membership, for the metrics.
func (g *group) rebalances() meters.Rebalances {
	g.mu.Lock()
	m, p := g.member, g.place
	g.mu.Unlock()
	if m == nil {
		return meters.Rebalances{}
	}
	s := m.Stats()
	return meters.Rebalances{Leader: s.LeaderURL, Epoch: int64(s.Generation), Protocol: s.Protocol, Completed: s.Completed, Rebalancing: s.Rebalancing,
		Max: s.Max, Avg: s.Average(), Last: s.CompletedAt, Connectors: p.connectors, Tasks: p.tasks}
}

// run is a member of the group until ctx ends. An error is one that no retry can
// help. All work must have stopped before ctx ends: others get it then.
func (g *group) run(ctx context.Context) error {
	if g.cfg.Group.alone() {
		g.setPlace(place{joined: true, leader: true})
		return nil
	}
	for {
		err := g.belong(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		g.readUp(ctx)
	}
}

// belong is a member until ctx ends or the worker falls behind.
func (g *group) belong(ctx context.Context) error {
	membership, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	c := &g.cfg.Group
	m, err := cluster.New(cluster.Config{Client: g.stores.client, GroupID: g.cfg.GroupID, URL: c.URL, SessionTimeout: c.SessionTimeout,
		HeartbeatInterval: c.HeartbeatInterval, RebalanceTimeout: c.RebalanceTimeout, MaxDelay: c.MaxDelay, SyncTimeout: c.SyncTimeout,
		Protocol: c.Protocol, Logger: g.cfg.Logger, Snapshot: g.snapshot}, g)
	if err != nil {
		return err
	}
	g.setMember(m, leave)
	err = m.Run(membership)
	g.setMember(nil, nil)
	g.awaitNoReading()
	g.setPlace(place{})
	if context.Cause(membership) == errBehind {
		return nil
	}
	return err
}

func (g *group) setMember(m *cluster.Member, leave context.CancelCauseFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.member, g.leave = m, leave
}

// readUp waits until the config topic has been read, for worker.unsync.backoff.ms at
// most.
func (g *group) readUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Group.UnsyncBackoff)
	defer cancel()
	trouble := newTrouble(g.cfg.Logger, "read the config topic before the worker joins its group again")
	for ctx.Err() == nil {
		err := g.stores.follower.sync(ctx, g.cfg.ConfigTopic.Name)
		if err == nil {
			trouble.over()
			return
		}
		trouble.note(err)
		_ = sleep(ctx, retryDelay)
	}
}

// snapshot returns what is in the config topic, for an assignment to be made of,
// or what this worker has read of it when it cannot read to the end now.
func (g *group) snapshot(ctx context.Context) (cluster.ConfigSnapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	if err := g.stores.follower.sync(ctx, g.cfg.ConfigTopic.Name); err != nil {
		g.cfg.Logger.Debug("read the config topic before joining the group", logError, err)
	}
	return g.stores.configs.snapshot(), nil
}

// OnAssigned implements cluster.Listener.
func (g *group) OnAssigned(a cluster.Assignment) {
	g.awaitNoReading()
	if a.Err != cluster.NoError {
		return // the member joins again
	}
	g.setPlace(place{joined: a.LeaderID != "", generation: a.Generation, leader: a.IsLeader, leaderURL: a.LeaderURL, offset: a.Offset, sessioned: a.Sessioned,
		connectors: len(a.Connectors), tasks: len(a.Tasks)})
	g.reportUnowned(a)
	ctx, cancel := context.WithTimeoutCause(context.Background(), g.cfg.Group.SyncTimeout, errBehind)
	g.stopReading = cancel
	g.reading.Go(func() {
		defer cancel()
		g.takeOver(ctx, a)
	})
	g.workChanged(g.stores.configs.workOffset())
}

// reportUnowned says of work that its worker has left behind, and that waits for it
// to come back, that nobody runs it. It is written before the next assignment can
// give the work to somebody, whose status has to come after it.
func (g *group) reportUnowned(a cluster.Assignment) {
	s, generation, some := g.stores.statuses, int(a.Generation), false
	report := func(key string, old statusRecord, known bool) {
		if known && old.State.runs() && old.Generation < generation {
			s.putAs(key, old.WorkerID, generation, Unassigned)
			some = true
		}
	}
	for _, name := range a.UnownedConnectors {
		old, ok := s.connector(name)
		report(connectorStatusPrefix+name, old, ok)
	}
	for _, t := range a.UnownedTasks {
		id := TaskID{t.Connector, t.Task}
		old, ok := s.task(id)
		report(taskKey(id), old, ok)
	}
	if some {
		g.flushStatuses()
	}
}

// flushStatuses waits for the statuses that were written, for a while.
func (g *group) flushStatuses() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := g.stores.client.Flush(ctx); err != nil {
		g.cfg.Logger.Warn("write the statuses of work that changes its worker", logError, err)
	}
}

// takeOver starts what is assigned once its configs have been read.
func (g *group) takeOver(ctx context.Context, a cluster.Assignment) {
	target := map[connect.TopicPartition]int64{{Topic: g.cfg.ConfigTopic.Name}: a.Offset}
	if a.LeaderID == "" || g.stores.follower.wait(ctx, target) == nil {
		g.reconciler.post(func(r *reconciler) { r.assign(newOwnership(a), a) })
		return
	}
	if context.Cause(ctx) != errBehind {
		return // a newer assignment has come
	}
	g.cfg.Logger.Warn("leave the group: "+errBehind.Error(), "timeout", g.cfg.Group.SyncTimeout)
	g.mu.Lock()
	leave := g.leave
	g.mu.Unlock()
	if leave != nil {
		leave(errBehind)
	}
}

func (g *group) awaitNoReading() {
	if g.stopReading != nil {
		g.stopReading()
	}
	g.reading.Wait()
}

// OnRevoked implements cluster.Listener. It returns when the work has stopped and
// its statuses are written.
func (g *group) OnRevoked(connectors []string, tasks []cluster.TaskID) {
	g.awaitNoReading()
	stopped := make(chan struct{})
	g.reconciler.post(func(r *reconciler) { r.revoke(connectors, tasks, stopped) })
	select {
	case <-stopped:
	case <-g.reconciler.over: // which has stopped everything
		return
	}
	g.flushStatuses() // those of the next owners have to come after them
}

// workChanged asks for a new assignment when there is work in the config topic,
// up to an offset, that the last one did not see.
func (g *group) workChanged(offset int64) {
	g.mu.Lock()
	m, p := g.member, g.place
	g.mu.Unlock()
	if m != nil && p.joined && p.offset < offset {
		m.Rejoin("connectors or tasks were added or removed")
	}
}

// rejoin asks for a new assignment.
func (g *group) rejoin(reason string) {
	g.mu.Lock()
	m := g.member
	g.mu.Unlock()
	if m != nil {
		m.Rejoin(reason)
	}
}
