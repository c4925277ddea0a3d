package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumer is a member of the consumer protocol as its client sees it.
type consumer struct {
	x          *fixture
	id         string
	instanceID *string
	topics     []string
	regex      *string
	assignor   *string
	rebalance  time.Duration

	epoch int32
	owned assignment // what it was told to have; taken over at once unless it holds on
	holds bool       // does not give up what it is told to
}

func (x *fixture) consumer(id string, topics ...string) *consumer {
	return &consumer{x: x, id: id, topics: append([]string{}, topics...), rebalance: time.Minute, owned: assignment{}}
}

func (x *fixture) staticConsumer(id, instance string, topics ...string) *consumer {
	c := x.consumer(id, topics...)
	c.instanceID = &instance
	return c
}

func (c *consumer) request() *kmsg.ConsumerGroupHeartbeatRequest {
	q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	q.Version, q.Group, q.MemberID, q.MemberEpoch, q.InstanceID = 1, "g", c.id, c.epoch, c.instanceID
	q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, id := range c.owned.topics() {
		t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		t.TopicID, t.Partitions = id, c.owned.partitions(id)
		q.Topics = append(q.Topics, t)
	}
	if c.epoch == epochJoin {
		q.RebalanceTimeoutMillis = int32(c.rebalance.Milliseconds())
		q.SubscribedTopicNames, q.SubscribedTopicRegex, q.ServerAssignor = c.topics, c.regex, c.assignor
	}
	return q
}

// send sends a request and takes over what the answer says.
func (c *consumer) send(q *kmsg.ConsumerGroupHeartbeatRequest) error {
	resp := c.x.ConsumerHeartbeat(Client{"client-" + c.id, "/host"}, q, nil)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	c.id, c.epoch = *resp.MemberID, resp.MemberEpoch
	if resp.Assignment == nil {
		return nil
	}
	next := assignment{}
	for _, t := range resp.Assignment.Topics {
		for _, p := range t.Partitions {
			next.add(t.TopicID, p, 0)
		}
	}
	for tp := range c.owned.all {
		if c.holds {
			next.add(tp.topic, tp.partition, 0)
		}
	}
	c.owned = next
	return nil
}

func (c *consumer) beat() error { return c.send(c.request()) }

// must heartbeats and wants no error.
func (c *consumer) must() *consumer {
	c.x.t.Helper()
	if err := c.beat(); err != nil {
		c.x.t.Fatalf("%s: heartbeat in epoch %d: %v", c.id, c.epoch, err)
	}
	return c
}

func (c *consumer) leave(epoch int32) error {
	q := c.request()
	q.MemberEpoch = epoch
	return c.send(q)
}

// has is what the member has, as text.
func (c *consumer) has() string { return c.x.names(c.owned) }

func (x *fixture) names(a assignment) string {
	var all []string
	for tp := range a.all {
		all = append(all, fmt.Sprintf("%s-%d", x.topicName(tp.topic), tp.partition))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (c *consumer) wants(want string) {
	c.x.t.Helper()
	if got := c.has(); got != want {
		c.x.t.Errorf("%s has %q, want %q", c.id, got, want)
	}
}

// settle heartbeats all until nothing changes; nobody may have what another has.
func (x *fixture) settle(all ...*consumer) {
	x.t.Helper()
	for range 20 {
		before := ""
		after := ""
		for _, c := range all {
			before += fmt.Sprint(c.epoch, c.has())
			c.must()
			after += fmt.Sprint(c.epoch, c.has())
			x.wantDisjoint(all...)
		}
		if before == after {
			return
		}
	}
	x.t.Fatal("the group does not settle")
}

func (x *fixture) wantDisjoint(all ...*consumer) {
	x.t.Helper()
	owner := map[topicIDPartition]string{}
	for _, c := range all {
		for tp := range c.owned.all {
			if other, taken := owner[tp]; taken {
				x.t.Fatalf("%s and %s both have %s-%d", other, c.id, x.topicName(tp.topic), tp.partition)
			}
			owner[tp] = c.id
		}
	}
}

// wantGroup wants a state, and group and target epochs.
func (x *fixture) wantGroup(state string, epoch, target int32, members int) {
	x.t.Helper()
	d, err := x.ConsumerDescribe("g")
	if err != nil || d.State != state || d.Epoch != epoch || d.AssignmentEpoch != target || len(d.Members) != members {
		x.t.Errorf("group is %s, epoch %d, assignment epoch %d, %d members (%v), want %s, %d, %d, %d",
			d.State, d.Epoch, d.AssignmentEpoch, len(d.Members), err, state, epoch, target, members)
	}
}

// A partition goes to a member only after the one that has it says that it has it
// no longer.
func TestConsumerReconciles(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.consumer("a", "t"), x.consumer("b", "t")
		a.must().wants("t-0 t-1 t-2 t-3")
		x.wantGroup("Stable", 1, 1, 1)
		a.holds = true
		b.must().wants("")
		if b.epoch != 2 {
			t.Errorf("b is in epoch %d, want 2", b.epoch)
		}
		x.wantGroup("Reconciling", 2, 2, 2)
		a.must() // it is told to give up two, and holds on
		for range 3 {
			a.must()
			b.must().wants("")
		}
		if a.epoch != 1 {
			t.Errorf("a is in epoch %d while it has to give up partitions, want 1", a.epoch)
		}
		a.holds = false
		q := a.request()
		q.RebalanceTimeoutMillis, q.SubscribedTopicNames = 60_000, []string{"t"} // everything, as after an error
		x.wantErr("full heartbeat", a.send(q), nil)
		a.must().wants("t-0 t-1")
		if a.epoch != 2 {
			t.Errorf("a is in epoch %d, want 2", a.epoch)
		}
		b.must().wants("t-2 t-3")
		x.wantGroup("Stable", 2, 2, 2)
		x.wantErr("b leaves", b.leave(epochLeave), nil)
		a.must().wants("t-0 t-1 t-2 t-3")
		x.wantGroup("Stable", 3, 3, 1)
		x.wantErr("a leaves", a.leave(epochLeave), nil)
		x.wantGroup("Empty", 4, 4, 0)
	})
}

func TestConsumerHeartbeatErrors(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.consumer("a", "t")
		for _, tt := range []struct {
			name   string
			change func(q *kmsg.ConsumerGroupHeartbeatRequest)
			want   *kerr.Error
		}{
			{"no member id", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberID = "" }, kerr.InvalidRequest},
			{"no group", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.Group = "" }, kerr.InvalidRequest},
			{"empty instance id", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.InstanceID = new(string) }, kerr.InvalidRequest},
			{"empty rack", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.RackID = new(string) }, kerr.InvalidRequest},
			{"epoch -3", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -3 }, kerr.InvalidRequest},
			{"epoch -2 without instance", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -2 }, kerr.InvalidRequest},
			{"long member id", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberID = strings.Repeat("m", 5000) }, kerr.InvalidRequest},
			{"long group id", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.Group = strings.Repeat("g", 5000) }, kerr.InvalidGroupID},
			{"no rebalance timeout", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.RebalanceTimeoutMillis = -1 }, kerr.InvalidRequest},
			{"no partitions", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.Topics = nil }, kerr.InvalidRequest},
			{"no subscription", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.SubscribedTopicNames = nil }, kerr.InvalidRequest},
			{"assignor", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.ServerAssignor = kmsg.StringPtr("sticky") }, kerr.UnsupportedAssignor},
			{"regex", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.SubscribedTopicRegex = kmsg.StringPtr("t(") }, kerr.InvalidRegularExpression},
			{"long regex", func(q *kmsg.ConsumerGroupHeartbeatRequest) {
				q.SubscribedTopicRegex = kmsg.StringPtr(strings.Repeat("t", 2000))
			}, kerr.InvalidRegularExpression},
			{"unknown group", func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = 1 }, kerr.GroupIDNotFound},
		} {
			q := a.request()
			tt.change(q)
			x.wantErr(tt.name, a.send(q), tt.want)
		}
		if l := x.List(); len(l) != 0 {
			t.Errorf("groups %v are left of what was refused", l)
		}
		a.must()
		stranger := x.consumer("stranger", "t")
		stranger.epoch = 1
		x.wantErr("unknown member", stranger.beat(), kerr.UnknownMemberID)
		x.wantErr("unknown member leaves", stranger.leave(epochLeave), kerr.UnknownMemberID)
	})
}

func TestConsumerEpochsFence(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.consumer("a", "t")
		a.must()
		old := *a
		q := a.request()
		q.RebalanceTimeoutMillis, q.SubscribedTopicNames = 60_000, []string{"t", "u"}
		lost := *a // does not see the answer
		x.wantErr("subscribe", lost.send(q), nil)
		if lost.epoch != a.epoch+1 {
			t.Fatalf("epoch %d, want %d", lost.epoch, a.epoch+1)
		}
		more := *a
		more.owned = lost.owned
		more.owned.add(topicID{1}, 0, 0)
		x.wantErr("epoch before with what it never had", more.beat(), kerr.FencedMemberEpoch)
		q = a.request()
		q.Topics = nil
		x.wantErr("epoch before without saying what it has", a.send(q), kerr.FencedMemberEpoch)
		x.wantErr("again in the epoch before", a.beat(), nil)
		if a.epoch != lost.epoch {
			t.Errorf("epoch %d, want %d", a.epoch, lost.epoch)
		}
		ahead := *a
		ahead.epoch++
		x.wantErr("epoch ahead", ahead.beat(), kerr.FencedMemberEpoch)
		b := x.consumer("b", "t")
		b.must()
		x.settle(a, b)
		x.wantErr("epoch two behind", old.beat(), kerr.FencedMemberEpoch)
		a.epoch, a.owned = epochJoin, assignment{}
		x.wantErr("fenced and joins again", a.beat(), nil)
		x.settle(a, b)
	})
}

func TestConsumerSession(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.consumer("a", "t"), x.consumer("b", "t")
		a.must()
		b.must()
		x.settle(a, b)
		for range 8 { // b is silent
			<-time.After(5 * time.Second)
			a.must().wants("t-0 t-1")
		}
		<-time.After(5*time.Second + time.Millisecond)
		synctest.Wait()
		a.must().wants("t-0 t-1 t-2 t-3")
		x.wantErr("b comes back", b.beat(), kerr.UnknownMemberID)
	})
}

// A member that does not give up its partitions in time is out.
func TestConsumerRebalanceTimeout(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.consumer("a", "t"), x.consumer("b", "t")
		a.rebalance, a.holds = 20*time.Second, true
		a.must()
		b.must()
		a.must()
		for range 3 {
			<-time.After(6 * time.Second)
			a.must()
			b.must().wants("")
		}
		<-time.After(3 * time.Second)
		synctest.Wait()
		x.wantErr("a is out", a.beat(), kerr.UnknownMemberID)
		b.must().wants("t-0 t-1 t-2 t-3")
	})
}

func TestConsumerStaticMembers(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.staticConsumer("a", "one", "t"), x.staticConsumer("b", "two", "t")
		a.must()
		b.must()
		x.settle(a, b)
		had, epoch := b.has(), b.epoch
		again := x.staticConsumer("b2", "two", "t")
		x.wantErr("while the first is there", again.beat(), kerr.UnreleasedInstanceID)
		x.wantErr("b goes for a while", b.leave(epochLeaveStatic), nil)
		a.must()
		a.wants("t-0 t-1")
		again.must().wants(had)
		if again.epoch != epoch {
			t.Errorf("epoch %d, want %d: nothing has changed for the group", again.epoch, epoch)
		}
		b.epoch = epoch
		x.wantErr("b is fenced", b.beat(), kerr.FencedInstanceID)
		x.wantErr("nobody with that instance", x.staticConsumer("c", "three", "t").leave(epochLeave), kerr.UnknownMemberID)

		x.wantErr("goes for a while", again.leave(epochLeaveStatic), nil)
		for range 9 {
			<-time.After(5 * time.Second)
			a.must()
		}
		<-time.After(time.Second)
		synctest.Wait()
		a.must().wants("t-0 t-1 t-2 t-3")
		x.wantErr("a leaves", a.leave(epochLeave), nil)
	})
}

func TestConsumerSubscriptions(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.consumer("a", "t", "t")
		a.must().wants("t-0 t-1 t-2 t-3")
		if err := x.log.CreatePartitions("t", 6); err != nil {
			t.Fatal(err)
		}
		<-time.After(topicsRefresh)
		a.must().wants("t-0 t-1 t-2 t-3 t-4 t-5")
		q := a.request()
		q.SubscribedTopicNames = []string{"u", "later"}
		x.wantErr("another topic", a.send(q), nil)
		a.wants("")
		a.must().wants("u-0 u-1 u-2 u-3")
		if _, err := x.log.CreateTopic("later", 1, nil); err != nil {
			t.Fatal(err)
		}
		<-time.After(topicsRefresh)
		a.must().wants("later-0 u-0 u-1 u-2 u-3")
		if err := x.log.DeleteTopic("u"); err != nil {
			t.Fatal(err)
		}
		<-time.After(topicsRefresh)
		a.must()
		a.must().wants("later-0")
		none := x.consumer("none")
		none.must().wants("")
		if none.epoch == 0 {
			t.Error("a member without topics is in no epoch")
		}
	})
}

func TestConsumerRegex(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.consumer("a")
		a.topics, a.regex = nil, kmsg.StringPtr("[uv]|x.*|__.*")
		a.must().wants("u-0 u-1 u-2 u-3 v-0 v-1 v-2 v-3")
		for _, name := range []string{"xyz", "yx"} {
			if _, err := x.log.CreateTopic(name, 1, nil); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(regexRefresh)
		a.must().wants("u-0 u-1 u-2 u-3 v-0 v-1 v-2 v-3 xyz-0")
		seen := x.consumer("seen")
		seen.topics, seen.regex = nil, kmsg.StringPtr("xyz|yx")
		q := seen.request()
		q.Group = "another"
		resp := x.ConsumerHeartbeat(Client{}, q, func(topic string) bool { return topic == "yx" })
		if resp.ErrorCode != 0 || len(resp.Assignment.Topics) != 1 || x.topicName(resp.Assignment.Topics[0].TopicID) != "yx" {
			t.Errorf("got %+v, want only the topic that may be seen", resp)
		}
		q = a.request()
		q.SubscribedTopicRegex = new(string)
		x.wantErr("no regex any more", a.send(q), nil)
		if n := len(x.groups["g"].consumer.regexes); n != 0 {
			t.Errorf("%d regular expressions are kept that nobody subscribes to", n)
		}
	})
}

// The assignor that most members want is taken, uniform when nobody says.
func TestConsumerAssignor(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.consumer("a", "t", "u")
		b, c := x.consumer("b", "t", "u"), x.consumer("c", "t", "u")
		a.assignor, b.assignor, c.assignor = kmsg.StringPtr("uniform"), kmsg.StringPtr("range"), kmsg.StringPtr("range")
		a.must()
		for _, m := range []*consumer{b, c} {
			m.must()
		}
		x.settle(a, b, c)
		if d, err := x.ConsumerDescribe("g"); err != nil || d.AssignorName != "range" {
			t.Errorf("assignor %s, %v, want range", d.AssignorName, err)
		}
		a.wants("t-0 t-1 u-0 u-1")
	})
}

func TestConsumerLimits(t *testing.T) {
	bubbleWith(t, Config{MaxConsumerMembers: 2}, func(x *fixture) {
		x.consumer("a", "t").must()
		x.staticConsumer("b", "one", "t").must()
		x.wantErr("third", x.consumer("c", "t").beat(), kerr.GroupMaxSizeReached)
		x.wantErr("the same static one", x.staticConsumer("d", "one", "t").beat(), kerr.UnreleasedInstanceID)
	})
}

// Commits name the epoch that the member was told, or one in which it had the
// partition already (KIP-1251).
func TestConsumerCommits(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := x.consumer("a", "t"), x.consumer("b", "t")
		a.must()
		b.must()
		x.settle(a, b)
		commit := func(id string, epoch int32, version int16, partition int32) error {
			return x.Commit(CommitRequest{
				Group: "g", Version: version, MemberID: id, Generation: epoch,
				Offsets: []Offset{{"t", partition, 1, -1, ""}},
			})
		}
		fetch := func(id *string, epoch int32) error {
			_, err := x.Fetch(FetchRequest{Group: "g", MemberID: id, MemberEpoch: epoch})
			return err
		}
		for _, tt := range []struct {
			name string
			got  error
			want *kerr.Error
		}{
			{"a in its epoch", commit("a", a.epoch, 9, 0), nil},
			{"a in the epoch in which it got the partition", commit("a", a.epoch-1, 9, 0), nil},
			{"a, another's partition, former epoch", commit("a", a.epoch-1, 9, 3), kerr.StaleMemberEpoch},
			{"b in an epoch before it had it", commit("b", b.epoch-1, 9, 3), kerr.StaleMemberEpoch},
			{"a ahead", commit("a", a.epoch+1, 9, 0), kerr.StaleMemberEpoch},
			{"nobody", commit("nobody", 1, 9, 0), kerr.UnknownMemberID},
			{"no member", commit("", -1, 9, 0), kerr.UnknownMemberID},
			{"an old version", commit("a", a.epoch, 8, 0), kerr.UnsupportedVersion},
			{"fetch", fetch(&a.id, a.epoch), nil},
			{"fetch as an administrator", fetch(nil, -1), nil},
			{"fetch in another epoch", fetch(&a.id, a.epoch-1), kerr.StaleMemberEpoch},
			{"fetch by nobody", fetch(kmsg.StringPtr("nobody"), 1), kerr.UnknownMemberID},
		} {
			if !errors.Is(tt.got, tt.want) && (tt.got != nil || tt.want != nil) {
				t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
			}
		}
		err := x.Commit(CommitRequest{Group: "none", Version: 9, MemberID: "a", Generation: 1})
		if !errors.Is(err, kerr.GroupIDNotFound) {
			t.Errorf("no group: %v, want %v", err, kerr.GroupIDNotFound)
		}
		x.wantErr("no group, older", x.Commit(CommitRequest{Group: "none", Version: 8, MemberID: "a", Generation: 1}), kerr.IllegalGeneration)
	})
}

// A restart changes nothing that a member was told.
func TestConsumerRestart(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b, s := x.consumer("a", "t", "u"), x.consumer("b"), x.staticConsumer("s", "one", "t")
		b.topics, b.regex = nil, kmsg.StringPtr("[tuv]")
		a.must()
		b.must()
		s.must()
		x.settle(a, b, s)
		a.holds = true
		x.consumer("c", "t", "u").must() // a has to give up something
		a.must()
		before := x.dump()
		x.reopen()
		if after := x.dump(); after != before {
			t.Errorf("after the restart:\n%sbefore:\n%s", after, before)
		}
		a.holds = false
		a.owned = assignment{}
		a.must()
		b.must()
		s.must()
		for range 12 { // nobody else calls: sessions run after a restart, too
			<-time.After(5 * time.Second)
			a.must()
		}
		x.wantGroup("Stable", x.groups["g"].consumer.epoch, x.groups["g"].consumer.epoch, 1)
	})
}

func TestConsumerDelete(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.consumer("a", "t")
		a.must()
		x.wantErr("commit", x.Commit(CommitRequest{Group: "g", MemberID: "a", Generation: 1, Offsets: []Offset{{"t", 0, 1, -1, ""}, {"u", 0, 1, -1, ""}}}), nil)
		x.wantErr("delete with a member", x.Delete("g"), kerr.NonEmptyGroup)
		outcomes, err := x.DeleteOffsets("g", []TopicPartitions{{"t", []int32{0}}, {"u", []int32{0}}})
		if err != nil || outcomes[0] != kerr.GroupSubscribedToTopic || outcomes[1] != nil {
			t.Errorf("outcomes %v, %v", outcomes, err)
		}
		if l := x.List(); len(l) != 1 || l[0] != (Listed{"g", "consumer", "Stable", "consumer"}) {
			t.Errorf("listed %v", l)
		}
		if _, err := x.Describe("g"); !errors.Is(err, kerr.GroupIDNotFound) {
			t.Errorf("described as a classic group: %v", err)
		}
		x.wantErr("leave", a.leave(epochLeave), nil)
		x.wantErr("delete", x.Delete("g"), nil)
		x.wantLiveKeys()
		for range 2 {
			if _, err := x.ConsumerDescribe("g"); !errors.Is(err, kerr.GroupIDNotFound) {
				t.Errorf("described after it was deleted: %v", err)
			}
			if l := x.List(); len(l) != 0 {
				t.Errorf("listed %v after it was deleted", l)
			}
			x.reopen()
		}
	})
}
