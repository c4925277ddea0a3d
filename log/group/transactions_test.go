package group

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/log"
)

// producer is a transactional producer as its transaction coordinator sees it.
type producer struct {
	x     *fixture
	id    int64
	epoch int16
}

func (p *producer) commit(c *client, offset int64) error {
	return p.x.CommitTransaction(CommitRequest{
		Group: "g", Generation: c.generation, MemberID: c.memberID, InstanceID: c.instanceID,
		Offsets: []Offset{{"t", 0, offset, -1, ""}},
	}, p.id, p.epoch)
}

// mark writes the marker; tell says that the coordinator of groups learns of it.
func (p *producer) mark(commit, tell bool) {
	p.x.t.Helper()
	partition, err := p.x.Partition("g")
	if err != nil {
		p.x.t.Fatal(err)
	}
	topic, _ := p.x.log.Topic(OffsetsTopic)
	l, _ := topic.Partition(partition)
	res, err := l.AppendMarker(log.Marker{ProducerID: p.id, ProducerEpoch: p.epoch, Commit: commit})
	if err != nil {
		p.x.t.Fatal(err)
	}
	if err := l.WaitDurable(p.x.t.Context(), res.LastOffset); err != nil {
		p.x.t.Fatal(err)
	}
	if tell {
		p.x.EndTransaction(partition, p.id, p.epoch, commit)
	}
}

// wantOffset wants the offset of t-0, -1 for none, and whether it is stable, now
// and after a restart.
func (x *fixture) wantOffset(what string, want int64, stable bool) {
	x.t.Helper()
	for _, when := range []string{"", " after a restart"} {
		got := int64(-1)
		offsets, err := x.Fetch(FetchRequest{Group: "g"})
		if err != nil {
			x.t.Fatal(err)
		}
		for _, o := range offsets {
			got = o.Offset.Offset
		}
		if got != want {
			x.t.Errorf("%s%s: offset %d, want %d", what, when, got, want)
		}
		strict, err := x.Fetch(FetchRequest{Group: "g", RequireStable: true})
		if err != nil {
			x.t.Fatal(err)
		}
		for _, o := range strict {
			if (o.Err == nil) != stable || (stable && o.Offset.Offset != want) || (!stable && o.Err != kerr.UnstableOffsetCommit) {
				x.t.Errorf("%s%s: stable offset %d, error %v", what, when, o.Offset.Offset, o.Err)
			}
		}
		if !stable && len(strict) == 0 {
			x.t.Errorf("%s%s: the pending offset is not told of", what, when)
		}
		x.reopen()
	}
}

func TestTransactions(t *testing.T) {
	bubble(t, func(x *fixture) {
		simple := &client{x: x, generation: -1}
		p, q := &producer{x: x, id: 7}, &producer{x: x, id: 8}
		x.wantErr("commit", simple.commit(1), nil)
		x.wantErr("in a transaction", p.commit(simple, 5), nil)
		x.wantOffset("open", 1, false)
		p.mark(true, true)
		x.wantOffset("committed", 5, true)
		p.epoch++
		x.wantErr("in the next one", p.commit(simple, 9), nil)
		p.mark(false, true)
		x.wantOffset("aborted", 5, true)

		x.wantErr("first", p.commit(simple, 20), nil)
		x.wantErr("second", q.commit(simple, 30), nil)
		q.mark(true, true)
		x.wantOffset("the later of two", 30, false)
		p.mark(true, true)
		x.wantOffset("the earlier ends later", 30, true) // as in the log

		x.wantErr("again", p.commit(simple, 40), nil)
		x.wantErr("without a transaction", simple.commit(41), nil)
		p.mark(true, true)
		x.wantOffset("a plain commit is later", 41, true)

		x.wantErr("once more", p.commit(simple, 50), nil)
		p.mark(true, false) // the process ends in between
		x.reopen()
		x.wantOffset("ended by the log alone", 50, true)
		p.mark(true, true)
		x.wantOffset("a marker twice", 50, true)
	})
}

// A deletion ends what was pending before it.
func TestDeleteOfPendingOffsets(t *testing.T) {
	bubble(t, func(x *fixture) {
		simple := &client{x: x, generation: -1}
		p := &producer{x: x, id: 7}
		x.wantErr("commit", p.commit(simple, 5), nil)
		if _, err := x.DeleteOffsets("g", []TopicPartitions{{"t", []int32{0}}}); err != nil {
			t.Error(err)
		}
		p.mark(true, true)
		x.wantOffset("deleted while pending", -1, true)
		x.wantErr("commit", p.commit(simple, 6), nil)
		x.wantErr("delete", x.Delete("g"), nil)
		p.mark(true, true)
		x.wantOffset("group deleted while pending", -1, true)
		x.wantErr("commit", p.commit(simple, 7), nil)
		x.wantErr("forget", x.ForgetTopic("t"), nil)
		p.mark(true, true)
		x.wantOffset("topic deleted while pending", -1, true)
	})
}

// Who may commit in a transaction (KIP-447).
func TestTransactionMembers(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.client("a")
		a.joined(a.enter())
		p := &producer{x: x, id: 7}
		nobody := &client{x: x, generation: -1}
		stranger := &client{x: x, generation: 1, memberID: "stranger"}
		former := *a
		former.generation--
		x.wantErr("before the sync", p.commit(a, 1), nil) // the state does not matter
		x.wantErr("no member named", p.commit(nobody, 1), nil)
		x.wantErr("unknown member", p.commit(stranger, 1), kerr.UnknownMemberID)
		x.wantErr("former generation", p.commit(&former, 1), kerr.IllegalGeneration)
		err := x.CommitTransaction(CommitRequest{Group: "none", Generation: 3, MemberID: "a"}, 7, 0)
		x.wantErr("no such group", err, kerr.GroupIDNotFound)
		p.mark(false, true)
		x.wantErr("leave", a.leave(), nil)
		synctest.Wait()

		c := x.consumer("c", "t")
		c.must()
		member := &client{x: x, generation: c.epoch, memberID: "c"}
		x.wantErr("consumer member", p.commit(member, 1), nil)
		x.wantErr("no member named", p.commit(nobody, 1), nil)
		member.generation++
		x.wantErr("other epoch", p.commit(member, 1), kerr.StaleMemberEpoch)
	})
}

// Both the group and its pending offsets outlive each other.
func TestTransactionOfUnusedGroup(t *testing.T) {
	bubble(t, func(x *fixture) {
		p := &producer{x: x, id: 7}
		x.wantErr("commit", p.commit(&client{x: x, generation: -1}, 5), nil)
		x.expire(timeIn(x.cfg.withDefaults().OffsetsRetention * 2))
		if len(x.List()) != 1 {
			t.Errorf("groups %v: the one with a pending offset is gone", x.List())
		}
		p.mark(false, true)
		if len(x.List()) != 0 {
			t.Errorf("groups %v, want none: all was aborted", x.List())
		}
	})
}
