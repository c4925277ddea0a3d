package txn

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/group"
)

// crashSeeds is how many chains of power cuts TestCrash runs; more find more.
const crashSeeds = 60

// TestCrash runs producers of both protocol versions, whose transactions write to
// several partitions and commit offsets, and cuts the power before random file
// operations. After each cut every transaction is in all partitions or in none, an
// answered commit is there, what was not to be committed is not, and the group's
// offset is that of the last committed transaction (I1, I7).
func TestCrash(t *testing.T) {
	seeds := crashSeeds
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(seed), 1))
			c := &crashRun{t: t, rnd: rnd, fs: vfs.NewMem(), sent: map[string]sent{}, granted: map[string]Producer{}}
			for range 6 {
				c.cycle()
				if t.Failed() {
					return
				}
			}
		})
	}
}

// sent is a transaction as its client knows it.
type sent struct {
	producer string
	n        int64 // what it commits as the offset of the producer's group
	values   []string
	decided  bool // the end was requested
	commit   bool
	answered bool
}

type crashRun struct {
	t   *testing.T
	rnd *rand.Rand
	fs  *vfs.Mem
	n   int64 // transactions made

	mu      sync.Mutex // guards the fields below
	sent    map[string]sent
	granted map[string]Producer // the last one that each transactional id was given
	ops     int                 // operations until the power cut
	cut     *vfs.Mem
	seen    map[string]sent     // sent as of the cut
	fenced  map[string]Producer // granted as of the cut
	dice    *rand.Rand
}

// inject takes a copy of the disk at the chosen operation.
func (c *crashRun) inject(op vfs.Op, _ string) error {
	switch op {
	case vfs.OpRead, vfs.OpStat, vfs.OpReadDir, vfs.OpOpen, vfs.OpLock:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops--; c.ops == 0 {
		c.takeCut()
	}
	return nil
}

func (c *crashRun) takeCut() {
	keep := []float64{0, 0.2, 0.5, 0.9, 1}[c.dice.IntN(5)]
	c.cut = c.fs.CrashClone(rand.New(rand.NewPCG(c.dice.Uint64(), 2)), keep)
	c.seen, c.fenced = maps.Clone(c.sent), maps.Clone(c.granted)
}

func (c *crashRun) update(name string, change func(s *sent)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sent[name]
	change(&s)
	c.sent[name] = s
}

// grant notes that a client knows that it is p.
func (c *crashRun) grant(p Producer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.granted[p.TransactionalID] = p
}

// node is a log with its coordinators.
type node struct {
	log    *log.Log
	groups *group.Coordinator
	txns   *Coordinator
}

func (c *crashRun) open(fs vfs.FS) *node {
	c.t.Helper()
	l, err := log.Open(log.Config{Dir: "/data", FS: fs})
	if err != nil {
		c.t.Fatal(err)
	}
	groups, err := group.Open(group.Config{Log: l, Partitions: 2, InitialRebalanceDelay: -1})
	if err != nil {
		c.t.Fatal(err)
	}
	txns, err := Open(Config{Log: l, Dir: "/data", FS: fs, Partitions: 2, EndOffsets: groups.EndTransaction})
	if err != nil {
		c.t.Fatal(err)
	}
	return &node{l, groups, txns}
}

func (n *node) close(t *testing.T) {
	t.Helper()
	for _, close := range []func() error{n.txns.Close, n.groups.Close, n.log.Close} {
		if err := close(); err != nil {
			t.Error(err)
		}
	}
}

func (c *crashRun) cycle() {
	c.dice = rand.New(rand.NewPCG(c.rnd.Uint64(), 3))
	c.ops, c.cut = 1+c.rnd.IntN(400), nil
	n := c.open(&vfs.Fault{FS: c.fs, Inject: c.inject})
	_, err := n.log.CreateTopic("t", 3, nil)
	if _, ok := n.log.Topic("t"); !ok {
		c.t.Fatal(err)
	}
	var producers sync.WaitGroup
	for i, name := range []string{"one", "two", "old one", "old two"} {
		p := &crashProducer{c: c, n: n, name: name, implicit: i < 2, rnd: rand.New(rand.NewPCG(c.rnd.Uint64(), 4))}
		producers.Go(p.run)
	}
	producers.Wait()
	n.close(c.t)
	c.mu.Lock()
	if c.cut == nil {
		c.takeCut()
	}
	c.fs, c.sent, c.granted = c.cut, c.seen, c.fenced
	c.mu.Unlock()
	c.verify()
}

// crashProducer is a producer with a transactional id.
type crashProducer struct {
	c        *crashRun
	n        *node
	name     string
	implicit bool // protocol version 2
	rnd      *rand.Rand
	p        Producer
	sequence map[int32]int32
}

func (p *crashProducer) run() {
	var err error
	p.p, err = p.n.txns.Init(context.Background(), InitRequest{TransactionalID: p.name, TimeoutMs: 60_000})
	p.c.grant(p.p)
	for range 2 + p.rnd.IntN(8) {
		if err != nil {
			p.c.t.Errorf("%s: %v", p.name, err)
			return
		}
		err = p.transaction()
	}
}

// transaction runs one; the offset that it commits is its number.
func (p *crashProducer) transaction() error {
	if p.implicit || p.sequence == nil {
		p.sequence = map[int32]int32{}
	}
	p.c.mu.Lock()
	p.c.n++
	n := p.c.n
	p.c.mu.Unlock()
	name := fmt.Sprintf("%s/%d", p.name, n)
	p.c.update(name, func(s *sent) { s.producer, s.n = p.name, n })
	for i := range 1 + p.rnd.IntN(4) {
		value := fmt.Sprintf("%s/%d", name, i)
		if err := p.write(int32(p.rnd.IntN(3)), value); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		p.c.update(name, func(s *sent) { s.values = append(slices.Clip(s.values), value) })
	}
	if err := p.commitOffset(n); err != nil {
		return fmt.Errorf("commit offset: %w", err)
	}
	commit := p.rnd.IntN(3) > 0
	p.c.update(name, func(s *sent) { s.decided, s.commit = true, commit })
	next, err := p.n.txns.End(context.Background(), p.p, commit, p.implicit)
	if err != nil {
		return fmt.Errorf("end: %w", err)
	}
	p.c.update(name, func(s *sent) { s.answered = true })
	p.p = next
	p.c.grant(next)
	return nil
}

// admit is what both kinds of writes begin with.
func (p *crashProducer) admit(tp TopicPartition) (*Admission, error) {
	if !p.implicit {
		if err := p.n.txns.AddPartitions(context.Background(), p.p, []TopicPartition{tp}); err != nil {
			return nil, err
		}
	}
	a, err := p.n.txns.Admit(context.Background(), p.p, []TopicPartition{tp}, p.implicit)
	if err != nil {
		return nil, err
	}
	return a, a.Err(tp)
}

func (p *crashProducer) write(partition int32, value string) error {
	a, err := p.admit(TopicPartition{"t", partition})
	if err != nil {
		return err
	}
	defer a.Leave()
	topic, _ := p.n.log.Topic("t")
	part, _ := topic.Partition(partition)
	res, err := part.Append(data(p.c.t, p.p, p.sequence[partition], value), log.AppendOptions{})
	if err != nil {
		return err
	}
	p.sequence[partition]++
	if err := part.WaitDurable(context.Background(), res.LastOffset); err != nil {
		return err
	}
	return a.WaitDurable()
}

func (p *crashProducer) commitOffset(n int64) error {
	i, err := p.n.groups.Partition(p.name)
	if err != nil {
		return err
	}
	a, err := p.admit(TopicPartition{offsetsTopic, i})
	if err != nil {
		return err
	}
	defer a.Leave()
	q := group.CommitRequest{Group: p.name, Generation: -1, Offsets: []group.Offset{{Topic: "t", Offset: n, LeaderEpoch: -1}}}
	if err := p.n.groups.CommitTransaction(q, p.p.ID, p.p.Epoch); err != nil {
		return err
	}
	return a.WaitDurable()
}

// verify opens what the cut left, ends what is open, and compares.
func (c *crashRun) verify() {
	n := c.open(c.fs)
	for _, t := range n.txns.all() { // fences, and waits for what has been decided
		p, err := n.txns.Init(context.Background(), InitRequest{TransactionalID: t.id, TimeoutMs: 60_000})
		if old := c.granted[t.id]; err != nil || old.TransactionalID != "" && (p.ID != old.ID || p.Epoch <= old.Epoch) {
			c.t.Errorf("init: %v, %v, does not fence %v", p, err, old)
		}
		c.grant(p)
	}
	visible := c.visible(n)
	last := map[string]int64{}
	for name, s := range c.sent {
		found := 0
		for _, v := range s.values {
			if visible[v] {
				found++
			}
			delete(visible, v)
		}
		switch whole := found == len(s.values); {
		case found > 0 && !whole:
			c.t.Errorf("transaction %s is there in part: %d of %d records", name, found, len(s.values))
		case found > 0 && !(s.decided && s.commit):
			c.t.Errorf("transaction %s is committed, which was not asked for: %+v", name, s)
		case found == 0 && s.answered && s.commit:
			c.t.Errorf("transaction %s is lost after its commit was answered", name)
		case found > 0:
			last[s.producer] = max(last[s.producer], s.n)
		}
	}
	for v := range visible {
		c.t.Errorf("record %s is there, which was not acknowledged before the end of its transaction", v)
	}
	for producer, want := range last {
		if got := offsetOf(c.t, n.groups, producer); got != want {
			c.t.Errorf("offset of %s is %d, its last transaction is %d", producer, got, want)
		}
	}
	n.close(c.t)
	report, err := log.Check("/data", c.fs)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, p := range report.Problems {
		c.t.Errorf("check: %v", p)
	}
}

// visible is what readers of committed data see.
func (c *crashRun) visible(n *node) map[string]bool {
	visible := map[string]bool{}
	topic, ok := n.log.Topic("t")
	if !ok {
		return visible
	}
	for i := range int32(topic.Partitions()) {
		p, _ := topic.Partition(i)
		if p.LastStableOffset() != p.HighWatermark() {
			c.t.Errorf("partition %d: last stable offset %d, high watermark %d", i, p.LastStableOffset(), p.HighWatermark())
		}
		for _, v := range committed(c.t, p) {
			if visible[v] {
				c.t.Errorf("record %s is there twice", v)
			}
			visible[v] = true
		}
	}
	return visible
}

func offsetOf(t *testing.T, groups *group.Coordinator, id string) int64 {
	t.Helper()
	offsets, err := groups.Fetch(group.FetchRequest{Group: id, RequireStable: true})
	if err != nil || len(offsets) != 1 || offsets[0].Err != nil {
		t.Errorf("offsets of %s: %+v, %v", id, offsets, err)
		return -1
	}
	return offsets[0].Offset.Offset
}
