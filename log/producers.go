package log

import (
	"cmp"
	"math"
	"slices"

	"github.com/sluice-data/sluice/log/batch"
)

// producerWindow is how many batches per producer are remembered to recognise duplicates: what a client may have in flight.
const producerWindow = 5

// producerBatch is a batch that was appended.
type producerBatch struct {
	lastSequence int32
	lastOffset   int64
	offsetDelta  int32
	timestamp    int64 // ms: the batch's largest
}

// firstSequence is the sequence of the batch's first record.
func (b *producerBatch) firstSequence() int32 {
	return int32((int64(b.lastSequence) - int64(b.offsetDelta)) & math.MaxInt32)
}

// none stands for no offset.
const none = -1

// producer is the state of one producer id in one partition (KIP-98).
type producer struct {
	epoch            int16
	n                int8 // batches in window, oldest first; none after a marker that raised the epoch
	window           [producerWindow]producerBatch
	coordinatorEpoch int32 // of the last marker, -1 before the first one
	txnFirst         int64 // first offset of the open transaction, none without one
	timestamp        int64 // ms: of the last batch or marker
	touched          int64 // ms of the server's clock when it wrote last
}

// newProducer is the state of a producer that has not written yet.
func newProducer(epoch int16) *producer {
	return &producer{epoch: epoch, coordinatorEpoch: -1, txnFirst: none, timestamp: -1}
}

// lastSequence is that of the newest batch, -1 when there is none: so 0 follows.
func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return -1
	}
	return p.window[p.n-1].lastSequence
}

// add puts a batch into the window.
func (p *producer) add(b producerBatch) {
	if p.n == producerWindow {
		copy(p.window[:], p.window[1:])
		p.n--
	}
	p.window[p.n] = b
	p.n++
}

// inTransaction reports whether a batch of the window is of the transaction that is open. A client has all answers before it ends
// a transaction, so a batch with the sequence of an earlier transaction's is no resend. librdkafka makes such batches: when it
// aborts, it takes back the numbers of those whose answer a lost connection took away. To call them duplicates, as Kafka
// does, would acknowledge records that are in an aborted transaction (I1); OUT_OF_ORDER makes the client abort and start over.
func (p *producer) inTransaction(b *producerBatch) bool {
	return p.txnFirst >= 0 && b.lastOffset >= p.txnFirst
}

// wrote takes note of a batch or marker. A new epoch starts with an empty window.
func (p *producer) wrote(h *batch.Header, nowMs int64) {
	if p.epoch != h.ProducerEpoch {
		p.epoch, p.n, p.window = h.ProducerEpoch, 0, [producerWindow]producerBatch{}
	}
	p.timestamp, p.touched = h.MaxTimestamp, nowMs
}

// producers is the state of all idempotent and transactional producers of a partition.
type producers struct {
	byID map[int64]*producer
	max  int
	open []int64 // first offsets of the open transactions, rising
}

// load replaces the state.
func (ps *producers) load(byID map[int64]*producer) {
	ps.byID, ps.open = byID, nil
	for _, p := range byID {
		if p.txnFirst >= 0 {
			ps.open = append(ps.open, p.txnFirst)
		}
	}
	slices.Sort(ps.open)
}

// lastStable is the offset below which every transaction has ended, of a log that ends at end.
func (ps *producers) lastStable(end int64) int64 {
	if len(ps.open) > 0 {
		return min(ps.open[0], end)
	}
	return end
}

// check tests a batch against its producer's state. It returns the batch that it is a duplicate of, or an error, or neither.
// untouched says that the partition never had a record.
func (ps *producers) check(h *batch.Header, untouched bool) (*producerBatch, error) {
	if h.ProducerID < 0 {
		return nil, nil
	}
	p := ps.byID[h.ProducerID]
	switch {
	case p == nil:
		return nil, ps.checkNew(h, untouched)
	case h.ProducerEpoch < p.epoch:
		return nil, ErrInvalidProducerEpoch
	case h.BaseSequence < 0: // of a coordinator
	case h.ProducerEpoch > p.epoch:
		if h.BaseSequence != 0 {
			return nil, ErrOutOfOrderSequence
		}
	default:
		for i := range p.window[:p.n] {
			b := &p.window[i]
			if b.firstSequence() != h.BaseSequence || b.lastSequence != h.LastSequence() {
				continue
			}
			if h.Transactional() && !p.inTransaction(b) {
				return nil, ErrOutOfOrderSequence
			}
			return b, nil
		}
		if h.BaseSequence != (p.lastSequence()+1)&math.MaxInt32 {
			return nil, ErrOutOfOrderSequence
		}
	}
	if p.txnFirst >= 0 && !h.Transactional() {
		return nil, ErrInvalidTxnState
	}
	return nil, nil
}

// checkNew tests the first batch of a producer.
func (ps *producers) checkNew(h *batch.Header, untouched bool) error {
	// Any sequence may come first when older records are gone, but not when there never were any (KAFKA-15591).
	if untouched && h.BaseSequence > 0 {
		return ErrOutOfOrderSequence
	}
	if len(ps.byID) >= ps.max && len(ps.open) >= len(ps.byID) {
		return ErrTooManyProducers
	}
	return nil
}

// checkMarker tests a marker against its producer's state.
func (ps *producers) checkMarker(m *Marker) error {
	p := ps.byID[m.ProducerID]
	switch {
	case p == nil: // forgotten, or the marker of a transaction that never came here
		return nil
	case m.ProducerEpoch < p.epoch:
		return ErrInvalidProducerEpoch
	case m.CoordinatorEpoch < p.coordinatorEpoch:
		return ErrCoordinatorFenced
	}
	return nil
}

// take takes an appended batch into the state; m is what it says when it is a marker. It returns the transaction that it aborts, if any.
func (ps *producers) take(h *batch.Header, m *Marker, nowMs int64) *abortedEntry {
	if m == nil {
		ps.add(h, nowMs)
		return nil
	}
	first := ps.end(h, m, nowMs)
	if first == none || m.Commit {
		return nil
	}
	return &abortedEntry{m.ProducerID, first, h.BaseOffset, ps.lastStable(h.BaseOffset + 1)}
}

// add takes an appended batch of data into the state.
func (ps *producers) add(h *batch.Header, nowMs int64) {
	if h.ProducerID < 0 {
		return
	}
	p := ps.of(h)
	p.wrote(h, nowMs)
	if h.BaseSequence >= 0 {
		p.add(producerBatch{h.LastSequence(), h.LastOffset(), h.LastOffsetDelta, h.MaxTimestamp})
	}
	if h.Transactional() && p.txnFirst < 0 {
		p.txnFirst = h.BaseOffset
		ps.open = append(ps.open, h.BaseOffset) // above all others: the log only grows
	}
}

// end takes an appended marker into the state, and returns the first offset of the transaction that it ends: none when there is no
// data of one.
func (ps *producers) end(h *batch.Header, m *Marker, nowMs int64) int64 {
	p := ps.of(h)
	p.wrote(h, nowMs)
	p.coordinatorEpoch = m.CoordinatorEpoch
	first := p.txnFirst
	if i, ok := slices.BinarySearch(ps.open, first); ok {
		ps.open = slices.Delete(ps.open, i, i+1)
	}
	p.txnFirst = none
	return first
}

// of returns the state of the producer of a batch, a new one if it has none.
func (ps *producers) of(h *batch.Header) *producer {
	p := ps.byID[h.ProducerID]
	if p == nil {
		ps.trim()
		p = newProducer(h.ProducerEpoch)
		if ps.byID == nil {
			ps.byID = map[int64]*producer{}
		}
		ps.byID[h.ProducerID] = p
	}
	return p
}

// trim makes room for one more: it forgets the sixteenth that has been idle longest (I5).
func (ps *producers) trim() {
	if len(ps.byID) < ps.max {
		return
	}
	touched := make([]int64, 0, len(ps.byID))
	for _, p := range ps.byID {
		if p.txnFirst < 0 {
			touched = append(touched, p.touched)
		}
	}
	if len(touched) == 0 { // checkNew lets no data in then, and a marker has to be taken
		return
	}
	slices.Sort(touched)
	ps.expire(touched[len(touched)/16])
}

// expire forgets the producers that have not written after the given time in ms. Those with an open transaction stay, or its end
// would not be known.
func (ps *producers) expire(touchedMs int64) {
	for id, p := range ps.byID {
		if p.touched <= touchedMs && p.txnFirst < 0 {
			delete(ps.byID, id)
		}
	}
}

// ids lists the producer ids, sorted.
func (ps *producers) ids() []int64 {
	ids := make([]int64, 0, len(ps.byID))
	for id := range ps.byID {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[int64])
	return ids
}
