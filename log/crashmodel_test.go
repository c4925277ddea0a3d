package log

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-data/sluice/log/batch"
)

// model is what clients know: what they sent and what was acknowledged.
type model struct {
	topics map[string]*modelTopic // by id
}

type modelTopic struct {
	name             string
	id               topicID
	created, deleted bool // acknowledged
	deleting         bool // sent
	partitions       []*modelPartition
}

type modelPartition struct {
	sent    map[string]bool      // values
	placed  map[int64]modelBatch // appended, acknowledged or not, also those that were deleted
	acked   map[int64]bool       // offsets
	start   int64                // log start offset that was acknowledged, or retention that ran
	trimmed bool                 // retention or DeleteRecords may have moved the start beyond that
	stable  int64                // last stable offset that was seen
	seen    *Partition           // where it was seen, nil after a power cut
}

func newModelPartition() *modelPartition {
	return &modelPartition{sent: map[string]bool{}, placed: map[int64]modelBatch{}, acked: map[int64]bool{}}
}

// modelBatch is a batch with one record, as far as a retry needs it.
type modelBatch struct {
	value  string // empty: a marker
	pid    int64  // -1: none
	epoch  int16
	seq    int32
	txn    bool
	commit bool // of a marker
}

func (b modelBatch) String() string {
	if b.value == "" {
		return fmt.Sprintf("marker of %d epoch %d commit %t", b.pid, b.epoch, b.commit)
	}
	return fmt.Sprintf("%.10s of %d epoch %d sequence %d txn %t", b.value, b.pid, b.epoch, b.seq, b.txn)
}

// observe notes what readers of committed data may have seen.
func (m *model) observe() {
	for _, t := range m.topics {
		for _, p := range t.partitions {
			if p.seen != nil {
				p.stable = max(p.stable, p.seen.stable.Load())
			}
		}
	}
}

func (m *model) clone() *model {
	c := &model{topics: map[string]*modelTopic{}}
	for k, t := range m.topics {
		n := *t
		n.partitions = nil
		for _, p := range t.partitions {
			q := *p
			q.sent, q.placed, q.acked = maps.Clone(p.sent), maps.Clone(p.placed), maps.Clone(p.acked)
			n.partitions = append(n.partitions, &q)
		}
		c.topics[k] = &n
	}
	return c
}

// modelProducer is what a partition must know of a producer.
type modelProducer struct {
	epoch  int16
	window []int64 // offsets of its newest batches, oldest first
	first  int64   // of its open transaction, or none
}

// nextSeq is the sequence that has to follow.
func (p *modelProducer) nextSeq(placed map[int64]modelBatch) int32 {
	if p == nil || len(p.window) == 0 {
		return 0
	}
	return placed[p.window[len(p.window)-1]].seq + 1
}

// modelAborted is an aborted transaction.
type modelAborted struct {
	AbortedTransaction
	last int64
}

// modelState is what follows from the batches of a partition, in the words of KIP-98.
type modelState struct {
	producers map[int64]*modelProducer
	aborted   []modelAborted
	end       int64
}

func (mp *modelPartition) state() modelState {
	s := modelState{producers: map[int64]*modelProducer{}}
	for _, o := range slices.Sorted(maps.Keys(mp.placed)) {
		b := mp.placed[o]
		s.end = o + 1
		if b.pid < 0 {
			continue
		}
		p := s.producers[b.pid]
		if p == nil {
			p = &modelProducer{epoch: b.epoch, first: none}
			s.producers[b.pid] = p
		}
		if p.epoch != b.epoch {
			p.epoch, p.window = b.epoch, nil
		}
		switch {
		case b.value == "":
			if p.first != none && !b.commit {
				s.aborted = append(s.aborted, modelAborted{AbortedTransaction{b.pid, p.first}, o})
			}
			p.first = none
			continue
		case b.txn && p.first == none:
			p.first = o
		}
		p.window = append(p.window, o)
		p.window = p.window[max(0, len(p.window)-producerWindow):]
	}
	return s
}

// lastStable is the last stable offset when everything is durable.
func (s *modelState) lastStable() int64 {
	stable := s.end
	for _, p := range s.producers {
		if p.first != none {
			stable = min(stable, p.first)
		}
	}
	return stable
}

// abortedIn lists the aborted transactions with an offset in [from, upTo).
func (s *modelState) abortedIn(from, upTo int64) []AbortedTransaction {
	var found []AbortedTransaction
	for _, a := range s.aborted {
		if a.last >= from && a.FirstOffset < upTo {
			found = append(found, a.AbortedTransaction)
		}
	}
	slices.SortFunc(found, func(a, b AbortedTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return found
}

// encode makes the batch as its producer sends it.
func (b modelBatch) encode(c *crashRun) []byte {
	w := batch.Builder{}
	if b.pid >= 0 {
		w.Idempotent, w.Transactional, w.ProducerID, w.ProducerEpoch, w.BaseSequence = true, b.txn, b.pid, b.epoch, b.seq
	}
	w.Append(c.now.UnixMilli(), nil, []byte(b.value))
	out, err := w.Build(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// read is the batch that a record came from.
func (r record) modelBatch() (modelBatch, error) {
	h := &r.header
	b := modelBatch{value: r.value, pid: h.ProducerID, epoch: max(h.ProducerEpoch, 0), seq: max(h.BaseSequence, 0), txn: h.Transactional()}
	if h.Control() {
		m, err := batch.ReadMarker(r.raw)
		return modelBatch{pid: m.ProducerID, epoch: m.ProducerEpoch, txn: true, commit: m.Commit}, err
	}
	return b, nil
}
