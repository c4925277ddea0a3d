package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Kind is a way in which a log can be wrong.
type Kind string

// The kinds. Each has a test with a history that has it.
const (
	Lost           Kind = "lost"              // acknowledged, or committed, and not there
	Misplaced      Kind = "misplaced"         // acknowledged at an offset where something else is
	Duplicate      Kind = "duplicate"         // one value at two offsets
	Phantom        Kind = "phantom"           // nobody sent it, or read and later not there
	Reordered      Kind = "reordered"         // a producer's records in another order than it sent them
	AbortedRead    Kind = "aborted read"      // read_committed showed a record of an aborted transaction
	Torn           Kind = "torn transaction"  // a part of a transaction is visible
	Nonmonotonic   Kind = "nonmonotonic poll" // a consumer's offsets went back
	Skipped        Kind = "skipped"           // a consumer went past a record
	WentBack       Kind = "went back"         // a committed offset or an end offset
	Behind         Kind = "behind"            // the last stable offset is not the end although nothing is open
	NotExactlyOnce Kind = "not exactly once"  // a flow's output is not its input
)

// Anomaly is one finding.
type Anomaly struct {
	Kind   Kind
	Detail string
}

// String is one line.
func (a Anomaly) String() string { return string(a.Kind) + ": " + a.Detail }

// perKind is how many anomalies of a kind are reported: one bug makes many.
const perKind = 10

// checker holds a history's indexes while it is checked.
type checker struct {
	*History
	byValue map[string]*Send
	at      map[Partition]map[int64]Seen // the final log
	where   map[string][]place           // of each value in the final log, without copies
	visible map[string]int               // how often read_committed shows a value, without copies
	counts  map[Kind]int
	found   []Anomaly
}

type place struct {
	Partition
	offset int64
}

// Check returns what is wrong. At most ten of a kind are listed.
func (h *History) Check() []Anomaly {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &checker{History: h, byValue: map[string]*Send{}, at: map[Partition]map[int64]Seen{}, where: map[string][]place{},
		visible: map[string]int{}, counts: map[Kind]int{}}
	c.index()
	for _, check := range []func(){c.log, c.sent, c.order, c.keys, c.transactions, c.read, c.sampled, c.consumed, c.stable, c.copied} {
		check()
	}
	return c.found
}

func (c *checker) report(k Kind, format string, args ...any) {
	if c.counts[k]++; c.counts[k] <= perKind {
		c.found = append(c.found, Anomaly{k, fmt.Sprintf(format, args...)})
	}
}

func (c *checker) index() {
	for _, s := range c.sends {
		c.byValue[s.Value] = s
	}
	for p, f := range c.final {
		c.at[p] = map[int64]Seen{}
		for _, r := range f.All {
			c.at[p][r.Offset] = r
		}
		if c.copiedTo(p.Topic) {
			continue // has other topics' values; copied judges it
		}
		for _, r := range f.All {
			c.where[r.Value] = append(c.where[r.Value], place{p, r.Offset})
		}
		for _, r := range f.Committed {
			c.visible[r.Value]++
		}
	}
}

// partitions returns those that were read at the end, in order.
func (c *checker) partitions() []Partition {
	return slices.SortedFunc(maps.Keys(c.final), func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	})
}

// log looks at the final log itself: values are of somebody, and there once.
func (c *checker) log() {
	for _, p := range c.partitions() {
		c.committed(p)
		if c.copiedTo(p.Topic) {
			continue
		}
		for _, r := range c.final[p].All {
			if places := c.where[r.Value]; len(places) > 1 && places[0] == (place{p, r.Offset}) {
				c.report(Duplicate, "%s is at %v", r.Value, places)
			}
			if s := c.byValue[r.Value]; s == nil || s.Partition != p {
				c.report(Phantom, "%s at %v offset %d was not sent there", r.Value, p, r.Offset)
			}
		}
	}
}

// committed wants the read_committed view to be a part of the whole one, and to
// have nothing that was aborted.
func (c *checker) committed(p Partition) {
	for _, r := range c.final[p].Committed {
		if c.at[p][r.Offset] != r {
			c.report(Phantom, "%s at %v offset %d is committed and not in the log", r.Value, p, r.Offset)
		}
		c.aborted("the final read", p, r)
	}
}

func (c *checker) aborted(reader string, p Partition, r Seen) {
	if s := c.byValue[r.Value]; s != nil && s.Txn > 0 && c.txns[s.Txn] == Refused {
		c.report(AbortedRead, "%s got %s at %v offset %d of the aborted transaction %d", reader, r.Value, p, r.Offset, s.Txn)
	}
}

// copiedTo reports whether a topic has the values of another one.
func (c *checker) copiedTo(topic string) bool {
	return slices.ContainsFunc(c.flows, func(f Flow) bool { return f.To == topic })
}

// sent wants every acknowledged record where it was acknowledged. What compaction
// may take away is judged by keys.
func (c *checker) sent() {
	for _, s := range c.sends {
		if s.Outcome != OK || s.Txn > 0 && c.txns[s.Txn] == Refused {
			continue // an aborted record may be compacted away
		}
		f, known := c.final[s.Partition]
		if !known {
			c.report(Lost, "%s: partition %v was not read", s.Value, s.Partition)
			continue
		}
		at, there := c.at[s.Partition][s.Offset]
		switch {
		case s.Offset >= 0 && there && at.Value != s.Value:
			c.report(Misplaced, "%s was acknowledged at %v offset %d, where %s is", s.Value, s.Partition, s.Offset, at.Value)
		case len(c.where[s.Value]) == 0 && !f.Compacted:
			c.report(Lost, "%s was acknowledged at %v offset %d", s.Value, s.Partition, s.Offset)
		case s.Offset >= 0 && !there && len(c.where[s.Value]) > 0:
			c.report(Misplaced, "%s was acknowledged at %v offset %d and is at %v", s.Value, s.Partition, s.Offset, c.where[s.Value])
		}
	}
}

// order wants each producer's numbers to rise in each partition.
func (c *checker) order() {
	type key struct {
		producer string
		Partition
	}
	last := map[key]*Send{}
	for _, p := range c.partitions() {
		for _, r := range c.final[p].All {
			s := c.byValue[r.Value]
			if s == nil || s.Partition != p {
				continue
			}
			k := key{s.Producer, p}
			if before := last[k]; before != nil && before.Number > s.Number {
				c.report(Reordered, "%v: %s comes after %s", p, s.Value, before.Value)
			}
			last[k] = s
		}
	}
}

// keys wants the last acknowledged value of each key in a compacted topic, or
// one that was sent later.
func (c *checker) keys() {
	type key struct {
		Partition
		key string
	}
	latest := map[key]int{} // number of the newest record of the key that is there
	for _, p := range c.partitions() {
		if !c.final[p].Compacted {
			continue
		}
		for _, r := range c.final[p].All {
			if s := c.byValue[r.Value]; s != nil {
				latest[key{p, r.Key}] = s.Number
			}
		}
	}
	for _, s := range c.sends {
		if s.Outcome != OK || !c.final[s.Partition].Compacted || s.Txn > 0 && c.txns[s.Txn] == Refused {
			continue
		}
		if got, ok := latest[key{s.Partition, s.Key}]; !ok || got < s.Number {
			c.report(Lost, "%v: key %s has nothing as new as the acknowledged %s", s.Partition, s.Key, s.Value)
		}
	}
}

// transactions wants all of a committed one, all or nothing of an unknown one.
func (c *checker) transactions() {
	type parts struct{ acknowledged, visible int }
	all := make([]parts, len(c.txns))
	missing := make([]string, len(c.txns))
	for _, s := range c.sends {
		if s.Txn == 0 || s.Outcome != OK || c.final[s.Partition].Compacted {
			continue
		}
		all[s.Txn].acknowledged++
		if c.visible[s.Value] > 0 {
			all[s.Txn].visible++
		} else {
			missing[s.Txn] = s.Value
		}
	}
	for txn, p := range all {
		whole := p.visible == p.acknowledged
		switch {
		case c.txns[txn] == OK && !whole && p.visible == 0:
			c.report(Lost, "committed transaction %d: none of its %d records is visible", txn, p.acknowledged)
		case c.txns[txn] != Refused && !whole && p.visible > 0:
			c.report(Torn, "transaction %d: %d of %d records are visible, not %s", txn, p.visible, p.acknowledged, missing[txn])
		}
	}
}

// read looks at what consumers got while the server was killed.
func (c *checker) read() {
	for _, r := range c.readings {
		view := c.final[r.Partition].All
		if r.Committed {
			view = c.final[r.Partition].Committed
		}
		next := -1 // index in view of what has to come
		for i, s := range r.Records {
			if i > 0 && s.Offset <= r.Records[i-1].Offset {
				c.report(Nonmonotonic, "%s got %v offset %d after %d", r.Consumer, r.Partition, s.Offset, r.Records[i-1].Offset)
			}
			if r.Committed {
				c.aborted(r.Consumer, r.Partition, s)
			}
			next = c.follow(r, view, next, s)
		}
	}
}

// follow compares one record of a reading with the final view and returns the
// index of the record that has to come next.
func (c *checker) follow(r *Reading, view []Seen, next int, s Seen) int {
	compacted := c.final[r.Partition].Compacted
	i, found := slices.BinarySearchFunc(view, s.Offset, func(v Seen, offset int64) int { return cmp.Compare(v.Offset, offset) })
	switch {
	case !found && !compacted, found && view[i].Value != s.Value:
		c.report(Phantom, "%s got %s at %v offset %d, which is not there any more", r.Consumer, s.Value, r.Partition, s.Offset)
	case next >= 0 && i > next && !compacted:
		c.report(Skipped, "%s went from before %v offset %d to %d", r.Consumer, r.Partition, view[next].Offset, s.Offset)
	}
	if !found {
		return i
	}
	return i + 1
}

func (c *checker) sampled() {
	type key struct {
		what string
		Partition
	}
	last := map[key]int64{}
	for _, s := range c.samples {
		k := key{s.What, s.Partition}
		if before, ok := last[k]; ok && s.Offset < before {
			c.report(WentBack, "%s of %v from %d to %d", s.What, s.Partition, before, s.Offset)
		}
		last[k] = s.Offset
		if f, ok := c.final[s.Partition]; ok && s.Offset > f.End {
			c.report(WentBack, "%s of %v was %d, the end is %d", s.What, s.Partition, s.Offset, f.End)
		}
	}
}

// consumed wants every record below a group's committed offset to have been
// delivered to a member.
func (c *checker) consumed() {
	groups := map[string]bool{}
	for d := range c.delivered {
		groups[d.Group] = true
	}
	type key struct {
		what string
		Partition
	}
	committed := map[key]int64{}
	for _, s := range c.samples {
		if groups[s.What] {
			committed[key{s.What, s.Partition}] = s.Offset
		}
	}
	for k, offset := range committed {
		for _, r := range c.final[k.Partition].Committed {
			if r.Offset < offset && !c.delivered[Delivery{k.what, k.Partition, r.Offset}] {
				c.report(Skipped, "%s committed %v offset %d and never got %d", k.what, k.Partition, offset, r.Offset)
			}
		}
	}
}

func (c *checker) stable() {
	for _, p := range c.partitions() {
		if f := c.final[p]; f.LastStable != f.End {
			c.report(Behind, "%v: last stable offset %d, end %d", p, f.LastStable, f.End)
		}
	}
}

// copied compares the committed records of a flow's two ends.
func (c *checker) copied() {
	for _, f := range c.flows {
		counts := map[string]int{}
		for p, final := range c.final {
			for _, r := range final.Committed {
				switch p.Topic {
				case f.From:
					counts[r.Value]++
				case f.To:
					counts[r.Value]--
				}
			}
		}
		for _, value := range slices.Sorted(maps.Keys(counts)) {
			switch n := counts[value]; {
			case n > 0:
				c.report(NotExactlyOnce, "%s is in %s and missing in %s", value, f.From, f.To)
			case n < 0:
				c.report(NotExactlyOnce, "%s is %d times too often in %s", value, -n, f.To)
			}
		}
	}
}
