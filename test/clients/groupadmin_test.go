package clients

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/test/process"
)

// Three admin clients list, describe, reset and delete a group and its offsets,
// and see the same.
func TestGroupAdmin(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "work", 2)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "work"}, spread("v", 20, 2)...)
	box := newInbox()
	m := kgoJoin(t, memberRequest{addr: s.addr, group: "g", topic: "work", got: box.add})
	box.want(t, spread("v", 20, 2))
	adm, rd, sa := kadmClient(t, s.addr), rdAdmin(t, s.addr), saramaAdmin(t, s.addr)
	ctx := limit(t)

	listed, err := adm.ListGroups(ctx, "Stable")
	if err != nil || !slices.Contains(listed.Groups(), "g") {
		t.Errorf("kadm lists %v, %v", listed.Groups(), err)
	}
	rdListed, err := rd.ListConsumerGroups(ctx, kafka.SetAdminMatchConsumerGroupStates([]kafka.ConsumerGroupState{kafka.ConsumerGroupStateStable}))
	if err != nil || len(rdListed.Valid) != 1 || rdListed.Valid[0].GroupID != "g" {
		t.Errorf("librdkafka lists %+v, %v", rdListed, err)
	}
	saListed, err := sa.ListConsumerGroups()
	if err != nil || saListed["g"] != "consumer" {
		t.Errorf("Sarama lists %v, %v", saListed, err)
	}
	described, err := rd.DescribeConsumerGroups(ctx, []string{"g"})
	if err != nil {
		t.Fatal(err)
	}
	if d := described.ConsumerGroupDescriptions[0]; d.State != kafka.ConsumerGroupStateStable || len(d.Members) != 1 || len(d.Members[0].Assignment.TopicPartitions) != 2 {
		t.Errorf("librdkafka describes %+v", d)
	}
	if _, err := adm.DeleteGroups(ctx, "g"); err != nil {
		t.Error(err)
	}
	if r, _ := adm.DeleteGroup(ctx, "g"); !errors.Is(r.Err, kerr.NonEmptyGroup) {
		t.Errorf("deleting a group with members: %v", r.Err)
	}
	eventually(t, func() error { return committedAt(t, s.addr, "g", map[int32]int64{0: 10, 1: 10}) })
	m.leave(t)

	reset, err := rd.AlterConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{{Group: "g", Partitions: rdPartitions("work", 0, 3)}})
	if err != nil || reset.ConsumerGroupsTopicPartitions[0].Partitions[0].Error != nil {
		t.Errorf("librdkafka resets: %+v, %v", reset, err)
	}
	if err := committedAt(t, s.addr, "g", map[int32]int64{0: 3, 1: 10}); err != nil {
		t.Error(err)
	}
	if err := sa.DeleteConsumerGroupOffset("g", "work", 1); err != nil {
		t.Errorf("Sarama deletes an offset: %v", err)
	}
	if err := committedAt(t, s.addr, "g", map[int32]int64{0: 3}); err != nil {
		t.Error(err)
	}
	if err := sa.DeleteConsumerGroup("g"); err != nil {
		t.Errorf("Sarama deletes the group: %v", err)
	}
	if err := committedAt(t, s.addr, "g", map[int32]int64{}); err != nil {
		t.Error(err)
	}
}

// committedAt compares a group's offsets of the topic work.
func committedAt(t *testing.T, addr, group string, want map[int32]int64) error {
	t.Helper()
	offsets, err := kadmClient(t, addr).FetchOffsets(limit(t), group)
	if err != nil {
		return err
	}
	got := map[int32]int64{}
	offsets.Each(func(o kadm.OffsetResponse) { got[o.Partition] = o.At })
	if !maps.Equal(got, want) {
		return fmt.Errorf("committed offsets are %v, want %v", got, want)
	}
	return nil
}

func rdPartitions(topic string, partition int32, at int64) []kafka.TopicPartition {
	return []kafka.TopicPartition{{Topic: &topic, Partition: partition, Offset: kafka.Offset(at)}}
}

func rdAdmin(t *testing.T, addr string) *kafka.AdminClient {
	t.Helper()
	a, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": addr, "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func saramaAdmin(t *testing.T, addr string) sarama.ClusterAdmin {
	t.Helper()
	a, err := sarama.NewClusterAdmin([]string{addr}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// A group that nobody knows is dead for DescribeGroups up to v5, and an error from
// v6 on (KIP-1043). Its offsets are unknown and no error.
func TestUnknownGroup(t *testing.T) {
	s := startServer(t)
	for version, want := range map[int16]int16{0: 0, 5: 0, 6: kerr.GroupIDNotFound.Code} {
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Groups = []string{"nobody"}
		g := ask[*kmsg.DescribeGroupsResponse](t, s.addr, version, q).Groups[0]
		if g.ErrorCode != want || g.State != "Dead" {
			t.Errorf("v%d: error code %d, state %s, want %d, Dead", version, g.ErrorCode, g.State, want)
		}
	}
	c := rdConsumer(t, s.addr, map[string]any{"group.id": "nobody"})
	defer c.Close()
	got, err := c.Committed(rdPartitions("work", 0, 0), int(patience.Milliseconds()))
	if err != nil || got[0].Error != nil || got[0].Offset != kafka.OffsetInvalid {
		t.Errorf("librdkafka: %v, %v", got, err)
	}
	offsets, err := saramaAdmin(t, s.addr).ListConsumerGroupOffsets("nobody", map[string][]int32{"work": {0}})
	if err != nil || offsets.GetBlock("work", 0).Offset != -1 {
		t.Errorf("Sarama: %+v, %v", offsets, err)
	}
}

// The text of a commit comes back as it was, also after a restart, and in another
// client; a text that is too long is refused.
func TestCommitMetadata(t *testing.T) {
	s := process.New(t)
	makeTopic(t, s.Addr, "work", 1)
	kgoProduce(t, produceRequest{addr: s.Addr, topic: "work"}, numbered("v", 5)...)
	cl, err := sarama.NewClient([]string{s.Addr}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	om, err := sarama.NewOffsetManagerFromClient("meta", cl)
	if err != nil {
		t.Fatal(err)
	}
	p, err := om.ManagePartition("work", 0)
	if err != nil {
		t.Fatal(err)
	}
	const text = "ångström {\"a\":1}"
	p.MarkOffset(3, text)
	om.Commit()
	om.Close()
	s.Kill()
	s.Start(t)
	s.WaitReady(t)
	offsets, err := kadmClient(t, s.Addr).FetchOffsets(limit(t), "meta")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := offsets.Lookup("work", 0); o.At != 3 || o.Metadata != text {
		t.Errorf("franz-go after kill -9: %+v, want 3 and %q", o, text)
	}
	c := rdConsumer(t, s.Addr, map[string]any{"group.id": "meta"})
	defer c.Close()
	got, err := c.Committed(rdPartitions("work", 0, 0), int(patience.Milliseconds()))
	if err != nil || got[0].Offset != 3 || got[0].Metadata == nil || *got[0].Metadata != text {
		t.Errorf("librdkafka after kill -9: %v, %v", got, err)
	}
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 'x'
	}
	var tooLong kadm.Offsets
	tooLong.Add(kadm.Offset{Topic: "work", At: 4, LeaderEpoch: -1, Metadata: string(long)})
	responses, err := kadmClient(t, s.Addr).CommitOffsets(limit(t), "meta", tooLong)
	if o, _ := responses.Lookup("work", 0); err != nil || !errors.Is(o.Err, kerr.OffsetMetadataTooLarge) {
		t.Errorf("a text of 5000 bytes: %v, %v", o.Err, err)
	}
}

// Monitors read __consumer_offsets: every record decodes in Kafka's formats, and
// the last one of a key is what the group has committed.
func TestOffsetsTopicDecodes(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "work", 2)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "work"}, spread("v", 20, 2)...)
	box := newInbox()
	m := saramaJoin(t, memberRequest{addr: s.addr, group: "g", topic: "work", got: box.add})
	box.want(t, spread("v", 20, 2))
	eventually(t, func() error { return committedAt(t, s.addr, "g", map[int32]int64{0: 10, 1: 10}) })
	m.leave(t)

	committed, members := map[int32]int64{}, 0
	for _, r := range readTopic(t, s.addr, "__consumer_offsets") {
		switch version := int(r.key[0])<<8 | int(r.key[1]); version {
		case 0, 1:
			var k kmsg.OffsetCommitKey
			var v kmsg.OffsetCommitValue
			if err := errors.Join(k.ReadFrom(r.key), v.ReadFrom(r.value)); err != nil {
				t.Fatalf("offset at %d: %v", r.offset, err)
			}
			if age := time.Since(time.UnixMilli(v.CommitTimestamp)); k.Group != "g" || k.Topic != "work" || age < 0 || age > patience {
				t.Errorf("offset at %d: %+v %+v", r.offset, k, v)
			}
			committed[k.Partition] = v.Offset
		case 2:
			var k kmsg.GroupMetadataKey
			var v kmsg.GroupMetadataValue
			if err := k.ReadFrom(r.key); err != nil || k.Group != "g" {
				t.Fatalf("group at %d: %+v %v", r.offset, k, err)
			}
			if r.value == nil {
				continue
			}
			if err := v.ReadFrom(r.value); err != nil || v.ProtocolType != "consumer" {
				t.Errorf("group at %d: %+v %v", r.offset, v, err)
			}
			members = max(members, len(v.Members))
		default:
			t.Errorf("key of version %d at %d", version, r.offset)
		}
	}
	if want := map[int32]int64{0: 10, 1: 10}; !maps.Equal(committed, want) || members != 1 {
		t.Errorf("the topic says offsets %v and %d members, want %v and 1", committed, members, want)
	}
}

// readTopic reads all partitions of a topic to their ends.
func readTopic(t *testing.T, addr, topic string) (all []record) {
	t.Helper()
	ends, err := kadmClient(t, addr).ListEndOffsets(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	from := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	cl := kgoClient(t, addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.KeepControlRecords())
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(limit(t))
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				all = append(all, fromKgo(r))
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return all
}
