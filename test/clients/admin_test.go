package clients

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A topic is made with defaults, with assignments, with configs and only on
// trial, and each admin client sees what is there.
func TestTopicsInEveryAdminClient(t *testing.T) {
	s := startServer(t)
	adm, rd, sa, ctx := kadmClient(t, s.addr), rdAdmin(t, s.addr), saramaAdmin(t, s.addr), limit(t)

	if _, err := adm.CreateTopic(ctx, -1, -1, nil, "defaults"); err != nil {
		t.Errorf("kadm, defaults: %v", err)
	}
	results, err := rd.CreateTopics(ctx, []kafka.TopicSpecification{
		{Topic: "assigned", NumPartitions: 3, ReplicaAssignment: [][]int32{{0}, {0}, {0}}},
		{Topic: "configured", NumPartitions: 2, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "1000", "cleanup.policy": "compact,delete"}},
		{Topic: "defaults", NumPartitions: 1, ReplicationFactor: 1},
		{Topic: "bad config", NumPartitions: 1, ReplicationFactor: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []kafka.ErrorCode{kafka.ErrNoError, kafka.ErrNoError, kafka.ErrTopicAlreadyExists, kafka.ErrTopicException} {
		if got := results[i].Error.Code(); got != want {
			t.Errorf("librdkafka creates %s: %v, want %v", results[i].Topic, results[i].Error, want)
		}
	}
	if err := sa.CreateTopic("trial", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, true); err != nil {
		t.Errorf("Sarama, on trial: %v", err)
	}
	want := map[string]int{"defaults": 1, "assigned": 3, "configured": 2}
	topics, err := sa.ListTopics()
	for topic, n := range want {
		if err != nil || int(topics[topic].NumPartitions) != n {
			t.Errorf("Sarama sees %+v of %s, %v, want %d partitions", topics[topic], topic, err, n)
		}
	}
	if len(topics) != len(want) {
		t.Errorf("Sarama sees %d topics, want %d", len(topics), len(want))
	}
	described, err := rd.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{"assigned", "nowhere"}))
	if err != nil {
		t.Fatal(err)
	}
	if d := described.TopicDescriptions; len(d[0].Partitions) != 3 || d[0].TopicID.String() == "" || d[1].Error.Code() != kafka.ErrUnknownTopicOrPart {
		t.Errorf("librdkafka describes %+v", d)
	}

	if err := sa.CreatePartitions("defaults", 4, nil, false); err != nil {
		t.Errorf("Sarama adds partitions: %v", err)
	}
	if err := sa.CreatePartitions("defaults", 2, nil, false); err == nil {
		t.Error("Sarama takes partitions away")
	}
	if got, err := adm.ListTopics(ctx, "defaults"); err != nil || len(got["defaults"].Partitions) != 4 {
		t.Errorf("kadm sees %d partitions, %v, want 4", len(got["defaults"].Partitions), err)
	}
	if _, err := rd.DeleteTopics(ctx, []string{"defaults", "assigned"}); err != nil {
		t.Error(err)
	}
	if got, err := adm.ListTopics(ctx); err != nil || !slices.Equal(got.Names(), []string{"configured"}) {
		t.Errorf("kadm sees %v, %v, want configured", got.Names(), err)
	}
}

// DescribeTopicPartitions and Metadata tell the same about a topic.
func TestBothWaysToDescribeTopics(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "twice", 3)
	q := kmsg.NewPtrDescribeTopicPartitionsRequest()
	q.ResponsePartitionLimit = 2000
	qt := kmsg.NewDescribeTopicPartitionsRequestTopic()
	qt.Topic = "twice"
	q.Topics = append(q.Topics, qt)
	newer := ask[*kmsg.DescribeTopicPartitionsResponse](t, s.addr, 0, q).Topics[0]
	m := kmsg.NewPtrMetadataRequest()
	name := "twice"
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &name
	m.Topics = append(m.Topics, mt)
	older := ask[*kmsg.MetadataResponse](t, s.addr, 12, m).Topics[0]
	if newer.TopicID != older.TopicID || len(newer.Partitions) != 3 || len(older.Partitions) != 3 {
		t.Fatalf("new way %+v, old way %+v", newer, older)
	}
	for i, p := range newer.Partitions {
		if p.LeaderID != older.Partitions[i].Leader || !slices.Equal(p.ISR, older.Partitions[i].ISR) || p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
			t.Errorf("partition %d: new way %+v, old way %+v", i, p, older.Partitions[i])
		}
	}
}

// Configs have a source, a documentation and synonyms, and change one at a time.
func TestConfigsInEveryAdminClient(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "conf", 1, "retention.ms=1000")
	rd, sa, adm, ctx := rdAdmin(t, s.addr), saramaAdmin(t, s.addr), kadmClient(t, s.addr), limit(t)
	resource := kafka.ConfigResource{Type: kafka.ResourceTopic, Name: "conf"}
	described, err := rd.DescribeConfigs(ctx, []kafka.ConfigResource{resource})
	if err != nil {
		t.Fatal(err)
	}
	config := described[0].Config
	if r := config["retention.ms"]; r.Value != "1000" || r.Source != kafka.ConfigSourceDynamicTopic || r.IsDefault {
		t.Errorf("librdkafka: retention.ms is %+v", r)
	}
	if c := config["cleanup.policy"]; c.Value != "delete" || c.Source != kafka.ConfigSourceDefault {
		t.Errorf("librdkafka: cleanup.policy is %+v", c)
	}
	resource.Config = []kafka.ConfigEntry{
		{Name: "cleanup.policy", Value: "compact", IncrementalOperation: kafka.AlterConfigOpTypeAppend},
		{Name: "retention.ms", IncrementalOperation: kafka.AlterConfigOpTypeDelete},
	}
	if got, err := rd.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{resource}); err != nil || got[0].Error.Code() != kafka.ErrNoError {
		t.Errorf("librdkafka alters: %+v, %v", got, err)
	}
	entries, err := sa.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "conf", ConfigNames: []string{"cleanup.policy", "retention.ms"}})
	if err != nil || len(entries) != 2 {
		t.Fatalf("Sarama: %+v, %v", entries, err)
	}
	for _, e := range entries {
		if want := map[string]string{"cleanup.policy": "delete,compact", "retention.ms": "604800000"}[e.Name]; e.Value != want {
			t.Errorf("Sarama: %s is %s, want %s", e.Name, e.Value, want)
		}
	}
	wrong := "-5"
	altered, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &wrong}, {Name: "segment.bytes", Value: &wrong}}, "conf")
	if err != nil || !errors.Is(altered[0].Err, kerr.InvalidConfig) {
		t.Errorf("kadm sets a negative size: %+v, %v", altered, err)
	}
	q := kmsg.NewPtrDescribeConfigsRequest()
	q.IncludeDocumentation, q.IncludeSynonyms = true, true
	qr := kmsg.NewDescribeConfigsRequestResource()
	qr.ResourceType, qr.ResourceName = kmsg.ConfigResourceTypeTopic, "conf"
	q.Resources = append(q.Resources, qr)
	for _, c := range ask[*kmsg.DescribeConfigsResponse](t, s.addr, 4, q).Resources[0].Configs {
		if c.Documentation == nil || *c.Documentation == "" || c.ConfigSynonyms == nil || c.ConfigType == 0 {
			t.Errorf("%s: documentation, synonyms or type is missing: %+v", c.Name, c)
		}
	}
	brokers, err := sa.DescribeConfig(sarama.ConfigResource{Type: sarama.BrokerResource, Name: "0"})
	if err != nil || len(brokers) == 0 {
		t.Errorf("Sarama, broker: %d configs, %v", len(brokers), err)
	}
}

// The rest of what user interfaces ask for has an answer that no client stumbles
// over.
func TestClusterAdmin(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "data", 2)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "data"}, numbered("v", 100)...)
	rd, sa, adm, ctx := rdAdmin(t, s.addr), saramaAdmin(t, s.addr), kadmClient(t, s.addr), limit(t)
	cluster, err := rd.DescribeCluster(ctx)
	if err != nil || cluster.Controller == nil || cluster.Controller.ID != 0 || *cluster.ClusterID != s.log.ClusterID() {
		t.Errorf("librdkafka describes the cluster: %+v, %v", cluster, err)
	}
	dirs, err := sa.DescribeLogDirs([]int32{0})
	if err != nil || len(dirs[0]) != 1 {
		t.Fatalf("Sarama, log dirs: %+v, %v", dirs, err)
	}
	var size int64
	for _, topic := range dirs[0][0].Topics {
		for _, p := range topic.Partitions {
			size += p.Size
		}
	}
	if size < 300 {
		t.Errorf("Sarama: %d bytes in the log dirs", size)
	}
	if quotas, err := adm.DescribeClientQuotas(ctx, false, []kadm.DescribeClientQuotaComponent{{Type: "user", MatchType: kmsg.QuotasMatchTypeAny}}); err != nil || len(quotas) != 0 {
		t.Errorf("kadm, quotas: %v, %v", quotas, err)
	}
	if r, err := adm.ListPartitionReassignments(ctx, kadm.TopicsSet{"data": {0: {}}}); err != nil || len(r) != 0 {
		t.Errorf("kadm, reassignments: %v, %v", r, err)
	}
	if _, err := adm.ListTransactions(ctx, nil, nil); err != nil {
		t.Errorf("kadm, transactions: %v", err)
	}
	_, err = sa.ListAcls(sarama.AclFilter{ResourceType: sarama.AclResourceAny, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny,
		ResourcePatternTypeFilter: sarama.AclPatternAny})
	if err != nil && !errors.Is(err, sarama.ErrSecurityDisabled) {
		t.Errorf("Sarama, ACLs without an authorizer: %v", err)
	}
}

// DeleteRecords moves the start of the log, to an offset or to the end.
func TestDeleteRecords(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "purge", 1)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "purge"}, numbered("v", 10)...)
	deleted, err := rdAdmin(t, s.addr).DeleteRecords(limit(t), rdPartitions("purge", 0, 4))
	if err != nil || deleted.DeleteRecordsResults[0].DeletedRecords.LowWatermark != 4 {
		t.Errorf("librdkafka: %+v, %v", deleted, err)
	}
	if got := kgoConsume(t, consumeRequest{addr: s.addr, topic: "purge", from: 4, n: 1}); got[0].offset != 4 {
		t.Errorf("first record is %v, want offset 4", got[0])
	}
	if err := saramaAdmin(t, s.addr).DeleteRecords("purge", map[int32]int64{0: 100}); err == nil {
		t.Error("Sarama deletes up to an offset beyond the end")
	}
	if err := saramaAdmin(t, s.addr).DeleteRecords("purge", map[int32]int64{0: -1}); err != nil {
		t.Errorf("Sarama deletes up to the end: %v", err)
	}
	if start := listedOffset(t, s.addr, "purge", 7, -2, 0); start != 10 {
		t.Errorf("log start offset %d, want 10", start)
	}
}

// The special times of ListOffsets, also under read_committed.
func TestSpecialOffsets(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "special", 1)
	for i, at := range []int64{1000, 5000, 3000} { // the largest is in the middle
		kgoProduce(t, produceRequest{addr: s.addr, topic: "special"}, record{value: []byte{byte(i)}, timestamp: at})
	}
	x := rdTransact(t, s.addr, "special")
	x.begin(t)
	x.send(t, "special", values("open")...)
	for _, tt := range []struct {
		what      string
		version   int16
		time      int64
		isolation int8
		want      int64
	}{
		{"latest", 7, -1, 0, 4},
		{"latest, committed", 7, -1, readCommitted, 3},
		{"earliest", 7, -2, 0, 0},
		{"earliest local", 8, -4, 0, 0},
		{"latest tiered", 9, -5, 0, -1},
	} {
		if got := listedOffset(t, s.addr, "special", tt.version, tt.time, tt.isolation); got != tt.want {
			t.Errorf("%s is %d, want %d", tt.what, got, tt.want)
		}
	}
	topic := "special"
	got, err := rdAdmin(t, s.addr).ListOffsets(limit(t), map[kafka.TopicPartition]kafka.OffsetSpec{{Topic: &topic}: kafka.LatestOffsetSpec},
		kafka.SetAdminIsolationLevel(kafka.IsolationLevelReadCommitted))
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range got.ResultInfos {
		if info.Offset != 3 || info.Error.Code() != kafka.ErrNoError {
			t.Errorf("librdkafka: latest, committed is %+v, want 3", info)
		}
	}
	x.end(t, false)
	latest, err := kadmClient(t, s.addr).ListMaxTimestampOffsets(limit(t), "special")
	if o, _ := latest.Lookup("special", 0); err != nil || o.Err != nil || o.Offset < 3 {
		t.Errorf("kadm: the latest time is at %+v, %v, want the open record's or later", o, err) // it was sent now
	}
}

// A topic that is made again has another id: who fetches by id is told, who
// fetches by name goes on.
func TestRecreatedTopic(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "again", 1)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "again"}, values("old")...)
	id := topicID(t, s.addr, "again")
	if _, err := kadmClient(t, s.addr).DeleteTopics(limit(t), "again"); err != nil {
		t.Fatal(err)
	}
	s.createTopic(t, "again", 1)
	if topicID(t, s.addr, "again") == id {
		t.Error("the topic has the id of the deleted one")
	}
	kgoProduce(t, produceRequest{addr: s.addr, topic: "again"}, values("new")...)
	q := kmsg.NewPtrFetchRequest()
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1 << 20
	qt := kmsg.NewFetchRequestTopic()
	qt.TopicID, qt.Partitions = id, append(qt.Partitions, p)
	q.Topics = append(q.Topics, qt)
	resp := ask[*kmsg.FetchResponse](t, s.addr, 13, q)
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != kerr.UnknownTopicID.Code {
		t.Errorf("fetch by the old id: error code %d, want %d", code, kerr.UnknownTopicID.Code)
	}
	wantTexts(t, "librdkafka", rdConsume(t, consumeRequest{addr: s.addr, topic: "again", n: 1}), "new")
	wantTexts(t, "Sarama", saramaConsume(t, consumeRequest{addr: s.addr, topic: "again", n: 1}), "new")
}

func topicID(t *testing.T, addr, topic string) kadm.TopicID {
	t.Helper()
	topics, err := kadmClient(t, addr).ListTopics(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	return topics[topic].ID
}

// kcat's JSON has the shape that scripts rely on.
func TestKcatJSON(t *testing.T) {
	kcat, s := kcat(t), startServer(t)
	s.createTopic(t, "json", 2)
	got := run(t, "", kcat, "-L", "-J", "-b", s.addr, "-t", "json")
	want := `"topics":[{"topic":"json","partitions":[{"partition":0,"leader":0,"replicas":[{"id":0}],"isrs":[{"id":0}]},{"partition":1,"leader":0,`
	if !strings.Contains(got, want) || !regexp.MustCompile(`"controllerid":0,"brokers":\[\{"id":0,"name":"127`).MatchString(got) {
		t.Errorf("kcat -L -J says\n%s\nwant a part like\n%s", got, want)
	}
	run(t, "k:v\n", kcat, "-P", "-b", s.addr, "-t", "json", "-p", "1", "-K", ":", "-H", "a=1")
	got = run(t, "", kcat, "-C", "-J", "-b", s.addr, "-t", "json", "-o", "beginning", "-e", "-q")
	if !regexp.MustCompile(`^\{"topic":"json","partition":1,"offset":0,"tstype":"create","ts":\d+,"broker":0,"headers":\["a","1"\],"key":"k","payload":"v"\}\n$`).MatchString(got) {
		t.Errorf("kcat -C -J says\n%s", got)
	}
}
