package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// identity is what a coordinator knows a member by.
type identity struct {
	member     string // empty: the coordinator gives out an id
	generation int32  // -1: not a member of any
}

// lease is the membership that the coordinator has granted.
type lease struct {
	mu      sync.Mutex // guards the fields below
	id      identity
	contact time.Time // when the last request was sent that proved the membership
}

func (l *lease) identity() identity {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// grant notes a membership. It is renewed only once an answer proves it.
func (l *lease) grant(id identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id = id
}

// end ends the membership. The id may be good for another one.
func (l *lease) end() { l.grant(identity{l.identity().member, -1}) }

// forget ends the membership and drops the id.
func (l *lease) forget() { l.grant(identity{"", -1}) }

// renew notes that a request sent at a time was answered as a member's. The session
// at the coordinator began when that request arrived, or later.
func (l *lease) renew(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sent.After(l.contact) {
		l.contact = sent
	}
}

func (l *lease) lastContact() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.contact
}

// phase is what a member does while heartbeats keep its lease.
type phase int

const (
	// joining and stopping work: that the group rebalances is known already.
	joining phase = iota
	// staying until something happens.
	staying
)

// heartbeats keeps the lease until ctx ends or the phase has to end; it returns why.
// That nothing is heard for half of the session timeout ends it too: the work has to
// be stopped before the other half is over.
func (m *Member) heartbeats(ctx context.Context, p phase) error {
	next := m.lease.lastContact().Add(m.cfg.HeartbeatInterval)
	for {
		until := m.lease.lastContact().Add(m.cfg.SessionTimeout / 2)
		if next.After(until) {
			next = until
		}
		if err := await(ctx, next); err != nil {
			return err
		}
		sent := time.Now()
		if !sent.Before(m.lease.lastContact().Add(m.cfg.SessionTimeout / 2)) {
			return errNoContact
		}
		err := m.beat(ctx, until)
		switch {
		case errors.Is(err, kerr.UnknownMemberID):
			return errUnknown
		case err == nil, errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.IllegalGeneration):
			m.lease.renew(sent)
			next = sent.Add(m.cfg.HeartbeatInterval)
		default:
			m.cfg.Logger.Debug("heartbeat of the group of workers", "group", m.cfg.GroupID, "error", err)
			next = time.Now().Add(retryPause)
		}
		if p == staying && errors.Is(err, kerr.RebalanceInProgress) {
			return errRebalance
		}
		if p == staying && errors.Is(err, kerr.IllegalGeneration) {
			return errGeneration
		}
	}
}

// beat sends one heartbeat that is given up at a time.
func (m *Member) beat(ctx context.Context, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return m.sendHeartbeat(ctx)
}

// await waits for a time.
func await(ctx context.Context, at time.Time) error {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
