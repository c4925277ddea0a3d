package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// deleteACLsHandler is key 31, v1–v3, as key 29.
func deleteACLsHandler() handler {
	return handler{
		key: kmsg.DeleteACLs, min: 1, max: 3, advertised: 1, waits: true,
		shape: shape{
			arr(
				fixed(1), // resource type
				str(),    // resource name
				fixed(1), // pattern type
				str(),    // principal
				str(),    // host
				fixed(1), // operation
				fixed(1), // permission type
			),
		},
		serve: answer((*Broker).deleteACLs),
	}
}

// deleteACLs deletes what the valid filters match, in one durable change (I1).
func (b *Broker) deleteACLs(_ context.Context, r *request, q *kmsg.DeleteACLsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteACLsResponse)
	resp.Results = make([]kmsg.DeleteACLsResponseResult, len(q.Filters))
	denied := b.checkACLs(r, kmsg.ACLOperationAlter)
	var filters []security.ACLFilter
	var at []int // of each of filters in the request
	for i, qf := range q.Filters {
		f := security.ACLFilter{Type: qf.ResourceType, Pattern: qf.ResourcePatternType, Name: qf.ResourceName, Principal: qf.Principal,
			Host: qf.Host, Operation: qf.Operation, Permission: qf.PermissionType}
		err := denied
		if err == nil {
			err = f.Validate()
		}
		rr := &resp.Results[i]
		rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
		rr.MatchingACLs = []kmsg.DeleteACLsResponseResultMatchingACL{}
		if err == nil {
			filters, at = append(filters, f), append(at, i)
		}
	}
	if len(filters) == 0 {
		return resp
	}
	deleted, err := b.cfg.Security.DeleteACLs(filters)
	for i, j := range at {
		rr := &resp.Results[j]
		if err != nil {
			rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
			continue
		}
		for _, a := range deleted[i] {
			m := kmsg.NewDeleteACLsResponseResultMatchingACL()
			m.ResourceType, m.ResourceName, m.ResourcePatternType = a.Type, a.Name, a.Pattern
			m.Principal, m.Host, m.Operation, m.PermissionType = a.Principal, a.Host, a.Operation, a.Permission
			rr.MatchingACLs = append(rr.MatchingACLs, m)
		}
	}
	return resp
}
