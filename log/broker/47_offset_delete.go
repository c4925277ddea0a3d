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
	for i := range q.Topics {
		rt, valid := b.offsetDeleteTopic(r, &q.Topics[i])
		resp.Topics = append(resp.Topics, rt)
		topics = append(topics, valid)
	}
	outcomes, err := b.cfg.Groups.DeleteOffsets(q.Group, topics)
	if err != nil {
		resp.ErrorCode, resp.Topics = groupErrorCode(err), []kmsg.OffsetDeleteResponseTopic{}
		return resp
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if p := &resp.Topics[i].Partitions[j]; p.ErrorCode == 0 {
				p.ErrorCode = groupErrorCode(outcomes[i])
			}
		}
	}
	return resp
}

// offsetDeleteTopic makes the answer for a topic, and says which of its partitions
// there are.
func (b *Broker) offsetDeleteTopic(r *request, q *kmsg.OffsetDeleteRequestTopic) (kmsg.OffsetDeleteResponseTopic, group.TopicPartitions) {
	rt := kmsg.NewOffsetDeleteResponseTopic()
	rt.Topic = q.Topic
	rt.Partitions = []kmsg.OffsetDeleteResponseTopicPartition{}
	valid := group.TopicPartitions{Topic: q.Topic}
	topic, err := b.topicFor(r, kmsg.ACLOperationRead, q.Topic, [16]byte{}, false)
	for _, p := range q.Partitions {
		rp := kmsg.NewOffsetDeleteResponseTopicPartition()
		rp.Partition, rp.ErrorCode = p.Partition, errorCode(err)
		if err == nil {
			if _, ok := topic.Partition(p.Partition); ok {
				valid.Partitions = append(valid.Partitions, p.Partition)
			} else {
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt, valid
}
