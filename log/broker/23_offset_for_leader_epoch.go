package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetForLeaderEpochHandler is key 23, v2–v4: librdkafka speaks only v2, Java
// only v3 and later; v4 flexible.
func offsetForLeaderEpochHandler() handler {
	return handler{
		key: kmsg.OffsetForLeaderEpoch, min: 2, max: 4, advertised: 2,
		shape: shape{
			fixed(4).from(3), // replica id
			arr(str(), arr(
				fixed(4),         // partition
				fixed(4).from(2), // current leader epoch
				fixed(4),         // leader epoch
			)),
		},
		serve: answer((*Broker).offsetForLeaderEpoch),
	}
}

func (b *Broker) offsetForLeaderEpoch(_ context.Context, r *request, q *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range q.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition = p.Partition
			rp.LeaderEpoch, rp.EndOffset = -1, -1
			l, err := b.partitionFor(r, kmsg.ACLOperationDescribe, t.Topic, [16]byte{}, false, p.Partition)
			if err == nil {
				err = checkLeaderEpoch(l, p.CurrentLeaderEpoch)
			}
			if err == nil {
				rp.LeaderEpoch, rp.EndOffset = l.EndOffsetForEpoch(p.LeaderEpoch)
			}
			rp.ErrorCode = errorCode(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
