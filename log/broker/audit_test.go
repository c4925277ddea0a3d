package broker

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// audit is what one API demands of a client.
type audit struct {
	request kmsg.Request
	// allow are the ACLs, without principal, that it takes: "OPERATION TYPE name".
	allow []string
	// denied is the error without each of them; nil: nothing is said about secretTopic and secretGroup.
	denied *kerr.Error
}

const secretTopic, secretGroup = "secret-topic", "secret-group"

// auditRequest fills in a request of a version that knows topics by their names.
func auditRequest[Q kmsg.Request](q Q, version int16, fill func(Q)) kmsg.Request {
	q.SetVersion(version)
	fill(q)
	return q
}

// audits has one entry for each API key; open ones are for everybody.
func audits(t *testing.T) (all map[kmsg.Key]audit, open []kmsg.Key) {
	topic := "TOPIC " + secretTopic
	group := "GROUP " + secretGroup
	const cluster = "CLUSTER kafka-cluster"
	name := kmsg.StringPtr
	all = map[kmsg.Key]audit{
		kmsg.Produce: {produceRequest(secretTopic, 1, oneBatch(t, 1, 10)), []string{"WRITE " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.Fetch:   {fetchRequest(secretTopic, 0, 0, 0, 1000), []string{"READ " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.ListOffsets: {auditRequest(kmsg.NewPtrListOffsetsRequest(), 7, func(q *kmsg.ListOffsetsRequest) {
			q.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: secretTopic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
		}), []string{"DESCRIBE " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.Metadata: {auditRequest(kmsg.NewPtrMetadataRequest(), 12, func(q *kmsg.MetadataRequest) {
			q.Topics = []kmsg.MetadataRequestTopic{{Topic: name(secretTopic)}}
		}), []string{"DESCRIBE " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.OffsetCommit: {commitRequest(secretTopic, 1), []string{"READ GROUP g", "READ " + topic}, nil},
		kmsg.OffsetFetch: {auditRequest(kmsg.NewPtrOffsetFetchRequest(), 8, func(q *kmsg.OffsetFetchRequest) {
			q.Groups = []kmsg.OffsetFetchRequestGroup{{Group: secretGroup, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: secretTopic, Partitions: []int32{0}}}}}
		}), []string{"DESCRIBE " + group, "DESCRIBE " + topic}, nil},
		kmsg.FindCoordinator: {auditRequest(kmsg.NewPtrFindCoordinatorRequest(), 4, func(q *kmsg.FindCoordinatorRequest) {
			q.CoordinatorKeys = []string{secretGroup}
		}), []string{"DESCRIBE " + group}, kerr.GroupAuthorizationFailed},
		kmsg.JoinGroup: {auditRequest(kmsg.NewPtrJoinGroupRequest(), 9, func(q *kmsg.JoinGroupRequest) { q.Group, q.SessionTimeoutMillis = secretGroup, 10_000 }),
			[]string{"READ " + group}, kerr.GroupAuthorizationFailed},
		kmsg.Heartbeat:  {auditRequest(kmsg.NewPtrHeartbeatRequest(), 4, func(q *kmsg.HeartbeatRequest) { q.Group = secretGroup }), []string{"READ " + group}, kerr.GroupAuthorizationFailed},
		kmsg.LeaveGroup: {auditRequest(kmsg.NewPtrLeaveGroupRequest(), 2, func(q *kmsg.LeaveGroupRequest) { q.Group = secretGroup }), []string{"READ " + group}, kerr.GroupAuthorizationFailed},
		kmsg.SyncGroup:  {auditRequest(kmsg.NewPtrSyncGroupRequest(), 5, func(q *kmsg.SyncGroupRequest) { q.Group = secretGroup }), []string{"READ " + group}, kerr.GroupAuthorizationFailed},
		kmsg.DescribeGroups: {auditRequest(kmsg.NewPtrDescribeGroupsRequest(), 6, func(q *kmsg.DescribeGroupsRequest) { q.Groups = []string{secretGroup} }),
			[]string{"DESCRIBE " + group}, kerr.GroupAuthorizationFailed},
		kmsg.ListGroups: {auditRequest(kmsg.NewPtrListGroupsRequest(), 4, func(q *kmsg.ListGroupsRequest) {}), []string{"DESCRIBE " + group}, nil},
		kmsg.CreateTopics: {auditRequest(kmsg.NewPtrCreateTopicsRequest(), 7, func(q *kmsg.CreateTopicsRequest) {
			q.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: secretTopic, NumPartitions: -1, ReplicationFactor: -1}}
		}), []string{"CREATE " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.DeleteTopics: {auditRequest(kmsg.NewPtrDeleteTopicsRequest(), 5, func(q *kmsg.DeleteTopicsRequest) { q.TopicNames = []string{secretTopic} }),
			[]string{"DELETE " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.DeleteRecords: {auditRequest(kmsg.NewPtrDeleteRecordsRequest(), 2, func(q *kmsg.DeleteRecordsRequest) {
			q.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: secretTopic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{}}}}
		}), []string{"DELETE " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.InitProducerID: {auditRequest(kmsg.NewPtrInitProducerIDRequest(), 5, func(q *kmsg.InitProducerIDRequest) { q.ProducerID, q.ProducerEpoch = -1, -1 }),
			[]string{"IDEMPOTENT_WRITE " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.OffsetForLeaderEpoch: {auditRequest(kmsg.NewPtrOffsetForLeaderEpochRequest(), 4, func(q *kmsg.OffsetForLeaderEpochRequest) {
			q.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: secretTopic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
		}), []string{"DESCRIBE " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.DescribeACLs: {auditRequest(kmsg.NewPtrDescribeACLsRequest(), 3, func(q *kmsg.DescribeACLsRequest) {
			q.ResourceType, q.ResourcePatternType, q.Operation, q.PermissionType = 1, 1, 1, 1
		}), []string{"DESCRIBE " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.CreateACLs: {auditRequest(kmsg.NewPtrCreateACLsRequest(), 3, func(q *kmsg.CreateACLsRequest) {
			q.Creations = []kmsg.CreateACLsRequestCreation{{ResourceType: 2, ResourceName: "t", ResourcePatternType: 3, Principal: "User:x", Host: "*", Operation: 3, PermissionType: 3}}
		}), []string{"ALTER " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DeleteACLs: {auditRequest(kmsg.NewPtrDeleteACLsRequest(), 3, func(q *kmsg.DeleteACLsRequest) {
			q.Filters = []kmsg.DeleteACLsRequestFilter{{ResourceType: 6, ResourcePatternType: 1, Operation: 1, PermissionType: 1}}
		}), []string{"ALTER " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DescribeConfigs: {auditRequest(kmsg.NewPtrDescribeConfigsRequest(), 4, func(q *kmsg.DescribeConfigsRequest) {
			q.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: secretTopic}}
		}), []string{"DESCRIBE_CONFIGS " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.DescribeLogDirs: {auditRequest(kmsg.NewPtrDescribeLogDirsRequest(), 4, func(q *kmsg.DescribeLogDirsRequest) {}), []string{"DESCRIBE " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.CreatePartitions: {auditRequest(kmsg.NewPtrCreatePartitionsRequest(), 3, func(q *kmsg.CreatePartitionsRequest) {
			q.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: secretTopic, Count: 2}}
		}), []string{"ALTER " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.DeleteGroups: {auditRequest(kmsg.NewPtrDeleteGroupsRequest(), 2, func(q *kmsg.DeleteGroupsRequest) { q.Groups = []string{secretGroup} }),
			[]string{"DELETE " + group}, kerr.GroupAuthorizationFailed},
		kmsg.IncrementalAlterConfigs: {auditRequest(kmsg.NewPtrIncrementalAlterConfigsRequest(), 1, func(q *kmsg.IncrementalAlterConfigsRequest) {
			q.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: secretTopic}}
		}), []string{"ALTER_CONFIGS " + topic}, kerr.TopicAuthorizationFailed},
		kmsg.OffsetDelete: {auditRequest(kmsg.NewPtrOffsetDeleteRequest(), 0, func(q *kmsg.OffsetDeleteRequest) {
			q.Group = secretGroup
			q.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: secretTopic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
		}), []string{"DELETE " + group, "READ " + topic}, nil},
		kmsg.DescribeClientQuotas: {auditRequest(kmsg.NewPtrDescribeClientQuotasRequest(), 1, func(q *kmsg.DescribeClientQuotasRequest) {}),
			[]string{"DESCRIBE_CONFIGS " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.AlterClientQuotas: {auditRequest(kmsg.NewPtrAlterClientQuotasRequest(), 1, func(q *kmsg.AlterClientQuotasRequest) {
			q.Entries = []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: name("x")}}}}
		}), []string{"ALTER_CONFIGS " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DescribeUserSCRAMCredentials: {auditRequest(kmsg.NewPtrDescribeUserSCRAMCredentialsRequest(), 0, func(q *kmsg.DescribeUserSCRAMCredentialsRequest) {}),
			[]string{"DESCRIBE " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.AlterUserSCRAMCredentials: {auditRequest(kmsg.NewPtrAlterUserSCRAMCredentialsRequest(), 0, func(q *kmsg.AlterUserSCRAMCredentialsRequest) {
			q.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "x", Mechanism: 1}}
		}), []string{"ALTER " + cluster}, kerr.ClusterAuthorizationFailed},
		kmsg.DescribeTopicPartitions: {auditRequest(kmsg.NewPtrDescribeTopicPartitionsRequest(), 0, func(q *kmsg.DescribeTopicPartitionsRequest) {
			q.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: secretTopic}}
		}), []string{"DESCRIBE " + topic}, kerr.TopicAuthorizationFailed},
	}
	return all, []kmsg.Key{kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate, kmsg.DescribeCluster}
}

// errorCodes collects every ErrorCode in a response.
func errorCodes(v reflect.Value) []int16 {
	var codes []int16
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			codes = errorCodes(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			codes = append(codes, errorCodes(v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ErrorCode" {
				codes = append(codes, int16(v.Field(i).Int()))
			} else {
				codes = append(codes, errorCodes(v.Field(i))...)
			}
		}
	}
	return codes
}

var authorizationErrors = map[int16]bool{
	kerr.TopicAuthorizationFailed.Code: true, kerr.GroupAuthorizationFailed.Code: true,
	kerr.ClusterAuthorizationFailed.Code: true, kerr.TransactionalIDAuthorizationFailed.Code: true,
}

// isDenied reports whether any part of a response is refused for lack of a right.
func isDenied(resp kmsg.Response) (denied bool, codes []int16) {
	codes = errorCodes(reflect.ValueOf(resp))
	for _, code := range codes {
		denied = denied || authorizationErrors[code]
	}
	return denied, codes
}

// Every API asks for the rights that Kafka asks for: without one of them the
// client gets the error and nothing else, with all of them it is served.
func TestEveryAPIAsksForRights(t *testing.T) {
	all, open := audits(t)
	isOpen := map[kmsg.Key]bool{}
	for _, key := range open {
		isOpen[key] = true
	}
	for _, h := range handlers() {
		a, ok := all[h.key]
		if !ok {
			if !isOpen[h.key] {
				t.Errorf("%s: no entry in audits", h.key.Name())
			}
			continue
		}
		t.Run(h.key.Name(), func(t *testing.T) { auditAPI(t, a) })
	}
}

func auditAPI(t *testing.T, a audit) {
	s := startServer(t, "/d", vfs.NewMem(), nil)
	if kmsg.Key(a.request.Key()) != kmsg.CreateTopics {
		s.createTopic(secretTopic, 1, nil)
	}
	commit := commitRequest(secretTopic, 1)
	commit.Group = secretGroup
	ask[*kmsg.OffsetCommitResponse](s.raw(), commit)
	ln := s.listen(plainListener(nil))
	s.authorize()
	answer := func() kmsg.Response {
		c := ln.raw()
		c.login("alice")
		return ask[kmsg.Response](c, a.request)
	}
	for i := range a.allow {
		resp := answer()
		denied, codes := isDenied(resp)
		switch {
		case a.denied != nil && !slices.Contains(codes, a.denied.Code):
			t.Errorf("with %v: error codes %v, want %v", a.allow[:i], codes, a.denied)
		case a.denied == nil && !denied && bytes.Contains(resp.AppendTo(nil), []byte("secret")):
			t.Errorf("with %v: not denied: %+v", a.allow[:i], resp)
		}
		s.authorize("ALLOW User:alice " + a.allow[i])
	}
	if denied, codes := isDenied(answer()); denied {
		t.Errorf("with %v: still denied: error codes %v", a.allow, codes)
	}
	if !bytes.Contains(answer().AppendTo(nil), []byte("secret")) && kmsg.Key(a.request.Key()) == kmsg.ListGroups {
		t.Errorf("with %v the group is not listed", a.allow)
	}
}
