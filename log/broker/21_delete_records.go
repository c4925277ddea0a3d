package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteRecordsHandler is key 21, v0–v2: v2 flexible.
func deleteRecordsHandler() handler {
	return handler{
		key: kmsg.DeleteRecords, min: 0, max: 2, advertised: 0, waits: true,
		shape: shape{
			arr(str(), arr(fixed(4), fixed(8))),
			fixed(4), // timeout
		},
		serve: answer((*Broker).deleteRecords),
	}
}

func (b *Broker) deleteRecords(_ context.Context, r *request, q *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteRecordsResponse)
	for _, t := range q.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition = p.Partition
			var err error
			rp.LowWatermark, err = b.deleteBefore(r, t.Topic, p.Partition, p.Offset)
			rp.ErrorCode = errorCode(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// deleteBefore moves the log start offset; -1 means to the high watermark.
func (b *Broker) deleteBefore(r *request, topic string, partition int32, offset int64) (int64, error) {
	p, err := b.partitionFor(r, kmsg.ACLOperationDelete, topic, [16]byte{}, false, partition)
	if err != nil {
		return -1, err
	}
	if p.Topic().Internal() {
		return -1, withCode(kerr.InvalidTopicException, "records of topic %q belong to its coordinator", topic)
	}
	if !p.Topic().Config().CleanupDelete {
		return -1, withCode(kerr.PolicyViolation, "records of topic %q are compacted: its cleanup.policy has no delete", topic)
	}
	if offset == -1 {
		offset = p.HighWatermark()
	}
	start, err := p.DeleteRecords(offset)
	if err != nil {
		return -1, err
	}
	return start, nil
}
