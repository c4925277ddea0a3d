package group

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// gatedBubble is bubble over a disk whose syncs of record files wait while the
// returned gate is closed.
func gatedBubble(t *testing.T, f func(x *fixture, shut func() (open func()))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var gate atomic.Pointer[chan struct{}]
		disk := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
			if g := gate.Load(); g != nil && op == vfs.OpSync && strings.HasSuffix(name, ".log") {
				<-*g
			}
			return nil
		}}
		x := &fixture{t: t, fs: disk, cfg: Config{InitialRebalanceDelay: -1}}
		x.open()
		defer func() { x.close() }()
		f(x, func() func() {
			g := make(chan struct{})
			gate.Store(&g)
			return func() {
				gate.Store(nil)
				close(g)
				synctest.Wait()
			}
		})
	})
}

// Members get their assignment when it is durable, not before (I1): after a
// restart they would otherwise work in a generation that nobody knows.
func TestAssignmentWaitsForTheSync(t *testing.T) {
	gatedBubble(t, func(x *fixture, shut func() func()) {
		a := x.client("a")
		a.joined(a.enter())
		open := shut()
		answer := a.sync(map[*client]string{a: "all"})
		select {
		case resp := <-answer:
			t.Errorf("answered before the sync: %+v", resp)
		default:
		}
		x.wantState("CompletingRebalance", 1)
		open()
		x.wantSynced(a, answer, "all")
		x.wantState("Stable", 1)
	})
}

// A member of the consumer protocol is told its epoch when it is durable, and no
// other member is told anything before that came of it (I1).
func TestConsumerHeartbeatWaitsForTheSync(t *testing.T) {
	gatedBubble(t, func(x *fixture, shut func() func()) {
		a, b := x.consumer("a", "t"), x.consumer("b", "t")
		a.must()
		open := shut()
		answers := make(chan error, 2)
		go func() { answers <- b.beat() }()
		synctest.Wait()
		go func() { answers <- a.beat() }() // b has taken half of what a has
		synctest.Wait()
		if len(answers) > 0 || b.epoch != epochJoin {
			t.Errorf("%d answers, b in epoch %d, before the sync", len(answers), b.epoch)
		}
		open()
		for range 2 {
			x.wantErr("heartbeat", <-answers, nil)
		}
		a.wants("t-0 t-1")
	})
}

// When the disk is full nothing changes that members could be told of, and when
// there is room again the group goes on.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		disk := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
			if full.Load() && op == vfs.OpWrite && strings.HasSuffix(name, ".log") {
				return syscall.ENOSPC
			}
			return nil
		}}
		x := &fixture{t: t, fs: disk, cfg: Config{InitialRebalanceDelay: -1}}
		x.open()
		defer func() { x.close() }()
		a, b := x.consumer("a", "t"), x.consumer("b", "t")
		a.must()
		classic := classicGroup(x, "classic")
		full.Store(true)
		before := x.dump()
		x.wantErr("join", b.beat(), kerr.CoordinatorNotAvailable)
		x.wantErr("leave", a.leave(epochLeave), kerr.CoordinatorNotAvailable)
		q := b.request()
		q.Group = "classic"
		x.wantErr("migrate", b.send(q), kerr.CoordinatorNotAvailable)
		x.wantErr("the same as before", a.beat(), nil)
		<-time.After(46 * time.Second) // a's session is over, and that cannot be written
		synctest.Wait()
		if after := x.dump(); after != before {
			t.Errorf("changed while the disk was full:\n%swas\n%s", after, before)
		}
		full.Store(false)
		x.wantErr("a is still there", a.beat(), nil)
		b.must()
		x.settle(a, b)
		x.wantErr("classic", x.Heartbeat("classic", 1, classic, nil), nil)
	})
}

// classicGroup makes a classic group of one member, whose session is long.
func classicGroup(x *fixture, id string) (memberID string) {
	x.t.Helper()
	c := x.embedded("m", "t")
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.ProtocolType, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = id, consumerType, 600_000, 600_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte(c.metadata)
	q.Protocols = append(q.Protocols, p)
	resp := x.Join(x.t.Context(), Client{"m", "/host"}, q)
	s := kmsg.NewPtrSyncGroupRequest()
	s.Group, s.MemberID, s.Generation = id, resp.MemberID, resp.Generation
	if got := x.Sync(x.t.Context(), s); got.ErrorCode != 0 {
		x.t.Fatalf("sync: error %d", got.ErrorCode)
	}
	return resp.MemberID
}

// A group that is deleted while a commit is on its way to the disk stays
// deleted, in memory and in the log.
func TestDeleteWaitsForCommits(t *testing.T) {
	gatedBubble(t, func(x *fixture, shut func() func()) {
		simple := &client{x: x, generation: -1}
		x.wantErr("commit", simple.commit(1), nil)
		open := shut()
		committed, deleted := make(chan error, 1), make(chan error, 1)
		other := CommitRequest{Group: "g", Generation: -1, Offsets: []Offset{{"another", 0, 7, -1, ""}}}
		go func() { committed <- x.Commit(other) }()
		synctest.Wait()
		go func() { deleted <- x.Delete("g") }()
		synctest.Wait()
		open()
		x.wantErr("commit", <-committed, nil)
		x.wantErr("delete", <-deleted, nil)
		for range 2 {
			if got, err := fetch(x.Coordinator, "g"); err != nil || len(got) != 0 {
				t.Errorf("offsets %v, %v, want none", got, err)
			}
			x.reopen()
		}
	})
}
