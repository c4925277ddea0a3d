package log

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
)

// TestStats counts syncs and compactions.
func TestStats(t *testing.T) {
	cfg := testConfig(vfs.NewMem())
	cfg.CompactionInterval = 24 * time.Hour // not by itself
	l := mustOpen(t, cfg)
	mustCreate(t, l, "t", 1, map[string]string{"cleanup.policy": "compact", "segment.bytes": "1024"})
	p := mustPartition(t, l, "t", 0)
	for range 10 {
		produce(t, p, strings.Repeat("x", 400))
	}
	s := l.Stats()
	if s.SyncRounds.Load() < 10 || p.Segments() < 4 {
		t.Errorf("%d sync rounds for 10 records, %d segments", s.SyncRounds.Load(), p.Segments())
	}
	if s.Cleanings.Load() != 0 || s.CleanerRunMs.Load() != 0 {
		t.Errorf("%d cleanings before the cleaner ran", s.Cleanings.Load())
	}
	newCleaner(&l.cfg).cycle(l)
	if s.Cleanings.Load() != 1 || s.CleanedBytes.Load() < 3000 || s.FailedCleanings.Load() != 0 || s.CleanerRunMs.Load() != testTime.UnixMilli() {
		t.Errorf("after a cycle: %d cleanings of %d bytes, %d failed, at %d", s.Cleanings.Load(), s.CleanedBytes.Load(), s.FailedCleanings.Load(), s.CleanerRunMs.Load())
	}
	if got := s.DirtyPercent.Load(); got != 0 {
		t.Errorf("%d %% are dirty after the cycle, want 0", got)
	}
	if total, usable, err := l.Usage(); err == nil {
		t.Errorf("memory has a size of %d with %d left", total, usable)
	}
}
