package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerGroupDescribeHandler is key 69, v0–v1 (KIP-848): v1 member types.
func consumerGroupDescribeHandler() handler {
	return handler{
		key: kmsg.ConsumerGroupDescribe, min: 0, max: 1, advertised: 0,
		shape: shape{
			list(str()),
			fixed(1), // include authorized operations
		},
		serve: answer((*Broker).consumerGroupDescribe),
	}
}

func (b *Broker) consumerGroupDescribe(_ context.Context, r *request, q *kmsg.ConsumerGroupDescribeRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	resp.Groups = []kmsg.ConsumerGroupDescribeResponseGroup{}
	for _, id := range unique(q.Groups, func(id *string) string { return *id }) {
		resp.Groups = append(resp.Groups, b.describeConsumerGroup(r, id, q.IncludeAuthorizedOperations))
	}
	return resp
}

func (b *Broker) describeConsumerGroup(r *request, id string, operations bool) kmsg.ConsumerGroupDescribeResponseGroup {
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group, d.Members = id, []kmsg.ConsumerGroupDescribeResponseGroupMember{}
	if !b.allowsGroup(r, kmsg.ACLOperationDescribe, id) {
		d.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return d
	}
	described, err := b.cfg.Groups.ConsumerDescribe(id)
	if err == nil && !b.seesTopics(r, &described) {
		err = withCode(kerr.TopicAuthorizationFailed, "The group has described topic(s) that the client is not authorized to describe.")
	}
	if err != nil {
		d.ErrorCode, d.ErrorMessage = groupErrorCode(err), errorMessage(err)
		return d
	}
	if operations {
		described.AuthorizedOperations = b.authorizedOperations(r, kmsg.ACLResourceTypeGroup, id)
	}
	return described
}

// seesTopics reports whether the client may describe every topic that the group's
// members have or are to get.
func (b *Broker) seesTopics(r *request, d *kmsg.ConsumerGroupDescribeResponseGroup) bool {
	seen := map[string]struct{}{}
	for _, m := range d.Members {
		for _, a := range []kmsg.Assignment{m.Assignment, m.TargetAssignment} {
			for _, tp := range a.TopicPartitions {
				seen[tp.Topic] = struct{}{}
			}
		}
	}
	for topic := range seen {
		if !b.allowsTopic(r, kmsg.ACLOperationDescribe, topic) {
			return false
		}
	}
	return true
}
