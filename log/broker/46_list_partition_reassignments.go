package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// listPartitionReassignmentsHandler is key 46, v0 (KIP-455).
func listPartitionReassignmentsHandler() handler {
	return handler{
		key: kmsg.ListPartitionReassignments, min: 0, max: 0, advertised: 0,
		shape: shape{
			fixed(4), // timeout
			arr(str(), list(fixed(4))),
		},
		serve: answer((*Broker).listPartitionReassignments),
	}
}

// listPartitionReassignments answers that there are none: one broker has nowhere to move a partition.
func (b *Broker) listPartitionReassignments(_ context.Context, r *request, q *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	resp.Topics = []kmsg.ListPartitionReassignmentsResponseTopic{}
	if !b.allows(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeCluster, clusterName) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
	}
	return resp
}
