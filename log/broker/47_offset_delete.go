package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/group"
)

// offsetDeleteHandler is key 47, v0 (KIP-496).
func offsetDeleteHandler() handler {
	return handler{
		key: kmsg.OffsetDelete, min: 0, max: 0, advertised: 0, waits: true,
		shape: shape{
			str(), // group
			arr(str(), arr(fixed(4))),
		},
		serve: answer((*Broker).offsetDelete),
	}
}

func (b *Broker) offsetDelete(_ context.Context, r *request, q *kmsg.OffsetDeleteRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetDeleteResponse)
	resp.Topics = []kmsg.OffsetDeleteResponseTopic{}
	if !b.allowsGroup(r, kmsg.ACLOperationDelete, q.Group) {
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return resp
	}
	var topics []group.TopicPartitions
	for _, t := range q.Topics {
		tp := group.TopicPartitions{Topic: t.Topic}
		for _, p := range t.Partitions {
			tp.Partitions = append(tp.Partitions, p.Partition)
		}
		if !b.allowsTopic(r, kmsg.ACLOperationRead, t.Topic) {
			resp.Topics = append(resp.Topics, offsetDeleteTopic(tp, kerr.TopicAuthorizationFailed.Code))
			continue
		}
		topics = append(topics, tp)
	}
	outcomes, err := b.cfg.Groups.DeleteOffsets(q.Group, topics)
	if err != nil {
		resp.ErrorCode = groupErrorCode(err)
		return resp
	}
	for i, t := range topics {
		resp.Topics = append(resp.Topics, offsetDeleteTopic(t, groupErrorCode(outcomes[i])))
	}
	return resp
}

func offsetDeleteTopic(t group.TopicPartitions, code int16) kmsg.OffsetDeleteResponseTopic {
	rt := kmsg.NewOffsetDeleteResponseTopic()
	rt.Topic = t.Topic
	for _, p := range t.Partitions {
		rp := kmsg.NewOffsetDeleteResponseTopicPartition()
		rp.Partition, rp.ErrorCode = p, code
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt
}
