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
