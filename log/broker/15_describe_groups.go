package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeGroupsHandler is key 15, v0–v6: v5 flexible, v6 GROUP_ID_NOT_FOUND.
func describeGroupsHandler() handler {
	return handler{
		key: kmsg.DescribeGroups, min: 0, max: 6, advertised: 0,
		shape: shape{
			list(str()),
			fixed(1).from(3), // include authorized operations
		},
		serve: answer((*Broker).describeGroups),
	}
}

func (b *Broker) describeGroups(_ context.Context, r *request, q *kmsg.DescribeGroupsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeGroupsResponse)
	resp.Groups = []kmsg.DescribeGroupsResponseGroup{}
	for _, id := range unique(q.Groups, func(id *string) string { return *id }) {
		rg := b.describeGroup(r, id, q.Version)
		if q.IncludeAuthorizedOperations && rg.ErrorCode == 0 {
			rg.AuthorizedOperations = b.authorizedOperations(r, kmsg.ACLResourceTypeGroup, id)
		}
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}

func (b *Broker) describeGroup(r *request, id string, version int16) kmsg.DescribeGroupsResponseGroup {
	rg := kmsg.NewDescribeGroupsResponseGroup()
	rg.Group = id
	rg.AuthorizedOperations = noOperations
	rg.Members = []kmsg.DescribeGroupsResponseGroupMember{}
	if !b.allowsGroup(r, kmsg.ACLOperationDescribe, id) {
		rg.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return rg
	}
	d, err := b.cfg.Groups.Describe(id)
	if errors.Is(err, kerr.GroupIDNotFound) {
		rg.State = "Dead" // all that there was before v6
		if version >= 6 {
			rg.ErrorCode = kerr.GroupIDNotFound.Code
			rg.ErrorMessage = errorMessage(err)
		}
		return rg
	}
	if err != nil {
		rg.ErrorCode = groupErrorCode(err)
		return rg
	}
	rg.State, rg.ProtocolType, rg.Protocol = d.State, d.ProtocolType, d.Protocol
	for _, m := range d.Members {
		rm := kmsg.NewDescribeGroupsResponseGroupMember()
		rm.MemberID, rm.InstanceID, rm.ClientID, rm.ClientHost = m.ID, m.InstanceID, m.ClientID, m.ClientHost
		rm.ProtocolMetadata, rm.MemberAssignment = m.Metadata, m.Assignment
		rg.Members = append(rg.Members, rm)
	}
	return rg
}
