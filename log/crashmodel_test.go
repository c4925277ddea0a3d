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
	compact          bool
	created, deleted bool // acknowledged
	deleting         bool // sent
	partitions       []*modelPartition
}

type modelPartition struct {
	sent    map[string]bool      // ids of batches
	placed  map[int64]modelBatch // appended, acknowledged or not, also those that were deleted
	acked   map[int64]bool       // offsets
	start   int64                // log start offset that was acknowledged, or retention that ran
	trimmed bool                 // retention or DeleteRecords may have moved the start beyond that
	compact bool
	stable  int64      // last stable offset that was seen
	seen    *Partition // where it was seen, nil after a power cut
}

func newModelPartition(compact bool) *modelPartition {
	return &modelPartition{sent: map[string]bool{}, placed: map[int64]modelBatch{}, acked: map[int64]bool{}, compact: compact}
}

// modelBatch is a batch with one record, as far as a retry needs it.
type modelBatch struct {
	marker bool
	key    string
	value  string // empty: a tombstone
	pid    int64  // -1: none
	epoch  int16
	seq    int32 // -1: none
	txn    bool
	commit bool // of a marker
}

// String tells batches apart. Only markers and tombstones are sent again as new ones.
func (b modelBatch) String() string {
	if b.marker {
		return fmt.Sprintf("marker of %d epoch %d commit %t", b.pid, b.epoch, b.commit)
	}
	return fmt.Sprintf("%s=%.10s of %d epoch %d sequence %d txn %t", b.key, b.value, b.pid, b.epoch, b.seq, b.txn)
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

// modelTxn is a transaction that has ended.
type modelTxn struct {
	AbortedTransaction
	commit bool
	data   []int64 // offsets
	marker int64
}

// modelState is what follows from the batches of a partition, in the words of KIP-98.
type modelState struct {
	producers map[int64]*modelProducer
	ended     []modelTxn
	undecided map[int64]bool   // offsets of open and aborted transactions
	latest    map[string]int64 // offset of the latest record of a key that is neither
	end       int64
}

func (mp *modelPartition) state() modelState {
	s := modelState{producers: map[int64]*modelProducer{}, undecided: map[int64]bool{}, latest: map[string]int64{}}
	open := map[int64][]int64{}
	offsets := slices.Sorted(maps.Keys(mp.placed))
	for _, o := range offsets {
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
		if b.marker {
			if p.first != none {
				s.ended = append(s.ended, modelTxn{AbortedTransaction{b.pid, p.first}, b.commit, open[b.pid], o})
			}
			if b.commit {
				for _, o := range open[b.pid] {
					delete(s.undecided, o)
				}
			}
			p.first, open[b.pid] = none, nil
			continue
		}
		if b.txn {
			if p.first == none {
				p.first = o
			}
			open[b.pid] = append(open[b.pid], o)
			s.undecided[o] = true
		}
		if b.seq < 0 {
			continue
		}
		p.window = append(p.window, o)
		p.window = p.window[max(0, len(p.window)-producerWindow):]
	}
	for _, o := range offsets {
		if b := mp.placed[o]; !b.marker && !s.undecided[o] {
			s.latest[b.key] = o
		}
	}
	return s
}

// mayGo reports whether compaction may have removed what was at an offset.
func (s *modelState) mayGo(o int64, b modelBatch) bool {
	latest, ok := s.latest[b.key]
	return b.marker || b.value == "" || s.undecided[o] || ok && latest > o
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
	for _, t := range s.ended {
		if !t.commit && t.marker >= from && t.FirstOffset < upTo {
			found = append(found, t.AbortedTransaction)
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
	var value []byte
	if b.value != "" {
		value = []byte(b.value)
	}
	w.Append(c.now.UnixMilli(), []byte(b.key), value)
	out, err := w.Build(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// modelBatch is the batch that a record came from.
func (r record) modelBatch() (modelBatch, error) {
	h := &r.header
	if h.Control() {
		m, err := batch.ReadMarker(r.raw)
		return modelBatch{marker: true, pid: m.ProducerID, epoch: m.ProducerEpoch, txn: true, commit: m.Commit}, err
	}
	return modelBatch{key: r.key, value: r.value, pid: h.ProducerID, epoch: max(h.ProducerEpoch, 0), seq: h.BaseSequence, txn: h.Transactional()}, nil
}
