package broker

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// createPartitionsHandler is key 37, v0–v3: v2 flexible.
func createPartitionsHandler() handler {
	return handler{
		key: kmsg.CreatePartitions, min: 0, max: 3, advertised: 0, waits: true,
		shape: shape{
			arr(str(), fixed(4), arr(list(fixed(4)))),
			fixed(4), // timeout
			fixed(1), // validate only
		},
		serve: answer((*Broker).createPartitions),
	}
}

func (b *Broker) createPartitions(_ context.Context, r *request, q *kmsg.CreatePartitionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.CreatePartitionsResponse)
	for i := range q.Topics {
		t := &q.Topics[i]
		err := b.checkMorePartitions(r, t)
		if topic, ok := b.cfg.Log.Topic(t.Topic); err == nil && ok && !q.ValidateOnly {
			err = b.chargeMutations(r, int(t.Count)-topic.Partitions(), q.Version >= 3)
		}
		if err == nil && !q.ValidateOnly {
			err = b.cfg.Log.CreatePartitions(t.Topic, int(t.Count))
		}
		rt := kmsg.NewCreatePartitionsResponseTopic()
		rt.Topic = t.Topic
		rt.ErrorCode, rt.ErrorMessage = errorCode(err), errorMessage(err)
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (b *Broker) checkMorePartitions(r *request, t *kmsg.CreatePartitionsRequestTopic) error {
	topic, err := b.topicFor(r, kmsg.ACLOperationAlter, t.Topic, [16]byte{}, false)
	if err != nil {
		return err
	}
	now := topic.Partitions()
	switch {
	case isReserved(t.Topic):
		return withCode(kerr.InvalidTopicException, "topic %q is internal and cannot be resized", t.Topic)
	case int(t.Count) <= now:
		return withCode(kerr.InvalidPartitions, "topic %q has %d partitions already; the number can only grow", t.Topic, now)
	case t.Assignment != nil && len(t.Assignment) != int(t.Count)-now:
		return withCode(kerr.InvalidReplicaAssignment, "topic %q gets %d new partitions but %d assignments", t.Topic, int(t.Count)-now, len(t.Assignment))
	}
	for _, a := range t.Assignment {
		if !slices.Equal(a.Replicas, b.replicas()) {
			return withCode(kerr.InvalidReplicaAssignment, "new partitions of topic %q can only be on broker %d", t.Topic, b.cfg.NodeID)
		}
	}
	return b.checkRoom(int(t.Count) - now)
}
