package group

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
)

// fixture is a coordinator over a log in memory, in virtual time.
type fixture struct {
	*Coordinator
	t   *testing.T
	log *log.Log
	fs  vfs.FS
	cfg Config
}

// bubble runs f in a synctest bubble with a coordinator whose initial rebalance
// delay is off.
func bubble(t *testing.T, f func(f *fixture)) {
	t.Helper()
	bubbleWith(t, Config{InitialRebalanceDelay: -1}, f)
}

func bubbleWith(t *testing.T, cfg Config, f func(f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := &fixture{t: t, fs: vfs.NewMem(), cfg: cfg}
		x.open()
		defer func() { x.close() }()
		f(x)
	})
}

func (x *fixture) open() {
	x.t.Helper()
	var err error
	if x.log, err = log.Open(log.Config{Dir: "/data", FS: x.fs}); err != nil {
		x.t.Fatal(err)
	}
	makeTopics(x.t, x.log)
	cfg := x.cfg
	cfg.Log, cfg.Partitions = x.log, 3
	cfg.Logger = slog.New(slog.NewTextHandler(x.t.Output(), nil))
	if x.Coordinator, err = Open(cfg); err != nil {
		x.t.Fatal(err)
	}
}

// makeTopics makes the topics that the tests commit offsets of, if they are not there.
func makeTopics(t *testing.T, l *log.Log) {
	t.Helper()
	for _, name := range []string{"t", "u", "v", "another"} {
		if _, ok := l.Topic(name); ok {
			continue
		}
		if _, err := l.CreateTopic(name, 4, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func (x *fixture) close() {
	x.t.Helper()
	if err := x.Coordinator.Close(); err != nil {
		x.t.Error(err)
	}
	if err := x.log.Close(); err != nil {
		x.t.Error(err)
	}
}

func (x *fixture) reopen() {
	x.t.Helper()
	x.close()
	x.open()
}

// client is one member as its client sees it.
type client struct {
	x          *fixture
	id         string // client id
	instanceID *string
	version    int16
	metadata   string
	kind       string // protocol type
	protocols  []string
	session    time.Duration
	rebalance  time.Duration

	memberID   string
	generation int32
}

func (x *fixture) client(id string) *client {
	return &client{
		x: x, id: id, version: 9, kind: "consumer", protocols: []string{"range"},
		metadata: "meta-" + id, session: 10 * time.Second, rebalance: time.Minute,
	}
}

func (x *fixture) static(id string) *client {
	c := x.client(id)
	c.instanceID = &id
	return c
}

// join sends one JoinGroup and returns a channel with its answer.
func (c *client) join() <-chan *kmsg.JoinGroupResponse {
	q := kmsg.NewPtrJoinGroupRequest()
	q.SetVersion(c.version)
	q.Group, q.MemberID, q.InstanceID, q.ProtocolType = "g", c.memberID, c.instanceID, c.kind
	q.SessionTimeoutMillis = int32(c.session.Milliseconds())
	q.RebalanceTimeoutMillis = int32(c.rebalance.Milliseconds())
	for _, name := range c.protocols {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, []byte(c.metadata)
		q.Protocols = append(q.Protocols, p)
	}
	answer := make(chan *kmsg.JoinGroupResponse, 1)
	go func() { answer <- c.x.Join(context.Background(), Client{c.id, "/host"}, q) }()
	synctest.Wait()
	return answer
}

// enter takes both steps of joining; the answer comes when the rebalance is
// complete.
func (c *client) enter() <-chan *kmsg.JoinGroupResponse {
	c.x.t.Helper()
	if c.memberID == "" && c.version >= 4 && c.instanceID == nil {
		first := <-c.join()
		if first.ErrorCode != kerr.MemberIDRequired.Code || first.MemberID == "" {
			c.x.t.Fatalf("%s: first join: error %d, member id %q", c.id, first.ErrorCode, first.MemberID)
		}
		c.memberID = first.MemberID
	}
	return c.join()
}

// joined takes over what an answer says, which must be there.
func (c *client) joined(answer <-chan *kmsg.JoinGroupResponse) *kmsg.JoinGroupResponse {
	c.x.t.Helper()
	synctest.Wait()
	select {
	case resp := <-answer:
		if resp.ErrorCode != 0 {
			c.x.t.Fatalf("%s: join: %v", c.id, kerr.ErrorForCode(resp.ErrorCode))
		}
		c.memberID, c.generation = resp.MemberID, resp.Generation
		return resp
	default:
		c.x.t.Fatalf("%s: join is not answered", c.id)
		return nil
	}
}

// sync sends SyncGroup; give is the assignment when this is the leader.
func (c *client) sync(give map[*client]string) <-chan *kmsg.SyncGroupResponse {
	q := kmsg.NewPtrSyncGroupRequest()
	q.Group, q.Generation, q.MemberID, q.InstanceID = "g", c.generation, c.memberID, c.instanceID
	q.ProtocolType, q.Protocol = &c.kind, &c.protocols[0]
	for to, text := range give {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = to.memberID, []byte(text)
		q.GroupAssignment = append(q.GroupAssignment, a)
	}
	answer := make(chan *kmsg.SyncGroupResponse, 1)
	go func() { answer <- c.x.Sync(context.Background(), q) }()
	synctest.Wait()
	return answer
}

func (c *client) heartbeat() error {
	return c.x.Heartbeat("g", c.generation, c.memberID, c.instanceID)
}

func (c *client) leave() error {
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = c.memberID, c.instanceID
	outcomes, err := c.x.Leave("g", []kmsg.LeaveGroupRequestMember{m})
	if err != nil {
		return err
	}
	return outcomes[0]
}

func (c *client) commit(offset int64) error {
	return c.x.Commit(CommitRequest{
		Group: "g", Generation: c.generation, MemberID: c.memberID, InstanceID: c.instanceID,
		Offsets: []Offset{{"t", 0, offset, 5, "note"}},
	})
}

func (x *fixture) wantErr(what string, got error, want *kerr.Error) {
	x.t.Helper()
	if want == nil && got != nil || want != nil && !errors.Is(got, want) {
		x.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (x *fixture) wantState(want string, members int) {
	x.t.Helper()
	d, err := x.Describe("g")
	if err != nil || d.State != want || len(d.Members) != members {
		x.t.Errorf("group is %s with %d members (%v), want %s with %d", d.State, len(d.Members), err, want, members)
	}
}

func (x *fixture) wantSynced(c *client, answer <-chan *kmsg.SyncGroupResponse, want string) {
	x.t.Helper()
	synctest.Wait()
	select {
	case resp := <-answer:
		if resp.ErrorCode != 0 || string(resp.MemberAssignment) != want {
			x.t.Errorf("%s: sync: %v, %q, want %q", c.id, kerr.ErrorForCode(resp.ErrorCode), resp.MemberAssignment, want)
		}
	default:
		x.t.Errorf("%s: sync is not answered", c.id)
	}
}

// settleTwo makes a stable group of a (leader) and b.
func settleTwo(x *fixture, a, b *client) {
	x.t.Helper()
	a.joined(a.enter())
	inB := b.enter()
	a.joined(a.join())
	b.joined(inB)
	syncB := b.sync(nil)
	x.wantSynced(a, a.sync(map[*client]string{a: "to-a", b: "to-b"}), "to-a")
	x.wantSynced(b, syncB, "to-b")
	x.wantState("Stable", 2)
}

func TestTwoMembers(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.client("a"), x.client("b")
		first := a.joined(a.enter())
		if first.LeaderID != a.memberID || first.Generation != 1 || *first.Protocol != "range" || len(first.Members) != 1 {
			t.Errorf("first join: %+v", first)
		}
		inB := b.enter()
		x.wantState("PreparingRebalance", 2)
		x.wantErr("a learns of it", a.heartbeat(), kerr.RebalanceInProgress)
		leader := a.joined(a.join())
		follower := b.joined(inB)
		if len(leader.Members) != 2 || string(leader.Members[1].ProtocolMetadata) != "meta-b" || leader.Generation != 2 {
			t.Errorf("leader's answer: %+v", leader)
		}
		if len(follower.Members) != 0 || follower.LeaderID != a.memberID {
			t.Errorf("follower's answer: %+v", follower)
		}
		x.wantState("CompletingRebalance", 2)
		x.wantErr("heartbeat before sync", b.heartbeat(), nil)
		x.wantErr("commit before sync", b.commit(1), kerr.RebalanceInProgress)
		syncB := b.sync(nil)
		x.wantSynced(a, a.sync(map[*client]string{a: "to-a", b: "to-b"}), "to-a")
		x.wantSynced(b, syncB, "to-b")
		x.wantErr("heartbeat", b.heartbeat(), nil)
		x.wantErr("commit", b.commit(1), nil)
		x.wantErr("leave", b.leave(), nil)
		x.wantErr("after b left", a.heartbeat(), kerr.RebalanceInProgress)
		a.joined(a.join())
		x.wantSynced(a, a.sync(map[*client]string{a: "all"}), "all")
		x.wantErr("leave", a.leave(), nil)
		x.wantState("Empty", 0)
	})
}

func TestOldClientsJoinInOneStep(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.client("a")
		a.version, a.rebalance = 0, 0
		if resp := a.joined(a.enter()); resp.Generation != 1 {
			t.Errorf("joined %+v", resp)
		}
	})
}

func TestJoinErrors(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.client("a"), x.client("b")
		settleTwo(x, a, b)
		for _, tt := range []struct {
			name   string
			change func(c *client)
			want   *kerr.Error
		}{
			{"session too short", func(c *client) { c.session = time.Second }, kerr.InvalidSessionTimeout},
			{"session too long", func(c *client) { c.session = time.Hour }, kerr.InvalidSessionTimeout},
			{"other protocol type", func(c *client) { c.kind = "connect" }, kerr.InconsistentGroupProtocol},
			{"no common protocol", func(c *client) { c.protocols = []string{"sticky"} }, kerr.InconsistentGroupProtocol},
			{"no protocol", func(c *client) { c.protocols = nil }, kerr.InconsistentGroupProtocol},
			{"unknown member", func(c *client) { c.memberID = "nobody" }, kerr.UnknownMemberID},
			{"long protocol name", func(c *client) { c.protocols = []string{strings.Repeat("p", 5000)} }, kerr.InvalidRequest},
			{"long instance id", func(c *client) { c.instanceID = kmsg.StringPtr(strings.Repeat("i", 5000)) }, kerr.InvalidRequest},
		} {
			c := x.client("c")
			tt.change(c)
			if resp := <-c.join(); resp.ErrorCode != tt.want.Code {
				t.Errorf("%s: %v, want %v", tt.name, kerr.ErrorForCode(resp.ErrorCode), tt.want)
			}
		}
		x.wantState("Stable", 2)
		stale := *a
		stale.generation--
		x.wantErr("old generation", stale.heartbeat(), kerr.IllegalGeneration)
		x.wantErr("old generation commits", stale.commit(1), kerr.IllegalGeneration)
		stale = *a
		stale.memberID = "nobody"
		x.wantErr("unknown member", stale.heartbeat(), kerr.UnknownMemberID)
		x.wantErr("unknown member commits", stale.commit(1), kerr.UnknownMemberID)
		x.wantErr("commit without membership", (&client{x: x, generation: -1}).commit(1), kerr.UnknownMemberID)
		x.wantErr("unknown member leaves", stale.leave(), kerr.UnknownMemberID)
	})
}

func TestVotes(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.client("a"), x.client("b")
		a.protocols = []string{"cooperative-sticky", "range"}
		b.protocols = []string{"range"}
		a.joined(a.enter())
		in := b.enter()
		if got := *a.joined(a.join()).Protocol; got != "range" {
			t.Errorf("chosen protocol %s, want the common one", got)
		}
		b.joined(in)
	})
}

func TestSessionExpires(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.client("a"), x.client("b")
		settleTwo(x, a, b)
		for range 9 { // b stays silent; its session is 10 s
			<-time.After(time.Second)
			x.wantErr("heartbeat", a.heartbeat(), nil)
		}
		x.wantState("Stable", 2)
		<-time.After(1001 * time.Millisecond)
		synctest.Wait()
		x.wantErr("after b expired", a.heartbeat(), kerr.RebalanceInProgress)
		x.wantErr("b's heartbeat", b.heartbeat(), kerr.UnknownMemberID)
		a.joined(a.join())
		x.wantState("CompletingRebalance", 1)
	})
}

// A member that does not rejoin is out when the rebalance timeout has passed;
// one that heartbeats but never syncs is, too.
func TestRebalanceTimeouts(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b, c := x.client("a"), x.client("b"), x.client("c")
		a.session, b.session, c.session = time.Minute, 5*time.Minute, 5*time.Minute
		a.rebalance, b.rebalance, c.rebalance = 20*time.Second, 20*time.Second, 20*time.Second
		settleTwo(x, a, b)
		inC := c.enter()
		inA := a.join()
		<-time.After(19 * time.Second)
		x.wantState("PreparingRebalance", 3)
		<-time.After(2 * time.Second)
		a.joined(inA)
		c.joined(inC)
		x.wantErr("b did not rejoin", b.heartbeat(), kerr.UnknownMemberID)
		inSync := a.sync(map[*client]string{a: "to-a", c: "to-c"})
		x.wantSynced(a, inSync, "to-a")
		<-time.After(21 * time.Second)
		synctest.Wait()
		x.wantErr("c did not sync", c.heartbeat(), kerr.UnknownMemberID)
		x.wantErr("a rejoins", a.heartbeat(), kerr.RebalanceInProgress)
	})
}

func TestInitialRebalanceDelay(t *testing.T) {
	bubbleWith(t, Config{InitialRebalanceDelay: 3 * time.Second}, func(x *fixture) {
		a, b := x.client("a"), x.client("b")
		inA := a.enter()
		<-time.After(2 * time.Second)
		inB := b.enter() // prolongs the delay
		<-time.After(2 * time.Second)
		x.wantState("PreparingRebalance", 2)
		<-time.After(2001 * time.Millisecond)
		if got := a.joined(inA); len(got.Members) != 2 || got.Generation != 1 {
			t.Errorf("leader's answer: %+v", got)
		}
		b.joined(inB)
	})
}

// An id that was given out and never used holds nothing up for longer than a
// session.
func TestPendingMemberExpires(t *testing.T) {
	bubble(t, func(x *fixture) {
		ghost, a := x.client("ghost"), x.client("a")
		<-ghost.join()
		in := a.enter()
		select {
		case <-in:
			t.Fatal("the join was complete with a member pending")
		default:
		}
		<-time.After(ghost.session + time.Millisecond)
		a.joined(in)
	})
}

func TestStaticMembers(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.static("a"), x.static("b")
		settleTwo(x, a, b)
		generation := a.generation

		again := x.static("b") // restarted, same metadata: no rebalance
		resp := again.joined(again.enter())
		if resp.Generation != generation || resp.MemberID == b.memberID || resp.SkipAssignment {
			t.Errorf("follower restarted: %+v", resp)
		}
		x.wantSynced(again, again.sync(nil), "to-b")
		x.wantErr("others notice nothing", a.heartbeat(), nil)
		x.wantErr("the old one is fenced", b.heartbeat(), kerr.FencedInstanceID)
		x.wantErr("the old one is fenced", b.commit(1), kerr.FencedInstanceID)

		leader := x.static("a")
		resp = leader.joined(leader.enter())
		if resp.Generation != generation || !resp.SkipAssignment || resp.LeaderID != resp.MemberID || len(resp.Members) != 2 {
			t.Errorf("leader restarted: %+v", resp)
		}
		old := x.static("a")
		old.version = 8
		resp = old.joined(old.enter())
		if resp.Generation != generation || resp.SkipAssignment || resp.LeaderID == resp.MemberID {
			t.Errorf("leader with an older client restarted: %+v", resp)
		}

		changed := x.static("b")
		changed.metadata = "other"
		in := changed.enter()
		x.wantErr("changed metadata rebalances", old.heartbeat(), kerr.RebalanceInProgress)
		old.joined(old.join())
		if resp := changed.joined(in); resp.Generation != generation+1 {
			t.Errorf("generation %d, want %d", resp.Generation, generation+1)
		}
		byInstance := &client{x: x, instanceID: changed.instanceID}
		x.wantErr("an administrator removes it", byInstance.leave(), nil)
	})
}

// A rebalance that starts while the leader's assignment is on its way to the
// disk wins.
func TestRebalanceDuringSync(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b, c := x.client("a"), x.client("b"), x.client("c")
		a.joined(a.enter())
		inB := b.enter()
		a.joined(a.join())
		b.joined(inB)
		syncB := b.sync(nil)
		inC := c.enter()
		if resp := <-syncB; resp.ErrorCode != kerr.RebalanceInProgress.Code {
			t.Errorf("waiting sync: %v, want %v", kerr.ErrorForCode(resp.ErrorCode), kerr.RebalanceInProgress)
		}
		if resp := <-a.sync(map[*client]string{a: "x"}); resp.ErrorCode != kerr.RebalanceInProgress.Code {
			t.Errorf("leader's sync: %v, want %v", kerr.ErrorForCode(resp.ErrorCode), kerr.RebalanceInProgress)
		}
		inA, inB := a.join(), b.join()
		a.joined(inA)
		b.joined(inB)
		c.joined(inC)
		x.wantState("CompletingRebalance", 3)
	})
}

func TestConnectGroupIsOpaque(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.client("worker")
		a.kind, a.protocols, a.metadata = "connect", []string{"sessioned"}, "\x00\x01\xff"
		got := a.joined(a.enter())
		if string(got.Members[0].ProtocolMetadata) != a.metadata || *got.ProtocolType != "connect" {
			t.Errorf("joined %+v", got)
		}
		x.wantSynced(a, a.sync(map[*client]string{a: "\xff\x00"}), "\xff\x00")
		if l := x.List(); len(l) != 1 || l[0] != (Listed{"g", "connect", "Stable", "classic"}) {
			t.Errorf("listed %v", l)
		}
	})
}

func TestRestartKeepsTheGroup(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.static("a"), x.client("b")
		settleTwo(x, a, b)
		x.wantErr("commit", a.commit(42), nil)
		before, _ := x.Describe("g")
		x.reopen()
		x.wantState("Stable", 2)
		after, _ := x.Describe("g")
		if !slices.EqualFunc(before.Members, after.Members, func(a, b Member) bool {
			return a.ID == b.ID && string(a.Assignment) == string(b.Assignment) && string(a.Metadata) == string(b.Metadata)
		}) {
			t.Errorf("members after the restart: %+v, want %+v", after.Members, before.Members)
		}
		x.wantErr("heartbeat goes on", b.heartbeat(), nil)
		x.wantErr("commit goes on", a.commit(43), nil)
		got, err := fetch(x.Coordinator, "g")
		if want := []Offset{{"t", 0, 43, 5, "note"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("offsets %v, %v, want %v", got, err, want)
		}
		<-time.After(a.session + time.Millisecond) // nobody calls: sessions run after a restart, too
		synctest.Wait()
		if d, _ := x.Describe("g"); len(d.Members) == 2 {
			t.Errorf("members %v did not expire", d.Members)
		}
	})
}

func TestLimits(t *testing.T) {
	bubbleWith(t, Config{InitialRebalanceDelay: -1, MaxMembers: 2, MaxGroups: 1}, func(x *fixture) {
		a, b, c := x.client("a"), x.client("b"), x.client("c")
		settleTwo(x, a, b)
		if resp := <-c.join(); resp.ErrorCode != kerr.GroupMaxSizeReached.Code {
			t.Errorf("third member: %v, want %v", kerr.ErrorForCode(resp.ErrorCode), kerr.GroupMaxSizeReached)
		}
		err := x.Commit(CommitRequest{Group: "another", Generation: -1, Offsets: []Offset{{"t", 0, 1, -1, ""}}})
		x.wantErr("second group", err, kerr.CoordinatorNotAvailable)
	})
}

// Who is no member may commit while a group has none, whatever id it names.
func TestCommitWithoutMembership(t *testing.T) {
	bubble(t, func(x *fixture) {
		stranger := &client{x: x, generation: -1, memberID: "stranger"}
		x.wantErr("to an empty group", stranger.commit(1), nil)
		a := x.client("a")
		a.joined(a.enter())
		x.wantErr("to one with members", stranger.commit(2), kerr.UnknownMemberID)
	})
}

// What groups hold has a limit; what is there goes on, and room comes back.
func TestMemoryLimit(t *testing.T) {
	bubbleWith(t, Config{InitialRebalanceDelay: -1, MaxBytes: 10_000}, func(x *fixture) {
		simple := &client{x: x, generation: -1}
		x.wantErr("commit", simple.commit(1), nil)
		large := CommitRequest{Group: "large", Generation: -1}
		for i := range int32(50) {
			large.Offsets = append(large.Offsets, Offset{"t", i, 1, -1, strings.Repeat("m", 200)})
		}
		x.wantErr("large commit", x.Commit(large), kerr.CoordinatorNotAvailable)
		a := x.client("a")
		a.metadata = strings.Repeat("m", 10_000)
		if resp := <-a.join(); resp.ErrorCode != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("large join: error %d, want %v", resp.ErrorCode, kerr.CoordinatorNotAvailable)
		}
		a.metadata = "m"
		a.joined(a.enter())
		if resp := <-a.sync(map[*client]string{a: strings.Repeat("m", 10_000)}); resp.ErrorCode != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("large assignment: error %d, want %v", resp.ErrorCode, kerr.CoordinatorNotAvailable)
		}
		x.wantSynced(a, a.sync(nil), "")
		large.Offsets = large.Offsets[:20]
		x.wantErr("what fits", x.Commit(large), nil)
		c := x.consumer("c", strings.Repeat("t", 2000))
		q := c.request()
		q.Group = "other"
		x.wantErr("one more", c.send(q), kerr.CoordinatorNotAvailable)
		x.wantErr("the same offset again", a.commit(2), nil)
		x.wantErr("the same offsets again", x.Commit(large), nil)
		x.wantErr("delete", x.Delete("large"), nil)
		x.wantErr("there is room again", c.send(q), nil)
		if err := x.consistent(); err != nil {
			t.Error(err)
		}
	})
}

// Clients that only ask for a member id leave nothing behind.
func TestUnusedGroupsAreForgotten(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.client("a")
		<-a.join()
		if len(x.List()) != 1 {
			t.Errorf("groups %v, want the one that is pending", x.List())
		}
		<-time.After(a.session + time.Millisecond)
		synctest.Wait()
		if len(x.List()) != 0 {
			t.Errorf("groups %v, want none", x.List())
		}
	})
}

// fetch is Fetch without regard to transactions.
func fetch(c *Coordinator, id string) ([]Offset, error) {
	fetched, err := c.Fetch(FetchRequest{Group: id})
	var offsets []Offset
	for _, f := range fetched {
		offsets = append(offsets, f.Offset)
	}
	return offsets, err
}
