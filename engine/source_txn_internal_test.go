package engine

import "testing"

// TestWhenATransactionEnds says when a transaction is committed before the next batch
// is taken.
func TestWhenATransactionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		boundary string
		full     bool // the last batch
		batches  int  // in the transaction
		waiting  int
		due      bool
		want     bool
	}{
		"nothing more":             {boundaryPoll, false, 1, 0, false, true},
		"a batch waits":            {boundaryPoll, false, 1, 1, false, false},
		"always one waits":         {boundaryPoll, false, sourceBatches - 1, 1, false, true},
		"the source has more":      {boundaryPoll, true, 1, 0, false, false},
		"a backlog":                {boundaryPoll, true, 100, 1, false, false},
		"a backlog for 50 ms":      {boundaryPoll, true, 100, 1, true, true},
		"interval":                 {boundaryInterval, false, 1, 0, false, false},
		"interval is over":         {boundaryInterval, true, 1, 1, true, true},
		"the connector's own ends": {boundaryConnector, false, 1, 0, false, false},
	} {
		s := &sourceTask{sent: make(chan *sourceBatch, sourceBatches)}
		for range c.waiting {
			s.sent <- nil
		}
		tx := &transaction{s: s, boundary: c.boundary, more: c.full, batches: c.batches, dueNow: c.due}
		if got := tx.endsNow(); got != c.want {
			t.Errorf("%s: it ends: %t, want %t", name, got, c.want)
		}
	}
}
