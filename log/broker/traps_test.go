package broker

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// The ranges that clients choose from. Lower minima or maxima shut clients out, as the comments say; higher ones promise what
// is not there. Produce must begin at 0, or librdkafka 2.0 stops compressing (KAFKA-18659). The telemetry keys 71 and 72 must not
// be listed, or every client pushes its metrics; what one broker has no use for is not listed either (34 AlterReplicaLogDirs,
// 55 DescribeQuorum, 57 UpdateFeatures, share groups).
func TestAdvertisedVersions(t *testing.T) {
	want := map[int16][2]int16{
		0: {0, 13}, 1: {4, 18}, 2: {1, 11}, 3: {0, 13}, // kafka-python 2.0 needs Fetch 4, ListOffsets 1, Metadata 0
		8: {2, 10}, 9: {1, 10}, 10: {0, 6}, // segmentio needs OffsetCommit 2, OffsetFetch 1, FindCoordinator 0
		11: {0, 9}, 12: {0, 4}, 13: {0, 5}, 14: {0, 5}, 15: {0, 6}, 16: {0, 5}, // librdkafka gates groups on JoinGroup 0 (KAFKA-19444)
		17: {0, 1}, 18: {0, 5}, 36: {0, 2},
		19: {2, 7}, 20: {1, 6}, 21: {0, 2}, 37: {0, 3}, 22: {0, 5},
		23: {2, 4},                                                 // librdkafka speaks only 2, Java only 3 and later
		24: {0, 5}, 25: {0, 4}, 26: {0, 5}, 27: {0, 2}, 28: {0, 6}, // librdkafka speaks 24v0, 25v0
		29: {1, 3}, 30: {1, 3}, 31: {1, 3},
		32: {1, 4}, 33: {0, 2}, 44: {0, 1}, 35: {1, 5}, 42: {0, 3}, 43: {0, 2}, 45: {0, 1}, 46: {0, 0}, 47: {0, 0},
		48: {0, 1}, 49: {0, 1}, 50: {0, 0}, 51: {0, 0}, 60: {0, 2}, 61: {0, 0}, 65: {0, 0}, 66: {0, 2},
		68: {0, 1}, 69: {0, 1}, 74: {0, 1}, 75: {0, 0}, // librdkafka speaks only 68v1
	}
	got := advertised(ask[*kmsg.ApiVersionsResponse](newServer(t).raw(), kmsg.NewPtrApiVersionsRequest()))
	for key, k := range got {
		if r, ok := want[key]; !ok || k.MinVersion != r[0] || k.MaxVersion != r[1] {
			t.Errorf("%s is advertised as %d–%d, want %v", kmsg.NameForKey(key), k.MinVersion, k.MaxVersion, r)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("%s is not advertised", kmsg.NameForKey(key))
	}
}

// Clients up to v3 cannot read a supported minimum of 0 (KAFKA-17011); all see what is finalized.
func TestFeaturesOnTheWire(t *testing.T) {
	c := newServer(t).raw()
	for version := int16(3); version <= 5; version++ {
		q := kmsg.NewPtrApiVersionsRequest()
		q.SetVersion(version)
		q.ClientSoftwareName, q.ClientSoftwareVersion = "test", "1.0"
		resp := ask[*kmsg.ApiVersionsResponse](c, q)
		var names []string
		for _, f := range resp.SupportedFeatures {
			names = append(names, f.Name)
			if version == 3 && f.MinVersion == 0 {
				t.Errorf("v3 lists %s from 0", f.Name)
			}
		}
		finalized := map[string]int16{}
		for _, f := range resp.FinalizedFeatures {
			finalized[f.Name] = f.MaxVersionLevel
		}
		if finalized["metadata.version"] != 25 || finalized["transaction.version"] != 2 || resp.FinalizedFeaturesEpoch < 0 || !slices.Contains(names, "metadata.version") {
			t.Errorf("v%d: supported %v, finalized %v, epoch %d", version, names, finalized, resp.FinalizedFeaturesEpoch)
		}
	}
}

// stamped is a batch with one record of a time and key.
func stamped(t *testing.T, at time.Time, keys ...[]byte) []byte {
	t.Helper()
	var b batch.Builder
	for _, key := range keys {
		b.Append(at.UnixMilli(), key, []byte("v"))
	}
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestProduceTimestampsAndKeys(t *testing.T) {
	s := newServer(t)
	logAppend, compact := "LogAppendTime", "compact"
	s.createTopic("create", 1, nil)
	s.createTopic("append", 1, map[string]*string{"message.timestamp.type": &logAppend})
	s.createTopic("compacted", 1, map[string]*string{"cleanup.policy": &compact})
	c := s.raw()
	produce := func(topic string, b []byte) kmsg.ProduceResponseTopicPartition {
		return ask[*kmsg.ProduceResponse](c, produceRequest(topic, -1, b)).Topics[0].Partitions[0]
	}
	now := time.Now()
	if p := produce("create", stamped(t, now.Add(2*time.Hour), nil)); p.ErrorCode != kerr.InvalidTimestamp.Code {
		t.Errorf("two hours ahead: error %d, want %d", p.ErrorCode, kerr.InvalidTimestamp.Code)
	}
	if p := produce("create", stamped(t, now.Add(30*time.Minute), nil)); p.ErrorCode != 0 || p.LogAppendTime != -1 {
		t.Errorf("half an hour ahead: error %d, log append time %d; want 0 and -1", p.ErrorCode, p.LogAppendTime)
	}
	p := produce("append", stamped(t, now.Add(-999*time.Hour), nil))
	if got := time.UnixMilli(p.LogAppendTime); p.ErrorCode != 0 || got.Before(now.Add(-time.Minute)) {
		t.Errorf("log append time %v, error %d", got, p.ErrorCode)
	}
	records := ask[*kmsg.FetchResponse](c, fetchRequest("append", 0, time.Second, 1, 1<<20)).Topics[0].Partitions[0].RecordBatches
	if h, err := batch.Validate(records); err != nil || !h.LogAppendTime() || h.MaxTimestamp != p.LogAppendTime {
		t.Errorf("fetched header %+v, %v; want log append time %d", h, err, p.LogAppendTime)
	}
	p = produce("compacted", stamped(t, now, []byte("k"), nil, []byte("k")))
	if p.ErrorCode != kerr.InvalidRecord.Code || len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 1 || p.ErrorRecords[0].ErrorMessage == nil {
		t.Errorf("a null key in a compacted topic: error %d, records %+v; want %d and record 1", p.ErrorCode, p.ErrorRecords, kerr.InvalidRecord.Code)
	}
}

// A fetch waits as long as it says, to the millisecond, unless there is enough to say.
func TestFetchWaitsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, "/data", vfs.NewMem(), nil)
		s.createTopic("t", 1, nil)
		c := s.raw()
		ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 100)))
		for _, tt := range []struct {
			name string
			q    *kmsg.FetchRequest
			want time.Duration
		}{
			{"nothing new", fetchRequest("t", 1, 500*time.Millisecond, 1, 1<<20), 500 * time.Millisecond},
			{"not enough", fetchRequest("t", 0, 300*time.Millisecond, 10_000, 1<<20), 300 * time.Millisecond},
			{"enough", fetchRequest("t", 0, time.Minute, 100, 1<<20), 0},
			{"no minimum", fetchRequest("t", 1, time.Minute, 0, 1<<20), 0},
			{"no time", fetchRequest("t", 1, 0, 1, 1<<20), 0},
			{"an error", fetchRequest("unknown", 0, time.Minute, 1, 1<<20), 0},
			{"out of range", fetchRequest("t", 7, time.Minute, 1, 1<<20), 0},
		} {
			start := time.Now()
			ask[*kmsg.FetchResponse](c, tt.q)
			if took := time.Since(start); took < tt.want || took > tt.want+50*time.Millisecond {
				t.Errorf("%s: answered after %v, want %v", tt.name, took, tt.want)
			}
		}
	})
}

// A full disk gives producers an error that they try again after; reads go on, and so do produces when there is room.
func TestFullDisk(t *testing.T) {
	var full atomic.Bool
	disk := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
		if op == vfs.OpWrite && strings.HasSuffix(name, ".log") && full.Load() {
			return &vfs.ShortWrite{N: 20, Err: syscall.ENOSPC}
		}
		return nil
	}}
	s := startServer(t, "/data", disk, nil)
	s.createTopic("t", 1, nil)
	c := s.raw()
	produce := func() kmsg.ProduceResponseTopicPartition {
		return ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 100))).Topics[0].Partitions[0]
	}
	produce()
	full.Store(true)
	for range 3 {
		p := produce()
		if p.ErrorCode != kerr.KafkaStorageError.Code || !kerr.IsRetriable(kerr.ErrorForCode(p.ErrorCode)) || p.ErrorMessage == nil || !strings.Contains(*p.ErrorMessage, "no space") {
			t.Errorf("on a full disk: error %d %v, want a retriable %d", p.ErrorCode, p.ErrorMessage, kerr.KafkaStorageError.Code)
		}
	}
	if got := ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, time.Second, 1, 1<<20)).Topics[0].Partitions[0]; got.ErrorCode != 0 || len(got.RecordBatches) == 0 {
		t.Errorf("read on a full disk: error %d, %d bytes", got.ErrorCode, len(got.RecordBatches))
	}
	full.Store(false)
	if p := produce(); p.ErrorCode != 0 || p.BaseOffset != 1 {
		t.Errorf("when there is room: error %d, offset %d; want offset 1", p.ErrorCode, p.BaseOffset)
	}
	if err := s.log.Err(); err != nil {
		t.Errorf("the log has failed: %v", err)
	}
}

// A partition with damaged files has no leader and refuses requests, as from Kafka with a log directory offline; the others are
// served.
func TestOfflinePartition(t *testing.T) {
	mem := vfs.NewMem()
	s := startServer(t, "/data", mem, nil)
	s.createTopic("t", 2, nil)
	c := s.raw()
	for range 3 {
		q := produceRequest("t", -1, oneBatch(t, 1, 100))
		other := q.Topics[0].Partitions[0]
		other.Partition, other.Records = 1, oneBatch(t, 1, 100)
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, other)
		ask[*kmsg.ProduceResponse](c, q)
	}
	s.stop()
	f, err := mem.OpenFile("/data/t-0/00000000000000000000.log", 0)
	if err == nil {
		_, err = f.WriteAt([]byte{0xff}, 100)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	c = s.raw()
	read := func(partition int32) int16 {
		q := fetchRequest("t", 0, 0, 0, 1<<20)
		q.Topics[0].Partitions[0].Partition = partition
		return ask[*kmsg.FetchResponse](c, q).Topics[0].Partitions[0].ErrorCode
	}
	if a, b := read(0), read(1); a != kerr.KafkaStorageError.Code || b != 0 {
		t.Errorf("fetch: errors %d and %d, want %d and 0", a, b, kerr.KafkaStorageError.Code)
	}
	if p := ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 1))).Topics[0].Partitions[0]; p.ErrorCode != kerr.KafkaStorageError.Code {
		t.Errorf("produce: error %d, want %d", p.ErrorCode, kerr.KafkaStorageError.Code)
	}
	md := kmsg.NewPtrMetadataRequest()
	md.SetVersion(9)
	for _, mt := range ask[*kmsg.MetadataResponse](c, md).Topics {
		bad, good := mt.Partitions[0], mt.Partitions[1]
		if bad.ErrorCode != kerr.LeaderNotAvailable.Code || bad.Leader != -1 || len(bad.OfflineReplicas) != 1 {
			t.Errorf("metadata of the damaged partition: %+v", bad)
		}
		if mt.ErrorCode != 0 || good.ErrorCode != 0 || good.Leader != 0 || len(good.OfflineReplicas) != 0 {
			t.Errorf("metadata of the other: %+v", good)
		}
	}
	dt := ask[*kmsg.DescribeTopicPartitionsResponse](c, kmsg.NewPtrDescribeTopicPartitionsRequest()).Topics[0].Partitions
	if dt[0].LeaderID != -1 || dt[0].ErrorCode != kerr.LeaderNotAvailable.Code || dt[1].LeaderID != 0 {
		t.Errorf("described partitions: %+v", dt)
	}
}

func TestMetadataByNameAndID(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	topic, _ := s.log.Topic("t")
	id := topic.ID()
	name := "t"
	q := func(version int16, topics ...kmsg.MetadataRequestTopic) *kmsg.MetadataRequest {
		q := kmsg.NewPtrMetadataRequest()
		q.SetVersion(version)
		q.Topics = topics
		return q
	}
	none := q(1)
	none.Topics = []kmsg.MetadataRequestTopic{}
	for _, tt := range []struct {
		name string
		q    *kmsg.MetadataRequest
		want string
	}{
		{"v1 empty is none", none, ""},
		{"v0 empty is all", q(0), "t 0"},
		{"v1 null is all", q(1), "t 0"},
		{"by name", q(12, kmsg.MetadataRequestTopic{Topic: &name}), "t 0"},
		{"v11 by id", q(11, kmsg.MetadataRequestTopic{TopicID: id}), fmt.Sprint(" ", kerr.InvalidRequest.Code)},
		{"v12 by id", q(12, kmsg.MetadataRequestTopic{TopicID: id}), "t 0"},
		{"v12 by an unknown id", q(12, kmsg.MetadataRequestTopic{TopicID: [16]byte{1}}), fmt.Sprint("null ", kerr.UnknownTopicID.Code)},
	} {
		var got []string
		for _, mt := range ask[*kmsg.MetadataResponse](s.raw(), tt.q).Topics {
			shown := "null"
			if mt.Topic != nil {
				shown = *mt.Topic
			}
			got = append(got, fmt.Sprint(shown, " ", mt.ErrorCode))
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A manual assignment has to give partitions 0 to n-1 to this broker; names that differ in '.' and '_' collide.
func TestCreateTopicsAssignments(t *testing.T) {
	s := newServer(t)
	assigned := func(name string, partitions ...int32) *kmsg.CreateTopicsRequest {
		q := createRequest(name, -1)
		for _, p := range partitions {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = p, []int32{0}
			q.Topics[0].ReplicaAssignment = append(q.Topics[0].ReplicaAssignment, a)
		}
		return q
	}
	elsewhere := assigned("b", 0)
	elsewhere.Topics[0].ReplicaAssignment[0].Replicas = []int32{7}
	both := assigned("b", 0)
	both.Topics[0].NumPartitions = 1
	twice := createRequest("b", 1)
	twice.Topics = append(twice.Topics, twice.Topics[0])
	for _, tt := range []struct {
		name string
		q    *kmsg.CreateTopicsRequest
		want *kerr.Error
	}{
		{"two partitions", assigned("a.x", 1, 0), nil},
		{"collision", createRequest("a_x", 1), kerr.InvalidTopicException},
		{"a hole", assigned("b", 0, 2), kerr.InvalidReplicaAssignment},
		{"another broker", elsewhere, kerr.InvalidReplicaAssignment},
		{"assignment and count", both, kerr.InvalidRequest},
		{"named twice", twice, kerr.InvalidRequest},
	} {
		got := ask[*kmsg.CreateTopicsResponse](s.raw(), tt.q).Topics[0]
		if want := errorCode(errorOrNil(tt.want)); got.ErrorCode != want || (tt.want != nil && got.ErrorMessage == nil) {
			t.Errorf("%s: error %d, want %d and a message", tt.name, got.ErrorCode, want)
		}
		if tt.want == nil && (got.NumPartitions != 2 || len(got.Configs) == 0 || got.TopicID == [16]byte{}) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	more := kmsg.NewPtrCreatePartitionsRequest()
	mt := kmsg.NewCreatePartitionsRequestTopic()
	mt.Topic, mt.Count = "a.x", 2
	more.Topics = append(more.Topics, mt)
	if got := ask[*kmsg.CreatePartitionsResponse](s.raw(), more).Topics[0].ErrorCode; got != kerr.InvalidPartitions.Code {
		t.Errorf("as many partitions as there are: error %d, want %d", got, kerr.InvalidPartitions.Code)
	}
}

func errorOrNil(e *kerr.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// Pages of DescribeTopicPartitions fit together, whatever their size, and go on after a cursor whose topic is gone.
func TestDescribeTopicPartitionsPages(t *testing.T) {
	s := newServer(t)
	for name, n := range map[string]int32{"a": 3, "b": 1, "c": 4} {
		s.createTopic(name, n, nil)
	}
	c := s.raw()
	for limit := int32(1); limit <= 9; limit++ {
		q := kmsg.NewPtrDescribeTopicPartitionsRequest()
		q.ResponsePartitionLimit = limit
		var got []string
		for range 20 {
			resp := ask[*kmsg.DescribeTopicPartitionsResponse](c, q)
			n := int32(0)
			for _, dt := range resp.Topics {
				for _, p := range dt.Partitions {
					n++
					got = append(got, fmt.Sprint(*dt.Topic, p.Partition))
				}
			}
			if n > limit {
				t.Errorf("limit %d: a page has %d partitions", limit, n)
			}
			if resp.NextCursor == nil {
				break
			}
			q.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: resp.NextCursor.Topic, Partition: resp.NextCursor.Partition}
		}
		if want := "a0 a1 a2 b0 c0 c1 c2 c3"; strings.Join(got, " ") != want {
			t.Errorf("limit %d: %v, want %s", limit, got, want)
		}
	}
	q := kmsg.NewPtrDescribeTopicPartitionsRequest()
	q.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "bb", Partition: 5}
	if resp := ask[*kmsg.DescribeTopicPartitionsResponse](c, q); len(resp.Topics) != 1 || *resp.Topics[0].Topic != "c" || len(resp.Topics[0].Partitions) != 4 {
		t.Errorf("after a topic that is gone: %+v", resp.Topics)
	}
}

// librdkafka asks with v2, Java with v3 and later. The epoch stays 0: its end is the high watermark.
func TestOffsetForLeaderEpoch(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	c := s.raw()
	ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 3, 10)))
	for version := int16(2); version <= 4; version++ {
		for epoch, want := range map[int32][2]int64{0: {0, 3}, 1: {-1, -1}} {
			q := kmsg.NewPtrOffsetForLeaderEpochRequest()
			q.SetVersion(version)
			qt := kmsg.NewOffsetForLeaderEpochRequestTopic()
			qt.Topic = "t"
			qp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			qp.LeaderEpoch, qp.CurrentLeaderEpoch = epoch, -1
			qt.Partitions = append(qt.Partitions, qp)
			q.Topics = append(q.Topics, qt)
			got := ask[*kmsg.OffsetForLeaderEpochResponse](c, q).Topics[0].Partitions[0]
			if got.ErrorCode != 0 || int64(got.LeaderEpoch) != want[0] || got.EndOffset != want[1] {
				t.Errorf("v%d epoch %d: error %d, epoch %d ends at %d; want %v", version, epoch, got.ErrorCode, got.LeaderEpoch, got.EndOffset, want)
			}
		}
	}
}

// DescribeLogDirs has the sizes of the partitions and of the volume; DescribeCluster the node of Metadata.
func TestDescribeLogDirsAndCluster(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 2, nil)
	c := s.raw()
	b := oneBatch(t, 1, 1000)
	ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, b))
	q := kmsg.NewPtrDescribeLogDirsRequest()
	q.SetVersion(5)
	dir := ask[*kmsg.DescribeLogDirsResponse](c, q).Dirs[0]
	if dir.Dir != s.dir || dir.TotalBytes <= 0 || dir.UsableBytes <= 0 || dir.UsableBytes > dir.TotalBytes {
		t.Errorf("dir %s has %d of %d bytes", dir.Dir, dir.UsableBytes, dir.TotalBytes)
	}
	if p := dir.Topics[0].Partitions; len(p) != 2 || p[0].Size != int64(len(b)) || p[1].Size != 0 {
		t.Errorf("partitions %+v, want sizes %d and 0", p, len(b))
	}
	mq := kmsg.NewPtrMetadataRequest()
	mq.SetVersion(9)
	node := ask[*kmsg.MetadataResponse](c, mq)
	cluster := ask[*kmsg.DescribeClusterResponse](c, kmsg.NewPtrDescribeClusterRequest())
	if a, b := node.Brokers[0], cluster.Brokers[0]; a.NodeID != b.NodeID || a.Host != b.Host || a.Port != b.Port ||
		*node.ClusterID != cluster.ClusterID || node.ControllerID != cluster.ControllerID {
		t.Errorf("Metadata says %+v, DescribeCluster %+v", a, b)
	}
}
