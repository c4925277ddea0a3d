package group

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

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
