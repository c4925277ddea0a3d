package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrNotLeader says that only the leader of the group can do what was asked, and
// that this worker is not it, or not any more.
var ErrNotLeader = &Error{KindConflict, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"}

// leaderWriter writes to the config topic what only the leader may write. Where
// sources can be exactly once, its transactional id keeps a worker that has lost
// the lead without knowing it from writing (KIP-618).
type leaderWriter struct {
	stores *stores
	// turn has a token for whoever uses the fields below.
	turn   chan struct{}
	client *kgo.Client // nil: the topic is not claimed
	// deposed is the generation of the group in which another worker has claimed the
	// topic, so that this one does not take it back before it is assigned to lead.
	deposed int32
}

func newLeaderWriter(s *stores) *leaderWriter {
	return &leaderWriter{stores: s, turn: make(chan struct{}, 1), deposed: -1}
}

// fencing tells whether the leader writes in transactions.
func (l *leaderWriter) fencing() bool {
	return !l.stores.cfg.Group.alone() && l.stores.cfg.ExactlyOnceSource != ExactlyOnceDisabled
}

func (l *leaderWriter) lock(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *leaderWriter) unlock() { <-l.turn }

// claim returns when nothing of a leader before can come into the config topic any
// more and what is in there has been read, or ErrNotLeader. A leader claims before
// it looks at the state that it wants to change.
func (l *leaderWriter) claim(ctx context.Context) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.unlock()
	return l.claimLocked(ctx)
}

func (l *leaderWriter) claimLocked(ctx context.Context) error {
	p, _ := l.stores.group.current()
	if !p.leader || l.fencing() && p.generation == l.deposed {
		return ErrNotLeader
	}
	if !l.fencing() || l.client != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	cfg := l.stores.cfg
	client, err := kgo.NewClient(cfg.clientOpts(workerClient, "connect-leader-"+cfg.GroupID, kgo.TransactionalID("connect-cluster-"+cfg.GroupID),
		kgo.TransactionTimeout(transactionSlack), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	if err != nil {
		return fmt.Errorf("make the leader's kafka client: %w", err)
	}
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return fmt.Errorf("claim the config topic as connect-cluster-%s: %w", cfg.GroupID, err)
	}
	if err := l.stores.follower.syncEnd(ctx, cfg.ConfigTopic.Name); err != nil {
		client.Close()
		return err
	}
	l.client = client
	return nil
}

// release gives the config topic up. It is claimed anew with the next lead.
func (l *leaderWriter) release() {
	l.turn <- struct{}{}
	defer l.unlock()
	l.drop()
}

func (l *leaderWriter) drop() {
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}

// write is stores.write for the leader; all records take effect together.
func (l *leaderWriter) write(ctx context.Context, records ...*kgo.Record) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), storeTimeout,
		fmt.Errorf("the log did not take the change within %s", storeTimeout))
	defer cancel()
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.unlock()
	if err := l.claimLocked(ctx); err != nil {
		return err
	}
	if !l.fencing() {
		return l.stores.write(ctx, records...)
	}
	return l.transact(ctx, records)
}

func (l *leaderWriter) transact(ctx context.Context, records []*kgo.Record) error {
	if err := l.client.BeginTransaction(); err != nil {
		l.drop()
		return fmt.Errorf("begin a transaction of the leader: %w", err)
	}
	targets, err := produce(ctx, l.client, records)
	if err == nil {
		err = committable(ctx, l.client, slices.Collect(maps.Keys(targets))...)
	}
	if err == nil {
		if err = l.client.EndTransaction(ctx, kgo.TryCommit); err == nil {
			return l.stores.follower.wait(ctx, targets)
		}
	}
	if fenced(err) {
		p, _ := l.stores.group.current()
		l.deposed = p.generation
		l.drop()
		l.stores.cfg.Logger.Warn("another worker has claimed the config topic: this one does not lead any more", logError, err)
		l.stores.group.rejoin("another worker leads")
		return ErrNotLeader
	}
	l.abandon()
	return err
}

// abandon ends a transaction that went wrong: what is open hides what others
// write.
func (l *leaderWriter) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	if err := l.client.EndTransaction(ctx, kgo.TryAbort); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		l.stores.cfg.Logger.Debug("abort a transaction of the leader", logError, err)
	}
	l.drop()
}

// leads does what the leader does beside answering requests, for as long as this
// worker is it: it claims the config topic at once, so that leaders before cannot
// write any more, and renews the session key. It ends with ctx.
func (g *group) leads(ctx context.Context) {
	lead := g.stores.lead
	defer lead.release()
	if g.cfg.Group.alone() {
		return
	}
	trouble := newTrouble(g.cfg.Logger, "take over the lead of the group")
	for ctx.Err() == nil {
		p, changed := g.current()
		wait := time.Hour
		if p.leader {
			var err error
			if wait, err = g.renewKey(ctx); err != nil && !errors.Is(err, ErrNotLeader) && ctx.Err() == nil {
				trouble.note(err)
				wait = retryDelay
			} else {
				trouble.over()
			}
		} else {
			lead.release()
		}
		t := time.NewTimer(wait)
		select {
		case <-changed:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// renewKey makes a session key when there is none or it is old. It returns when the
// next is due.
func (g *group) renewKey(ctx context.Context) (time.Duration, error) {
	if err := g.stores.lead.claim(ctx); err != nil {
		return time.Hour, err
	}
	now := time.Now()
	if k := g.stores.configs.session(); k.key != nil {
		if left := k.created.Add(g.cfg.Group.KeyTTL).Sub(now); left > 0 {
			return min(left, g.cfg.Group.KeyTTL), nil
		}
	}
	k, err := newSessionKey(now)
	if err != nil {
		return 0, err
	}
	return g.cfg.Group.KeyTTL, g.stores.configs.putSession(ctx, k)
}
