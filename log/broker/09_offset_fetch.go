package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/group"
)

// offsetFetchHandler is key 9, v1–v10: v6 flexible, v7 require stable (KIP-447), v8
// several groups, v9 member epoch (KIP-848), v10 topic ids.
func offsetFetchHandler() handler {
	return handler{
		key: kmsg.OffsetFetch, min: 1, max: 10, advertised: 1,
		shape: shape{
			str().to(7),                      // group
			arr(str(), list(fixed(4))).to(7), // topics
			arr(
				str(),            // group
				str().from(9),    // member id
				fixed(4).from(9), // member epoch
				arr(str().to(9), fixed(16).from(10), list(fixed(4))),
			).from(8),
			fixed(1).from(7), // require stable (KIP-447)
		},
		serve: answer((*Broker).offsetFetch),
	}
}

func (b *Broker) offsetFetch(_ context.Context, r *request, q *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetFetchResponse)
	if q.Version >= 8 {
		resp.Groups = []kmsg.OffsetFetchResponseGroup{}
		for _, g := range unique(q.Groups, func(g *kmsg.OffsetFetchRequestGroup) string { return g.Group }) {
			resp.Groups = append(resp.Groups, b.fetchOffsets(r, &g, q))
		}
		return resp
	}
	one := b.fetchOffsets(r, oneGroup(q), q)
	resp.ErrorCode = one.ErrorCode
	resp.Topics = []kmsg.OffsetFetchResponseTopic{}
	for _, t := range one.Topics {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition(p))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// oneGroup is a request up to v7 in the form of v8.
func oneGroup(q *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = q.Group
	if q.Topics != nil { // null means all, empty means none
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range q.Topics {
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.Partitions = t.Topic, t.Partitions
		g.Topics = append(g.Topics, gt)
	}
	return &g
}

// fetchOffsets answers for one group. A group or partition without a committed
// offset is no error: its offset is -1.
func (b *Broker) fetchOffsets(r *request, q *kmsg.OffsetFetchRequestGroup, all *kmsg.OffsetFetchRequest) kmsg.OffsetFetchResponseGroup {
	rg := kmsg.NewOffsetFetchResponseGroup()
	rg.Group = q.Group
	rg.Topics = []kmsg.OffsetFetchResponseGroupTopic{}
	if !b.allowsGroup(r, kmsg.ACLOperationDescribe, q.Group) {
		rg.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return rg
	}
	offsets, err := b.cfg.Groups.Fetch(group.FetchRequest{
		Group: q.Group, MemberID: q.MemberID, MemberEpoch: q.MemberEpoch, RequireStable: all.RequireStable,
	})
	if err != nil {
		rg.ErrorCode = groupErrorCode(err)
		return rg
	}
	if q.Topics == nil {
		rg.Topics = append(rg.Topics, b.allOffsets(r, offsets, all.Version)...)
		return rg
	}
	known := map[string]map[int32]group.Fetched{}
	for _, o := range offsets {
		if known[o.Topic] == nil {
			known[o.Topic] = map[int32]group.Fetched{}
		}
		known[o.Topic][o.Partition] = o
	}
	for _, t := range q.Topics {
		rg.Topics = append(rg.Topics, b.namedOffsets(r, t, known, all.Version))
	}
	return rg
}

// allOffsets takes offsets sorted by topic. From v10 on a topic has to have an
// id, so those of topics that are gone are left out.
func (b *Broker) allOffsets(r *request, offsets []group.Fetched, version int16) []kmsg.OffsetFetchResponseGroupTopic {
	var topics []kmsg.OffsetFetchResponseGroupTopic
	for len(offsets) > 0 {
		name := offsets[0].Topic
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic = name
		for len(offsets) > 0 && offsets[0].Topic == name {
			rt.Partitions = append(rt.Partitions, fetchedOffset(offsets[0]))
			offsets = offsets[1:]
		}
		t, ok := b.cfg.Log.Topic(name)
		if ok {
			rt.TopicID = t.ID()
		}
		if (ok || version < 10) && b.isAllowed(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, name) {
			topics = append(topics, rt)
		}
	}
	return topics
}

func (b *Broker) namedOffsets(r *request, t kmsg.OffsetFetchRequestGroupTopic, known map[string]map[int32]group.Fetched, version int16) kmsg.OffsetFetchResponseGroupTopic {
	rt := kmsg.NewOffsetFetchResponseGroupTopic()
	rt.Topic, rt.TopicID = t.Topic, t.TopicID
	name, code := t.Topic, int16(0)
	if version >= 10 {
		if topic, ok := b.cfg.Log.TopicByID(t.TopicID); ok {
			name = topic.Name()
		} else {
			code = kerr.UnknownTopicID.Code
		}
	}
	if code == 0 && !b.allowsTopic(r, kmsg.ACLOperationDescribe, name) {
		code = kerr.TopicAuthorizationFailed.Code
	}
	rt.Partitions = []kmsg.OffsetFetchResponseGroupTopicPartition{}
	for _, i := range t.Partitions {
		o, ok := known[name][i]
		if !ok || code != 0 {
			o = group.Fetched{Offset: group.Offset{Partition: i, Offset: -1, LeaderEpoch: -1}}
		}
		rp := fetchedOffset(o)
		if code != 0 {
			rp.ErrorCode = code
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt
}

func fetchedOffset(o group.Fetched) kmsg.OffsetFetchResponseGroupTopicPartition {
	rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	rp.Partition, rp.Offset, rp.LeaderEpoch = o.Partition, o.Offset.Offset, o.LeaderEpoch
	rp.Metadata = kmsg.StringPtr(o.Metadata)
	rp.ErrorCode = groupErrorCode(o.Err)
	return rp
}
