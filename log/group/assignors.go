package group

import (
	"cmp"
	"container/heap"
	"slices"
)

// subscriber is a member as an assignor sees it.
type subscriber struct {
	id         string
	instanceID *string
	topics     []topicID // sorted, each once
	owned      assignment
}

// assignorFunc computes the target assignment of every subscriber. Partitions
// are given for each topic that somebody subscribes to.
type assignorFunc func(members []*subscriber, partitions map[topicID]int) map[string]assignment

// defaultAssignor is the one of members that have no preference, and the first of
// group.consumer.assignors.
const defaultAssignor = "uniform"

// assignor returns the server-side assignor of that name.
func assignor(name string) (assignorFunc, bool) {
	switch name {
	case "uniform":
		return assignUniform, true
	case "range":
		return assignRange, true
	}
	return nil, false
}

// assignRange gives each subscriber of a topic a range of its partitions, by the
// order of instance ids and then member ids, so that a member has the same
// partitions of topics with as many partitions and the same subscribers.
func assignRange(members []*subscriber, partitions map[topicID]int) map[string]assignment {
	members = slices.SortedFunc(slices.Values(members), func(a, b *subscriber) int {
		switch {
		case a.instanceID != nil && b.instanceID != nil:
			return cmp.Compare(*a.instanceID, *b.instanceID)
		case a.instanceID != nil:
			return -1
		case b.instanceID != nil:
			return 1
		}
		return cmp.Compare(a.id, b.id)
	})
	subscribers := map[topicID]int{}
	for _, m := range members {
		for _, t := range m.topics {
			subscribers[t]++
		}
	}
	next := map[topicID]int{}  // the first partition not given yet
	given := map[topicID]int{} // subscribers that have theirs
	targets := map[string]assignment{}
	for _, m := range members {
		target := assignment{}
		for _, t := range m.topics {
			n := partitions[t] / subscribers[t]
			if given[t] < partitions[t]%subscribers[t] {
				n++
			}
			for range n {
				target.add(t, int32(next[t]), 0)
				next[t]++
			}
			given[t]++
		}
		targets[m.id] = target
	}
	return targets
}

// assignUniform spreads the partitions evenly and moves as few as it has to. When
// all members subscribe to the same topics no two differ by more than one
// partition; otherwise no single move would make it more even.
func assignUniform(members []*subscriber, partitions map[topicID]int) map[string]assignment {
	u := uniform{partitions: partitions, subscribers: map[topicID][]*load{}, taken: map[topicIDPartition]struct{}{}}
	for i, m := range slices.SortedFunc(slices.Values(members), func(a, b *subscriber) int { return cmp.Compare(a.id, b.id) }) {
		l := &load{subscriber: m, order: i, target: assignment{}}
		u.members = append(u.members, l)
		for _, t := range m.topics {
			u.subscribers[t] = append(u.subscribers[t], l)
		}
	}
	u.keep()
	topics := u.topics()
	for _, t := range topics {
		u.fill(t)
	}
	for moved := true; moved; {
		moved = false
		for _, t := range topics {
			moved = u.level(t) || moved
		}
	}
	targets := map[string]assignment{}
	for _, l := range u.members {
		targets[l.id] = l.target
	}
	return targets
}

// load is a member and what it is to get.
type load struct {
	*subscriber
	order  int
	target assignment
	n      int // partitions in target
}

func (l *load) add(t topicID, p int32) { l.target.add(t, p, 0); l.n++ }

func (l *load) remove(t topicID, p int32) {
	if delete(l.target[t], p); len(l.target[t]) == 0 {
		delete(l.target, t)
	}
	l.n--
}

// less orders by load, so that the heap below gives the member with the least.
func (l *load) less(o *load) bool { return l.n < o.n || (l.n == o.n && l.order < o.order) }

type loads []*load

func (h loads) Len() int           { return len(h) }
func (h loads) Less(i, j int) bool { return h[i].less(h[j]) }
func (h loads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *loads) Push(x any)        { *h = append(*h, x.(*load)) }
func (h *loads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

type uniform struct {
	members     []*load
	partitions  map[topicID]int
	subscribers map[topicID][]*load
	taken       map[topicIDPartition]struct{}
}

// topics returns the topics that have subscribers, those with the fewest first:
// their partitions have the least choice.
func (u *uniform) topics() []topicID {
	var all []topicID
	for t := range u.subscribers {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b topicID) int {
		return cmp.Or(cmp.Compare(len(u.subscribers[a]), len(u.subscribers[b])), slices.Compare(a[:], b[:]))
	})
	return all
}

// keep gives every member what it has and may keep. When all subscribe to the
// same topics, a member's share is known, and it keeps no more than that.
func (u *uniform) keep() {
	share, extra := 0, 0
	alike := u.alike()
	if alike {
		total := 0
		for t := range u.subscribers {
			total += u.partitions[t]
		}
		share, extra = total/len(u.members), total%len(u.members)
	}
	for _, l := range u.members {
		quota := share
		if extra > 0 {
			quota++
		}
		for _, t := range l.topics {
			for _, p := range l.owned.partitions(t) {
				tp := topicIDPartition{t, p}
				if _, taken := u.taken[tp]; taken || int(p) >= u.partitions[t] || (alike && l.n == quota) {
					continue
				}
				u.taken[tp] = struct{}{}
				l.add(t, p)
			}
		}
		if l.n > share {
			extra--
		}
	}
}

// alike reports whether all members subscribe to the same topics.
func (u *uniform) alike() bool {
	for _, l := range u.members {
		if !slices.Equal(l.topics, u.members[0].topics) {
			return false
		}
	}
	return len(u.members) > 0
}

// fill gives each free partition of the topic to the subscriber with the least.
func (u *uniform) fill(t topicID) {
	h := loads(slices.Clone(u.subscribers[t]))
	heap.Init(&h)
	for p := range int32(u.partitions[t]) {
		if _, taken := u.taken[topicIDPartition{t, p}]; taken {
			continue
		}
		h[0].add(t, p)
		heap.Fix(&h, 0)
	}
}

// level moves partitions of the topic from members with more to members with less
// as long as that evens them out. Each move makes the sum of the squares of the
// loads smaller, so this ends.
func (u *uniform) level(t topicID) (moved bool) {
	all := u.subscribers[t]
	for {
		var most, least *load
		for _, l := range all {
			if len(l.target[t]) > 0 && (most == nil || most.n < l.n) {
				most = l
			}
			if least == nil || l.less(least) {
				least = l
			}
		}
		if most == nil || most.n-least.n < 2 {
			return moved
		}
		held := most.target.partitions(t)
		p := held[len(held)-1]
		most.remove(t, p)
		least.add(t, p)
		moved = true
	}
}
