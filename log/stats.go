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
