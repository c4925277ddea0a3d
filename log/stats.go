package log

import (
	"sync/atomic"

	"github.com/sluice-data/sluice/internal/metrics"
)

// Stats is what the log counts since it was opened.
type Stats struct {
	// SyncTime has the duration of every fdatasync of a segment and every sync of the volume.
	SyncTime metrics.Histogram
	// SyncRounds counts group commits; VolumeSyncs counts those that synced the whole volume.
	SyncRounds, VolumeSyncs atomic.Int64

	// Cleanings counts compactions of a partition, FailedCleanings those that are tried again, CleanedBytes what they read.
	Cleanings, FailedCleanings, CleanedBytes atomic.Int64
	// CleanerRunMs is when the cleaner last looked for something to do, in ms since 1970; 0: not yet.
	CleanerRunMs atomic.Int64
	// DirtyPercent is the largest share of dirty bytes that it then left in a partition.
	DirtyPercent atomic.Int64
}

// cleaned counts a cleaning that has ended.
func (s *Stats) cleaned(d *dirt, err error) {
	if err != nil {
		s.FailedCleanings.Add(1)
		return
	}
	s.Cleanings.Add(1)
	s.CleanedBytes.Add(d.clean + d.dirty)
}

// Stats returns the log's counters, which go on counting.
func (l *Log) Stats() *Stats { return &l.stats }

// Usage returns the size in bytes of the volume that the log is on, and how much of it can still be filled.
func (l *Log) Usage() (total, usable int64, err error) { return l.fs.Usage(l.cfg.Dir) }

// Segments is the number of segments.
func (p *Partition) Segments() int {
	p.state.RLock()
	defer p.state.RUnlock()
	return len(p.segments)
}
