package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// heartbeatHandler is key 12, v0–v4: v3 static members, v4 flexible.
func heartbeatHandler() handler {
	return handler{
		key: kmsg.Heartbeat, min: 0, max: 4, advertised: 0,
		shape: shape{
			str(),         // group
			fixed(4),      // generation
			str(),         // member id
			str().from(3), // instance id
		},
		serve: answer((*Broker).heartbeat),
	}
}

func (b *Broker) heartbeat(_ context.Context, r *request, q *kmsg.HeartbeatRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.HeartbeatResponse)
	if !b.allowsGroup(r, kmsg.ACLOperationRead, q.Group) {
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return resp
	}
	resp.ErrorCode = groupErrorCode(b.cfg.Groups.Heartbeat(q.Group, q.Generation, q.MemberID, q.InstanceID))
	return resp
}
