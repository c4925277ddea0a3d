package postgres

import (
	"sync/atomic"
	"time"
)

// progressInterval is the least time between two lines of the log about a snapshot.
const progressInterval = 10 * time.Second

// unknownSeconds stands for a time that cannot be estimated yet.
const unknownSeconds = -1

// snapshotNumbers are what metrics show of snapshots, written by Read's goroutine.
type snapshotNumbers struct {
	running     atomic.Int64 // 0 or 1
	tables      atomic.Int64
	tablesLeft  atomic.Int64
	rows        atomic.Int64 // handed over
	total       atomic.Int64 // rows, as the planner estimates
	secondsLeft atomic.Int64 // at the rate so far; unknownSeconds: there is none yet
	incremental atomic.Int64 // rows of incremental snapshots
}

// snapshotProgress says how far a snapshot is.
type snapshotProgress struct {
	*snapshotNumbers
	since   time.Time
	before  int64    // rows that were handed over before it was resumed
	begun   []uint32 // tables of which there were some
	logged  time.Time
	table   *table
	counted int64 // rows of table
}

// start begins to count.
func (p *snapshotProgress) start(now time.Time, plan *snapshotPlan, state *snapshotState) {
	p.since, p.logged, p.before = now, now, state.Rows
	p.table, p.counted, p.begun = nil, 0, nil
	left, rows := int64(0), float64(state.Rows)
	for _, r := range plan.relations {
		if r.oid == state.Relation {
			p.begun = append(p.begun, r.table.oid)
		}
		if r.lastOfTable {
			left++
		}
		rows += max(r.rows, 0) * r.left(plan)
	}
	p.tablesLeft.Store(left)
	p.tables.Store(left)
	p.total.Store(int64(rows))
	p.snapshotNumbers.rows.Store(state.Rows)
	p.secondsLeft.Store(unknownSeconds)
	p.running.Store(1)
}

// left is the part of a relation that has to be read yet.
func (r *relation) left(plan *snapshotPlan) float64 {
	if r.oid != plan.relation || r.pages == 0 {
		return 1
	}
	return 1 - min(1, float64(plan.place.page)/float64(r.pages))
}

// row counts a row, and now and then looks at the clock.
func (p *snapshotProgress) row(s *snapshotter, r *relation) {
	if p.table != r.table {
		p.table, p.counted = r.table, 0
	}
	p.counted++
	const often = 1024
	if s.state.Rows%often != 0 {
		return
	}
	p.snapshotNumbers.rows.Store(s.state.Rows)
	now := s.now()
	rate := float64(s.state.Rows-p.before) / now.Sub(p.since).Seconds()
	left := p.timeLeft(rate)
	p.secondsLeft.Store(int64(left.Seconds()))
	if now.Sub(p.logged) >= progressInterval {
		p.logged = now
		s.log.Info("snapshot", "table", r.table.name.String(), "rows", s.state.Rows, "estimated", max(p.total.Load(), s.state.Rows),
			"tables_left", p.tablesLeft.Load(), "rows_per_second", int64(rate), "time_left", left)
	}
}

func (p *snapshotProgress) timeLeft(rate float64) time.Duration {
	left := p.total.Load() - p.snapshotNumbers.rows.Load()
	if left <= 0 || rate < 1 {
		return 0
	}
	return time.Duration(float64(left) / rate * float64(time.Second)).Round(time.Second)
}

// tableDone notes the end of a table and returns the rows of it that were handed
// over since the snapshot began or was resumed.
func (p *snapshotProgress) tableDone(t *table) int64 {
	p.tablesLeft.Add(-1)
	if p.table != t {
		return 0
	}
	return p.counted
}

// stop ends the counting.
func (p *snapshotProgress) stop(rows int64) {
	p.snapshotNumbers.rows.Store(rows)
	p.tablesLeft.Store(0)
	p.secondsLeft.Store(0)
	p.running.Store(0)
}
