package cluster

import (
	"sync"
	"time"
)

// Stats are what Kafka Connect's rebalance metrics show.
type Stats struct {
	Generation  int32  // epoch
	LeaderURL   string // leader-name
	Protocol    string // connect-protocol
	Completed   int64  // completed-rebalances-total
	Rebalancing bool   // rebalancing: a rebalance has begun and is not complete
	// The time from asking to join to having the assignment.
	Last, Max, Total time.Duration
	CompletedAt      time.Time // of the last one; zero before the first
}

// Average is the average time of a rebalance.
func (s *Stats) Average() time.Duration {
	if s.Completed == 0 {
		return 0
	}
	return s.Total / time.Duration(s.Completed)
}

type stats struct {
	mu sync.Mutex // guards the fields below
	Stats
	began time.Time
}

// Stats returns the figures of now.
func (m *Member) Stats() Stats {
	m.stats.mu.Lock()
	defer m.stats.mu.Unlock()
	return m.stats.Stats
}

// begin notes the begin of a rebalance, unless one is under way.
func (s *stats) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.Rebalancing {
		s.Rebalancing, s.began = true, time.Now()
	}
}

func (s *stats) complete(a *Assignment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Generation, s.LeaderURL, s.Protocol = a.Generation, a.LeaderURL, Compatible
	if a.Sessioned {
		s.Protocol = Sessioned
	}
	if a.Err != NoError {
		return // the next one completes it
	}
	s.CompletedAt = time.Now()
	s.Last = s.CompletedAt.Sub(s.began)
	s.Completed++
	s.Total += s.Last
	s.Max = max(s.Max, s.Last)
	s.Rebalancing = false
}
