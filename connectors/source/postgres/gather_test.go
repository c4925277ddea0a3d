package postgres

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestSmallBatchesGather wants a batch to wait for company after a small one, and
// nothing else to wait.
func TestSmallBatchesGather(t *testing.T) {
	for name, c := range map[string]struct {
		records int           // of the batch before
		since   time.Duration // that it was given
		has     int           // records that the batch has already
		want    time.Duration
	}{
		"a small batch before":       {1, time.Millisecond, 0, gatherTime - time.Millisecond},
		"a large one":                {fewRecords, time.Millisecond, 0, 0},
		"a small one a while ago":    {1, gatherTime, 0, 0},
		"records that need not wait": {1, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Source{}
				s.gathered(c.records, time.Now().Add(-c.since))
				b := connect.NewBatch(10, 1<<20)
				for range c.has {
					b.Append()
				}
				began := time.Now()
				if err := s.gatherMore(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(began); got != c.want {
					t.Errorf("it waits %s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestGatheringEndsWithItsContext stops a source that waits for company.
func TestGatheringEndsWithItsContext(t *testing.T) {
	s := &Source{}
	s.gathered(1, time.Now().Add(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.gatherMore(ctx, connect.NewBatch(10, 1<<20)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
