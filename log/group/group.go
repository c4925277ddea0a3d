package group

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type state uint8

const (
	empty state = iota
	preparingRebalance
	completingRebalance
	stable
	dead
)

func (s state) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// newMemberTimeout is how long a member may wait in its first JoinGroup, when its
// client may be gone without anyone noticing.
const newMemberTimeout = 5 * time.Minute

// group is one group. Methods expect mu to be held unless they say otherwise.
type group struct {
	c  *Coordinator
	id string

	mu           sync.Mutex // guards the fields below and those of the members
	state        state
	stateSince   time.Time
	generation   int32
	protocolType string // "" until the first member joins
	protocol     string // chosen for the generation
	leader       string // member id
	members      map[string]*member
	static       map[string]string      // group instance id to member id
	pending      map[string]*time.Timer // ids given by MEMBER_ID_REQUIRED and not used yet
	joined       int                    // counts members, for their order
	stored       bool                   // the log has a metadata record
	storing      bool                   // the assignment of this generation is on its way to the log

	timer     *time.Timer // of the running rebalance, or of members that have not synced
	timerID   int         // tells a timer that fires whether it is still the one
	delaying  bool        // the empty group waits for more members
	delayLeft time.Duration
	newMember bool // someone joined during the delay

	offsets    map[topicPartition]committed
	txns       map[int64]map[topicPartition]committed // by producer id: offsets of open transactions
	committing int                                    // commits written and not applied yet
	settled    *sync.Cond                             // signalled when committing becomes 0

	offsetBytes, memberBytes int // what offsets and members hold, see weigh

	// consumer is not nil in a group of the consumer protocol (KIP-848). What
	// belongs to the classic protocol, offsets apart, is as in an empty group then.
	consumer *consumerGroup
	written  write // the last one of the consumer group: what members are told waits for it
}

// member is one member, guarded by its group's mutex.
type member struct {
	id               string
	instanceID       *string // static membership, KIP-345
	clientID         string
	clientHost       string
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []protocol
	assignment       []byte
	order            int
	isNew            bool // its first JoinGroup is not answered yet
	synced           bool // has sent SyncGroup in this generation

	join chan *kmsg.JoinGroupResponse // not nil while JoinGroup waits; capacity 1
	sync chan *kmsg.SyncGroupResponse // not nil while SyncGroup waits; capacity 1

	session lazyTimer
}

type protocol struct {
	name     string
	metadata []byte
}

func newGroup(c *Coordinator, id string) *group {
	g := &group{
		c: c, id: id,
		stateSince: time.Now(),
		members:    map[string]*member{},
		static:     map[string]string{},
		pending:    map[string]*time.Timer{},
		offsets:    map[topicPartition]committed{},
		txns:       map[int64]map[topicPartition]committed{},
	}
	g.settled = sync.NewCond(&g.mu)
	return g
}

func (g *group) setState(s state) {
	g.state, g.stateSince = s, time.Now()
}

// sorted returns the members in the order in which they joined.
func (g *group) sorted() []*member {
	all := make([]*member, 0, len(g.members))
	for _, m := range g.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *member) int { return cmp.Compare(a.order, b.order) })
	return all
}

// insert adds a member under its id.
func (g *group) insert(m *member) {
	m.order = g.joined
	g.joined++
	g.members[m.id] = m
	if m.instanceID != nil {
		g.static[*m.instanceID] = m.id
	}
	if g.leader == "" {
		g.leader = m.id
	}
	g.weigh()
}

// drop takes the member out and answers what it waits for with err.
func (g *group) drop(m *member, err error) {
	delete(g.members, m.id)
	if m.instanceID != nil && g.static[*m.instanceID] == m.id {
		delete(g.static, *m.instanceID)
	}
	m.session.stop()
	m.answerJoin(joinError(m.id, err))
	m.answerSync(syncError(err))
	if g.leader == m.id {
		g.leader = ""
		if rest := g.sorted(); len(rest) > 0 {
			g.leader = rest[0].id
		}
	}
	g.weigh()
}

// remove is drop and what follows from it for the group.
func (g *group) remove(m *member, err error) {
	g.drop(m, err)
	g.memberGone()
}

// memberGone starts a rebalance, or completes the one that waited for the member.
func (g *group) memberGone() {
	switch g.state {
	case stable, completingRebalance:
		g.prepareRebalance()
	case preparingRebalance:
		g.tryCompleteJoin()
	case empty:
		g.forgetIfUnused()
	}
}

// forgetIfUnused drops a group that holds nothing and that the log does not know.
func (g *group) forgetIfUnused() {
	held := len(g.members) + len(g.pending) + len(g.offsets) + len(g.txns) + g.committing
	if g.state == empty && g.consumer == nil && !g.stored && held == 0 {
		g.die()
	}
}

// die forgets the group.
func (g *group) die() {
	g.setState(dead)
	g.unweigh()
	g.c.forget(g)
}

// find checks a member id as every request after JoinGroup gives it.
func (g *group) find(memberID string, instanceID *string) (*member, error) {
	if instanceID != nil {
		switch current, ok := g.static[*instanceID]; {
		case !ok:
			return nil, kerr.UnknownMemberID
		case current != memberID:
			return nil, kerr.FencedInstanceID
		}
	}
	m, ok := g.members[memberID]
	if !ok {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

// touch starts the member's session anew.
func (g *group) touch(m *member) { g.extend(m, m.sessionTimeout) }

func (g *group) extend(m *member, d time.Duration) {
	m.session.extend(d, func() { g.sessionDue(m) })
}

// sessionDue is called by the member's timer, without the mutex.
func (g *group) sessionDue(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.members[m.id] != m || g.state == dead {
		return
	}
	if m.sync != nil || (m.join != nil && !m.isNew) {
		m.session.deadline = time.Now().Add(m.sessionTimeout) // it is us who lets it wait
	}
	if !m.session.passed() {
		return
	}
	g.c.cfg.Logger.Info("group member expired", "group", g.id, "member", m.id, "generation", g.generation)
	g.remove(m, kerr.UnknownMemberID)
}

// commonProtocols is the names that every member supports.
func (g *group) commonProtocols() map[string]bool {
	count := map[string]int{}
	for _, m := range g.members {
		for _, p := range m.protocols {
			count[p.name]++
		}
	}
	common := map[string]bool{}
	for name, n := range count {
		if n == len(g.members) {
			common[name] = true
		}
	}
	return common
}

// chooseProtocol lets each member vote for the first common protocol in its list;
// the most votes win, ties go to the earlier name.
func (g *group) chooseProtocol() string {
	common := g.commonProtocols()
	votes := map[string]int{}
	for _, m := range g.members {
		for _, p := range m.protocols {
			if common[p.name] {
				votes[p.name]++
				break
			}
		}
	}
	chosen := ""
	for name, n := range votes {
		if chosen == "" || n > votes[chosen] || (n == votes[chosen] && name < chosen) {
			chosen = name
		}
	}
	return chosen
}

// metadata is what the member sent for a protocol.
func (m *member) metadata(name string) []byte {
	for _, p := range m.protocols {
		if p.name == name {
			return p.metadata
		}
	}
	return []byte{}
}

func (m *member) sameProtocols(other []protocol) bool {
	return slices.EqualFunc(m.protocols, other, protocol.equal)
}

// sameSubscription reports whether another member would subscribe to the same
// topics. Metadata that is not of the consumer embedded protocol has to be equal.
func (m *member) sameSubscription(o *member) bool {
	for _, p := range m.protocols {
		a, errA := decodeSubscription(p.metadata)
		b, errB := decodeSubscription(o.metadata(p.name))
		if errA != nil || errB != nil {
			return m.sameProtocols(o.protocols)
		}
		if !slices.Equal(a.Topics, b.Topics) {
			return false
		}
	}
	return true
}

// answerJoin answers a waiting JoinGroup, if there is one.
func (m *member) answerJoin(resp *kmsg.JoinGroupResponse) {
	if m.join != nil {
		m.join <- resp
		m.join = nil
	}
}

// answerSync answers a waiting SyncGroup, if there is one.
func (m *member) answerSync(resp *kmsg.SyncGroupResponse) {
	if m.sync != nil {
		m.sync <- resp
		m.sync = nil
	}
}

// resume starts the timers of a group read from the log. It takes the mutex.
func (g *group) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.weigh()
	for _, m := range g.members {
		g.touch(m)
	}
	if g.consumer != nil {
		for _, m := range g.consumer.members {
			g.touchConsumer(m)
		}
	}
}

// stop ends the group's timers and waits. It takes the mutex.
func (g *group) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancelTimer()
	g.setState(dead)
	for _, t := range g.pending {
		t.Stop()
	}
	for _, m := range g.members {
		m.session.stop()
		m.answerJoin(joinError(m.id, kerr.NotCoordinator))
		m.answerSync(syncError(kerr.NotCoordinator))
	}
	if g.consumer != nil {
		for _, t := range g.consumer.timers {
			t.stop()
		}
	}
}
