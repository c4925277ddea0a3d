package s3

import (
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestRestoreShowsOnlyWhatIsCommitted leaves alone what was prepared of other partitions: whether it will be committed is not known when the partition
// comes that is restored (I3).
func TestRestoreShowsOnlyWhatIsCommitted(t *testing.T) {
	srv, l := newServer(t), ledger{}
	former := mustOpen(t, srv, l, exactlyOnceConfig)
	former.assign(1, 0)
	former.write(rawBatch(1, 0, 4, 20))
	former.poll("the state", func() bool { l.commit(former.prepare()); return l[tp(1)].Offset == 4 })
	crash(former)

	h := mustOpen(t, srv, ledger{}, exactlyOnceConfig)
	h.write(rawBatch(0, 0, 4, 20))
	h.prepareUntil(4)
	h.assign(1, 4)
	if err := h.sink.Restore(t.Context(), []connect.PartitionState{l[tp(1)]}); err != nil {
		t.Fatal(err)
	}
	if seen := visible(t, srv); len(seen[tp(1)]) != 4 || len(seen[tp(0)]) != 0 {
		t.Errorf("visible are %d records of what was committed and %d of what was not, want 4 and none", len(seen[tp(1)]), len(seen[tp(0)]))
	}
	h.prepare()
	h.apply()
	if seen := visible(t, srv); len(seen[tp(0)]) != 4 {
		t.Errorf("visible are %d records of partition 0 after the commit, want 4", len(seen[tp(0)]))
	}
}

// TestZombieAbortsNothing lets a task that hung while partitions were assigned to it go on when another has them. It sees that one's uploads, in
// the state and in the server's list, and has to be told by the group that the partitions are its own before it takes any away (I3).
func TestZombieAbortsNothing(t *testing.T) {
	srv, l := newServer(t), ledger{}
	owner := openWide(t, srv, l)
	owner.write(rawBatch(0, 0, wideFiles, 20))
	l.commit(owner.prepareUntil(wideFiles)) // there is an object with the state
	owner.write(rawBatch(0, wideFiles, 2*wideFiles, 20))
	owner.poll("the parts", func() bool { owner.sink.collect(); return owner.sink.steps == 0 })

	zombie := mustOpen(t, srv, ledger{}, wideConfig) // has not heard of the state yet
	zombie.prepare()
	zombie.sink.Withdraw() // the group knows better
	zombie.close()

	if err := owner.sink.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	owner.commitAndApply(l, 2*wideFiles)
	crash(owner)
	wantWide(t, srv, l, 2*wideFiles)
}

// TestZombieAbortsNothingOfAState is the same with uploads that the state has as under way.
func TestZombieAbortsNothingOfAState(t *testing.T) {
	srv, l := newServer(t), ledger{}
	config := map[string]string{"flush.size": "8", "s3.part.size": smallParts}
	owner := mustOpen(t, srv, l, config)
	owner.write(rawBatch(0, 0, 7, unit))
	owner.poll("the state", func() bool { l.commit(owner.prepare()); return l[tp(0)].State != nil })

	zombie := mustOpen(t, srv, l, config)
	zombie.prepare()
	zombie.sink.Withdraw()
	zombie.close()

	owner.write(rawBatch(0, 7, 8, unit))
	owner.commitAndApply(l, 8)
	owner.wantObjects(map[int64][]byte{0: lines(0, 8, unit)})
}
