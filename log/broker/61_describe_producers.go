package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeProducersHandler is key 61, v0 (KIP-664): flexible.
func describeProducersHandler() handler {
	return handler{
		key: kmsg.DescribeProducers, min: 0, max: 0, advertised: 0,
		shape: shape{arr(str(), list(fixed(4)))},
		serve: answer((*Broker).describeProducers),
	}
}

// describeProducers lists the producers that partitions know, which is how a
// hanging transaction is found.
func (b *Broker) describeProducers(_ context.Context, r *request, q *kmsg.DescribeProducersRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeProducersResponse)
	resp.Topics = []kmsg.DescribeProducersResponseTopic{}
	for _, t := range q.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = t.Topic
		rt.Partitions = []kmsg.DescribeProducersResponseTopicPartition{}
		allowed := b.allows(r, kmsg.ACLOperationRead, kmsg.ACLResourceTypeTopic, t.Topic)
		for _, p := range t.Partitions {
			rp := kmsg.NewDescribeProducersResponseTopicPartition()
			rp.Partition = p
			rp.ActiveProducers = []kmsg.DescribeProducersResponseTopicPartitionActiveProducer{}
			err := error(kerr.TopicAuthorizationFailed)
			if allowed {
				err = b.describePartitionProducers(t.Topic, &rp)
			}
			rp.ErrorCode, rp.ErrorMessage = errorCode(err), errorMessage(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// describePartitionProducers fills in the producers of one partition.
func (b *Broker) describePartitionProducers(topic string, rp *kmsg.DescribeProducersResponseTopicPartition) error {
	p, err := b.partition(topic, [16]byte{}, false, rp.Partition)
	if err != nil {
		return err
	}
	for _, s := range p.Producers() {
		a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		a.ProducerID, a.ProducerEpoch, a.LastSequence = s.ProducerID, int32(s.ProducerEpoch), s.LastSequence
		a.LastTimestamp, a.CoordinatorEpoch, a.CurrentTxnStartOffset = s.LastTimestampMs, s.CoordinatorEpoch, s.TxnStartOffset
		rp.ActiveProducers = append(rp.ActiveProducers, a)
	}
	return nil
}
