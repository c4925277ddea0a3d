package log

import (
	"cmp"
	"errors"
	"slices"

	"github.com/sluice-data/sluice/log/batch"
)

// Marker ends the transaction of a producer in one partition.
type Marker = batch.Marker

// AppendMarker ends a producer's transaction in this partition with a control batch (KIP-98). The marker may have a larger epoch than the
// producer has here: that becomes its epoch, with an empty window (KIP-890). It is also right when no transaction is open here, as it
// may be when it is tried again after a crash. Like that of Append the result is neither durable nor visible on return, and like that of a
// lazy one it starts no sync round, so that the markers of all partitions share one.
//
// Errors: ErrInvalidProducerEpoch, ErrCoordinatorFenced, ErrInvalidRecord (*RecordError), ErrPartitionOffline (*OfflineError),
// ErrPartitionDeleted, ErrFull (the transaction is still open; it may be tried again), ErrFailed, ErrClosed.
func (p *Partition) AppendMarker(m Marker) (AppendResult, error) {
	if m.ProducerID < 0 || m.ProducerEpoch < 0 {
		return AppendResult{}, &RecordError{-1, "transaction marker without a producer"}
	}
	c := p.topic.config.Load()
	now := p.log.cfg.Now().UnixMilli()
	b, err := m.Build(nil, now)
	if err != nil {
		return AppendResult{}, err
	}
	res := AppendResult{LogAppendTimeMs: -1}
	if c.LogAppendTime {
		batch.SetLogAppendTime(b, now)
		res.LogAppendTimeMs = now
	}
	h, err := batch.Parse(b)
	if err != nil {
		return AppendResult{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writable(); err != nil {
		return AppendResult{}, err
	}
	if err := p.producers.checkMarker(&m); err != nil {
		return AppendResult{}, err
	}
	h.BaseOffset = p.end.Load()
	if err := p.write(b, &h, &m, c, now); err != nil {
		return AppendResult{}, p.writeError(err)
	}
	res.BaseOffset, res.LastOffset = h.BaseOffset, h.BaseOffset
	return res, nil
}

// noteAborted takes an aborted transaction, if there is one, into the index of the segment that holds its marker. mu is held, or the
// partition is being opened.
func (p *Partition) noteAborted(s *segment, e *abortedEntry) {
	if e == nil {
		return
	}
	p.state.Lock()
	defer p.state.Unlock()
	s.aborted.pending = appendAbortedEntry(s.aborted.pending, *e)
}

// LastStableOffset is the offset below which every transaction has ended, durably (KIP-98): the smallest of the high watermark, the first
// offset of every open transaction, and that of every transaction whose marker is not yet below the high watermark. Deleting
// records of an open transaction moves it too.
func (p *Partition) LastStableOffset() int64 {
	// The syncer moves it together with the high watermark, to what it was when that was the end of the log.
	return max(p.stable.Load(), p.LogStartOffset())
}

// AbortedTransaction is a transaction whose records readers of committed data must drop.
type AbortedTransaction struct {
	ProducerID  int64
	FirstOffset int64
}

// AbortedTransactions lists the aborted transactions that have records in [from, upTo), sorted by first offset. upTo must not be above
// the last stable offset. Errors as of [Partition.Read].
func (p *Partition) AbortedTransactions(from, upTo int64) ([]AbortedTransaction, error) {
	for {
		indexes, err := p.txnIndexes(from)
		if err != nil {
			return nil, err
		}
		found, err := p.abortedIn(indexes, from, upTo)
		if !errors.Is(err, errGone) {
			return found, err
		}
		p.awaitSwap()
	}
}

// abortedIn lists the aborted transactions of transaction indexes that have records in [from, upTo).
func (p *Partition) abortedIn(indexes []segmentView, from, upTo int64) ([]AbortedTransaction, error) {
	var found []AbortedTransaction
	for _, x := range indexes {
		complete, err := p.collectAborted(x.view, from, upTo, &found)
		if errors.Is(err, errGone) {
			return nil, err
		}
		if err != nil {
			return nil, p.readError(x.segment, from, err)
		}
		if complete {
			break
		}
	}
	slices.SortFunc(found, func(a, b AbortedTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return found, nil
}

// segmentView is what a reader sees of an index of a segment.
type segmentView struct {
	segment *segment
	view    view
}

// txnIndexes lists the transaction indexes that have entries, of the segments from the one on that holds the offset.
func (p *Partition) txnIndexes(offset int64) ([]segmentView, error) {
	p.state.RLock()
	defer p.state.RUnlock()
	segments, err := p.segmentsFrom(offset)
	if err != nil {
		return nil, err
	}
	return withAborted(segments), nil
}

// withAborted lists the transaction indexes of segments that have entries. The caller holds state.
func withAborted(segments []*segment) []segmentView {
	var views []segmentView
	for _, s := range segments {
		if s.aborted.entries() > 0 {
			views = append(views, segmentView{s, s.aborted.view()})
		}
	}
	return views
}

// collectAborted appends the transactions of one index. It returns true when those of later segments cannot be in the range.
func (p *Partition) collectAborted(v view, from, upTo int64, found *[]AbortedTransaction) (complete bool, err error) {
	skip := func(b []byte) bool { return abortedLastOffset(b) < from }
	err = v.each(p.log.files, skip, func(b []byte) (bool, error) {
		e, err := decodeAbortedEntry(b)
		if err != nil {
			return false, &damageError{damage{file: v.x.path, position: -1, offset: -1, reason: err.Error()}}
		}
		if e.firstOffset < upTo {
			*found = append(*found, AbortedTransaction{e.producerID, e.firstOffset})
		}
		complete = e.lastStable >= upTo
		return !complete, nil
	})
	return complete, err
}

// OpenTransaction is a transaction that has data in a partition, but no marker.
type OpenTransaction struct {
	ProducerID      int64
	ProducerEpoch   int16
	FirstOffset     int64
	LastTimestampMs int64
}

// OpenTransactions lists the open transactions, sorted by first offset.
func (p *Partition) OpenTransactions() []OpenTransaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.producers.open) == 0 {
		return nil
	}
	var open []OpenTransaction
	for id, pr := range p.producers.byID {
		if pr.txnFirst >= 0 {
			open = append(open, OpenTransaction{id, pr.epoch, pr.txnFirst, pr.timestamp})
		}
	}
	slices.SortFunc(open, func(a, b OpenTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return open
}

// ProducerState is what a partition knows of a producer (KIP-664).
type ProducerState struct {
	ProducerID       int64
	ProducerEpoch    int16
	LastSequence     int32 // -1 when its epoch has not written data
	LastTimestampMs  int64 // of its last batch or marker
	CoordinatorEpoch int32 // of its last marker, -1 before the first one
	TxnStartOffset   int64 // first offset of its open transaction, -1 without one
}

// Producers lists the producers that the partition knows, sorted by id.
func (p *Partition) Producers() []ProducerState {
	p.mu.Lock()
	defer p.mu.Unlock()
	states := make([]ProducerState, 0, len(p.producers.byID))
	for _, id := range p.producers.ids() {
		pr := p.producers.byID[id]
		states = append(states, ProducerState{id, pr.epoch, pr.lastSequence(), pr.timestamp, pr.coordinatorEpoch, pr.txnFirst})
	}
	return states
}
