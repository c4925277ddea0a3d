package broker

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// slowDisk lets a test hold back or fail the syncs of record files.
type slowDisk struct {
	vfs.Fault
	hold atomic.Pointer[chan struct{}] // nil: syncs go through
	fail atomic.Bool
}

func newSlowDisk() *slowDisk {
	d := &slowDisk{}
	d.Fault = vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
		if op != vfs.OpSync || !strings.HasSuffix(name, ".log") {
			return nil
		}
		if gate := d.hold.Load(); gate != nil {
			<-*gate
		}
		if d.fail.Load() {
			return errors.New("injected sync error")
		}
		return nil
	}}
	return d
}

// No answer and no record before the sync; meanwhile later requests of the same
// connection are appended, and other connections are served (I1, I7).
func TestAnswersWaitForTheSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSlowDisk()
		s := startServer(t, "/data", disk, nil)
		s.createTopic("t", 1, nil)
		gate := make(chan struct{})
		disk.hold.Store(&gate)
		c := s.raw()
		const n = 5
		for _, acks := range []int16{-1, 1, -1, 1, -1} {
			q := produceRequest("t", acks, oneBatch(t, 1, 10))
			c.send(requestFrame(q, q.AppendTo(nil)))
		}
		synctest.Wait()
		topic, _ := s.log.Topic("t")
		p, _ := topic.Partition(0)
		if p.EndOffset() != n || p.HighWatermark() != 0 {
			t.Errorf("end offset %d, high watermark %d, want %d and 0", p.EndOffset(), p.HighWatermark(), n)
		}
		c.SetReadDeadline(time.Now().Add(time.Second)) // virtual; a checkpoint at 3 s would wait for the sync, too
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("there was an answer before the sync")
		}
		got := ask[*kmsg.FetchResponse](s.raw(), fetchRequest("t", 0, 100*time.Millisecond, 1, 1<<20)).Topics[0].Partitions[0]
		if len(got.RecordBatches) != 0 || got.HighWatermark != 0 {
			t.Errorf("a consumer got %d bytes and high watermark %d before the sync", len(got.RecordBatches), got.HighWatermark)
		}
		committed := make(chan *kmsg.OffsetCommitResponse, 1)
		cc := s.raw()
		go func() { committed <- ask[*kmsg.OffsetCommitResponse](cc, commitRequest("t", 3)) }()
		synctest.Wait()
		select {
		case resp := <-committed:
			t.Errorf("a commit was answered before the sync: %+v", resp)
		default:
		}
		disk.hold.Store(nil)
		close(gate)
		c.SetReadDeadline(time.Time{})
		for i := range n {
			if _, err := c.receive(); err != nil {
				t.Errorf("answer %d: %v", i, err)
			}
		}
		if code := (<-committed).Topics[0].Partitions[0].ErrorCode; code != 0 {
			t.Errorf("commit: error %d", code)
		}
	})
}

func commitRequest(topic string, offset int64) *kmsg.OffsetCommitRequest {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.SetVersion(7)
	q.Group, q.Generation = "g", -1
	qt := kmsg.NewOffsetCommitRequestTopic()
	qt.Topic = topic
	qp := kmsg.NewOffsetCommitRequestTopicPartition()
	qp.Offset = offset
	qt.Partitions = append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return q
}

// After a sync error nothing is acknowledged any more, also not when later syncs
// would succeed (I1).
func TestNothingIsAcknowledgedAfterASyncError(t *testing.T) {
	disk := newSlowDisk()
	s := &server{t: t, dir: "/data", fs: disk}
	s.start()
	s.createTopic("t", 1, nil)
	c := s.raw()
	if got := ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 10))); got.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatal("produce before the error failed")
	}
	disk.fail.Store(true)
	for range 3 {
		got := ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 10))).Topics[0].Partitions[0]
		if got.ErrorCode != kerr.KafkaStorageError.Code || got.BaseOffset != -1 {
			t.Errorf("produce: error %v, base offset %d, want %v", kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, kerr.KafkaStorageError)
		}
		if code := ask[*kmsg.OffsetCommitResponse](c, commitRequest("t", 1)).Topics[0].Partitions[0].ErrorCode; code == 0 {
			t.Error("a commit was acknowledged")
		}
		disk.fail.Store(false)
	}
	s.Broker.Close()
	s.groups.Close()
	s.log.Close() // reports the failure again
}

// One request cannot make the broker say the same thing many times.
func TestAnswersDoNotMultiply(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 100, nil)
	c := s.raw()
	name := "t"
	q := kmsg.NewPtrMetadataRequest()
	q.SetVersion(9)
	for range 1000 {
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = &name
		q.Topics = append(q.Topics, mt)
	}
	if got := ask[*kmsg.MetadataResponse](c, q); len(got.Topics) != 1 {
		t.Errorf("metadata has %d topics, want 1", len(got.Topics))
	}
	dc := kmsg.NewPtrDescribeConfigsRequest()
	dc.SetVersion(4)
	for range 1000 {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, name
		dc.Resources = append(dc.Resources, r)
	}
	if got := ask[*kmsg.DescribeConfigsResponse](c, dc); len(got.Resources) != 1 {
		t.Errorf("configs of %d resources, want 1", len(got.Resources))
	}
}

func TestPartitionLimit(t *testing.T) {
	s := startServer(t, t.TempDir(), vfs.OS, func(c *Config) { c.MaxTotalPartitions = 10 })
	s.createTopic("t", 9, nil)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.SetVersion(7)
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = "u", 2, 1
	create.Topics = append(create.Topics, ct)
	if got := ask[*kmsg.CreateTopicsResponse](s.raw(), create).Topics[0].ErrorCode; got != kerr.PolicyViolation.Code {
		t.Errorf("create: error %d, want %d", got, kerr.PolicyViolation.Code)
	}
	more := kmsg.NewPtrCreatePartitionsRequest()
	mt := kmsg.NewCreatePartitionsRequestTopic()
	mt.Topic, mt.Count = "t", 11
	more.Topics = append(more.Topics, mt)
	if got := ask[*kmsg.CreatePartitionsResponse](s.raw(), more).Topics[0].ErrorCode; got != kerr.PolicyViolation.Code {
		t.Errorf("create partitions: error %d, want %d", got, kerr.PolicyViolation.Code)
	}
	q := kmsg.NewPtrMetadataRequest()
	q.SetVersion(4)
	q.AllowAutoTopicCreation = true
	for _, name := range []string{"v", "w"} {
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = &name
		q.Topics = append(q.Topics, mt)
	}
	got := ask[*kmsg.MetadataResponse](s.raw(), q).Topics
	if got[0].ErrorCode != 0 || got[1].ErrorCode != kerr.PolicyViolation.Code {
		t.Errorf("auto-create: errors %d and %d, want 0 and %d", got[0].ErrorCode, got[1].ErrorCode, kerr.PolicyViolation.Code)
	}
}
