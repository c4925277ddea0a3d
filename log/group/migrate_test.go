package group

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// embedded is a member of the classic protocol with the consumer embedded
// protocol; owned is what it says that it has.
func (x *fixture) embedded(id string, topics ...string) *client {
	c := x.client(id)
	c.session, c.rebalance = 30*time.Second, 20*time.Second
	c.subscribe(nil, topics...)
	return c
}

func (c *client) subscribe(owned assignment, topics ...string) {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, topics
	for _, id := range owned.topics() {
		meta.OwnedPartitions = append(meta.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{
			Topic: c.x.topicName(id), Partitions: owned.partitions(id),
		})
	}
	c.metadata = string(meta.AppendTo(nil))
}

// assigned is what an answer to SyncGroup gives, as text.
func (x *fixture) assigned(c *client, answer <-chan *kmsg.SyncGroupResponse) string {
	x.t.Helper()
	synctest.Wait()
	select {
	case resp := <-answer:
		if resp.ErrorCode != 0 {
			x.t.Fatalf("%s: sync: %v", c.id, kerr.ErrorForCode(resp.ErrorCode))
		}
		a, err := x.fromEmbedded(resp.MemberAssignment, 0)
		if err != nil {
			x.t.Fatal(err)
		}
		return x.names(a)
	default:
		x.t.Fatalf("%s: sync is not answered", c.id)
		return ""
	}
}

// assignment is what a classic leader gives a member.
func assignmentOf(topic string, partitions ...int32) string {
	v := kmsg.ConsumerMemberAssignment{Version: 1, Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: topic, Partitions: partitions}}}
	return string(v.AppendTo(nil))
}

// classicPair makes a stable classic group of two.
func classicPair(x *fixture) (a, b *client) {
	a, b = x.embedded("a", "t"), x.embedded("b", "t")
	a.joined(a.enter())
	inB := b.enter()
	a.joined(a.join())
	b.joined(inB)
	syncB := b.sync(nil)
	x.assigned(a, a.sync(map[*client]string{a: assignmentOf("t", 0, 1), b: assignmentOf("t", 2, 3)}))
	x.assigned(b, syncB)
	return a, b
}

// rejoin takes a member of the classic protocol through a rebalance of a consumer
// group: an eager one, which has nothing meanwhile.
func (x *fixture) rejoin(c *client) string {
	x.t.Helper()
	c.joined(c.join())
	return x.assigned(c, c.sync(nil))
}

// The members of a classic group are replaced by those of the consumer protocol
// and back, one after the other, and the group works all the time.
func TestMigration(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := classicPair(x)
		x.wantErr("commit", a.commit(1), nil)
		c := x.consumer("c", "t")
		c.must().wants("") // all is taken
		if l := x.List(); l[0].Type != "consumer" {
			t.Errorf("listed %v, want a consumer group", l)
		}
		x.wantErr("a's next commit", a.commit(2), nil)
		x.wantErr("a learns of it", a.heartbeat(), kerr.RebalanceInProgress)
		x.wantErr("b learns of it", b.heartbeat(), kerr.RebalanceInProgress)
		if got := x.rejoin(a); got != "t-0 t-1" {
			t.Errorf("a has %q", got)
		}
		if got := x.rejoin(b); got != "t-2" {
			t.Errorf("b has %q", got)
		}
		c.must().wants("t-3")
		x.wantErr("a stays", a.heartbeat(), nil)
		x.reopen()
		x.wantErr("b stays", b.heartbeat(), nil)
		x.wantErr("b's commit", b.commit(3), nil)

		x.wantErr("a leaves", a.leave(), nil)
		c.must() // computes the next target
		x.wantErr("b rebalances", b.heartbeat(), kerr.RebalanceInProgress)
		x.rejoin(b)
		x.wantErr("b leaves", b.leave(), nil)
		c.must()
		c.must().wants("t-0 t-1 t-2 t-3")

		d := x.embedded("d", "t") // and back
		d.joined(d.enter())
		if got := x.assigned(d, d.sync(nil)); got != "" {
			t.Errorf("d has %q of what c has", got)
		}
		c.must()
		c.must().wants("t-0 t-1")
		x.wantErr("c's are free", d.heartbeat(), kerr.RebalanceInProgress)
		if got := x.rejoin(d); got != "t-2 t-3" {
			t.Errorf("d has %q", got)
		}
		x.wantErr("c leaves", c.leave(epochLeave), nil)
		if l := x.List(); l[0].Type != "classic" {
			t.Errorf("listed %v, want a classic group", l)
		}
		x.wantErr("d rebalances", d.heartbeat(), kerr.RebalanceInProgress)
		if resp := d.joined(d.join()); resp.LeaderID != d.memberID || len(resp.Members) != 1 {
			t.Errorf("d joined %+v, want it to lead", resp)
		}
		if got := x.assigned(d, d.sync(map[*client]string{d: assignmentOf("t", 0, 1, 2, 3)})); got != "t-0 t-1 t-2 t-3" {
			t.Errorf("d has %q", got)
		}
		x.wantLiveKeys(keyOffset, keyClassicGroup)
		x.reopen()
		x.wantErr("d stays", d.heartbeat(), nil)
		if got, err := fetch(x.Coordinator, "g"); err != nil || len(got) != 1 || got[0].Offset != 3 {
			t.Errorf("offsets %v, %v, want 3", got, err)
		}
	})
}

// wantLiveKeys wants records of these key versions, one of each, to be left when
// the log is compacted and the tombstones are gone.
func (x *fixture) wantLiveKeys(want ...int16) {
	x.t.Helper()
	var got []int16
	for _, r := range x.compacted(false) {
		got = append(got, int16(binary.BigEndian.Uint16(r.key)))
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		x.t.Errorf("keys of versions %v stay for ever, want %v", got, want)
	}
}

// A cooperative member keeps what it may keep while it rejoins.
func TestMigrationCooperative(t *testing.T) {
	bubble(t, func(x *fixture) {
		a, b := classicPair(x)
		c := x.consumer("c", "t")
		c.must()
		owned := assignment{}
		x.addNamed(owned, "t", []int32{2, 3}, 0)
		b.subscribe(owned, "t")
		b.joined(b.join())
		if got := x.assigned(b, b.sync(nil)); got != "t-2" {
			t.Errorf("b keeps %q", got)
		}
		x.wantErr("b has to give up one", b.heartbeat(), kerr.RebalanceInProgress)
		c.must().wants("") // b has not said yet that it did
		owned = assignment{}
		x.addNamed(owned, "t", []int32{2}, 0)
		b.subscribe(owned, "t")
		b.joined(b.join())
		c.must().wants("t-3")
		x.assigned(b, b.sync(nil))
		x.wantErr("b is done", b.heartbeat(), nil)
		<-time.After(21 * time.Second) // a was never told: it has not called
		x.wantErr("a learns of it", a.heartbeat(), kerr.RebalanceInProgress)
		x.wantErr("b", b.heartbeat(), nil)
		<-time.After(19 * time.Second)
		c.must()
		x.wantErr("b", b.heartbeat(), nil)
		x.wantErr("a still may", a.heartbeat(), kerr.RebalanceInProgress)
		<-time.After(2 * time.Second)
		synctest.Wait()
		x.wantErr("a did not rejoin", a.heartbeat(), kerr.UnknownMemberID)
	})
}

// A static member that comes back with the other protocol takes its place.
func TestMigrationOfStaticMember(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.embedded("a", "t")
		one := "one"
		a.instanceID = &one
		a.joined(a.enter())
		x.assigned(a, a.sync(map[*client]string{a: assignmentOf("t", 0, 1, 2, 3)}))
		c := x.staticConsumer("c", one, "t")
		c.must().wants("t-0 t-1 t-2 t-3")
		x.wantErr("the former one", a.heartbeat(), kerr.FencedInstanceID)
		again := x.embedded("again", "t")
		again.instanceID = &one
		again.joined(again.enter())
		if l := x.List(); l[0].Type != "classic" {
			t.Errorf("listed %v, want a classic group", l)
		}
		if got := x.assigned(again, again.sync(nil)); got != "t-0 t-1 t-2 t-3" {
			t.Errorf("it has %q", got)
		}
		x.wantErr("the consumer is out", c.beat(), kerr.GroupIDNotFound)
		x.wantErr("heartbeat", again.heartbeat(), nil)
		x.reopen()
		x.wantErr("heartbeat", again.heartbeat(), nil)
	})
}

func TestMigrationRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy MigrationPolicy
		change func(a *client)
		give   string
	}{
		{"policy", Downgrade, nil, assignmentOf("t", 0)},
		{"protocol type", MigrateBoth, func(a *client) { a.kind = "connect" }, ""},
		{"malformed subscription", MigrateBoth, func(a *client) { a.metadata = "x" }, ""},
		{"custom assignor", MigrateBoth, nil, string((&kmsg.ConsumerMemberAssignment{UserData: []byte("mine")}).AppendTo(nil))},
		{"malformed assignment", MigrateBoth, nil, "\x00\x00\x7f\xff\xff\xff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubbleWith(t, Config{InitialRebalanceDelay: -1, MigrationPolicy: tt.policy}, func(x *fixture) {
				a := x.embedded("a", "t")
				if tt.change != nil {
					tt.change(a)
				}
				a.joined(a.enter())
				x.wantSynced(a, a.sync(map[*client]string{a: tt.give}), tt.give)
				before := x.dump()
				x.wantErr("join", x.consumer("c", "t").beat(), kerr.GroupIDNotFound)
				if after := x.dump(); after != before {
					t.Errorf("refused, but the group has changed:\n%swas\n%s", after, before)
				}
				x.wantErr("a stays", a.heartbeat(), nil)
			})
		})
	}
	bubbleWith(t, Config{InitialRebalanceDelay: -1, MigrationPolicy: NoMigration}, func(x *fixture) {
		x.consumer("c", "t").must()
		if resp := <-x.embedded("a", "t").join(); resp.ErrorCode != kerr.InconsistentGroupProtocol.Code {
			t.Errorf("classic join: error %d, want %v", resp.ErrorCode, kerr.InconsistentGroupProtocol)
		}
	})
}

func TestClassicMemberErrors(t *testing.T) {
	bubble(t, func(x *fixture) {
		c := x.consumer("c", "t")
		c.must()
		a := x.embedded("a", "t")
		a.joined(a.enter())
		for _, tt := range []struct {
			name   string
			change func(c *client)
			want   *kerr.Error
		}{
			{"protocol type", func(c *client) { c.kind = "connect" }, kerr.InconsistentGroupProtocol},
			{"no common protocol", func(c *client) { c.protocols = []string{"mine"} }, kerr.InconsistentGroupProtocol},
			{"malformed", func(c *client) { c.metadata = "?" }, kerr.InconsistentGroupProtocol},
		} {
			b := x.embedded("b", "t")
			tt.change(b)
			if resp := <-b.join(); resp.ErrorCode != tt.want.Code {
				t.Errorf("%s: error %d, want %v", tt.name, resp.ErrorCode, tt.want)
			}
		}
		former := *a
		former.generation--
		x.wantErr("former generation", former.heartbeat(), kerr.IllegalGeneration)
		if resp := <-former.sync(nil); resp.ErrorCode != kerr.IllegalGeneration.Code {
			t.Errorf("sync of a former generation: error %d", resp.ErrorCode)
		}
		x.wantErr("former generation commits", former.commit(1), kerr.IllegalGeneration)
		asClassic := &client{x: x, memberID: c.id, generation: c.epoch}
		x.wantErr("a consumer member's Heartbeat", asClassic.heartbeat(), kerr.UnknownMemberID)
		x.wantErr("an administrator removes it", asClassic.leave(), nil)
		x.wantErr("it is gone", c.beat(), kerr.GroupIDNotFound) // the group is a classic one now
		<-time.After(51 * time.Second)
		synctest.Wait()
		if l := x.List(); l[0].State != "Empty" {
			t.Errorf("listed %v: a did not sync in time", l)
		}
	})
}

// An empty group changes its protocol without ado, and its offsets stay.
func TestEmptyGroupsChangeProtocol(t *testing.T) {
	bubble(t, func(x *fixture) {
		x.wantErr("commit", (&client{x: x, generation: -1}).commit(7), nil)
		for range 2 {
			c := x.consumer("c", "t")
			c.must()
			x.wantErr("leave", c.leave(epochLeave), nil)
			a := x.client("a")
			a.kind = "connect"
			a.joined(a.enter())
			x.wantSynced(a, a.sync(nil), "")
			x.wantErr("leave", a.leave(), nil)
			x.reopen()
		}
		if got, _ := fetch(x.Coordinator, "g"); len(got) != 1 || got[0].Offset != 7 {
			t.Errorf("offsets %v, want 7", got)
		}
		if l := x.List(); !slices.Equal(l, []Listed{{"g", "connect", "Empty", "classic"}}) {
			t.Errorf("listed %v", l)
		}
		if !strings.Contains(x.dump(), "offset t-0: 7") {
			t.Errorf("state:\n%s", x.dump())
		}
	})
}
