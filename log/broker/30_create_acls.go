package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// createACLsHandler is key 30, v1–v3, as key 29.
func createACLsHandler() handler {
	return handler{
		key: kmsg.CreateACLs, min: 1, max: 3, advertised: 1, waits: true,
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
		serve: answer((*Broker).createACLs),
	}
}

// createACLs creates those that are valid, all in one durable change (I1).
func (b *Broker) createACLs(_ context.Context, r *request, q *kmsg.CreateACLsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.CreateACLsResponse)
	denied := b.checkACLs(r, kmsg.ACLOperationAlter)
	errs := make([]error, len(q.Creations))
	var acls []security.ACL
	for i, c := range q.Creations {
		a := security.ACL{
			Resource:  security.Resource{Type: c.ResourceType, Name: c.ResourceName, Pattern: c.ResourcePatternType},
			Principal: c.Principal, Host: c.Host, Operation: c.Operation, Permission: c.PermissionType,
		}
		if errs[i] = denied; denied == nil {
			errs[i] = a.Validate()
		}
		if errs[i] == nil {
			acls = append(acls, a)
		}
	}
	var failed error
	if len(acls) > 0 {
		failed = b.cfg.Security.CreateACLs(acls)
	}
	resp.Results = make([]kmsg.CreateACLsResponseResult, len(errs))
	for i, err := range errs {
		if err == nil {
			err = failed
		}
		resp.Results[i].ErrorCode, resp.Results[i].ErrorMessage = errorCode(err), errorMessage(err)
	}
	return resp
}
