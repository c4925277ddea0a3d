package cluster

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// state is what a leader remembers from one assignment to the next. It is a value:
// assign returns the next one and leaves what it was given alone. A new leader starts
// with the zero value of newState, so that what the old one held back is assigned at
// once.
type state struct {
	generation int32           // of the group that previous was computed for
	members    map[string]bool // that had a part in it
	previous   set             // everything that was assigned, lost work included
	revoked    set             // what was taken away in the last round
	balanced   int             // rounds in a row that wanted to take work away for balance
	revoking   bool            // the last round took work away for balance

	// While work is held back for a worker that left: until when, how long that is
	// from now, and the empty workers seen meanwhile, which may be it.
	scheduled  time.Time
	delay      time.Duration
	candidates []string
}

func newState() state { return state{generation: -1} }

// round is what an assignment is computed from.
type round struct {
	now           time.Time
	generation    int32 // of this round
	lastCompleted int32 // of the last one whose assignment this member got, or -1
	configured    set
	members       map[string][]TaskID // what each member has now
}

// change is what an assignment tells one member.
type change struct{ added, revoked []TaskID }

// set holds connectors and tasks.
type set map[TaskID]bool

func setOf(work []TaskID) set {
	s := make(set, len(work))
	for _, t := range work {
		s[t] = true
	}
	return s
}

// minus returns a set without what is in others.
func (s set) minus(others ...set) set {
	rest := set{}
	for t := range s {
		if !slices.ContainsFunc(others, func(o set) bool { return o[t] }) {
			rest[t] = true
		}
	}
	return rest
}

// sorted returns the connectors or the tasks in their order.
func (s set) sorted(connectors bool) []TaskID {
	return slices.SortedFunc(maps.Keys(s.only(connectors)), compareTasks)
}

func (s set) only(connectors bool) set {
	some := set{}
	for t := range s {
		if t.isConnector() == connectors {
			some[t] = true
		}
	}
	return some
}

func compareTasks(a, b TaskID) int {
	return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Task, b.Task))
}

// load is what a member will have, connectors and tasks apart as they are balanced.
type load struct {
	member string
	work   map[bool][]TaskID // connectors under true
}

func (l *load) add(t TaskID) { l.work[t.isConnector()] = append(l.work[t.isConnector()], t) }

func (l *load) remove(work []TaskID) {
	for connectors, have := range l.work {
		l.work[connectors] = without(have, work)
	}
}

func (l *load) empty() bool { return len(l.work[true]) == 0 && len(l.work[false]) == 0 }

// assign computes the work of all members as Kafka's IncrementalCooperativeAssignor
// does: work of deleted connectors, and what two members have, is taken away; lost
// work is held back for a while; when nothing is held back, members with more than
// their share give some up; what nobody has goes to those that have least.
func (s state) assign(r round, maxDelay time.Duration) (state, map[string]change) {
	if s.generation != r.lastCompleted {
		s.previous = nil // an assignment that this member never got says nothing
	}
	active, twice := count(r.members)
	if len(s.revoked.minus(active)) < len(s.revoked) {
		s.previous = active // the last revocation did not reach everybody
	}
	deleted := s.previous.minus(r.configured)
	lost := s.previous.minus(active, deleted)
	created := r.configured.minus(s.previous, active)

	revoked := map[string][]TaskID{}
	var loads []*load
	for _, member := range slices.Sorted(maps.Keys(r.members)) {
		l := &load{member, map[bool][]TaskID{}}
		for _, t := range r.members[member] {
			if deleted[t] || twice[t] {
				revoked[member] = append(revoked[member], t)
			} else {
				l.add(t)
			}
		}
		loads = append(loads, l)
	}
	reassigned := s.handleLost(lost, loads, r.now, maxDelay)
	s.balance(r, loads, revoked, maxDelay)
	for _, connectors := range []bool{true, false} {
		distribute(loads, connectors, append(created.sorted(connectors), reassigned.sorted(connectors)...))
	}

	s.generation, s.previous, s.revoked, s.members = r.generation, maps.Clone(lost), set{}, map[string]bool{}
	changes := map[string]change{}
	for _, l := range loads {
		s.members[l.member] = true
		c := change{revoked: revoked[l.member]}
		had := setOf(r.members[l.member])
		for _, t := range slices.Concat(l.work[true], l.work[false]) {
			s.previous[t] = true
			if !had[t] {
				c.added = append(c.added, t)
			}
		}
		for _, t := range c.revoked {
			s.revoked[t] = true
		}
		changes[l.member] = c
	}
	return s, changes
}

// count returns what the members have, and what more than one of them has.
func count(members map[string][]TaskID) (active, twice set) {
	active, twice = set{}, set{}
	for _, work := range members {
		for _, t := range work {
			twice[t] = twice[t] || active[t]
			active[t] = true
		}
	}
	maps.DeleteFunc(twice, func(_ TaskID, is bool) bool { return !is })
	return active, twice
}

// handleLost returns the lost work that may go to any member now. Work is lost when
// its worker is gone, which may be back soon: then it is held back for up to maxDelay,
// and after that given to the workers that came meanwhile, if some did.
func (s *state) handleLost(lost set, loads []*load, now time.Time, maxDelay time.Duration) set {
	if len(lost) == 0 && !s.revoking {
		s.resetDelay()
		return nil
	}
	departed := maps.Clone(s.members)
	for _, l := range loads {
		delete(departed, l.member)
	}
	switch {
	case s.scheduled.IsZero() && len(departed) == 0, maxDelay == 0:
		return lost // a member did not get its assignment, or nothing is held back
	case !s.scheduled.IsZero() && !now.Before(s.scheduled):
		back := s.returned(loads)
		s.resetDelay()
		s.revoking = false
		if len(back) == 0 {
			return lost
		}
		for _, connectors := range []bool{true, false} {
			for i, t := range lost.sorted(connectors) {
				back[i%len(back)].add(t)
			}
		}
		return nil
	}
	s.candidates = slices.Clone(s.candidates)
	for _, l := range loads {
		if l.empty() && !slices.Contains(s.candidates, l.member) {
			s.candidates = append(s.candidates, l.member)
		}
	}
	if s.scheduled.IsZero() {
		s.delay = maxDelay
	} else {
		s.delay = min(s.scheduled.Sub(now), maxDelay)
	}
	s.scheduled = now.Add(s.delay)
	return nil
}

func (s *state) resetDelay() { s.candidates, s.scheduled, s.delay = nil, time.Time{}, 0 }

// returned are the candidates that are still there.
func (s *state) returned(loads []*load) []*load {
	var back []*load
	for _, name := range s.candidates {
		if i := slices.IndexFunc(loads, func(l *load) bool { return l.member == name }); i >= 0 {
			back = append(back, loads[i])
		}
	}
	return back
}

// balance takes work from members with more than their share, unless work is held
// back. Rounds that do so one after the other wait for longer and longer, so that
// members that come and go do not keep all work moving.
func (s *state) balance(r round, loads []*load, revoked map[string][]TaskID, maxDelay time.Duration) {
	if s.delay > 0 {
		s.revoking = false
		return
	}
	surplus := map[*load][]TaskID{}
	if len(r.configured) > 0 && slices.ContainsFunc(loads, func(l *load) bool { return !l.empty() }) {
		for _, connectors := range []bool{true, false} {
			addSurplus(surplus, loads, connectors, len(r.configured.only(connectors)))
		}
	}
	if len(surplus) == 0 {
		if s.revoking { // the members have their share now
			s.revoking, s.balanced = false, 0
		}
		return
	}
	if s.revoking {
		s.balanced++
		if s.delay = backoff(s.balanced, maxDelay); s.delay > 0 {
			s.scheduled = r.now.Add(s.delay)
			return
		}
	}
	s.revoking = true
	for l, work := range surplus {
		revoked[l.member] = append(revoked[l.member], work...)
		l.remove(work)
	}
}

// addSurplus finds what members have more than their share of connectors or tasks:
// the total divided by the members, and one more for as many as the remainder.
func addSurplus(surplus map[*load][]TaskID, loads []*load, connectors bool, total int) {
	least, extra := total/len(loads), total%len(loads)
	for _, l := range loads {
		have := l.work[connectors]
		share := least
		if len(have) > least && extra > 0 {
			share++
			extra--
		}
		if len(have) > share {
			surplus[l] = append(surplus[l], have[:len(have)-share]...)
		}
	}
}

// backoff is 1 ms × 40^n, at most limit. (Kafka computes the limit with fractions, and
// for some limits comes out 1 ms below it.)
func backoff(n int, limit time.Duration) time.Duration {
	d := time.Millisecond
	for ; n > 0 && d < limit; n-- {
		d *= 40
	}
	return min(d, limit)
}

// distribute gives work to the members that have least of its kind, in turn.
func distribute(loads []*load, connectors bool, work []TaskID) {
	loads = slices.Clone(loads)
	slices.SortFunc(loads, func(a, b *load) int {
		return cmp.Or(cmp.Compare(len(a.work[connectors]), len(b.work[connectors])), cmp.Compare(a.member, b.member))
	})
	for len(work) > 0 {
		least := len(loads[0].work[connectors])
		for _, l := range loads {
			if len(l.work[connectors]) > least || len(work) == 0 {
				break
			}
			l.add(work[0])
			work = work[1:]
		}
	}
}
