package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/group"
)

// consumerGroupHeartbeatHandler is key 68, v0–v1 (KIP-848): v1 regular expressions
// and member ids that the client makes.
func consumerGroupHeartbeatHandler() handler {
	return handler{
		key: kmsg.ConsumerGroupHeartbeat, min: 0, max: 1, advertised: 0, waits: true,
		shape: shape{
			str(),                          // group
			str(),                          // member id
			fixed(4),                       // member epoch
			str(),                          // instance id
			str(),                          // rack id
			fixed(4),                       // rebalance timeout
			list(str()),                    // subscribed topic names
			str().from(1),                  // subscribed topic regex
			str(),                          // server assignor
			arr(fixed(16), list(fixed(4))), // owned partitions
		},
		serve: answer((*Broker).consumerGroupHeartbeat),
	}
}

func (b *Broker) consumerGroupHeartbeat(_ context.Context, r *request, q *kmsg.ConsumerGroupHeartbeatRequest) kmsg.Response {
	visible := func(topic string) bool {
		return b.isAllowed(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, topic)
	}
	resp := q.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	if !b.allowsGroup(r, kmsg.ACLOperationRead, q.Group) {
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return resp
	}
	for _, topic := range q.SubscribedTopicNames {
		if !b.allowsTopic(r, kmsg.ACLOperationDescribe, topic) {
			resp.ErrorCode = kerr.TopicAuthorizationFailed.Code
			return resp
		}
	}
	resp = b.cfg.Groups.ConsumerHeartbeat(group.Client{ID: r.clientID, Host: "/" + r.clientHost}, q, visible)
	resp.SetVersion(q.Version)
	return resp
}
