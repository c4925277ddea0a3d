package clients

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// inbox collects what the members of a group get.
type inbox struct {
	mu  sync.Mutex     // guards got
	got map[string]int // how often each value came
}

func newInbox() *inbox { return &inbox{got: map[string]int{}} }

func (b *inbox) add(r record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got[string(r.value)]++
}

// want waits until every value has come, and wants none to have come twice.
func (b *inbox) want(t *testing.T, records []record) {
	t.Helper()
	eventually(t, func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, r := range records {
			if b.got[string(r.value)] == 0 {
				return fmt.Errorf("%s has not come; %d of %d have", r.value, len(b.got), len(records))
			}
		}
		return nil
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, value := range slices.Sorted(maps.Keys(b.got)) {
		if n := b.got[value]; n > 1 {
			t.Errorf("%s came %d times", value, n)
		}
	}
}

// spread is n records, one after the other over the partitions.
func spread(prefix string, n, partitions int) []record {
	list := numbered(prefix, n)
	for i := range list {
		list[i].partition = int32(i % partitions)
	}
	return list
}

// wantShared waits until every partition has one owner, and no member none.
func wantShared(t *testing.T, partitions int, members ...member) {
	t.Helper()
	eventually(t, func() error {
		var all []int32
		for i, m := range members {
			has := m.assigned()
			if len(has) == 0 {
				return fmt.Errorf("member %d of %d has no partition", i, len(members))
			}
			all = append(all, has...)
		}
		slices.Sort(all)
		if want := sequence(partitions); !slices.Equal(all, want) {
			return fmt.Errorf("the %d members have partitions %v, want %v", len(members), all, want)
		}
		return nil
	})
}

func sequence(n int) (list []int32) {
	for i := range n {
		list = append(list, int32(i))
	}
	return list
}

// Two members share the partitions; what one leaves goes to the other; nothing
// comes twice and nothing is missed.
func TestGroupShares(t *testing.T) {
	s := startServer(t)
	each(t, joins, func(t *testing.T, j judge) {
		for _, assignor := range []string{"range", "roundrobin"} {
			shareAndLeave(t, s, j, memberRequest{addr: s.addr, assignor: assignor})
		}
	})
}

// shareAndLeave runs two members of one client through joining and leaving.
func shareAndLeave(t *testing.T, s server, j judge, q memberRequest) {
	t.Helper()
	const partitions = 6
	q.topic = topicName("share-"+q.assignor+q.protocol, j)
	q.group = q.topic
	s.createTopic(t, q.topic, partitions)
	box := newInbox()
	q.got = box.add
	a := j.join(t, q)
	wantShared(t, partitions, a)
	b := j.join(t, q)
	wantShared(t, partitions, a, b)
	sent := spread("first", 60, partitions)
	kgoProduce(t, produceRequest{addr: s.addr, topic: q.topic}, sent...)
	box.want(t, sent)
	b.leave(t)
	wantShared(t, partitions, a)
	more := spread("second", 60, partitions)
	kgoProduce(t, produceRequest{addr: s.addr, topic: q.topic}, more...)
	box.want(t, append(sent, more...))
	a.leave(t)
}

// One member of every client in one group: they agree on the assignor that all
// of them have. franz-go comes first and goes last, so that it leads all the
// time: kafka-python 3.0.12 as the leader fails over segmentio's subscription,
// which says version 1 and has no owned partitions.
func TestMixedGroup(t *testing.T) {
	s := startServer(t)
	const partitions = 12
	s.createTopic(t, "mixed", partitions)
	box := newInbox()
	var members []member
	for _, j := range judges(t) {
		members = append(members, j.join(t, memberRequest{addr: s.addr, group: "mixed", topic: "mixed", assignor: "range", got: box.add}))
		if len(members) == 1 {
			wantShared(t, partitions, members...)
		}
	}
	wantShared(t, partitions, members...)
	sent := spread("v", 120, partitions)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "mixed"}, sent...)
	box.want(t, sent)
	for i := len(members) - 1; i >= 0; i-- {
		members[i].leave(t)
		if i > 0 {
			wantShared(t, partitions, members[:i]...)
		}
	}
}

// lowest watches how few partitions a member has until the returned function is
// called.
func lowest(m member) func() int {
	quit, result := make(chan struct{}), make(chan int)
	go func() {
		low := len(m.assigned())
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				low = min(low, len(m.assigned()))
			case <-quit:
				result <- low
				return
			}
		}
	}()
	return func() int {
		close(quit)
		return <-result
	}
}

// With the cooperative protocol a member keeps what it may keep while another one
// joins (KIP-429). franz-go and librdkafka are members of one group.
func TestCooperativeGroup(t *testing.T) {
	s := startServer(t)
	const partitions = 8
	s.createTopic(t, "coop", partitions)
	box := newInbox()
	q := memberRequest{addr: s.addr, group: "coop", topic: "coop", assignor: "cooperative-sticky", got: box.add}
	a := kgoJoin(t, q)
	wantShared(t, partitions, a)
	low := lowest(a)
	b := rdJoin(t, q)
	wantShared(t, partitions, a, b)
	if got := low(); got < partitions/2 {
		t.Errorf("the first member went down to %d partitions, want %d", got, partitions/2)
	}
	low = lowest(b)
	c := kgoJoin(t, q)
	wantShared(t, partitions, a, b, c)
	if got := low(); got == 0 {
		t.Error("the second member lost all partitions when a third one joined")
	}
	sent := spread("v", 80, partitions)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "coop"}, sent...)
	box.want(t, sent)
}

// A static member that comes back within its session has its partitions again,
// and the others see no rebalance (KIP-345).
func TestStaticMember(t *testing.T) {
	s := startServer(t)
	for _, j := range []judge{kgoJudge(), librdkafkaJudge(), saramaJudge(), pythonJudge(t, pythonNew)} {
		t.Run(j.name, func(t *testing.T) {
			const partitions = 4
			topic := topicName("static", j)
			s.createTopic(t, topic, partitions)
			q := memberRequest{addr: s.addr, group: topic, topic: topic, got: newInbox().add, session: 20 * time.Second}
			static, other := q, q
			static.instance, other.instance = "one", "two"
			a, b := j.join(t, static), kgoJoin(t, other)
			wantShared(t, partitions, a, b)
			had, generation := a.assigned(), generationOf(t, s.addr, topic)
			a.leave(t) // a static member says nothing
			a = j.join(t, static)
			eventually(t, func() error {
				if got := a.assigned(); !slices.Equal(got, had) {
					return fmt.Errorf("came back and has %v, had %v", got, had)
				}
				return nil
			})
			if got := generationOf(t, s.addr, topic); got != generation {
				t.Errorf("generation went from %s to %s: the others were asked to rejoin", generation, got)
			}
		})
	}
}

// generationOf is the members of a group with their assignments, as text: it
// changes when a rebalance does.
func generationOf(t *testing.T, addr, group string) string {
	t.Helper()
	groups, err := kadmClient(t, addr).DescribeGroups(limit(t), group)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range groups[group].Members {
		c, _ := m.Assigned.AsConsumer()
		list = append(list, fmt.Sprint(*m.InstanceID, c))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// The second of two with one group.instance.id fences the first.
func TestDuplicateInstance(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "fence", 2)
	q := memberRequest{addr: s.addr, group: "fence", topic: "fence", instance: "one", got: newInbox().add}
	a := rdConsumer(t, s.addr, rdGroup(q)) // not closed: confluent-kafka-go waits for ever after a fatal error
	if err := a.Subscribe("fence", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		a.Poll(50)
		if has, err := a.Assignment(); err != nil || len(has) != 2 {
			return fmt.Errorf("has %v, %v", has, err)
		}
		return nil
	})
	b := kgoJoin(t, q)
	wantShared(t, 2, b)
	eventually(t, func() error {
		e := a.Poll(50)
		if err, ok := e.(error); ok && strings.Contains(strings.ToLower(err.Error()), "fenced") {
			return nil
		}
		return fmt.Errorf("the first member is not told that it is fenced; last event %v", e)
	})
}

// A member that dies without a word loses its partitions after its session
// timeout.
func TestSessionTimeout(t *testing.T) {
	s := startServer(t)
	const partitions = 4
	s.createTopic(t, "expire", partitions)
	member := exec.Command(kcat(t), "-G", "expire", "-b", s.addr, "-X", "session.timeout.ms=6000", "-X", "partition.assignment.strategy=range", "expire")
	member.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := member.Start(); err != nil {
		t.Fatal(err)
	}
	a := kgoJoin(t, memberRequest{addr: s.addr, group: "expire", topic: "expire", got: newInbox().add})
	eventually(t, func() error {
		if n := len(a.assigned()); n != partitions/2 {
			return fmt.Errorf("has %d partitions, want the half of them", n)
		}
		return nil
	})
	begin := time.Now()
	member.Process.Kill()
	member.Wait()
	wantShared(t, partitions, a)
	// It has said that it lives up to 3 s before it was killed; without what it asked for it would have 45 s.
	if took := time.Since(begin); took < 2*time.Second || took > 40*time.Second {
		t.Errorf("handed over after %v, want about the 6 s of the session", took)
	}
}

// A member that does not poll for max.poll.interval.ms leaves by itself.
func TestSlowMember(t *testing.T) {
	s := startServer(t)
	const partitions = 4
	s.createTopic(t, "slow", partitions)
	conf := rdGroup(memberRequest{group: "slow"})
	conf["max.poll.interval.ms"] = 6000
	slow := rdConsumer(t, s.addr, conf)
	defer slow.Close()
	if err := slow.Subscribe("slow", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		slow.Poll(50)
		if has, err := slow.Assignment(); err != nil || len(has) != partitions {
			return fmt.Errorf("has %v, %v", has, err)
		}
		return nil
	})
	a := kgoJoin(t, memberRequest{addr: s.addr, group: "slow", topic: "slow", got: newInbox().add})
	wantShared(t, partitions, a)
}
