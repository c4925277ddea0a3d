package group

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// dump is the whole state of the coordinator that has to survive a restart, as text.
func (c *Coordinator) dump() string {
	var out strings.Builder
	for _, g := range c.all() {
		g.mu.Lock()
		if g.state != dead {
			g.dump(&out)
		}
		g.mu.Unlock()
	}
	return out.String()
}

func (g *group) dump(out *strings.Builder) {
	fmt.Fprintf(out, "group %s: type %q, generation %d, protocol %q, leader %q\n", g.id, g.protocolType, g.generation, g.protocol, g.leader)
	for _, m := range g.sorted() {
		fmt.Fprintf(out, "  member %s: %q %q\n", m.id, m.metadata(g.protocol), m.assignment)
	}
	dumpOffsets(out, "offset", g.offsets)
	for _, id := range slices.Sorted(maps.Keys(g.txns)) {
		dumpOffsets(out, fmt.Sprintf("pending of %d", id), g.txns[id])
	}
	if g.consumer != nil {
		g.consumer.dump(out)
	}
}

func dumpOffsets(out *strings.Builder, what string, offsets map[topicPartition]committed) {
	for _, tp := range slices.SortedFunc(maps.Keys(offsets), func(a, b topicPartition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	}) {
		o := offsets[tp]
		fmt.Fprintf(out, "  %s %s-%d: %d epoch %d %q\n", what, tp.topic, tp.partition, o.offset, o.leaderEpoch, o.metadata)
	}
}

// dump writes the records that would make the group what it is.
func (g *consumerGroup) dump(out *strings.Builder) {
	fmt.Fprintf(out, "  epoch %d, targets of epoch %d\n", g.epoch, g.targetEpoch)
	for _, m := range g.sorted() {
		fmt.Fprintf(out, "  member %s: info %x\n    current %x\n    target %x\n", m.id,
			infoChange{m.id, m.info}.record("").value, currentChange{m.id, m.current}.record("").value,
			targetChange{m.id, g.targets[m.id]}.record("").value)
	}
	for _, id := range slices.Sorted(maps.Keys(g.static)) {
		fmt.Fprintf(out, "  instance %s: %s\n", id, g.static[id])
	}
	for _, p := range slices.Sorted(maps.Keys(g.regexes)) {
		fmt.Fprintf(out, "  regex %s: %q\n", p, g.regexes[p].topics)
	}
	owners := map[string]int{}
	for _, id := range g.owners {
		owners[id]++
	}
	for _, id := range slices.Sorted(maps.Keys(owners)) {
		fmt.Fprintf(out, "  %s has %d partitions\n", id, owners[id])
	}
}
