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

// producer is the state of one producer id in one partition (KIP-98).
type producer struct {
	epoch   int16
	n       int8 // batches in window, oldest first
	window  [producerWindow]producerBatch
	touched int64 // ms of the server's clock when it wrote last
}

// last is the newest batch.
func (p *producer) last() *producerBatch { return &p.window[p.n-1] }

// add puts a batch into the window.
func (p *producer) add(b producerBatch) {
	if p.n == producerWindow {
		copy(p.window[:], p.window[1:])
		p.n--
	}
	p.window[p.n] = b
	p.n++
}

// producers is the state of all idempotent producers of a partition.
type producers struct {
	byID map[int64]*producer
	max  int
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
		// Any sequence may come first when older records are gone, but not when there never were any (KAFKA-15591).
		if untouched && h.BaseSequence != 0 {
			return nil, ErrOutOfOrderSequence
		}
		return nil, nil
	case h.ProducerEpoch < p.epoch:
		return nil, ErrInvalidProducerEpoch
	case h.ProducerEpoch > p.epoch:
		if h.BaseSequence != 0 {
			return nil, ErrOutOfOrderSequence
		}
		return nil, nil
	}
	for i := range p.window[:p.n] {
		if b := &p.window[i]; b.firstSequence() == h.BaseSequence && b.lastSequence == h.LastSequence() {
			return b, nil
		}
	}
	if h.BaseSequence != (p.last().lastSequence+1)&math.MaxInt32 {
		return nil, ErrOutOfOrderSequence
	}
	return nil, nil
}

// add takes an appended batch into the state.
func (ps *producers) add(h *batch.Header, nowMs int64) {
	if h.ProducerID < 0 {
		return
	}
	p := ps.byID[h.ProducerID]
	if p == nil {
		ps.trim()
		p = &producer{epoch: h.ProducerEpoch}
		if ps.byID == nil {
			ps.byID = map[int64]*producer{}
		}
		ps.byID[h.ProducerID] = p
	}
	if p.epoch != h.ProducerEpoch {
		p.epoch, p.n = h.ProducerEpoch, 0
	}
	p.touched = nowMs
	p.add(producerBatch{h.LastSequence(), h.LastOffset(), h.LastOffsetDelta, h.MaxTimestamp})
}

// trim makes room for one more: it forgets the sixteenth that has been idle longest (I5).
func (ps *producers) trim() {
	if len(ps.byID) < ps.max {
		return
	}
	touched := make([]int64, 0, len(ps.byID))
	for _, p := range ps.byID {
		touched = append(touched, p.touched)
	}
	slices.Sort(touched)
	ps.expire(touched[len(touched)/16])
}

// expire forgets the producers that have not written after the given time in ms.
func (ps *producers) expire(touchedMs int64) {
	for id, p := range ps.byID {
		if p.touched <= touchedMs {
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
