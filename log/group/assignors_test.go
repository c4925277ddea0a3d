package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// group of subscribers, topics by their first byte.
func subscribers(owned map[string]assignment, topics map[string][]byte) []*subscriber {
	var all []*subscriber
	for id, names := range topics {
		s := &subscriber{id: id, owned: owned[id]}
		for _, n := range slices.Sorted(slices.Values(names)) {
			s.topics = append(s.topics, topicID{n})
		}
		all = append(all, s)
	}
	return all
}

func assignedText(a assignment) string {
	text := ""
	for _, t := range a.topics() {
		text += fmt.Sprintf("%c%v", t[0], a.partitions(t))
	}
	return text
}

func TestAssignRange(t *testing.T) {
	partitions := map[topicID]int{{'t'}: 5, {'u'}: 5, {'v'}: 1}
	members := subscribers(nil, map[string][]byte{"a": {'t', 'u'}, "b": {'t', 'u', 'v'}, "c": {'t', 'u'}})
	for _, m := range members {
		if m.id == "c" {
			id := "first" // members with instance ids come first
			m.instanceID = &id
		}
	}
	got := assignRange(members, partitions)
	for id, want := range map[string]string{"c": "t[0 1]u[0 1]", "a": "t[2 3]u[2 3]", "b": "t[4]u[4]v[0]"} {
		if text := assignedText(got[id]); text != want {
			t.Errorf("%s gets %s, want %s", id, text, want)
		}
	}
}

// A member that comes takes no more than it has to.
func TestAssignUniformIsSticky(t *testing.T) {
	partitions := map[topicID]int{{'t'}: 4, {'u'}: 4}
	topics := map[string][]byte{"a": {'t', 'u'}, "b": {'t', 'u'}}
	first := assignUniform(subscribers(nil, topics), partitions)
	topics["c"] = []byte{'t', 'u'}
	second := assignUniform(subscribers(first, topics), partitions)
	for id, had := range first {
		lost := 0
		for tp := range had.all {
			if !second[id].has(tp.topic, tp.partition) {
				lost++
			}
		}
		if lost > 1 {
			t.Errorf("%s lost %d partitions, want at most 1", id, lost)
		}
	}
	if n := second["c"].size(); n != 2 {
		t.Errorf("c gets %d partitions, want 2", n)
	}
	delete(topics, "b")
	third := assignUniform(subscribers(second, topics), partitions)
	for _, id := range []string{"a", "c"} {
		for tp := range second[id].all {
			if !third[id].has(tp.topic, tp.partition) {
				t.Errorf("%s lost %v though somebody left", id, tp)
			}
		}
	}
}

// Whatever the subscriptions and what members had before: every partition that
// somebody subscribes to is given once, to a subscriber; and uniform assignments
// cannot be made more even by moving one partition.
func TestAssignorProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 500 {
		partitions := map[topicID]int{}
		var names []byte
		for i := range byte(1 + rng.IntN(5)) {
			names = append(names, 'p'+i)
			partitions[topicID{'p' + i}] = rng.IntN(9)
		}
		alike := rng.IntN(2) == 0
		topics, owned := map[string][]byte{}, map[string]assignment{}
		for i := range 1 + rng.IntN(7) {
			id := fmt.Sprint("m", i)
			for _, n := range names {
				if alike || rng.IntN(2) == 0 {
					topics[id] = append(topics[id], n)
				}
			}
			topics[id] = append(topics[id], names[0])
			topics[id] = slices.Compact(slices.Sorted(slices.Values(topics[id])))
			owned[id] = assignment{}
			for range rng.IntN(12) { // also what is gone, not subscribed to or another's
				owned[id].add(topicID{names[rng.IntN(len(names))]}, rng.Int32N(12), 0)
			}
		}
		members := subscribers(owned, topics)
		for _, name := range []string{"range", "uniform"} {
			assign, _ := assignor(name)
			targets := assign(members, partitions)
			checkTargets(t, fmt.Sprintf("round %d, %s", round, name), members, partitions, targets)
			if name == "uniform" {
				checkEven(t, fmt.Sprintf("round %d", round), members, targets, alike)
			}
			if t.Failed() {
				t.Fatalf("partitions %v, topics %v, owned %v, targets %v", partitions, topics, owned, targets)
			}
		}
	}
}

func checkTargets(t *testing.T, what string, members []*subscriber, partitions map[topicID]int, targets map[string]assignment) {
	t.Helper()
	given := map[topicIDPartition]string{}
	want := map[topicIDPartition]bool{}
	for _, m := range members {
		for _, topic := range m.topics {
			for p := range int32(partitions[topic]) {
				want[topicIDPartition{topic, p}] = true
			}
		}
		if targets[m.id] == nil {
			t.Errorf("%s: no target for %s", what, m.id)
		}
		for tp := range targets[m.id].all {
			if other, twice := given[tp]; twice || !slices.Contains(m.topics, tp.topic) {
				t.Errorf("%s: %v goes to %s, and to %q", what, tp, m.id, other)
			}
			given[tp] = m.id
		}
	}
	for tp := range given {
		if !want[tp] {
			t.Errorf("%s: %v is given and does not exist", what, tp)
		}
	}
	if len(given) != len(want) {
		t.Errorf("%s: %d partitions are given, want %d", what, len(given), len(want))
	}
}

func checkEven(t *testing.T, what string, members []*subscriber, targets map[string]assignment, alike bool) {
	t.Helper()
	for _, a := range members {
		for _, b := range members {
			more := targets[a.id].size() - targets[b.id].size()
			if alike && more > 1 {
				t.Errorf("%s: %s has %d more than %s", what, a.id, more, b.id)
			}
			for topic := range targets[a.id] {
				if more > 1 && slices.Contains(b.topics, topic) {
					t.Errorf("%s: %s has %d more than %s, which could take some of %c", what, a.id, more, b.id, topic[0])
				}
			}
		}
	}
}
