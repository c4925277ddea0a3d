package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// createTopicsHandler is key 19, v2–v7: v4 takes -1 for partitions and replicas,
// v5 flexible with the effective configs in the response, v7 topic ids.
func createTopicsHandler() handler {
	return handler{
		key: kmsg.CreateTopics, min: 2, max: 7, advertised: 2, waits: true,
		shape: shape{
			arr(str(), fixed(4), fixed(2),
				arr(fixed(4), list(fixed(4))), // replica assignment
				arr(str(), str()),             // configs
			),
			fixed(4),         // timeout
			fixed(1).from(1), // validate only
		},
		serve: answer((*Broker).createTopics),
	}
}

func (b *Broker) createTopics(_ context.Context, r *request, q *kmsg.CreateTopicsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.CreateTopicsResponse)
	count := map[string]int{}
	for i := range q.Topics {
		count[q.Topics[i].Topic]++
	}
	for i := range q.Topics {
		t := &q.Topics[i]
		var err error
		if count[t.Topic] > 1 {
			err = withCode(kerr.InvalidRequest, "topic %q is named twice in the request", t.Topic)
		}
		if !b.allowsCreate(r, t.Topic) {
			err = withCode(kerr.TopicAuthorizationFailed, "Authorization failed.")
		}
		resp.Topics = append(resp.Topics, b.createTopic(r, q, t, err))
	}
	return resp
}

func (b *Broker) createTopic(r *request, q *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic, err error) kmsg.CreateTopicsResponseTopic {
	rt := kmsg.NewCreateTopicsResponseTopic()
	rt.Topic = t.Topic
	rt.NumPartitions, rt.ReplicationFactor = -1, -1
	rt.Configs = []kmsg.CreateTopicsResponseTopicConfig{} // null breaks Java clients
	if err != nil {
		rt.ErrorCode, rt.ErrorMessage = errorCode(err), errorMessage(err)
		return rt
	}
	partitions, overrides, err := b.checkNewTopic(t)
	if err == nil && !q.ValidateOnly {
		err = b.chargeMutations(r, partitions, q.Version >= 6)
	}
	if err == nil && !q.ValidateOnly {
		var topic *log.Topic
		if topic, err = b.cfg.Log.CreateTopic(t.Topic, partitions, overrides); err == nil {
			rt.TopicID = topic.ID()
		}
	}
	if errors.Is(err, log.ErrTopicExists) { // in Kafka's words: scripts look for them
		err = withCode(kerr.TopicAlreadyExists, "Topic '%s' already exists.", t.Topic)
	}
	if err != nil {
		rt.ErrorCode, rt.ErrorMessage = errorCode(err), errorMessage(err)
		return rt
	}
	if !b.isAllowed(r, kmsg.ACLOperationDescribeConfigs, kmsg.ACLResourceTypeTopic, t.Topic) {
		rt.ConfigErrorCode = kerr.TopicAuthorizationFailed.Code
		return rt
	}
	rt.NumPartitions, rt.ReplicationFactor = int32(partitions), 1
	for _, c := range b.topicConfigs(overrides) {
		k := kmsg.NewCreateTopicsResponseTopicConfig()
		k.Name, k.Value, k.Source = c.key.Name, &c.values[0].value, int8(c.values[0].source)
		rt.Configs = append(rt.Configs, k)
	}
	return rt
}

// checkNewTopic checks what the log does not know about: assignments, replicas,
// reserved names. For the rest CreateTopic is the judge.
func (b *Broker) checkNewTopic(t *kmsg.CreateTopicsRequestTopic) (partitions int, overrides map[string]string, err error) {
	if isReserved(t.Topic) {
		return 0, nil, withCode(kerr.InvalidTopicException, "topic %q is internal; it is created when first needed", t.Topic)
	}
	if partitions, err = b.newPartitions(t); err != nil {
		return 0, nil, err
	}
	overrides = map[string]string{}
	for _, c := range t.Configs {
		if c.Value == nil {
			return 0, nil, withCode(kerr.InvalidConfig, "config %s of topic %q has no value", c.Name, t.Topic)
		}
		overrides[c.Name] = *c.Value
	}
	if err := b.cfg.Log.CheckTopic(t.Topic, partitions, overrides); err != nil {
		return 0, nil, err
	}
	return partitions, overrides, b.checkRoom(partitions)
}

func (b *Broker) newPartitions(t *kmsg.CreateTopicsRequestTopic) (int, error) {
	if len(t.ReplicaAssignment) > 0 {
		return b.assignedPartitions(t)
	}
	if t.ReplicationFactor != -1 && t.ReplicationFactor != 1 {
		return 0, withCode(kerr.InvalidReplicationFactor,
			"replication factor %d of topic %q is not possible on one broker: use 1 or -1", t.ReplicationFactor, t.Topic)
	}
	switch {
	case t.NumPartitions == -1:
		return b.dynamic.Load().numPartitions, nil
	case t.NumPartitions < 1:
		return 0, withCode(kerr.InvalidPartitions, "topic %q needs at least 1 partition, or -1 for the default", t.Topic)
	}
	return int(t.NumPartitions), nil
}

// assignedPartitions checks a manual assignment: partitions 0 to n-1, each on
// this broker.
func (b *Broker) assignedPartitions(t *kmsg.CreateTopicsRequestTopic) (int, error) {
	n := len(t.ReplicaAssignment)
	if t.NumPartitions != -1 || t.ReplicationFactor != -1 {
		return 0, withCode(kerr.InvalidRequest, "topic %q has both a replica assignment and counts: set the counts to -1", t.Topic)
	}
	seen := make([]bool, n)
	for _, a := range t.ReplicaAssignment {
		if a.Partition < 0 || int(a.Partition) >= n || seen[a.Partition] || !slices.Equal(a.Replicas, b.replicas()) {
			return 0, withCode(kerr.InvalidReplicaAssignment,
				"replica assignment of topic %q must give partitions 0 to %d to broker %d", t.Topic, n-1, b.cfg.NodeID)
		}
		seen[a.Partition] = true
	}
	return n, nil
}

// withCode is an error with a Kafka code and a text of its own.
func withCode(code *kerr.Error, format string, args ...any) error {
	return &codedError{code: code, text: fmt.Sprintf(format, args...)}
}

type codedError struct {
	code *kerr.Error
	text string
}

func (e *codedError) Error() string { return e.text }
func (e *codedError) Unwrap() error { return e.code }
