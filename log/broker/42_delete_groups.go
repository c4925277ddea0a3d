package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteGroupsHandler is key 42, v0–v2: v2 flexible.
func deleteGroupsHandler() handler {
	return handler{
		key: kmsg.DeleteGroups, min: 0, max: 2, advertised: 0, waits: true,
		shape: shape{list(str())},
		serve: answer((*Broker).deleteGroups),
	}
}

func (b *Broker) deleteGroups(_ context.Context, r *request, q *kmsg.DeleteGroupsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteGroupsResponse)
	resp.Groups = []kmsg.DeleteGroupsResponseGroup{}
	for _, id := range q.Groups {
		rg := kmsg.NewDeleteGroupsResponseGroup()
		rg.Group, rg.ErrorCode = id, kerr.GroupAuthorizationFailed.Code
		if b.allowsGroup(r, kmsg.ACLOperationDelete, id) {
			rg.ErrorCode = groupErrorCode(b.cfg.Groups.Delete(id))
		}
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}
