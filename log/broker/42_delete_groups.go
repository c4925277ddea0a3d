package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteGroupsHandler is key 42, v0–v3: v2 flexible, v3 messages.
func deleteGroupsHandler() handler {
	return handler{
		key: kmsg.DeleteGroups, min: 0, max: 3, advertised: 0, waits: true,
		shape: shape{list(str())},
		serve: answer((*Broker).deleteGroups),
	}
}

func (b *Broker) deleteGroups(_ context.Context, r *request, q *kmsg.DeleteGroupsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteGroupsResponse)
	resp.Groups = []kmsg.DeleteGroupsResponseGroup{}
	for _, id := range q.Groups {
		rg := kmsg.NewDeleteGroupsResponseGroup()
		err := error(kerr.GroupAuthorizationFailed)
		if b.allowsGroup(r, kmsg.ACLOperationDelete, id) {
			err = b.cfg.Groups.Delete(id)
		}
		rg.Group, rg.ErrorCode, rg.ErrorMessage = id, groupErrorCode(err), errorMessage(err)
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}
