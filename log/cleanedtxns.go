package log

import (
	"fmt"
	"slices"

	"github.com/sluice-data/sluice/log/batch"
)

// cleanedTxns follows the transactions while the cleaner goes through a partition, from its first segment on: which data is of an
// aborted transaction, and which markers are those of transactions that have no data any more.
type cleanedTxns struct {
	p       *Partition
	ahead   []AbortedTransaction   // of the segment at hand, by first offset, not come to yet
	entries map[int64]abortedEntry // transaction index of the segment at hand, by the offset of the marker
	// aborted and committed have the producers whose transaction is under way; the value of aborted says whether data of it was met.
	aborted   map[int64]bool
	committed map[int64]struct{}
}

func newCleanedTxns(p *Partition) *cleanedTxns {
	return &cleanedTxns{p: p, aborted: map[int64]bool{}, committed: map[int64]struct{}{}}
}

// enter comes to a segment; the next one starts at end.
func (t *cleanedTxns) enter(s *segment, end int64) error {
	var err error
	if t.ahead, err = t.p.abortedIn(t.p.txnIndexesWith(s), s.base, end); err != nil {
		return err
	}
	b, err := s.aborted.readAll(t.p.log.files)
	if err != nil {
		return err
	}
	t.entries = make(map[int64]abortedEntry, len(b)/abortedEntrySize)
	for ; len(b) >= abortedEntrySize; b = b[abortedEntrySize:] {
		e, err := decodeAbortedEntry(b)
		if err != nil {
			return fmt.Errorf("read %s: %w", s.aborted.path, err)
		}
		t.entries[e.lastOffset] = e
	}
	return nil
}

// txnIndexesWith lists the transaction indexes of the segments from a given one on.
func (p *Partition) txnIndexesWith(s *segment) []segmentView {
	p.state.RLock()
	defer p.state.RUnlock()
	if i := slices.Index(p.segments, s); i >= 0 {
		return withAborted(p.segments[i:])
	}
	return withAborted([]*segment{s})
}

// come takes note of the aborted transactions that have begun at or before an offset.
func (t *cleanedTxns) come(offset int64) {
	for len(t.ahead) > 0 && t.ahead[0].FirstOffset <= offset {
		id := t.ahead[0].ProducerID
		t.aborted[id] = t.aborted[id] // it may have come with an older segment
		t.ahead = t.ahead[1:]
	}
}

// data comes to a batch of data and reports whether its transaction was aborted.
func (t *cleanedTxns) data(h *batch.Header) bool {
	t.come(h.LastOffset())
	if !h.Transactional() {
		return false
	}
	if _, ok := t.aborted[h.ProducerID]; ok {
		t.aborted[h.ProducerID] = true
		return true
	}
	t.committed[h.ProducerID] = struct{}{}
	return false
}

// marker comes to the end of a transaction. It reports whether there was data of it, and its entry in the transaction index.
func (t *cleanedTxns) marker(h *batch.Header, m *batch.Marker) (dataLeft bool, entry *abortedEntry) {
	t.come(h.LastOffset())
	if m.Commit {
		_, dataLeft = t.committed[m.ProducerID]
		delete(t.committed, m.ProducerID)
		return dataLeft, nil
	}
	dataLeft = t.aborted[m.ProducerID]
	delete(t.aborted, m.ProducerID)
	if e, ok := t.entries[h.BaseOffset]; ok {
		entry = &e
	}
	return dataLeft, entry
}
