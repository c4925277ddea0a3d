package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaveGroupHandler is key 13, v0–v5: v3 several members, v4 flexible.
func leaveGroupHandler() handler {
	return handler{
		key: kmsg.LeaveGroup, min: 0, max: 5, advertised: 0,
		shape: shape{
			str(),       // group
			str().to(2), // member id
			arr(
				str(),         // member id
				str(),         // instance id
				str().from(5), // reason
			).from(3),
		},
		serve: answer((*Broker).leaveGroup),
	}
}

func (b *Broker) leaveGroup(_ context.Context, r *request, q *kmsg.LeaveGroupRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.LeaveGroupResponse)
	resp.Members = []kmsg.LeaveGroupResponseMember{}
	if !b.allowsGroup(r, kmsg.ACLOperationRead, q.Group) {
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return resp
	}
	members := q.Members
	if q.Version < 3 {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = q.MemberID
		members = append(members, m)
	}
	outcomes, err := b.cfg.Groups.Leave(q.Group, members)
	if err != nil {
		resp.ErrorCode = groupErrorCode(err)
		return resp
	}
	if q.Version < 3 {
		resp.ErrorCode = groupErrorCode(outcomes[0])
		return resp
	}
	for i, m := range members {
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ErrorCode = m.MemberID, m.InstanceID, groupErrorCode(outcomes[i])
		resp.Members = append(resp.Members, rm)
	}
	return resp
}
