package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicAudits are the APIs about topics.
func topicAudits(t *testing.T) map[kmsg.Key]audit {
	return map[kmsg.Key]audit{
		kmsg.Produce: {produceRequest(secretTopic, 1, oneBatch(t, 1, 10)), []string{"WRITE " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.Fetch:   {fetchRequest(secretTopic, 0, 0, 0, 1000), []string{"READ " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.ListOffsets: {auditRequest(kmsg.NewPtrListOffsetsRequest(), 7, func(q *kmsg.ListOffsetsRequest) {
			q.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: secretTopic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
		}), []string{"DESCRIBE " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.Metadata: {auditRequest(kmsg.NewPtrMetadataRequest(), 12, func(q *kmsg.MetadataRequest) {
			q.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(secretTopic)}}
		}), []string{"DESCRIBE " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.CreateTopics: {auditRequest(kmsg.NewPtrCreateTopicsRequest(), 7, func(q *kmsg.CreateTopicsRequest) {
			q.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: secretTopic, NumPartitions: -1, ReplicationFactor: -1}}
		}), []string{"CREATE " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.DeleteTopics: {auditRequest(kmsg.NewPtrDeleteTopicsRequest(), 5, func(q *kmsg.DeleteTopicsRequest) { q.TopicNames = []string{secretTopic} }),
			[]string{"DELETE " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.DeleteRecords: {auditRequest(kmsg.NewPtrDeleteRecordsRequest(), 2, func(q *kmsg.DeleteRecordsRequest) {
			q.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: secretTopic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{}}}}
		}), []string{"DELETE " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.OffsetForLeaderEpoch: {auditRequest(kmsg.NewPtrOffsetForLeaderEpochRequest(), 4, func(q *kmsg.OffsetForLeaderEpochRequest) {
			q.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: secretTopic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
		}), []string{"DESCRIBE " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.DescribeProducers: {auditRequest(kmsg.NewPtrDescribeProducersRequest(), 0, func(q *kmsg.DescribeProducersRequest) {
			q.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: secretTopic, Partitions: []int32{0}}}
		}), []string{"READ " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.DescribeConfigs: {auditRequest(kmsg.NewPtrDescribeConfigsRequest(), 4, func(q *kmsg.DescribeConfigsRequest) {
			q.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: secretTopic}}
		}), []string{"DESCRIBE_CONFIGS " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.CreatePartitions: {auditRequest(kmsg.NewPtrCreatePartitionsRequest(), 3, func(q *kmsg.CreatePartitionsRequest) {
			q.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: secretTopic, Count: 2}}
		}), []string{"ALTER " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.AlterConfigs: {auditRequest(kmsg.NewPtrAlterConfigsRequest(), 2, func(q *kmsg.AlterConfigsRequest) {
			q.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: secretTopic}}
		}), []string{"ALTER_CONFIGS " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.IncrementalAlterConfigs: {auditRequest(kmsg.NewPtrIncrementalAlterConfigsRequest(), 1, func(q *kmsg.IncrementalAlterConfigsRequest) {
			q.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: secretTopic}}
		}), []string{"ALTER_CONFIGS " + onTopic}, kerr.TopicAuthorizationFailed},
		kmsg.DescribeTopicPartitions: {auditRequest(kmsg.NewPtrDescribeTopicPartitionsRequest(), 0, func(q *kmsg.DescribeTopicPartitionsRequest) {
			q.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: secretTopic}}
		}), []string{"DESCRIBE " + onTopic}, kerr.TopicAuthorizationFailed},
	}
}

// groupAudits are the APIs about groups and transactions.
func groupAudits() map[kmsg.Key]audit {
	return map[kmsg.Key]audit{
		kmsg.OffsetCommit: {commitRequest(secretTopic, 1), []string{"READ GROUP g", "READ " + onTopic}, nil},
		kmsg.OffsetFetch: {auditRequest(kmsg.NewPtrOffsetFetchRequest(), 8, func(q *kmsg.OffsetFetchRequest) {
			q.Groups = []kmsg.OffsetFetchRequestGroup{{Group: secretGroup, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: secretTopic, Partitions: []int32{0}}}}}
		}), []string{"DESCRIBE " + onGroup, "DESCRIBE " + onTopic}, nil},
		kmsg.FindCoordinator: {auditRequest(kmsg.NewPtrFindCoordinatorRequest(), 4, func(q *kmsg.FindCoordinatorRequest) {
			q.CoordinatorKeys = []string{secretGroup}
		}), []string{"DESCRIBE " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.JoinGroup: {auditRequest(kmsg.NewPtrJoinGroupRequest(), 9, func(q *kmsg.JoinGroupRequest) { q.Group, q.SessionTimeoutMillis = secretGroup, 10_000 }),
			[]string{"READ " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.Heartbeat:  {auditRequest(kmsg.NewPtrHeartbeatRequest(), 4, func(q *kmsg.HeartbeatRequest) { q.Group = secretGroup }), []string{"READ " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.LeaveGroup: {auditRequest(kmsg.NewPtrLeaveGroupRequest(), 2, func(q *kmsg.LeaveGroupRequest) { q.Group = secretGroup }), []string{"READ " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.SyncGroup:  {auditRequest(kmsg.NewPtrSyncGroupRequest(), 5, func(q *kmsg.SyncGroupRequest) { q.Group = secretGroup }), []string{"READ " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.DescribeGroups: {auditRequest(kmsg.NewPtrDescribeGroupsRequest(), 6, func(q *kmsg.DescribeGroupsRequest) { q.Groups = []string{secretGroup} }),
			[]string{"DESCRIBE " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.ListGroups: {auditRequest(kmsg.NewPtrListGroupsRequest(), 4, func(q *kmsg.ListGroupsRequest) {}), []string{"DESCRIBE " + onGroup}, nil},
		kmsg.AddPartitionsToTxn: {auditRequest(kmsg.NewPtrAddPartitionsToTxnRequest(), 3, func(q *kmsg.AddPartitionsToTxnRequest) {
			q.TransactionalID = secretTxn
			q.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: secretTopic, Partitions: []int32{0}}}
		}), []string{"WRITE " + onTxn, "WRITE " + onTopic}, nil},
		kmsg.AddOffsetsToTxn: {auditRequest(kmsg.NewPtrAddOffsetsToTxnRequest(), 3, func(q *kmsg.AddOffsetsToTxnRequest) { q.TransactionalID, q.Group = secretTxn, secretGroup }),
			[]string{"WRITE " + onTxn, "READ " + onGroup}, nil},
		kmsg.EndTxn: {auditRequest(kmsg.NewPtrEndTxnRequest(), 3, func(q *kmsg.EndTxnRequest) { q.TransactionalID = secretTxn }), []string{"WRITE " + onTxn}, kerr.TransactionalIDAuthorizationFailed},
		kmsg.TxnOffsetCommit: {auditRequest(kmsg.NewPtrTxnOffsetCommitRequest(), 3, func(q *kmsg.TxnOffsetCommitRequest) {
			q.TransactionalID, q.Group, q.Generation = secretTxn, secretGroup, -1
			q.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: secretTopic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: 1}}}}
		}), []string{"WRITE " + onTxn, "READ " + onGroup, "READ " + onTopic}, nil},
		kmsg.DescribeTransactions: {auditRequest(kmsg.NewPtrDescribeTransactionsRequest(), 0, func(q *kmsg.DescribeTransactionsRequest) {
			q.TransactionalIDs = []string{secretTxn}
		}), []string{"DESCRIBE " + onTxn}, kerr.TransactionalIDAuthorizationFailed},
		kmsg.ListTransactions: {auditRequest(kmsg.NewPtrListTransactionsRequest(), 0, func(q *kmsg.ListTransactionsRequest) {}), []string{"DESCRIBE " + onTxn}, nil},
		kmsg.ConsumerGroupHeartbeat: {auditRequest(kmsg.NewPtrConsumerGroupHeartbeatRequest(), 1, func(q *kmsg.ConsumerGroupHeartbeatRequest) {
			q.Group, q.MemberID, q.SubscribedTopicNames, q.RebalanceTimeoutMillis = secretGroup, "m", []string{secretTopic}, 10_000
		}), []string{"READ " + onGroup, "DESCRIBE " + onTopic}, nil},
		kmsg.ConsumerGroupDescribe: {auditRequest(kmsg.NewPtrConsumerGroupDescribeRequest(), 1, func(q *kmsg.ConsumerGroupDescribeRequest) { q.Groups = []string{secretGroup} }),
			[]string{"DESCRIBE " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.DeleteGroups: {auditRequest(kmsg.NewPtrDeleteGroupsRequest(), 2, func(q *kmsg.DeleteGroupsRequest) { q.Groups = []string{secretGroup} }),
			[]string{"DELETE " + onGroup}, kerr.GroupAuthorizationFailed},
		kmsg.OffsetDelete: {auditRequest(kmsg.NewPtrOffsetDeleteRequest(), 0, func(q *kmsg.OffsetDeleteRequest) {
			q.Group = secretGroup
			q.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: secretTopic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
		}), []string{"DELETE " + onGroup, "READ " + onTopic}, nil},
	}
}

// clusterAudits are the APIs about the broker itself.
func clusterAudits() map[kmsg.Key]audit {
	return map[kmsg.Key]audit{
		kmsg.InitProducerID: {auditRequest(kmsg.NewPtrInitProducerIDRequest(), 5, func(q *kmsg.InitProducerIDRequest) { q.ProducerID, q.ProducerEpoch = -1, -1 }),
			[]string{"IDEMPOTENT_WRITE " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.WriteTxnMarkers: {auditRequest(kmsg.NewPtrWriteTxnMarkersRequest(), 1, func(q *kmsg.WriteTxnMarkersRequest) {
			q.Markers = []kmsg.WriteTxnMarkersRequestMarker{{Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: secretTopic, Partitions: []int32{0}}}}}
		}), []string{"ALTER " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DescribeACLs: {auditRequest(kmsg.NewPtrDescribeACLsRequest(), 3, func(q *kmsg.DescribeACLsRequest) {
			q.ResourceType, q.ResourcePatternType, q.Operation, q.PermissionType = 1, 1, 1, 1
		}), []string{"DESCRIBE " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.CreateACLs: {auditRequest(kmsg.NewPtrCreateACLsRequest(), 3, func(q *kmsg.CreateACLsRequest) {
			q.Creations = []kmsg.CreateACLsRequestCreation{{ResourceType: 2, ResourceName: "t", ResourcePatternType: 3, Principal: "User:x", Host: "*", Operation: 3, PermissionType: 3}}
		}), []string{"ALTER " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DeleteACLs: {auditRequest(kmsg.NewPtrDeleteACLsRequest(), 3, func(q *kmsg.DeleteACLsRequest) {
			q.Filters = []kmsg.DeleteACLsRequestFilter{{ResourceType: 6, ResourcePatternType: 1, Operation: 1, PermissionType: 1}}
		}), []string{"ALTER " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.ElectLeaders: {auditRequest(kmsg.NewPtrElectLeadersRequest(), 2, func(q *kmsg.ElectLeadersRequest) {
			q.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: secretTopic, Partitions: []int32{0}}}
		}), []string{"ALTER " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.AlterPartitionAssignments: {auditRequest(kmsg.NewPtrAlterPartitionAssignmentsRequest(), 1, func(q *kmsg.AlterPartitionAssignmentsRequest) {}),
			[]string{"ALTER " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.ListPartitionReassignments: {auditRequest(kmsg.NewPtrListPartitionReassignmentsRequest(), 0, func(q *kmsg.ListPartitionReassignmentsRequest) {}),
			[]string{"DESCRIBE " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.ListConfigResources: {auditRequest(kmsg.NewPtrListConfigResourcesRequest(), 1, func(q *kmsg.ListConfigResourcesRequest) {}),
			[]string{"DESCRIBE_CONFIGS " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DescribeLogDirs: {auditRequest(kmsg.NewPtrDescribeLogDirsRequest(), 4, func(q *kmsg.DescribeLogDirsRequest) {}), []string{"DESCRIBE " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DescribeClientQuotas: {auditRequest(kmsg.NewPtrDescribeClientQuotasRequest(), 1, func(q *kmsg.DescribeClientQuotasRequest) {}),
			[]string{"DESCRIBE_CONFIGS " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.AlterClientQuotas: {auditRequest(kmsg.NewPtrAlterClientQuotasRequest(), 1, func(q *kmsg.AlterClientQuotasRequest) {
			q.Entries = []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: kmsg.StringPtr("x")}}}}
		}), []string{"ALTER_CONFIGS " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DescribeUserSCRAMCredentials: {auditRequest(kmsg.NewPtrDescribeUserSCRAMCredentialsRequest(), 0, func(q *kmsg.DescribeUserSCRAMCredentialsRequest) {}),
			[]string{"DESCRIBE " + onCluster}, kerr.ClusterAuthorizationFailed},
		kmsg.AlterUserSCRAMCredentials: {auditRequest(kmsg.NewPtrAlterUserSCRAMCredentialsRequest(), 0, func(q *kmsg.AlterUserSCRAMCredentialsRequest) {
			q.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "x", Mechanism: 1}}
		}), []string{"ALTER " + onCluster}, kerr.ClusterAuthorizationFailed},
	}
}
