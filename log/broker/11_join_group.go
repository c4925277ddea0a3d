package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/group"
)

// joinGroupHandler is key 11, v0–v9: v4 two-step join (KIP-394), v5 static
// members, v6 flexible, v9 skip assignment. v0 and v1 stay because older
// librdkafka ties features to them (KAFKA-19444).
func joinGroupHandler() handler {
	return handler{
		key: kmsg.JoinGroup, min: 0, max: 9, advertised: 0, waits: true,
		shape: shape{
			str(),              // group
			fixed(4),           // session timeout
			fixed(4).from(1),   // rebalance timeout
			str(),              // member id
			str().from(5),      // instance id
			str(),              // protocol type
			arr(str(), blob()), // protocols
			str().from(8),      // reason
		},
		serve: answer((*Broker).joinGroup),
	}
}

func (b *Broker) joinGroup(ctx context.Context, r *request, q *kmsg.JoinGroupRequest) kmsg.Response {
	if !b.allowsGroup(r, kmsg.ACLOperationRead, q.Group) {
		resp := q.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode, resp.Generation = kerr.GroupAuthorizationFailed.Code, -1
		resp.Members = []kmsg.JoinGroupResponseMember{}
		return resp
	}
	resp := b.cfg.Groups.Join(ctx, group.Client{ID: r.clientID, Host: "/" + r.clientHost}, q)
	resp.SetVersion(q.Version)
	if resp.ErrorCode != 0 && q.Version >= 7 {
		resp.Protocol = nil
	}
	return resp
}
