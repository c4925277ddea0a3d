package log

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// crashSeeds is how many chains of power cuts TestCrash runs; more find more.
const crashSeeds = 100

// TestCrash runs a random workload and cuts the power before random file operations. After each cut the log is opened
// again: everything acknowledged is there, nothing is that was not sent, offsets have no gaps, retries are recognised, and
// Check finds nothing (I1, I7).
func TestCrash(t *testing.T) {
	seeds := crashSeeds
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(seed), 1))
			c := &crashRun{t: t, rnd: rnd, fs: vfs.NewMem(), now: testTime, model: model{topics: map[string]*modelTopic{}}}
			for cycle := range 6 {
				c.cycle(cycle)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// model is what clients know: what they sent and what was acknowledged.
type model struct {
	topics map[string]*modelTopic // by name and incarnation
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
	placed  map[int64]modelBatch // appended, acknowledged or not
	acked   map[int64]modelBatch
	start   int64 // log start offset that was acknowledged, or retention that ran
	trimmed bool  // retention or DeleteRecords may have moved the start beyond that
	seq     map[int64]int32
}

// modelBatch is a batch with one record, as far as a retry needs it.
type modelBatch struct {
	value string
	pid   int64
	seq   int32
}

func (m *model) clone() *model {
	c := &model{topics: map[string]*modelTopic{}}
	for k, t := range m.topics {
		n := *t
		n.partitions = nil
		for _, p := range t.partitions {
			n.partitions = append(n.partitions, &modelPartition{maps.Clone(p.sent), maps.Clone(p.placed), maps.Clone(p.acked), p.start, p.trimmed, maps.Clone(p.seq)})
		}
		c.topics[k] = &n
	}
	return c
}

// crashRun is one chain of workloads and power cuts.
type crashRun struct {
	t   *testing.T
	rnd *rand.Rand
	fs  *vfs.Mem
	now time.Time
	n   int // values made

	mu    sync.Mutex // guards the fields below
	model model
	ops   int // operations until the power cut
	cut   *powerCut
	dice  *rand.Rand // of the power cut: rnd belongs to the workload's goroutine
}

// powerCut is a copy of the disk with what was acknowledged before and sent by then.
type powerCut struct {
	fs     *vfs.Mem
	acked  *model
	sent   *model
	during vfs.Op
}

// inject is called before every file operation and takes the copy at the chosen one.
func (c *crashRun) inject(op vfs.Op, _ string) error {
	switch op {
	case vfs.OpRead, vfs.OpStat, vfs.OpReadDir, vfs.OpOpen, vfs.OpLock:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops--; c.ops == 0 {
		acked := c.model.clone()
		keep := []float64{0, 0.2, 0.5, 0.9, 1}[c.dice.IntN(5)]
		clone := c.fs.CrashClone(rand.New(rand.NewPCG(c.dice.Uint64(), 2)), keep)
		c.cut = &powerCut{clone, acked, c.model.clone(), op}
	}
	return nil
}

func (c *crashRun) config(fsys vfs.FS) Config {
	cfg := testConfig(fsys)
	cfg.Now = func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.now
	}
	cfg.MaxOpenFiles = 8
	return cfg
}

// cycle runs a workload up to a power cut, and checks what is left.
func (c *crashRun) cycle(n int) {
	c.ops = 1 + c.rnd.IntN(400)
	c.dice = rand.New(rand.NewPCG(c.rnd.Uint64(), 3))
	c.cut = nil
	l, err := Open(c.config(&vfs.Fault{FS: c.fs, Inject: c.inject}))
	if err != nil {
		c.t.Fatalf("cycle %d: open: %v", n, err)
	}
	for range 400 {
		c.step(l)
		c.mu.Lock()
		done := c.cut != nil
		c.mu.Unlock()
		if done || c.t.Failed() {
			break
		}
	}
	if err := l.Close(); err != nil {
		c.t.Fatalf("cycle %d: close: %v", n, err)
	}
	if c.cut == nil { // fewer operations than chosen: a clean shutdown is a case too
		c.cut = &powerCut{c.fs.CrashClone(c.rnd, 0), c.model.clone(), c.model.clone(), "close"}
	}
	c.verify(n)
}

// step does one thing that a client or the janitor may do.
func (c *crashRun) step(l *Log) {
	if k := c.rnd.IntN(100); len(l.Topics()) == 0 || k < 3 {
		c.createTopic(l)
	} else if k < 4 {
		c.deleteTopic(l)
	} else if k < 8 {
		c.deleteRecords(l)
	} else if k < 11 {
		c.retain(l)
	} else if k < 16 {
		c.check(l.checkpoint(k < 13))
	} else if k < 17 {
		c.check(l.writeRecoveryPoints())
	} else if k < 90 {
		c.produce(l, false)
	} else {
		c.produce(l, true)
	}
}

func (c *crashRun) check(err error) {
	if err != nil {
		c.t.Errorf("%+v", err)
	}
}

func (c *crashRun) createTopic(l *Log) {
	name := fmt.Sprintf("t%d", c.rnd.IntN(3))
	partitions := 1 + c.rnd.IntN(3)
	if _, ok := l.Topic(name); ok {
		return
	}
	topic, err := l.CreateTopic(name, partitions, map[string]string{
		"segment.bytes": "1500", "index.interval.bytes": "200", "retention.ms": "1000",
	})
	c.check(err)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mt := &modelTopic{name: name, id: topic.id, created: true}
	for range partitions {
		mt.partitions = append(mt.partitions, &modelPartition{map[string]bool{}, map[int64]modelBatch{}, map[int64]modelBatch{}, 0, false, map[int64]int32{}})
	}
	c.model.topics[topic.id.String()] = mt
}

func (c *crashRun) deleteTopic(l *Log) {
	topic := l.Topics()[c.rnd.IntN(len(l.Topics()))]
	c.mu.Lock()
	mt := c.model.topics[topic.id.String()]
	mt.deleting = true
	c.mu.Unlock()
	c.check(l.DeleteTopic(topic.name))
	c.mu.Lock()
	mt.deleted = true
	c.mu.Unlock()
}

func (c *crashRun) pick(l *Log) (*Partition, *modelPartition) {
	topic := l.Topics()[c.rnd.IntN(len(l.Topics()))]
	i := c.rnd.IntN(topic.Partitions())
	p, _ := topic.Partition(int32(i))
	c.mu.Lock()
	defer c.mu.Unlock()
	return p, c.model.topics[topic.id.String()].partitions[i]
}

func (c *crashRun) deleteRecords(l *Log) {
	p, mp := c.pick(l)
	at := p.LogStartOffset() + c.rnd.Int64N(p.HighWatermark()-p.LogStartOffset()+1)
	c.mu.Lock()
	mp.trimmed = true
	c.mu.Unlock()
	start, err := p.DeleteRecords(at)
	c.check(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	mp.start = max(mp.start, start)
}

func (c *crashRun) retain(l *Log) {
	c.mu.Lock()
	c.now = c.now.Add(400 * time.Millisecond)
	for _, mt := range c.model.topics {
		for _, mp := range mt.partitions {
			mp.trimmed = true
		}
	}
	c.mu.Unlock()
	c.check(l.retain(c.config(nil).Now()))
}

// produce sends up to five batches to one partition without waiting for each, and waits for the last when asked to.
func (c *crashRun) produce(l *Log, wait bool) {
	p, mp := c.pick(l)
	pid := int64(c.rnd.IntN(4)) - 1
	var last int64 = -1
	for range 1 + c.rnd.IntN(5) {
		b, mb := c.newBatch(mp, pid)
		r, err := p.Append(b, AppendOptions{})
		c.check(err)
		if err != nil {
			return
		}
		if r.Duplicate {
			c.t.Errorf("new batch %v is a duplicate of offset %d", mb, r.BaseOffset)
		}
		last = r.LastOffset
		c.mu.Lock()
		mp.placed[r.BaseOffset] = mb
		c.mu.Unlock()
		p.OnDurable(r.LastOffset, func(err error) {
			if err == nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				mp.acked[r.BaseOffset] = mb
			}
		})
	}
	if wait {
		c.check(p.WaitDurable(c.t.Context(), last))
	}
}

func (c *crashRun) newBatch(mp *modelPartition, pid int64) ([]byte, modelBatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	mb := modelBatch{value: fmt.Sprintf("v%d-%s", c.n, strings.Repeat("x", c.rnd.IntN(300))), pid: pid}
	b := batch.Builder{}
	if pid >= 0 {
		mb.seq = mp.seq[pid]
		mp.seq[pid]++
		b.Idempotent, b.ProducerID, b.BaseSequence = true, pid, mb.seq
	}
	b.Append(c.now.UnixMilli(), nil, []byte(mb.value))
	out, err := b.Build(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	mp.sent[mb.value] = true
	return out, mb
}

// verify opens what the power cut left and makes it the disk of the next cycle.
func (c *crashRun) verify(n int) {
	cut := c.cut
	l, err := Open(c.config(cut.fs))
	if err != nil {
		c.t.Fatalf("cycle %d, cut before %s: open: %v", n, cut.during, err)
	}
	next := model{topics: map[string]*modelTopic{}}
	for key, sent := range cut.sent.topics {
		acked := cut.acked.topics[key]
		topic, ok := l.TopicByID(sent.id)
		if acked != nil && !ok && !sent.deleting {
			c.t.Errorf("cycle %d, cut before %s: topic %s is gone", n, cut.during, sent.name)
		}
		if acked != nil && acked.deleted && ok {
			c.t.Errorf("cycle %d, cut before %s: deleted topic %s is back", n, cut.during, sent.name)
		}
		if !ok || c.t.Failed() {
			continue
		}
		nt := &modelTopic{name: sent.name, id: sent.id, created: true}
		for i, mp := range sent.partitions {
			p, _ := topic.Partition(int32(i))
			var ap *modelPartition
			if acked != nil {
				ap = acked.partitions[i]
			}
			nt.partitions = append(nt.partitions, c.verifyPartition(fmt.Sprintf("cycle %d, cut before %s: %s-%d", n, cut.during, sent.name, i), p, ap, mp))
		}
		next.topics[key] = nt
	}
	// A topic may be there whose creation was not acknowledged; the model takes it over.
	for _, topic := range l.Topics() {
		if next.topics[topic.id.String()] == nil {
			c.check(l.DeleteTopic(topic.name))
		}
	}
	c.check(l.Close())
	r := wantSound(c.t, cut.fs, "data")
	for _, note := range r.Notes {
		c.t.Errorf("cycle %d: note: %s", n, note)
	}
	c.fs, c.model = cut.fs, next
}

// verifyPartition compares a recovered partition with the model and returns the model to go on with.
func (c *crashRun) verifyPartition(where string, p *Partition, acked, sent *modelPartition) *modelPartition {
	next := &modelPartition{map[string]bool{}, map[int64]modelBatch{}, map[int64]modelBatch{}, p.LogStartOffset(), false, map[int64]int32{}}
	if err := p.Err(); err != nil {
		c.t.Errorf("%s: %v", where, err)
		return next
	}
	rs, err := readAll(p, p.LogStartOffset(), 700)
	if err != nil {
		c.t.Errorf("%s: read: %v", where, err)
	}
	offset := p.LogStartOffset()
	found := map[int64]string{}
	newest := map[int64][]record{}
	for _, r := range rs {
		if r.offset != offset {
			c.t.Errorf("%s: offset %d follows %d", where, r.offset, offset-1)
		}
		if !sent.sent[r.value] || next.sent[r.value] {
			c.t.Errorf("%s: value %.10s at offset %d was not sent, or is there twice", where, r.value, r.offset)
		}
		next.sent[r.value] = true
		found[r.offset] = r.value
		next.acked[r.offset] = modelBatch{r.value, r.header.ProducerID, r.header.BaseSequence}
		newest[r.header.ProducerID] = append(newest[r.header.ProducerID], r)
		offset = r.offset + 1
	}
	if acked != nil {
		for o, mb := range acked.acked {
			if o >= p.LogStartOffset() && found[o] != mb.value {
				c.t.Errorf("%s: acknowledged %.10s at offset %d is lost, found %.10q; log is %d to %d", where, mb.value, o, found[o], p.LogStartOffset(), p.EndOffset())
			}
		}
		if p.LogStartOffset() < acked.start {
			c.t.Errorf("%s: log start offset is %d, was %d", where, p.LogStartOffset(), acked.start)
		}
	}
	if !sent.trimmed && p.LogStartOffset() != sent.start {
		c.t.Errorf("%s: log start offset is %d, want %d", where, p.LogStartOffset(), sent.start)
	}
	known := map[int64]modelBatch{}
	if acked != nil {
		maps.Copy(known, acked.acked)
	}
	for o, mb := range sent.placed {
		if o < p.LogStartOffset() { // it was durable, otherwise it could not have been deleted
			known[o] = mb
		}
	}
	c.verifyProducers(where, p, known, newest, next)
	return next
}

// verifyProducers sends the newest batches of each producer again, and then a new one.
func (c *crashRun) verifyProducers(where string, p *Partition, known map[int64]modelBatch, newest map[int64][]record, next *modelPartition) {
	for pid := range int64(3) {
		// Batches may have been deleted by retention: the window outlives them.
		batches := map[int32]int64{} // sequence to offset
		values := map[int32]string{}
		for _, r := range newest[pid] {
			batches[r.header.BaseSequence], values[r.header.BaseSequence] = r.offset, r.value
		}
		for o, mb := range known {
			if mb.pid == pid {
				batches[mb.seq], values[mb.seq] = o, mb.value
			}
		}
		seqs := slices.Sorted(maps.Keys(batches))
		for _, seq := range seqs[max(0, len(seqs)-producerWindow):] {
			r, err := p.Append(seqBatch(c.t, pid, 0, seq, values[seq]), AppendOptions{})
			if err != nil || !r.Duplicate || r.BaseOffset != batches[seq] {
				c.t.Errorf("%s: retry of producer %d sequence %d: %+v, %v; want duplicate of %d", where, pid, seq, r, err, batches[seq])
			}
		}
		if len(seqs) > 0 {
			next.seq[pid] = seqs[len(seqs)-1] + 1
			for seq, o := range batches { // the window of the next cycle
				next.acked[o] = modelBatch{values[seq], pid, seq}
			}
		}
		if len(seqs) == 0 && p.EndOffset() > 0 {
			continue // any sequence may come first
		}
		gap := seqBatch(c.t, pid, 0, next.seq[pid]+7, "gap")
		if _, err := p.Append(gap, AppendOptions{}); !errors.Is(err, ErrOutOfOrderSequence) {
			c.t.Errorf("%s: gap in the sequence of producer %d: %v", where, pid, err)
		}
	}
}
