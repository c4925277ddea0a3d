package broker

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterPartitionReassignmentsHandler is key 45, v0–v1 (KIP-455).
func alterPartitionReassignmentsHandler() handler {
	return handler{
		key: kmsg.AlterPartitionAssignments, min: 0, max: 1, advertised: 0,
		shape: shape{
			fixed(4),         // timeout
			fixed(1).from(1), // allow replication factor change
			arr(str(), arr(fixed(4), list(fixed(4)))),
		},
		serve: answer((*Broker).alterPartitionReassignments),
	}
}

// alterPartitionReassignments accepts what is so already, this broker as the only replica, and says why not otherwise.
func (b *Broker) alterPartitionReassignments(_ context.Context, r *request, q *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	resp.Topics = []kmsg.AlterPartitionAssignmentsResponseTopic{}
	resp.AllowReplicationFactorChange = q.AllowReplicationFactorChange
	if !b.allows(r, kmsg.ACLOperationAlter, kmsg.ACLResourceTypeCluster, clusterName) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp
	}
	for _, t := range q.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = t.Topic
		rt.Partitions = []kmsg.AlterPartitionAssignmentsResponseTopicPartition{}
		for _, p := range t.Partitions {
			err := b.checkReassignment(t.Topic, p)
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition = p.Partition
			rp.ErrorCode, rp.ErrorMessage = errorCode(err), errorMessage(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (b *Broker) checkReassignment(topic string, p kmsg.AlterPartitionAssignmentsRequestTopicPartition) error {
	if err := b.checkExists(topic, p.Partition); err != nil {
		return err
	}
	switch {
	case p.Replicas == nil: // cancel
		return withCode(kerr.NoReassignmentInProgress, "partition %s-%d is not being reassigned", topic, p.Partition)
	case !slices.Equal(p.Replicas, b.replicas()):
		return withCode(kerr.InvalidReplicaAssignment, "partition %s-%d can only be on broker %d, the only one", topic, p.Partition, b.cfg.NodeID)
	}
	return nil
}
