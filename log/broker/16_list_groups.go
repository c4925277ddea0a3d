package broker

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// listGroupsHandler is key 16, v0–v5: v3 flexible, v4 states, v5 types (KIP-848).
func listGroupsHandler() handler {
	return handler{
		key: kmsg.ListGroups, min: 0, max: 5, advertised: 0,
		shape: shape{
			list(str()).from(4), // states
			list(str()).from(5), // types
		},
		serve: answer((*Broker).listGroups),
	}
}

func (b *Broker) listGroups(_ context.Context, r *request, q *kmsg.ListGroupsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListGroupsResponse)
	resp.Groups = []kmsg.ListGroupsResponseGroup{}
	all := b.isAllowed(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeCluster, clusterName)
	for _, g := range b.cfg.Groups.List() {
		if !allows(q.StatesFilter, g.State) || !allows(q.TypesFilter, g.Type) {
			continue
		}
		if !all && !b.isAllowed(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeGroup, g.Group) {
			continue
		}
		rg := kmsg.NewListGroupsResponseGroup()
		rg.Group, rg.ProtocolType = g.Group, g.ProtocolType
		rg.GroupState, rg.GroupType = g.State, g.Type
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}

// allows reports whether a filter, empty for none, names the value in any case.
func allows(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}
