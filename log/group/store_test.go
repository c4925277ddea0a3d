package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// records returns the text of every record of the offsets topic, in order.
func (x *fixture) records() string {
	x.t.Helper()
	topic, ok := x.log.Topic(OffsetsTopic)
	if !ok {
		x.t.Fatal("no offsets topic")
	}
	var out strings.Builder
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
				fmt.Fprintln(&out, recordText(x.t, rd.Record()))
			}
			b = b[h.Size():]
		}
	}
	return out.String()
}

// readAll reads a partition, whatever segments it is in.
func (x *fixture) readAll(p *log.Partition) (b []byte) {
	x.t.Helper()
	for offset := p.LogStartOffset(); offset < p.HighWatermark(); {
		from := len(b)
		var err error
		if b, err = p.Read(b, offset, 1<<20, p.HighWatermark()); err != nil {
			x.t.Fatal(err)
		}
		for from < len(b) {
			h, err := batch.Parse(b[from:])
			if err != nil {
				x.t.Fatal(err)
			}
			from += h.Size()
			offset = h.LastOffset() + 1
		}
	}
	return b
}

func recordText(t *testing.T, r *batch.Record) string {
	if version := binary.BigEndian.Uint16(r.Key); version == 1 {
		var k kmsg.OffsetCommitKey
		var v kmsg.OffsetCommitValue
		if err := k.ReadFrom(r.Key); err != nil {
			t.Fatal(err)
		}
		if r.Value == nil {
			return fmt.Sprintf("offset %s %s-%d: tombstone", k.Group, k.Topic, k.Partition)
		}
		if err := v.ReadFrom(r.Value); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("offset %s %s-%d: v%d %d epoch %d %q", k.Group, k.Topic, k.Partition, v.Version, v.Offset, v.LeaderEpoch, v.Metadata)
	}
	var k kmsg.GroupMetadataKey
	var v kmsg.GroupMetadataValue
	if err := k.ReadFrom(r.Key); err != nil {
		t.Fatal(err)
	}
	if r.Value == nil {
		return fmt.Sprintf("group %s: tombstone", k.Group)
	}
	if err := v.ReadFrom(r.Value); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("group %s: v%d %s generation %d", k.Group, v.Version, v.ProtocolType, v.Generation)
	for _, m := range v.Members {
		text += fmt.Sprintf(" [%s %s %q]", m.ClientID, m.Subscription, m.Assignment)
	}
	return text
}

// What is in the topic can be read by those who know Kafka's formats.
func TestRecords(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.client("a")
		a.joined(a.enter())
		x.wantSynced(a, a.sync(map[*client]string{a: "all"}), "all")
		x.wantErr("commit", a.commit(7), nil)
		x.wantErr("leave", a.leave(), nil)
		x.wantErr("delete", x.Delete("g"), nil)
		want := `group g: v3 consumer generation 1 [a meta-a "all"]
offset g t-0: v3 7 epoch 5 "note"
group g: v3 consumer generation 2
offset g t-0: tombstone
group g: tombstone
`
		if got := x.records(); got != want {
			t.Errorf("records:\n%swant:\n%s", got, want)
		}
		topic, err := x.EnsureTopic()
		if err != nil || topic.Overrides()["cleanup.policy"] != "compact" || !topic.Internal() {
			t.Errorf("topic %v, %v", topic.Overrides(), err)
		}
	})
}

func TestDelete(t *testing.T) {
	bubble(t, func(x *fixture) {
		simple := &client{x: x, generation: -1}
		x.wantErr("delete nothing", x.Delete("g"), kerr.GroupIDNotFound)
		x.wantErr("commit", simple.commit(7), nil)
		a := x.client("a")
		a.joined(a.enter())
		x.wantErr("delete with members", x.Delete("g"), kerr.NonEmptyGroup)
		x.wantErr("leave", a.leave(), nil)
		x.wantErr("delete", x.Delete("g"), nil)
		for range 2 {
			if got, err := fetch(x.Coordinator, "g"); err != nil || len(got) != 0 {
				t.Errorf("offsets %v, %v, want none", got, err)
			}
			if _, err := x.Describe("g"); !errors.Is(err, kerr.GroupIDNotFound) {
				t.Errorf("describe: %v, want %v", err, kerr.GroupIDNotFound)
			}
			x.reopen()
		}
	})
}

func TestDeleteOffsets(t *testing.T) {
	bubble(t, func(x *fixture) {
		var offsets []Offset
		for _, topic := range []string{"t", "u", "v"} {
			offsets = append(offsets, Offset{topic, 0, 1, -1, ""}, Offset{topic, 1, 1, -1, ""})
		}
		x.wantErr("commit", x.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: offsets}), nil)
		a := x.client("a")
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Topics = []string{"t"}
		a.metadata = string(meta.AppendTo(nil))
		a.joined(a.enter())
		x.wantSynced(a, a.sync(nil), "")
		outcomes, err := x.DeleteOffsets("g", []TopicPartitions{{"t", []int32{0}}, {"u", []int32{1}}})
		if err != nil || outcomes[0] != kerr.GroupSubscribedToTopic || outcomes[1] != nil {
			t.Errorf("outcomes %v, %v", outcomes, err)
		}
		x.wantErr("forget v", x.ForgetTopic("v"), nil)
		for range 2 {
			var left []string
			got, err := fetch(x.Coordinator, "g")
			for _, o := range got {
				left = append(left, fmt.Sprintf("%s-%d", o.Topic, o.Partition))
			}
			if want := []string{"t-0", "t-1", "u-0"}; err != nil || !slices.Equal(left, want) {
				t.Errorf("offsets of %v, %v, want %v", left, err, want)
			}
			x.reopen()
		}
	})
}

// A commit larger than a batch is split, and whole after a restart.
func TestLargeCommit(t *testing.T) {
	bubble(t, func(x *fixture) {
		var offsets []Offset
		for i := range int32(500) {
			offsets = append(offsets, Offset{"t", i, int64(i), -1, strings.Repeat("m", 4000)})
		}
		x.wantErr("commit", x.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: offsets}), nil)
		for range 2 {
			if got, err := fetch(x.Coordinator, "g"); err != nil || !slices.Equal(got, offsets) {
				t.Errorf("%d offsets (%v), want %d", len(got), err, len(offsets))
			}
			x.reopen()
		}
	})
}

// openOn opens log and coordinator outside a bubble.
func openOn(t *testing.T, fs vfs.FS) (*log.Log, *Coordinator) {
	t.Helper()
	l, c := openBare(t, fs)
	makeTopics(t, l)
	return l, c
}

// openBare is openOn without the topics.
func openBare(t *testing.T, fs vfs.FS) (*log.Log, *Coordinator) {
	t.Helper()
	l, err := log.Open(log.Config{Dir: "/data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Config{Log: l, Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	return l, c
}

// Power is cut while several groups commit: what was acknowledged before is
// there after, and nothing that was not sent (I1, I7).
func TestCrashKeepsCommits(t *testing.T) {
	const groups = 6
	rng := rand.New(rand.NewPCG(11, 12))
	fs := vfs.NewMem()
	var floor [groups]int64 // offsets that must be there
	for round := range 8 {
		l, c := openOn(t, fs)
		for i := range groups {
			if got := onlyOffset(t, c, i); got < floor[i] {
				t.Fatalf("round %d: group %d is at %d, behind the acknowledged %d", round, i, got, floor[i])
			}
		}
		var acked, sent [groups]atomic.Int64
		var wg sync.WaitGroup
		crash := make(chan struct{})
		for i := range groups {
			start := onlyOffset(t, c, i)
			acked[i].Store(start)
			sent[i].Store(start)
			wg.Go(func() {
				for o := start + 1; ; o++ {
					select {
					case <-crash:
						return
					default:
					}
					sent[i].Store(o)
					if err := c.Commit(commitOf(i, o)); err != nil {
						t.Errorf("commit: %v", err)
						return
					}
					acked[i].Store(o)
				}
			})
		}
		for want := int64(20 + rng.IntN(100)); acked[0].Load()-floor[0] < want; {
			if t.Failed() {
				t.FailNow()
			}
		}
		for i := range groups {
			floor[i] = acked[i].Load() // before the power is cut
		}
		after := fs.CrashClone(rng, rng.Float64())
		var ceiling [groups]int64
		for i := range groups {
			ceiling[i] = sent[i].Load()
		}
		close(crash)
		wg.Wait()
		c.Close()
		l.Close()
		fs = after
		l, c = openOn(t, fs)
		for i := range groups {
			if got := onlyOffset(t, c, i); got < floor[i] || got > ceiling[i] {
				t.Errorf("round %d: group %d is at %d, want %d to %d", round, i, got, floor[i], ceiling[i])
			}
		}
		c.Close()
		l.Close()
	}
}

func commitOf(i int, offset int64) CommitRequest {
	return CommitRequest{Group: fmt.Sprint("g", i), Generation: -1, Offsets: []Offset{{"t", 0, offset, -1, ""}}}
}

// onlyOffset is the committed offset of a group of commitOf, 0 when there is none.
func onlyOffset(t *testing.T, c *Coordinator, i int) int64 {
	t.Helper()
	got, err := fetch(c, fmt.Sprint("g", i))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 {
		return 0
	}
	return got[0].Offset
}

// Whatever order commits and deletions of one group take, memory is what the log
// gives after a restart.
func TestMemoryEqualsLog(t *testing.T) {
	fs := vfs.NewMem()
	for seed := range uint64(5) {
		l, c := openOn(t, fs)
		var wg sync.WaitGroup
		for w := range uint64(6) {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, w))
				for range 100 {
					switch rng.IntN(8) {
					case 0:
						c.Delete("g0")
					case 1:
						c.DeleteOffsets("g0", []TopicPartitions{{"t", []int32{0}}})
					default:
						if err := c.Commit(commitOf(0, rng.Int64N(1000))); err != nil {
							t.Errorf("commit: %v", err)
						}
					}
				}
			})
		}
		wg.Wait()
		before := onlyOffset(t, c, 0)
		c.Close()
		l.Close()
		l, c = openOn(t, fs)
		if after := onlyOffset(t, c, 0); after != before {
			t.Errorf("seed %d: offset %d before the restart, %d after", seed, before, after)
		}
		c.Close()
		l.Close()
	}
}

// A partition of the offsets topic that cannot be read makes its groups
// unavailable: saying that they have no offsets would make them start over.
func TestDamagedPartition(t *testing.T) {
	fs := vfs.NewMem()
	l, c := openOn(t, fs)
	for i := range 6 {
		if err := c.Commit(commitOf(i, 5)); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(commitOf(i, 6)); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	l.Close()
	bad := log.PartitionFor("g0", 3)
	f, err := fs.OpenFile(fmt.Sprintf("/data/%s-%d/%020d.log", OffsetsTopic, bad, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), 70); err != nil {
		t.Fatal(err)
	}
	f.Close()
	fs.Remove("/data/.kafka_cleanshutdown") // look at the files again
	l, c = openOn(t, fs)
	defer l.Close()
	defer c.Close()
	for i := range 6 {
		id := fmt.Sprint("g", i)
		offsets, err := fetch(c, id)
		if log.PartitionFor(id, 3) == bad {
			if err != kerr.CoordinatorNotAvailable {
				t.Errorf("%s: %v, %v, want %v", id, offsets, err, kerr.CoordinatorNotAvailable)
			}
		} else if err != nil || len(offsets) != 1 || offsets[0].Offset != 6 {
			t.Errorf("%s: %v, %v, want offset 6", id, offsets, err)
		}
	}
}

// Commits become durable together and may be applied in any order; the log's
// order counts.
func TestLaterRecordWins(t *testing.T) {
	bubble(t, func(x *fixture) {
		g := newGroup(x.Coordinator, "g")
		x.groups["g"] = g
		g.committing = 2
		g.apply([]Offset{{"t", 0, 100, -1, ""}}, 0, 9, nil)
		g.apply([]Offset{{"t", 0, 200, -1, ""}}, 0, 8, nil)
		if got, err := fetch(x.Coordinator, "g"); err != nil || len(got) != 1 || got[0].Offset != 100 {
			t.Errorf("offsets %v, %v, want that of the later record, 100", got, err)
		}
	})
}
