package broker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/sluice-data/sluice/log/group"
)

// groupSample is the state of a group at a scrape.
type groupSample struct {
	id      string
	members int
	offsets []groupOffset
}

// groupOffset is a committed offset; lag is -1 when the partition is gone.
type groupOffset struct {
	topic, partition string
	offset, lag      int64
}

// groups reports consumer groups.
func (c *collection) groups() {
	states := map[string]int64{}
	var samples []groupSample
	offsets := 0
	for _, g := range c.b.cfg.Groups.Stats() {
		states[g.State]++
		s := groupSample{id: g.Group, members: g.Members}
		for _, o := range g.Offsets {
			s.offsets = append(s.offsets, groupOffset{o.Topic, strconv.Itoa(int(o.Partition)), o.Offset, c.lag(o)})
		}
		offsets += len(s.offsets)
		samples = append(samples, s)
	}
	c.w.One(c.d.groups, int64(len(samples)))
	c.w.Family(c.d.groupsByState)
	for _, state := range slices.Sorted(maps.Keys(states)) {
		c.w.Int(states[state], state)
	}
	c.w.One(c.d.groupOffsets, int64(offsets))
	c.w.One(c.d.groupSeriesDropped, int64(max(offsets-maxGroupSeries, 0)))
	c.groupSeries(samples)
	c.groupSums(samples)
	c.w.Family(c.d.groupMembers)
	for _, g := range samples {
		c.w.Int(int64(g.members), g.id)
	}
}

// lag is the records that a group has not committed: of those that were deleted it knows nothing.
func (c *collection) lag(o group.Offset) int64 {
	t, ok := c.b.cfg.Log.Topic(o.Topic)
	if !ok {
		return -1
	}
	p, ok := t.Partition(o.Partition)
	if !ok {
		return -1
	}
	return max(p.HighWatermark()-o.Offset, 0)
}

func (c *collection) groupSeries(samples []groupSample) {
	write := func(v func(groupOffset) int64) {
		left := maxGroupSeries
		for i := range samples {
			g := &samples[i]
			shown := g.offsets[:min(left, len(g.offsets))]
			left -= len(shown)
			for _, o := range shown {
				c.w.Int(v(o), g.id, o.topic, o.partition)
			}
		}
	}
	c.w.Family(c.d.groupOffset)
	write(func(o groupOffset) int64 { return o.offset })
	c.w.Family(c.d.groupLag)
	write(func(o groupOffset) int64 { return o.lag })
}

// groupSums adds up the offsets of each topic, which stand one after the other.
func (c *collection) groupSums(samples []groupSample) {
	sum := func(v func(groupOffset) int64) {
		for i := range samples {
			g := &samples[i]
			for rest := g.offsets; len(rest) > 0; {
				topic, total := rest[0].topic, int64(0)
				for len(rest) > 0 && rest[0].topic == topic {
					total += v(rest[0])
					rest = rest[1:]
				}
				c.w.Int(total, g.id, topic)
			}
		}
	}
	c.w.Family(c.d.groupOffsetSum)
	sum(func(o groupOffset) int64 { return o.offset })
	c.w.Family(c.d.groupLagSum)
	sum(func(o groupOffset) int64 { return max(o.lag, 0) })
}
