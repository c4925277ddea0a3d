package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeClusterHandler is key 60, v0–v2: v1 endpoint type, v2 fenced brokers.
func describeClusterHandler() handler {
	return handler{
		key: kmsg.DescribeCluster, min: 0, max: 2, advertised: 0,
		shape: shape{
			fixed(1),         // include authorized operations
			fixed(1).from(1), // endpoint type
			fixed(1).from(2), // include fenced brokers
		},
		serve: answer((*Broker).describeCluster),
	}
}

func (b *Broker) describeCluster(_ context.Context, r *request, q *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterID = b.cfg.Log.ClusterID()
	resp.ControllerID = b.cfg.NodeID
	resp.ClusterAuthorizedOperations = noOperations
	if q.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = b.clusterOperations(r)
	}
	resp.EndpointType = 1 // brokers
	resp.Brokers = []kmsg.DescribeClusterResponseBroker{}
	if q.Version >= 1 && q.EndpointType != 1 {
		err := withCode(kerr.UnsupportedEndpointType, "endpoint type %d is not served here: ask for brokers (1)", q.EndpointType)
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		return resp
	}
	node := kmsg.NewDescribeClusterResponseBroker()
	node.NodeID, node.Host, node.Port = b.cfg.NodeID, r.conn.listener.host, r.conn.listener.port
	resp.Brokers = append(resp.Brokers, node)
	return resp
}
