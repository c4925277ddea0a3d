package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// alterOp is one change of an IncrementalAlterConfigs request: "name=value", "name+=item", "name-=item" or "-name".
func alterOp(text string) kmsg.IncrementalAlterConfigsRequestResourceConfig {
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	name, value, ok := strings.Cut(text, "=")
	c.Name, c.Value = strings.TrimRight(name, "+-"), &value
	switch {
	case !ok:
		c.Name, c.Value, c.Op = strings.TrimPrefix(name, "-"), nil, kmsg.IncrementalAlterConfigOpDelete
	case strings.HasSuffix(name, "+"):
		c.Op = kmsg.IncrementalAlterConfigOpAppend
	case strings.HasSuffix(name, "-"):
		c.Op = kmsg.IncrementalAlterConfigOpSubtract
	}
	return c
}

func incremental(typ kmsg.ConfigResourceType, name string, ops ...string) *kmsg.IncrementalAlterConfigsRequest {
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.SetVersion(1)
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = typ, name
	for _, op := range ops {
		r.Configs = append(r.Configs, alterOp(op))
	}
	q.Resources = append(q.Resources, r)
	return q
}

func (s *server) alter(q *kmsg.IncrementalAlterConfigsRequest) kmsg.IncrementalAlterConfigsResponseResource {
	s.t.Helper()
	r := ask[*kmsg.IncrementalAlterConfigsResponse](s.raw(), q).Resources[0]
	if r.ErrorCode != 0 && (r.ErrorMessage == nil || *r.ErrorMessage == "") {
		s.t.Errorf("alter %v: error %d without a message", q.Resources[0].Configs, r.ErrorCode)
	}
	return r
}

// described is a config as "value SOURCE [SOURCE:name=value ...]".
func (s *server) described(typ kmsg.ConfigResourceType, name, key string) string {
	s.t.Helper()
	q := kmsg.NewPtrDescribeConfigsRequest()
	q.SetVersion(4)
	q.IncludeSynonyms, q.IncludeDocumentation = true, true
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = typ, name, []string{key}
	q.Resources = append(q.Resources, r)
	got := ask[*kmsg.DescribeConfigsResponse](s.raw(), q).Resources[0]
	if got.ErrorCode != 0 {
		return kerr.ErrorForCode(got.ErrorCode).Error()
	}
	if len(got.Configs) == 0 {
		return "nothing"
	}
	c := got.Configs[0]
	if c.Documentation == nil || *c.Documentation == "" || c.ConfigType == 0 {
		s.t.Errorf("%s has documentation %v and type %d", key, c.Documentation, c.ConfigType)
	}
	var synonyms []string
	for _, y := range c.ConfigSynonyms {
		synonyms = append(synonyms, fmt.Sprintf("%s:%s=%s", y.Source, y.Name, *y.Value))
	}
	return fmt.Sprintf("%s %s %v", *c.Value, c.Source, synonyms)
}

const (
	topicResource  = kmsg.ConfigResourceTypeTopic
	brokerResource = kmsg.ConfigResourceTypeBroker
)

// A value comes from the topic, the broker, the cluster or the default, and the description says so.
func TestConfigSynonyms(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	steps := []struct {
		change *kmsg.IncrementalAlterConfigsRequest
		want   string
	}{
		{incremental(topicResource, "t"), "604800000 DEFAULT_CONFIG [DEFAULT_CONFIG:log.retention.ms=604800000]"},
		{incremental(brokerResource, "", "log.retention.ms=2"),
			"2 DYNAMIC_DEFAULT_BROKER_CONFIG [DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2 DEFAULT_CONFIG:log.retention.ms=604800000]"},
		{incremental(brokerResource, "0", "log.retention.ms=3"),
			"3 DYNAMIC_BROKER_CONFIG [DYNAMIC_BROKER_CONFIG:log.retention.ms=3 DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2 DEFAULT_CONFIG:log.retention.ms=604800000]"},
		{incremental(topicResource, "t", "retention.ms=4"),
			"4 DYNAMIC_TOPIC_CONFIG [DYNAMIC_TOPIC_CONFIG:retention.ms=4 DYNAMIC_BROKER_CONFIG:log.retention.ms=3 DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2 DEFAULT_CONFIG:log.retention.ms=604800000]"},
		{incremental(brokerResource, "0", "-log.retention.ms"),
			"4 DYNAMIC_TOPIC_CONFIG [DYNAMIC_TOPIC_CONFIG:retention.ms=4 DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2 DEFAULT_CONFIG:log.retention.ms=604800000]"},
	}
	for _, step := range steps {
		if r := s.alter(step.change); r.ErrorCode != 0 {
			t.Fatalf("alter %v: %d %s", step.change.Resources[0].Configs, r.ErrorCode, *r.ErrorMessage)
		}
		if got := s.described(topicResource, "t", "retention.ms"); got != step.want {
			t.Errorf("got  %s\nwant %s", got, step.want)
		}
	}
	s.restart()
	if got := s.described(topicResource, "t", "retention.ms"); got != steps[4].want {
		t.Errorf("after a restart\ngot  %s\nwant %s", got, steps[4].want)
	}
	if topic, _ := s.log.Topic("t"); topic.Config().RetentionMs != 4 {
		t.Errorf("retention in force is %d, want 4", topic.Config().RetentionMs)
	}
}

// What cannot be set is refused with the reason, and nothing changes; neither does anything under validateOnly.
func TestAlterConfigsRefusals(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	tests := []struct {
		q      *kmsg.IncrementalAlterConfigsRequest
		want   *kerr.Error
		reason string
	}{
		{incremental(topicResource, "t", "bogus=1"), kerr.InvalidConfig, "unknown"},
		{incremental(topicResource, "t", "retention.ms=soon"), kerr.InvalidConfig, "whole number"},
		{incremental(topicResource, "t", "retention.ms=1", "retention.ms=2"), kerr.InvalidRequest, "twice"},
		{incremental(topicResource, "t", "retention.ms+=1"), kerr.InvalidConfig, "not a list"},
		{incremental(topicResource, "no-such-topic", "retention.ms=1"), kerr.UnknownTopicOrPartition, ""},
		{incremental(brokerResource, "7", "log.retention.ms=1"), kerr.InvalidRequest, "no broker"},
		{incremental(brokerResource, "0", "bogus=1"), kerr.InvalidConfig, "unknown"},
		{incremental(brokerResource, "0", "log.retention.hours=4"), kerr.InvalidConfig, "log.retention.ms"},
		{incremental(brokerResource, "0", "node.id=4"), kerr.InvalidRequest, "while the broker runs"},
		{incremental(brokerResource, "0", "max.connections=0"), kerr.InvalidConfig, "from 1"},
		{incremental(brokerResource, "", "log.segment.bytes=1"), kerr.InvalidConfig, "from"},
		{incremental(kmsg.ConfigResourceTypeBrokerLogger, "0", "root=DEBUG"), kerr.InvalidRequest, "resource type"},
	}
	for _, tt := range tests {
		for range 2 { // the second time with validateOnly
			r := s.alter(tt.q)
			if r.ErrorCode != tt.want.Code || !strings.Contains(*r.ErrorMessage, tt.reason) {
				t.Errorf("%s %v: %v %q, want %v and %q", r.ResourceName, tt.q.Resources[0].Configs, kerr.ErrorForCode(r.ErrorCode), *r.ErrorMessage, tt.want, tt.reason)
			}
			tt.q.ValidateOnly = true
		}
	}
	twice := incremental(topicResource, "t", "retention.ms=1")
	twice.Resources = append(twice.Resources, twice.Resources[0])
	if r := s.alter(twice); r.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("a resource named twice: error %d, want %d", r.ErrorCode, kerr.InvalidRequest.Code)
	}
	for _, q := range []*kmsg.IncrementalAlterConfigsRequest{incremental(topicResource, "t", "retention.ms=1"), incremental(brokerResource, "0", "num.partitions=3")} {
		q.ValidateOnly = true
		if r := s.alter(q); r.ErrorCode != 0 {
			t.Errorf("validate %v: error %d", q.Resources[0].Configs, r.ErrorCode)
		}
	}
	if topic, _ := s.log.Topic("t"); len(topic.Overrides()) != 0 {
		t.Errorf("the topic has overrides %v, want none", topic.Overrides())
	}
	if o := s.log.BrokerOverrides(); len(o.Node)+len(o.Cluster) != 0 {
		t.Errorf("the broker has overrides %+v, want none", o)
	}
}

func TestAlterConfigsLists(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	for _, step := range []struct{ op, want string }{
		{"cleanup.policy+=compact", "delete,compact"},
		{"cleanup.policy+=compact", "delete,compact"},
		{"cleanup.policy-=delete", "compact"},
		{"cleanup.policy+=delete", "compact,delete"},
		{"-cleanup.policy", "delete"},
	} {
		if r := s.alter(incremental(topicResource, "t", step.op)); r.ErrorCode != 0 {
			t.Fatalf("%s: %s", step.op, *r.ErrorMessage)
		}
		if got := s.described(topicResource, "t", "cleanup.policy"); !strings.HasPrefix(got, step.want+" ") {
			t.Errorf("after %s: %s, want %s", step.op, got, step.want)
		}
	}
}

// A topic that a client's first record made has no overrides to change, not even an
// empty set.
func TestAlterConfigsOfTopicWithoutAny(t *testing.T) {
	s := newServer(t)
	if _, err := s.log.CreateTopic("t", 1, nil); err != nil {
		t.Fatal(err)
	}
	if r := s.alter(incremental(topicResource, "t", "retention.ms=5")); r.ErrorCode != 0 {
		t.Fatalf("error %d %v", r.ErrorCode, r.ErrorMessage)
	}
	if got := s.described(topicResource, "t", "retention.ms"); !strings.HasPrefix(got, "5 ") {
		t.Errorf("got %s, want 5", got)
	}
}

// Key 33 replaces all overrides of a resource.
func TestAlterConfigsReplaces(t *testing.T) {
	s := newServer(t)
	old, ms := "compact", "5"
	s.createTopic("t", 1, map[string]*string{"cleanup.policy": &old})
	q := kmsg.NewPtrAlterConfigsRequest()
	q.SetVersion(2)
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = topicResource, "t"
	c := kmsg.NewAlterConfigsRequestResourceConfig()
	c.Name, c.Value = "retention.ms", &ms
	r.Configs = append(r.Configs, c)
	q.Resources = append(q.Resources, r)
	q.ValidateOnly = true
	for _, want := range []map[string]string{{"cleanup.policy": "compact"}, {"retention.ms": "5"}} {
		if got := ask[*kmsg.AlterConfigsResponse](s.raw(), q).Resources[0]; got.ErrorCode != 0 {
			t.Fatalf("error %d %v", got.ErrorCode, got.ErrorMessage)
		}
		if topic, _ := s.log.Topic("t"); fmt.Sprint(topic.Overrides()) != fmt.Sprint(want) {
			t.Errorf("validate only %v: overrides %v, want %v", q.ValidateOnly, topic.Overrides(), want)
		}
		q.ValidateOnly = false
	}
	q.Resources[0].Configs[0].Value = nil
	if got := ask[*kmsg.AlterConfigsResponse](s.raw(), q).Resources[0]; got.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("a null value: error %d, want %d", got.ErrorCode, kerr.InvalidRequest.Code)
	}
}

// Dynamic configs that the broker follows itself count at once and after a restart.
func TestDynamicBrokerConfigs(t *testing.T) {
	s := newServer(t)
	if r := s.alter(incremental(brokerResource, "0", "num.partitions=3", "max.connections=2")); r.ErrorCode != 0 {
		t.Fatal(*r.ErrorMessage)
	}
	for _, when := range []string{"at once", "after a restart"} {
		c := s.raw()
		if got := ask[*kmsg.CreateTopicsResponse](c, createRequest("t-"+when[:2], -1)).Topics[0]; got.NumPartitions != 3 {
			t.Errorf("%s: a new topic has %d partitions, want 3 (%d)", when, got.NumPartitions, got.ErrorCode)
		}
		s.restart()
	}
	if got := s.described(brokerResource, "0", "max.connections"); !strings.HasPrefix(got, "2 DYNAMIC_BROKER_CONFIG") {
		t.Errorf("max.connections is %s, want 2", got)
	}
	s.restart()
	ln := s.listen(Listener{})
	for range 2 {
		if !ln.raw().answers() {
			t.Fatal("a connection was refused, max.connections is 2")
		}
	}
	ln.raw().closed()
}

func createRequest(topic string, partitions int32) *kmsg.CreateTopicsRequest {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.SetVersion(7)
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = topic, partitions, -1
	q.Topics = append(q.Topics, ct)
	return q
}

// What tools look for in the configs of a broker.
func TestBrokerConfigsForTools(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"delete.topic.enable", "inter.broker.protocol.version", "default.replication.factor", "num.partitions",
		"auto.create.topics.enable", "log.retention.ms", "message.max.bytes", "log.segment.bytes", "log.dirs", "compression.type"} {
		if got := s.described(brokerResource, "0", name); got == "nothing" {
			t.Errorf("broker config %s is not described", name)
		}
	}
	if got := s.described(brokerResource, "", "log.retention.ms"); got != "nothing" {
		t.Errorf("the cluster's defaults have log.retention.ms %s, want only what was set", got)
	}
}

// One broker has nothing to elect, reassign or list as reassigned, and says so.
func TestOneReplicaAdmin(t *testing.T) {
	s := startServer(t, t.TempDir(), vfs.OS, func(c *Config) { c.NodeID = 5 })
	s.createTopic("t", 2, nil)
	c := s.raw()
	elect := kmsg.NewPtrElectLeadersRequest()
	elect.SetVersion(2)
	et := kmsg.NewElectLeadersRequestTopic()
	et.Topic, et.Partitions = "t", []int32{1, 9}
	elect.Topics = append(elect.Topics, et)
	got := ask[*kmsg.ElectLeadersResponse](c, elect).Topics[0].Partitions
	if got[0].ErrorCode != kerr.ElectionNotNeeded.Code || got[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("elect leaders: errors %d and %d", got[0].ErrorCode, got[1].ErrorCode)
	}
	assign := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	assign.SetVersion(1)
	at := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	at.Topic = "t"
	for i, replicas := range [][]int32{{5}, {5, 6}, nil} {
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = int32(min(i, 1)), replicas
		at.Partitions = append(at.Partitions, p)
	}
	assign.Topics = append(assign.Topics, at)
	var codes []int16
	for _, p := range ask[*kmsg.AlterPartitionAssignmentsResponse](c, assign).Topics[0].Partitions {
		codes = append(codes, p.ErrorCode)
	}
	if want := []int16{0, kerr.InvalidReplicaAssignment.Code, kerr.NoReassignmentInProgress.Code}; !slices.Equal(codes, want) {
		t.Errorf("reassign: errors %v, want %v", codes, want)
	}
	if got := ask[*kmsg.ListPartitionReassignmentsResponse](c, kmsg.NewPtrListPartitionReassignmentsRequest()); got.ErrorCode != 0 || len(got.Topics) != 0 {
		t.Errorf("list reassignments: %+v", got)
	}
	list := kmsg.NewPtrListConfigResourcesRequest()
	list.SetVersion(1)
	var resources []string
	for _, r := range ask[*kmsg.ListConfigResourcesResponse](c, list).ConfigResources {
		resources = append(resources, fmt.Sprintf("%d/%s", r.Type, r.Name))
	}
	if want := []string{"2/t", "4/5"}; !slices.Equal(resources, want) {
		t.Errorf("config resources %v, want %v", resources, want)
	}
}
