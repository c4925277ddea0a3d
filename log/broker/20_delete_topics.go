package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// deleteTopicsHandler is key 20, v1–v6: v4 flexible, v6 by id.
func deleteTopicsHandler() handler {
	return handler{
		key: kmsg.DeleteTopics, min: 1, max: 6, advertised: 1, waits: true,
		shape: shape{
			arr(str(), fixed(16)).from(6),
			list(str()).to(5),
			fixed(4), // timeout
		},
		serve: answer((*Broker).deleteTopics),
	}
}

func (b *Broker) deleteTopics(_ context.Context, r *request, q *kmsg.DeleteTopicsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteTopicsResponse)
	for _, name := range q.TopicNames {
		resp.Topics = append(resp.Topics, b.deleteTopic(r, kmsg.DeleteTopicsRequestTopic{Topic: &name}))
	}
	for _, t := range q.Topics {
		resp.Topics = append(resp.Topics, b.deleteTopic(r, t))
	}
	return resp
}

func (b *Broker) deleteTopic(r *request, t kmsg.DeleteTopicsRequestTopic) kmsg.DeleteTopicsResponseTopic {
	rt := kmsg.NewDeleteTopicsResponseTopic()
	rt.Topic, rt.TopicID = t.Topic, t.TopicID
	topic, err := b.topicToDelete(r, t)
	if err == nil {
		err = b.chargeMutations(r, topic.Partitions(), r.version >= 5)
	}
	if err == nil {
		rt.Topic, rt.TopicID = kmsg.StringPtr(topic.Name()), topic.ID()
		err = b.cfg.Log.DeleteTopic(topic.Name())
	}
	if err == nil {
		// A new topic of the same name must not inherit committed offsets.
		err = b.cfg.Groups.ForgetTopic(topic.Name())
	}
	rt.ErrorCode, rt.ErrorMessage = errorCode(err), errorMessage(err)
	return rt
}

func (b *Broker) topicToDelete(r *request, t kmsg.DeleteTopicsRequestTopic) (*log.Topic, error) {
	name := ""
	if t.Topic != nil {
		name = *t.Topic
		if t.TopicID != [16]byte{} {
			return nil, withCode(kerr.InvalidRequest, "give either the name or the id of topic %q", name)
		}
	}
	find := b.topicFor
	if b.isAllowed(r, kmsg.ACLOperationDelete, kmsg.ACLResourceTypeCluster, clusterName) { // then every topic, as in Kafka
		find = func(_ *request, _ kmsg.ACLOperation, name string, id [16]byte, byID bool) (*log.Topic, error) {
			return b.topic(name, id, byID)
		}
	}
	topic, err := find(r, kmsg.ACLOperationDelete, name, t.TopicID, t.Topic == nil)
	if err == nil && isReserved(topic.Name()) {
		return nil, withCode(kerr.InvalidTopicException, "topic %q is internal and cannot be deleted", topic.Name())
	}
	return topic, err
}
