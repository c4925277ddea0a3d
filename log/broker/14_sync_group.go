package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// syncGroupHandler is key 14, v0–v5: v3 static members, v4 flexible.
func syncGroupHandler() handler {
	return handler{
		key: kmsg.SyncGroup, min: 0, max: 5, advertised: 0, waits: true,
		shape: shape{
			str(),              // group
			fixed(4),           // generation
			str(),              // member id
			str().from(3),      // instance id
			str().from(5),      // protocol type
			str().from(5),      // protocol
			arr(str(), blob()), // assignments
		},
		serve: answer((*Broker).syncGroup),
	}
}

func (b *Broker) syncGroup(ctx context.Context, r *request, q *kmsg.SyncGroupRequest) kmsg.Response {
	if !b.allowsGroup(r, kmsg.ACLOperationRead, q.Group) {
		resp := q.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode, resp.MemberAssignment = kerr.GroupAuthorizationFailed.Code, []byte{}
		return resp
	}
	resp := b.cfg.Groups.Sync(ctx, q)
	resp.SetVersion(q.Version)
	return resp
}
