package broker

import (
	"context"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// listConfigResourcesHandler is key 74, v0–v1: v0 lists client metrics subscriptions (KIP-714), v1 any type (KIP-1142).
func listConfigResourcesHandler() handler {
	return handler{
		key: kmsg.ListConfigResources, min: 0, max: 1, advertised: 0,
		shape: shape{list(fixed(1)).from(1)}, // empty: all types
		serve: answer((*Broker).listConfigResources),
	}
}

// The config resource types that can be asked for.
var listedTypes = []int8{
	int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker), int8(kmsg.ConfigResourceTypeBrokerLogger),
	int8(kmsg.ConfigResourceTypeClientMetrics), int8(kmsg.ConfigResourceTypeGroupConfig),
}

// listConfigResources lists what has configs. Of broker loggers, client metrics and groups there are none.
func (b *Broker) listConfigResources(_ context.Context, r *request, q *kmsg.ListConfigResourcesRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	resp.ConfigResources = []kmsg.ListConfigResourcesResponseConfigResource{}
	types := q.ResourceTypes
	switch {
	case !b.allows(r, kmsg.ACLOperationDescribeConfigs, kmsg.ACLResourceTypeCluster, clusterName):
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp
	case q.Version == 0:
		return resp
	case len(types) == 0:
		types = listedTypes
	}
	for _, typ := range unique(types, func(t *int8) int8 { return *t }) {
		if !slices.Contains(listedTypes, typ) {
			resp.ErrorCode = kerr.UnsupportedVersion.Code
			resp.ConfigResources = []kmsg.ListConfigResourcesResponseConfigResource{}
			return resp
		}
		for _, name := range b.configResources(kmsg.ConfigResourceType(typ)) {
			cr := kmsg.NewListConfigResourcesResponseConfigResource()
			cr.Name, cr.Type = name, typ
			resp.ConfigResources = append(resp.ConfigResources, cr)
		}
	}
	return resp
}

func (b *Broker) configResources(typ kmsg.ConfigResourceType) []string {
	switch typ {
	case kmsg.ConfigResourceTypeTopic:
		var names []string
		for _, t := range b.cfg.Log.Topics() {
			names = append(names, t.Name())
		}
		return names
	case kmsg.ConfigResourceTypeBroker:
		return []string{strconv.Itoa(int(b.cfg.NodeID))}
	}
	return nil
}
