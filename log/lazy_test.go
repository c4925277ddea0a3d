package log

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// A lazy append waits for a sync round that something else asks for, a marker too:
// an append that is not lazy, a wait, or at last the janitor.
func TestLazyAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, Config{Dir: "/data", FS: vfs.NewMem(), Now: func() time.Time { return testTime }})
		mustCreate(t, l, "t", 2, nil)
		p, other := mustPartition(t, l, "t", 0), mustPartition(t, l, "t", 1)
		put := func(p *Partition, lazy bool) {
			t.Helper()
			if _, err := p.Append(newBatch(t, "v"), AppendOptions{Lazy: lazy}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		want := func(durable int64) {
			t.Helper()
			if got := p.HighWatermark(); got != durable {
				t.Errorf("high watermark %d, want %d", got, durable)
			}
		}
		put(p, true)
		want(0)
		put(other, false)
		want(1)
		put(p, true)
		want(1)
		if err := p.WaitDurable(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		want(2)
		if _, err := p.AppendMarker(Marker{ProducerID: 1}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want(2)
		<-time.After(10 * time.Second) // the janitor's checkpoint
		want(3)
	})
}

// A coordinator writes for a producer without numbering its batches, and fences
// older epochs all the same.
func TestBatchesOfCoordinators(t *testing.T) {
	l := mustOpen(t, testConfig(vfs.NewMem()))
	mustCreate(t, l, "t", 1, nil)
	p := mustPartition(t, l, "t", 0)
	put := func(epoch int16, internal bool) error {
		b := batch.Builder{Idempotent: true, Transactional: true, ProducerID: 7, ProducerEpoch: epoch, BaseSequence: -1}
		_, err := p.Append(build(t, &b, "v"), AppendOptions{Internal: internal})
		return err
	}
	for i, tt := range []struct {
		epoch    int16
		internal bool
		want     error
	}{
		{3, false, ErrInvalidRecord}, // a client has to
		{3, true, nil},
		{3, true, nil},
		{4, true, nil},
		{3, true, ErrInvalidProducerEpoch},
	} {
		if err := put(tt.epoch, tt.internal); !errors.Is(err, tt.want) {
			t.Errorf("batch %d: %v, want %v", i, err, tt.want)
		}
	}
	if open := p.OpenTransactions(); len(open) != 1 || open[0].FirstOffset != 0 {
		t.Errorf("open transactions: %+v", open)
	}
}
