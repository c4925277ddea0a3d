package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model is a group whose members do as they are told.
type model struct {
	t        *testing.T
	state    state
	maxDelay time.Duration
	now      time.Time
	config   map[string]int
	members  map[string][]TaskID
	rounds   int32
	moved    int // connectors and tasks that changed their member
}

func newModel(t *testing.T, maxDelay time.Duration) *model {
	return &model{t: t, state: newState(), maxDelay: maxDelay, now: time.UnixMilli(1e6), config: map[string]int{}, members: map[string][]TaskID{}}
}

// round assigns once and checks what must hold after any round: nothing is given to
// one member while another one has it.
func (m *model) round() (again bool) {
	r := round{now: m.now, lastCompleted: m.state.generation, generation: m.rounds, configured: set{}, members: maps.Clone(m.members)}
	m.rounds++
	for name, tasks := range m.config {
		for n := connectorTask; n < tasks; n++ {
			r.configured[TaskID{name, n}] = true
		}
	}
	var changes map[string]change
	m.state, changes = m.state.assign(r, m.maxDelay)
	owner := map[TaskID]string{}
	for member, work := range m.members {
		for _, t := range work {
			owner[t] = member
		}
	}
	for member, c := range changes {
		for _, t := range c.added {
			if other, taken := owner[t]; taken {
				m.t.Errorf("%v was given to %s, %s has it", t, member, other)
			}
			if !r.configured[t] {
				m.t.Errorf("%v was given to %s and is not there", t, member)
			}
			owner[t] = member
		}
		m.members[member] = append(without(m.members[member], c.revoked), c.added...)
		m.moved += len(c.added)
		again = again || len(c.revoked) > 0
	}
	return again
}

// settle goes on until nothing moves, waiting whenever the leader says so.
func (m *model) settle() {
	m.t.Helper()
	for range 100 {
		again := m.round()
		m.now = m.now.Add(m.state.delay)
		if !again && m.state.delay == 0 {
			return
		}
	}
	m.t.Fatal("the group does not come to rest")
}

// check wants everything to be owned once and evenly.
func (m *model) check() {
	m.t.Helper()
	owned := set{}
	least, most := map[bool]int{true: 1 << 30, false: 1 << 30}, map[bool]int{}
	for _, work := range m.members {
		counts := map[bool]int{}
		for _, t := range work {
			if owned[t] {
				m.t.Errorf("%v is owned twice", t)
			}
			owned[t] = true
			counts[t.isConnector()]++
		}
		for _, kind := range []bool{true, false} {
			least[kind], most[kind] = min(least[kind], counts[kind]), max(most[kind], counts[kind])
		}
	}
	total := 0
	for _, tasks := range m.config {
		total += tasks + 1
	}
	if len(owned) != total {
		m.t.Errorf("%d connectors and tasks are owned, want %d", len(owned), total)
	}
	for kind, n := range most {
		if n > least[kind]+1 {
			m.t.Errorf("a member has %d, another one %d (connectors: %v)", n, least[kind], kind)
		}
	}
}

// Whatever comes and goes: nothing is owned twice at any time, and when the group is
// left in peace everything is owned, once and evenly.
func TestAssignProperties(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t, []time.Duration{0, time.Second, 5 * time.Minute}[random.IntN(3)])
		m.members["m0"] = nil
		for i := range 40 {
			switch random.IntN(6) {
			case 0:
				m.members[fmt.Sprint("m", i+1)] = nil
			case 1:
				if len(m.members) > 1 {
					delete(m.members, slices.Sorted(maps.Keys(m.members))[random.IntN(len(m.members))])
				}
			case 2, 3:
				m.config[fmt.Sprint("c", random.IntN(8))] = random.IntN(6)
			case 4:
				delete(m.config, fmt.Sprint("c", random.IntN(8)))
			}
			m.now = m.now.Add(time.Duration(random.IntN(100)) * time.Second)
			m.round()
		}
		m.settle()
		m.check()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// One member more or less moves no more than its share, and a connector that is
// changed, made or deleted moves nothing of another one as long as the members are
// balanced.
func TestAssignMovesLittle(t *testing.T) {
	m := newModel(t, 0)
	moved := func(what string, want int) {
		t.Helper()
		m.moved = 0
		m.settle()
		m.check()
		if m.moved != want {
			t.Errorf("%s: %d connectors and tasks were started, want %d", what, m.moved, want)
		}
	}
	for i := range 12 {
		m.config[fmt.Sprint("c", i)] = 4
	}
	m.members["a"], m.members["b"], m.members["c"] = nil, nil, nil
	moved("three members", 60)
	moved("nothing", 0)
	m.members["d"] = nil
	moved("a fourth member", 15)
	delete(m.members, "b")
	moved("it leaves", 15)
	m.config["new"] = 3
	moved("a new connector", 4)
	m.config["new"] = 5
	moved("two tasks more", 2)
	delete(m.config, "new")
	moved("the connector is deleted", 0)
}

// A new leader does not wait for work it has never seen.
func TestAssignLeaderChange(t *testing.T) {
	m := newModel(t, 5*time.Minute)
	m.config["c"] = 9
	m.members["a"], m.members["b"], m.members["c"] = nil, nil, nil
	m.settle()
	delete(m.members, "a")
	old := m.state
	m.round()
	if m.state.delay != 5*time.Minute {
		t.Errorf("the old leader waits for %s, want 5m", m.state.delay)
	}
	m.state = newState()
	m.settle()
	m.check()
	if old.delay != 0 || len(old.previous) != 10 {
		t.Error("assign changed the state that it was given")
	}
}
