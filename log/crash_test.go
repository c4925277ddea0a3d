package log

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
)

// crashSeeds is how many chains of power cuts TestCrash runs; more find more.
const crashSeeds = 100

// TestCrash runs a random workload under random settings and cuts the power before random file operations. After each cut the log is
// opened again: everything acknowledged is there, except for what compaction may remove, nothing is that was not sent, no
// offset was left out, retries are recognised, the last stable offset and the aborted transactions are those of the batches
// that are there, no reader of committed data has seen more than them, and Check finds nothing (I1, I7).
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
		c.model.observe()
		acked := c.model.clone()
		keep := []float64{0, 0.2, 0.5, 0.9, 1}[c.dice.IntN(5)]
		clone := c.fs.CrashClone(rand.New(rand.NewPCG(c.dice.Uint64(), 2)), keep)
		c.cut = &powerCut{clone, acked, c.model.clone(), op}
	}
	return nil
}

// config chooses settings that must not be visible.
func (c *crashRun) config(fsys vfs.FS) Config {
	cfg := testConfig(fsys)
	cfg.Now = func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.now
	}
	cfg.MaxOpenFiles = 4 + c.rnd.IntN(20)
	cfg.SyncVolumeAt = []int{-1, 2, 8}[c.rnd.IntN(3)]
	cfg.SyncParallelism = 1 + c.rnd.IntN(4)
	cfg.CompactionMemory = []int{1 << 8, 1 << 20}[c.rnd.IntN(2)]
	return cfg
}

// cycle runs a workload up to a power cut, and checks what is left.
func (c *crashRun) cycle(n int) {
	c.ops = 1 + c.rnd.IntN(400)
	c.dice = rand.New(rand.NewPCG(c.rnd.Uint64(), 3))
	c.cut = nil
	l := c.open()
	for range 400 {
		if c.rnd.IntN(150) == 0 {
			c.check(l.Close())
			l = c.open()
		}
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

func (c *crashRun) open() *Log {
	l, err := Open(c.config(&vfs.Fault{FS: c.fs, Inject: c.inject}))
	if err != nil {
		c.t.Fatalf("open: %v", err)
	}
	return l
}

// step does one thing that a client or the janitor may do.
func (c *crashRun) step(l *Log) {
	if k := c.rnd.IntN(100); len(l.Topics()) == 0 || k < 3 {
		c.createTopic(l)
	} else if k < 4 {
		c.deleteTopic(l)
	} else if k < 8 {
		c.deleteRecords(l)
	} else if k < 10 {
		c.retain(l)
	} else if k < 11 {
		c.compact(l)
	} else if k < 16 {
		c.check(l.checkpoint(k < 13))
	} else if k < 17 {
		c.check(l.writeRecoveryPoints())
	} else if k < 22 {
		c.readCommitted(l)
	} else if k < 45 {
		c.end(l)
	} else {
		c.produce(l, k >= 90)
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
	policy := []string{"delete", "compact", "compact,delete"}[c.rnd.IntN(3)]
	topic, err := l.CreateTopic(name, partitions, map[string]string{
		"cleanup.policy":            policy,
		"segment.bytes":             []string{"1024", "1500", "8000"}[c.rnd.IntN(3)],
		"index.interval.bytes":      []string{"0", "200", "4096"}[c.rnd.IntN(3)],
		"retention.ms":              "1000",
		"min.cleanable.dirty.ratio": "0.01",
		"delete.retention.ms":       []string{"0", "1000", "86400000"}[c.rnd.IntN(3)],
	})
	c.check(err)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mt := &modelTopic{name: name, id: topic.id, compact: policy != "delete", created: true}
	for range partitions {
		mt.partitions = append(mt.partitions, newModelPartition(mt.compact))
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
	mp := c.model.topics[topic.id.String()].partitions[i]
	mp.seen = p
	return p, mp
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
	starts := map[*Partition]int64{}
	l.eachPartition(func(p *Partition) { starts[p] = p.LogStartOffset() })
	c.check(l.retain(c.config(nil).Now()))
	for p, start := range starts {
		if p.LogStartOffset() > max(start, p.stable.Load()) {
			c.t.Errorf("retention moved the start of %s to %d, the last stable offset is %d", p.dir, p.LogStartOffset(), p.stable.Load())
		}
	}
}

// compact does what the cleaner does once in a while.
func (c *crashRun) compact(l *Log) {
	c.mu.Lock()
	c.now = c.now.Add(400 * time.Millisecond)
	c.mu.Unlock()
	l.cleaner.cycle(l)
}

// produce sends up to five batches of one producer to one partition without waiting for each, and waits for the last when
// asked to. Producers from transactional on are.
func (c *crashRun) produce(l *Log, wait bool) {
	p, mp := c.pick(l)
	pid := int64(c.rnd.IntN(producerIDs+1)) - 1
	var last int64 = -1
	for range 1 + c.rnd.IntN(5) {
		mb := c.newBatch(mp, pid)
		r, err := p.Append(mb.encode(c), AppendOptions{Internal: pid == coordinated, Lazy: c.rnd.IntN(2) == 0})
		c.check(err)
		if err != nil {
			return
		}
		if r.Duplicate {
			c.t.Errorf("new batch %v is a duplicate of offset %d", mb, r.BaseOffset)
		}
		last = r.LastOffset
		c.place(p, mp, r, mb)
	}
	if wait {
		c.check(p.WaitDurable(c.t.Context(), last))
	}
}

// place notes a batch that was appended.
func (c *crashRun) place(p *Partition, mp *modelPartition, r AppendResult, mb modelBatch) {
	c.mu.Lock()
	mp.placed[r.BaseOffset] = mb
	c.mu.Unlock()
	p.OnDurable(r.LastOffset, func(err error) {
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			mp.acked[r.BaseOffset] = true
		}
	})
}

// The producer ids: those from transactional on use transactions, and for the last one the group coordinator writes, without sequence
// numbers.
const (
	producerIDs   = 7
	transactional = 3
	coordinated   = 6
)

func (c *crashRun) newBatch(mp *modelPartition, pid int64) modelBatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	mb := modelBatch{key: fmt.Sprintf("k%d", c.rnd.IntN(6)), value: fmt.Sprintf("v%d-%s", c.n, strings.Repeat("x", c.rnd.IntN(300))), pid: pid, txn: pid >= transactional}
	if mp.compact && c.rnd.IntN(8) == 0 {
		mb.value = ""
	}
	if s := mp.state(); pid >= 0 {
		pr := s.producers[pid]
		mb.seq = pr.nextSeq(mp.placed)
		if pr != nil {
			mb.epoch = pr.epoch
		}
	}
	if pid < 0 || pid == coordinated {
		mb.seq = -1
	}
	mp.sent[mb.String()] = true
	return mb
}

// end appends a marker: for a transaction or none, with the producer's epoch or a higher one, once or again as a coordinator does that
// did not get the answer.
func (c *crashRun) end(l *Log) {
	p, mp := c.pick(l)
	pid := int64(transactional + c.rnd.IntN(producerIDs-transactional))
	c.mu.Lock()
	s := mp.state()
	c.mu.Unlock()
	m := Marker{ProducerID: pid, Commit: c.rnd.IntN(2) == 0}
	if pr := s.producers[pid]; pr != nil {
		if pr.epoch > 0 {
			m.ProducerEpoch = pr.epoch - 1
			if _, err := p.AppendMarker(m); !errors.Is(err, ErrInvalidProducerEpoch) {
				c.t.Errorf("marker with an old epoch: %v", err)
			}
		}
		m.ProducerEpoch = pr.epoch + int16(c.rnd.IntN(2))
	}
	mb := modelBatch{marker: true, pid: pid, epoch: m.ProducerEpoch, txn: true, commit: m.Commit}
	c.mu.Lock()
	mp.sent[mb.String()] = true
	c.mu.Unlock()
	for range 1 + c.rnd.IntN(8)/7 {
		r, err := p.AppendMarker(m)
		c.check(err)
		if err != nil {
			return
		}
		c.place(p, mp, r, mb)
	}
}

// readCommitted waits until all of a partition is durable and compares what readers of committed data see.
func (c *crashRun) readCommitted(l *Log) {
	p, mp := c.pick(l)
	if end := p.EndOffset(); end > 0 {
		c.check(p.WaitDurable(c.t.Context(), end-1))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.readBack("while it runs", p, mp)
	c.verifyKept("while it runs", p, mp, found)
	c.verifyStable("while it runs", p, mp, found)
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
		nt := &modelTopic{name: sent.name, id: sent.id, compact: sent.compact, created: true}
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
	next := newModelPartition(sent.compact)
	next.start = p.LogStartOffset()
	if err := p.Err(); err != nil {
		c.t.Errorf("%s: %v", where, err)
		return next
	}
	found := c.readBack(where, p, sent)
	for o, mb := range found {
		next.placed[o] = mb
	}
	for o, mb := range sent.placed {
		if o < p.EndOffset() { // it was durable: otherwise it could not have been deleted, nor followed by something
			next.placed[o] = mb
		}
	}
	for o, mb := range next.placed {
		next.sent[mb.String()], next.acked[o] = true, true
	}
	c.verifyStart(where, p, acked, sent)
	if acked != nil {
		for o := range acked.acked {
			if next.placed[o] != acked.placed[o] {
				c.t.Errorf("%s: acknowledged %v at offset %d is lost, found %v; log is %d to %d", where, acked.placed[o], o, next.placed[o], p.LogStartOffset(), p.EndOffset())
			}
		}
		if p.LastStableOffset() < acked.stable {
			c.t.Errorf("%s: last stable offset is %d, but %d was seen", where, p.LastStableOffset(), acked.stable)
		}
	}
	c.verifyKept(where, p, next, found)
	c.verifyStable(where, p, next, found)
	c.verifyProducers(where, p, next)
	return next
}

// readBack reads all that there is and compares it with what was sent.
func (c *crashRun) readBack(where string, p *Partition, sent *modelPartition) map[int64]modelBatch {
	rs, err := readAll(p, p.LogStartOffset(), 700)
	if err != nil {
		c.t.Errorf("%s: read: %v", where, err)
	}
	found, seen := map[int64]modelBatch{}, map[string]bool{}
	for _, r := range rs {
		mb, err := r.modelBatch()
		placed, ok := sent.placed[r.offset]
		if err != nil || ok && mb != placed && !sent.sent[mb.String()] || !sent.sent[mb.String()] {
			c.t.Errorf("%s: at offset %d is %v, %v; it was not sent", where, r.offset, mb, err)
		}
		if mb.value != "" && seen[mb.value] {
			c.t.Errorf("%s: at offset %d is %v; it is there twice", where, r.offset, mb)
		}
		seen[mb.value] = true
		found[r.offset] = mb
	}
	return found
}

// verifyKept compares what is there with what must be: all of it, except for what compaction may remove.
func (c *crashRun) verifyKept(where string, p *Partition, mp *modelPartition, found map[int64]modelBatch) {
	s := mp.state()
	for o, mb := range mp.placed {
		if got, ok := found[o]; o < p.LogStartOffset() || ok && got == mb || !ok && mp.compact && s.mayGo(o, mb) {
			continue
		}
		c.t.Errorf("%s: %v at offset %d is lost, found %v; log is %d to %d", where, mb, o, found[o], p.LogStartOffset(), p.EndOffset())
	}
	for o := p.LogStartOffset(); o < p.EndOffset(); o++ {
		if _, ok := mp.placed[o]; !ok {
			c.t.Errorf("%s: nothing was ever at offset %d; log is %d to %d", where, o, p.LogStartOffset(), p.EndOffset())
		}
	}
	for _, t := range s.ended {
		if _, ok := found[t.marker]; ok || t.marker < p.LogStartOffset() {
			continue
		}
		for _, o := range t.data {
			if _, ok := found[o]; ok {
				c.t.Errorf("%s: %v at offset %d is there, but not the marker of its transaction at offset %d", where, found[o], o, t.marker)
			}
		}
	}
}

// verifyStart compares the log start offset.
func (c *crashRun) verifyStart(where string, p *Partition, acked, sent *modelPartition) {
	if acked != nil && p.LogStartOffset() < acked.start {
		c.t.Errorf("%s: log start offset is %d, was %d", where, p.LogStartOffset(), acked.start)
	}
	if !sent.trimmed && p.LogStartOffset() != sent.start {
		c.t.Errorf("%s: log start offset is %d, want %d", where, p.LogStartOffset(), sent.start)
	}
}

// verifyStable compares the last stable offset and the aborted transactions with the batches, all of which are durable. Compaction
// may have forgotten the transactions of which it has removed all data.
func (c *crashRun) verifyStable(where string, p *Partition, mp *modelPartition, found map[int64]modelBatch) {
	s := mp.state()
	start, want := p.LogStartOffset(), max(s.lastStable(), p.LogStartOffset())
	if got := p.LastStableOffset(); got != want {
		c.t.Errorf("%s: last stable offset is %d, want %d", where, got, want)
	}
	forgotten := map[AbortedTransaction]bool{}
	for _, t := range s.ended {
		there := func(o int64) bool { _, ok := found[o]; return ok }
		forgotten[t.AbortedTransaction] = mp.compact && !slices.ContainsFunc(t.data, there)
	}
	for _, r := range [][2]int64{{start, want}, {start + (want-start)/3, want - (want-start)/3}} {
		got, err := p.AbortedTransactions(r[0], r[1])
		wanted := s.abortedIn(r[0], r[1])
		for _, a := range slices.Clone(wanted) {
			if forgotten[a] && !slices.Contains(got, a) {
				wanted = slices.DeleteFunc(wanted, func(b AbortedTransaction) bool { return a == b })
			}
		}
		if err != nil || !slices.Equal(got, wanted) {
			c.t.Errorf("%s: aborted transactions in %v are %v, %v; want %v", where, r, got, err, wanted)
		}
	}
	open := map[int64]int64{}
	for _, o := range p.OpenTransactions() {
		open[o.ProducerID] = o.FirstOffset
	}
	for pid, pr := range s.producers {
		if first, ok := open[pid]; ok != (pr.first != none) || ok && first != pr.first {
			c.t.Errorf("%s: open transaction of producer %d is from %d, %t; want %d", where, pid, first, ok, pr.first)
		}
	}
}

// verifyProducers sends the newest batches of each producer again, and then one with a gap.
func (c *crashRun) verifyProducers(where string, p *Partition, mp *modelPartition) {
	s := mp.state()
	for pid := range int64(coordinated) {
		pr := s.producers[pid]
		if pr == nil {
			if p.EndOffset() > 0 {
				continue // any sequence may come first
			}
			pr = &modelProducer{}
		}
		for _, o := range pr.window { // retention may have deleted the batches: the window outlives them
			r, err := p.Append(mp.placed[o].encode(c), AppendOptions{})
			if ended := mp.placed[o].txn && (pr.first == none || o < pr.first); ended {
				if !errors.Is(err, ErrOutOfOrderSequence) {
					c.t.Errorf("%s: retry of %v of an ended transaction: %+v, %v", where, mp.placed[o], r, err)
				}
				continue
			}
			if err != nil || !r.Duplicate || r.BaseOffset != o {
				c.t.Errorf("%s: retry of %v: %+v, %v; want duplicate of %d", where, mp.placed[o], r, err, o)
			}
		}
		gap := modelBatch{key: "k", value: "gap", pid: pid, epoch: pr.epoch, seq: pr.nextSeq(mp.placed) + 7, txn: pid >= transactional}
		if _, err := p.Append(gap.encode(c), AppendOptions{}); !errors.Is(err, ErrOutOfOrderSequence) {
			c.t.Errorf("%s: gap in the sequence of producer %d: %v", where, pid, err)
		}
	}
}
