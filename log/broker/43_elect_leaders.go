package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// electLeadersHandler is key 43, v0–v2: v1 election type (KIP-460), v2 flexible.
func electLeadersHandler() handler {
	return handler{
		key: kmsg.ElectLeaders, min: 0, max: 2, advertised: 0,
		shape: shape{
			fixed(1).from(1),           // election type
			arr(str(), list(fixed(4))), // null: all
			fixed(4),                   // timeout
		},
		serve: answer((*Broker).electLeaders),
	}
}

// electLeaders has nothing to do: the one replica of a partition leads it. As from Kafka, a request about all partitions
// lists those that got another leader, which are none.
func (b *Broker) electLeaders(_ context.Context, r *request, q *kmsg.ElectLeadersRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ElectLeadersResponse)
	resp.Topics = []kmsg.ElectLeadersResponseTopic{}
	denied := !b.allows(r, kmsg.ACLOperationAlter, kmsg.ACLResourceTypeCluster, clusterName)
	if denied {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
	}
	for _, t := range q.Topics {
		rt := kmsg.NewElectLeadersResponseTopic()
		rt.Topic = t.Topic
		rt.Partitions = []kmsg.ElectLeadersResponseTopicPartition{}
		for _, i := range t.Partitions {
			err := error(withCode(kerr.ElectionNotNeeded, "partition %s-%d has one replica, which leads it", t.Topic, i))
			if denied {
				err = kerr.ClusterAuthorizationFailed
			} else if missing := b.checkExists(t.Topic, i); missing != nil {
				err = missing
			}
			rp := kmsg.NewElectLeadersResponseTopicPartition()
			rp.Partition = i
			rp.ErrorCode, rp.ErrorMessage = errorCode(err), errorMessage(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// checkExists returns an error when there is no such partition.
func (b *Broker) checkExists(topic string, partition int32) error {
	t, err := b.topic(topic, [16]byte{}, false)
	if err != nil {
		return err
	}
	if _, ok := t.Partition(partition); !ok {
		return withCode(kerr.UnknownTopicOrPartition, "topic %q has no partition %d", topic, partition)
	}
	return nil
}
