package group

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// workload does random things to the group g with members of both protocols.
type workload struct {
	*fixture
	rng       *rand.Rand
	consumers []*consumer
	statics   []*consumer
	embeddeds []*client
	producers []*producer
	done      string // what was done last
}

func newWorkload(x *fixture, seed uint64) *workload {
	w := &workload{fixture: x, rng: rand.New(rand.NewPCG(seed, 9))}
	for i := range 3 {
		w.consumers = append(w.consumers, x.consumer(fmt.Sprint("c", i), "t", "u"))
		w.statics = append(w.statics, x.staticConsumer(fmt.Sprint("s", i), fmt.Sprint("instance", i), "t"))
		w.embeddeds = append(w.embeddeds, x.embedded(fmt.Sprint("e", i), "t", "v"))
		w.producers = append(w.producers, &producer{x: x, id: int64(i)})
	}
	w.consumers[0].topics, w.consumers[0].regex = nil, kmsg.StringPtr("[tuv]")
	w.consumers[1].assignor = kmsg.StringPtr("range")
	w.consumers[2].holds = true
	return w
}

func (w *workload) step() {
	switch w.rng.IntN(12) {
	case 0, 1, 2, 3:
		w.beat(w.consumers[w.rng.IntN(3)])
	case 4, 5:
		w.beat(w.statics[w.rng.IntN(3)])
	case 6:
		w.leave()
	case 7:
		w.embedded()
	case 8:
		w.commit()
	case 9:
		w.transact()
	case 10:
		w.did("delete", w.rng.Int32N(4), w.deleteOne())
	case 11:
		d := time.Duration(w.rng.IntN(20)) * time.Second
		<-time.After(d)
		synctest.Wait()
		w.did("wait", d, nil)
	}
}

func (w *workload) did(what string, who any, err error) {
	w.done = fmt.Sprint(what, " ", who, ": ", err)
}

// beat heartbeats; who is refused joins again, as another member when it is static.
func (w *workload) beat(c *consumer) {
	c.holds = c.holds && w.rng.IntN(4) > 0
	err := c.beat()
	w.did("heartbeat", c.id, err)
	if err != nil {
		c.epoch, c.owned = epochJoin, assignment{}
		if c.instanceID != nil {
			c.id = fmt.Sprint("s", w.rng.IntN(1000))
		}
	}
}

func (w *workload) leave() {
	all := append(w.consumers[:len(w.consumers):len(w.consumers)], w.statics...)
	c := all[w.rng.IntN(len(all))]
	epoch := int32(epochLeave)
	if c.instanceID != nil && w.rng.IntN(2) == 0 {
		epoch = epochLeaveStatic
	}
	w.did("leave", c.id, c.leave(epoch))
	c.epoch, c.owned = epochJoin, assignment{}
}

// embedded does the next thing of a member with the classic protocol, which may
// have to wait for others for ever.
func (w *workload) embedded() {
	c := w.embeddeds[w.rng.IntN(3)]
	if c.memberID != "" && w.rng.IntN(5) == 0 {
		w.did("classic leave", c.id, c.leave())
		c.memberID, c.generation = "", 0
		return
	}
	if c.memberID != "" && c.heartbeat() == nil {
		w.did("classic heartbeat", c.id, nil)
		return
	}
	for range 2 {
		in := c.join()
		synctest.Wait()
		select {
		case resp := <-in:
			c.memberID, c.generation = resp.MemberID, resp.Generation
			err := kerr.ErrorForCode(resp.ErrorCode)
			w.did("join", c.id, err)
			if err == nil {
				c.sync(nil)
				return
			}
			if err != kerr.MemberIDRequired {
				c.memberID = ""
			}
		default:
			w.did("join", c.id, nil)
			return
		}
	}
}

func (w *workload) commit() {
	c := w.consumers[w.rng.IntN(3)]
	q := CommitRequest{Group: "g", MemberID: c.id, Generation: c.epoch, Offsets: []Offset{{"t", w.rng.Int32N(4), w.rng.Int64N(100), 1, ""}}}
	w.did("commit", c.id, w.Commit(q))
}

func (w *workload) transact() {
	if len(w.producers) == 0 {
		return
	}
	p := w.producers[w.rng.IntN(3)]
	if w.rng.IntN(3) > 0 {
		w.did("commit in a transaction", p.id, p.commit(&client{x: w.fixture, generation: -1}, w.rng.Int64N(100)))
		return
	}
	p.mark(w.rng.IntN(2) == 0, true)
	w.did("end transaction", p.id, nil)
}

func (w *workload) deleteOne() error {
	_, err := w.DeleteOffsets("g", []TopicPartitions{{"t", []int32{w.rng.Int32N(4)}}})
	return err
}

// kept is what a restart keeps: the members of a classic group that rebalances
// are written when the rebalance is complete, as in Kafka.
func (w *workload) kept() string {
	d := w.dump()
	for _, g := range w.all() {
		g.mu.Lock()
		rebalancing := g.consumer == nil && (g.state == preparingRebalance || g.state == completingRebalance)
		g.mu.Unlock()
		if !rebalancing {
			continue
		}
		var rest []string
		for line := range strings.Lines(d) {
			if strings.HasPrefix(line, "  offset") || strings.HasPrefix(line, "  pending") {
				rest = append(rest, line)
			}
		}
		return strings.Join(rest, "")
	}
	return d
}

// Whatever was done to a group, a restart changes nothing of it, and what members
// are told stays consistent all the time.
func TestRestartEqualsBefore(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(x *fixture) {
				w := newWorkload(x, seed)
				for i := range 120 {
					w.step()
					if err := x.consistent(); err != nil {
						t.Fatalf("step %d, %s: %v\n%s", i, w.done, err, x.dump())
					}
					if w.rng.IntN(8) > 0 {
						continue
					}
					before := w.kept()
					partial := !strings.Contains(before, "group ")
					x.reopen()
					after := w.kept()
					if partial {
						after = onlyOffsets(x.dump())
					}
					if after != before {
						t.Fatalf("step %d, %s: after a restart\n%sbefore\n%s", i, w.done, after, before)
					}
				}
			})
		})
	}
}

// A log that was compacted, with or without the tombstones that it keeps for a
// while, is read back as the same state.
func TestCompactedLogEqualsBefore(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(x *fixture) {
				w := newWorkload(x, seed)
				w.producers = nil
				for range 150 {
					w.step()
				}
				before := w.kept()
				partial := !strings.Contains(before, "group ")
				for _, tombstones := range []bool{true, false} {
					c := newCoordinator(x.Coordinator.cfg)
					for _, r := range x.compacted(tombstones) {
						if err := c.replayRecord(r.key, r.value, source{producerID: -1}); err != nil {
							t.Fatal(err)
						}
					}
					for _, g := range c.all() {
						g.forgetIfUnused()
					}
					after := c.dump()
					if partial {
						after = onlyOffsets(after)
					}
					if after != before {
						t.Errorf("tombstones %v: read back\n%sbefore\n%s", tombstones, after, before)
					}
				}
			})
		})
	}
}

// compacted is the last record of each key, in order.
func (x *fixture) compacted(tombstones bool) []record {
	x.t.Helper()
	var all []record
	last := map[string]int{}
	topic, _ := x.log.Topic(OffsetsTopic)
	for i := range int32(topic.Partitions()) {
		p, _ := topic.Partition(i)
		for b := x.readAll(p); len(b) > 0; {
			h, err := batch.Parse(b)
			if err != nil {
				x.t.Fatal(err)
			}
			rd, err := batch.NewReader(b[:h.Size()], nil)
			if err != nil {
				x.t.Fatal(err)
			}
			for rd.Next() {
				r := rd.Record()
				last[string(r.Key)] = len(all)
				all = append(all, record{r.Key, r.Value})
			}
			b = b[h.Size():]
		}
	}
	var kept []record
	for i, r := range all {
		if last[string(r.key)] == i && (tombstones || r.value != nil) {
			kept = append(kept, r)
		}
	}
	return kept
}

func onlyOffsets(dump string) string {
	var rest strings.Builder
	for line := range strings.Lines(dump) {
		if strings.HasPrefix(line, "  offset") || strings.HasPrefix(line, "  pending") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// consistent reports what contradicts itself in the groups.
func (c *Coordinator) consistent() error {
	var held int64
	for _, g := range c.all() {
		g.mu.Lock()
		err := cmp.Or(g.counted(), g.consistent())
		held += int64(g.offsetBytes + g.memberBytes)
		g.mu.Unlock()
		if err != nil {
			return fmt.Errorf("group %s: %w", g.id, err)
		}
	}
	if got := c.held.Load(); got != held {
		return fmt.Errorf("%d bytes are held, the groups hold %d", got, held)
	}
	return nil
}

// counted reports whether what the group holds is what it is said to hold.
func (g *group) counted() error {
	offsets := 0
	for tp, o := range g.offsets {
		offsets += o.size(tp)
	}
	for _, pending := range g.txns {
		for tp, o := range pending {
			offsets += o.size(tp)
		}
	}
	said, members := g.offsetBytes, g.memberBytes
	g.weigh()
	if said != offsets || members != g.memberBytes {
		return fmt.Errorf("%d bytes of offsets and %d of members are said to be %d and %d", offsets, g.memberBytes, said, members)
	}
	return nil
}

func (g *group) consistent() error {
	cg := g.consumer
	if cg == nil {
		return nil
	}
	if len(g.members) > 0 || cg.targetEpoch > cg.epoch {
		return fmt.Errorf("%d classic members, targets of epoch %d in epoch %d", len(g.members), cg.targetEpoch, cg.epoch)
	}
	owners := map[topicIDPartition]string{}
	for _, m := range cg.sorted() {
		if m.current.epoch > cg.targetEpoch {
			return fmt.Errorf("%s is in epoch %d, targets are of %d", m.id, m.current.epoch, cg.targetEpoch)
		}
		for _, a := range []assignment{m.current.assigned, m.current.revoking} {
			for tp := range a.all {
				if other, taken := owners[tp]; taken {
					return fmt.Errorf("%s and %s both have %v", m.id, other, tp)
				}
				owners[tp] = m.id
				if cg.owners[tp] != m.id {
					return fmt.Errorf("%s has %v, which is said to be of %q", m.id, tp, cg.owners[tp])
				}
			}
		}
		if id := m.info.instanceID; id != nil && cg.static[*id] != m.id {
			return fmt.Errorf("instance %s is of %q, not of %s", *id, cg.static[*id], m.id)
		}
	}
	if len(owners) != len(cg.owners) {
		return fmt.Errorf("%d partitions are owned, %d are said to be", len(owners), len(cg.owners))
	}
	for id := range cg.targets {
		if cg.members[id] == nil {
			return fmt.Errorf("%s has a target and is no member", id)
		}
	}
	return nil
}

// Power is cut while members of a consumer group come, heartbeat, commit and go:
// no epoch and no offset that somebody was told goes back (I1, I7).
func TestCrashKeepsEpochs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	fs := vfs.NewMem()
	for round := range 12 {
		l, c := openOn(t, fs)
		x := &fixture{Coordinator: c, t: t, log: l, fs: fs}
		var mu sync.Mutex // guards told
		var told struct {
			epoch  int32
			offset int64
			member string
		}
		told.offset = onlyOffset(t, c, 7)
		crash := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-crash:
					return
				default:
				}
				m := x.consumer(fmt.Sprintf("m%d-%d", round, i%3), "t", "u")
				if m.beat() != nil || c.Commit(commitOf(7, told.offset+1)) != nil {
					return
				}
				mu.Lock()
				told.epoch, told.member, told.offset = m.epoch, m.id, told.offset+1
				mu.Unlock()
				if i%5 == 4 {
					m.leave(epochLeave)
				}
			}
		})
		reached := func() int64 {
			mu.Lock()
			defer mu.Unlock()
			return told.offset
		}
		for target := reached() + 5 + rng.Int64N(30); reached() < target; {
			select {
			case <-l.Failed():
				t.Fatal(l.Err())
			default:
			}
		}
		mu.Lock()
		floor := told
		mu.Unlock()
		after := fs.CrashClone(rng, rng.Float64())
		close(crash)
		wg.Wait()
		c.Close()
		l.Close()
		fs = after
		l, c = openOn(t, fs)
		if got := onlyOffset(t, c, 7); got < floor.offset {
			t.Errorf("round %d: offset %d, was told %d", round, got, floor.offset)
		}
		if got := c.groups["g"].consumer.epoch; got < floor.epoch {
			t.Errorf("round %d: epoch %d, %s was told %d", round, got, floor.member, floor.epoch)
		}
		if err := c.consistent(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		c.Close()
		l.Close()
	}
}
