package group

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzReplayRecord gives arbitrary records to what reads the offsets topic at a
// start. It must neither panic nor take long, and a group that it accepts must
// be one that can be served.
func FuzzReplayRecord(f *testing.F) {
	o := kmsg.NewOffsetCommitValue()
	o.Version, o.Offset, o.Metadata = 3, 7, "note"
	f.Add(offsetKey("g", topicPartition{"t", 0}), o.AppendTo(nil))
	g := kmsg.NewGroupMetadataValue()
	g.Version, g.ProtocolType, g.Leader = 3, "consumer", kmsg.StringPtr("m")
	m := kmsg.NewGroupMetadataValueMember()
	m.MemberID = "m"
	g.Members = append(g.Members, m)
	f.Add(groupTombstone("g").key, g.AppendTo(nil))
	f.Add(groupTombstone("g").key, []byte(nil))
	f.Add(groupTombstone("g").key, []byte{0, 4, 0xff, 0xff, 0xff, 0xff, 0x0f})
	g.Version, o.Version = 4, 4
	f.Add(groupTombstone("g").key, g.AppendTo(nil))
	f.Add(offsetKey("g", topicPartition{"t", 0}), o.AppendTo(nil))
	for _, c := range sampleChanges() {
		r := c.record("g")
		f.Add(r.key, r.value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		c := newCoordinator(Config{}.withDefaults())
		if err := c.replayRecord(key, value, source{offset: 1, producerID: -1}); err != nil {
			return
		}
		for id, g := range c.groups {
			if g.id != id || (len(g.members) > 0) != (g.state == stable) {
				t.Errorf("group %q is %s with %d members under the name %q", g.id, g.state, len(g.members), id)
			}
			g.stop()
		}
	})
}
