package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// describeACLsHandler is key 29, v1–v3: v1 pattern types (KIP-290), v2 flexible,
// v3 users as resources.
func describeACLsHandler() handler {
	return handler{
		key: kmsg.DescribeACLs, min: 1, max: 3, advertised: 1,
		shape: shape{
			fixed(1), // resource type
			str(),    // resource name
			fixed(1), // pattern type
			str(),    // principal
			str(),    // host
			fixed(1), // operation
			fixed(1), // permission type
		},
		serve: answer((*Broker).describeACLs),
	}
}

func (b *Broker) describeACLs(_ context.Context, r *request, q *kmsg.DescribeACLsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeACLsResponse)
	resp.Resources = []kmsg.DescribeACLsResponseResource{}
	f := security.ACLFilter{Type: q.ResourceType, Pattern: q.ResourcePatternType, Name: q.ResourceName, Principal: q.Principal,
		Host: q.Host, Operation: q.Operation, Permission: q.PermissionType}
	err := b.checkACLs(r, kmsg.ACLOperationDescribe)
	if err == nil {
		err = f.Validate()
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		return resp
	}
	for _, a := range b.cfg.Security.ACLs(f) { // sorted by resource
		last := len(resp.Resources) - 1
		if last < 0 || !isAbout(&resp.Resources[last], a.Resource) {
			rr := kmsg.NewDescribeACLsResponseResource()
			rr.ResourceType, rr.ResourceName, rr.ResourcePatternType = a.Type, a.Name, a.Pattern
			resp.Resources = append(resp.Resources, rr)
			last++
		}
		ra := kmsg.NewDescribeACLsResponseResourceACL()
		ra.Principal, ra.Host, ra.Operation, ra.PermissionType = a.Principal, a.Host, a.Operation, a.Permission
		resp.Resources[last].ACLs = append(resp.Resources[last].ACLs, ra)
	}
	return resp
}

func isAbout(rr *kmsg.DescribeACLsResponseResource, r security.Resource) bool {
	return rr.ResourceType == r.Type && rr.ResourceName == r.Name && rr.ResourcePatternType == r.Pattern
}

// checkACLs refuses requests about ACLs where nothing heeds them, or from a
// client that may not do op on the cluster.
func (b *Broker) checkACLs(r *request, op kmsg.ACLOperation) error {
	if b.cfg.Authorizer == nil || b.cfg.Security == nil {
		return withCode(kerr.SecurityDisabled, "No Authorizer is configured on the broker")
	}
	if !b.allowsCluster(r, op) {
		return withCode(kerr.ClusterAuthorizationFailed, "Cluster authorization failed.")
	}
	return nil
}
