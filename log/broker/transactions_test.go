package broker

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// transactions writes to partition 0 of topic t as two producers and their
// coordinator would:
//
//	0 plain  1 a1  2 b1  3 a2  4 abort a  5 commit b  6 a3 (open)  7 plain
//
// Timestamps are 1000 times the offset, except 9000 for a2.
func transactions(t *testing.T, s *server) {
	t.Helper()
	s.createTopic("t", 1, nil)
	topic, _ := s.log.Topic("t")
	p, _ := topic.Partition(0)
	put := func(b batch.Builder, ms int64, value string) {
		b.Append(ms, nil, []byte(value))
		raw, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Append(raw, log.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	txn := func(id int64, seq int32) batch.Builder {
		return batch.Builder{Idempotent: true, Transactional: true, ProducerID: id, ProducerEpoch: 4, BaseSequence: seq}
	}
	mark := func(id int64, commit bool) {
		m := log.Marker{ProducerID: id, ProducerEpoch: 4, CoordinatorEpoch: 8, Commit: commit}
		if _, err := p.AppendMarker(m); err != nil {
			t.Fatal(err)
		}
	}
	put(batch.Builder{}, 0, "plain")
	put(txn(500, 0), 1000, "a1")
	put(txn(400, 0), 2000, "b1")
	put(txn(500, 1), 9000, "a2")
	mark(500, false)
	mark(400, true)
	put(txn(500, 2), 6000, "a3")
	put(batch.Builder{}, 7000, "plain")
	if err := p.WaitDurable(t.Context(), p.EndOffset()-1); err != nil {
		t.Fatal(err)
	}
}

// fetchFrom fetches from an offset of partition 0 of topic t.
func fetchFrom(c rawConn, offset int64, maxBytes int32, isolation int8) kmsg.FetchResponseTopicPartition {
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(11)
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.IsolationLevel = 0, 0, maxBytes, isolation
	topic, partition := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	partition.FetchOffset, partition.PartitionMaxBytes = offset, maxBytes
	topic.Topic, topic.Partitions = "t", append(topic.Partitions, partition)
	q.Topics = append(q.Topics, topic)
	return ask[*kmsg.FetchResponse](c, q).Topics[0].Partitions[0]
}

// Fetch ends at the last stable offset for readers of committed data, and tells
// them which transactions among what it returns were aborted.
func TestFetchIsolation(t *testing.T) {
	s := newServer(t)
	transactions(t, s)
	c := s.raw()
	for _, tt := range []struct {
		offset    int64
		maxBytes  int32
		isolation int8
		end       int64 // after the last batch, 0 for none
		aborted   string
	}{
		{0, 1 << 20, 0, 8, "null"},
		{0, 1 << 20, readCommitted, 6, "[500@1]"},
		{4, 1 << 20, readCommitted, 6, "[500@1]"}, // the marker belongs to it
		{5, 1 << 20, readCommitted, 6, "[]"},
		{0, 1, readCommitted, 1, "[]"}, // it begins after what is returned
		{1, 1, readCommitted, 2, "[500@1]"},
		{6, 1 << 20, readCommitted, 0, "[]"}, // waits for the open one
		{8, 1 << 20, readCommitted, 0, "[]"},
		{6, 1 << 20, 0, 8, "null"},
	} {
		p := fetchFrom(c, tt.offset, tt.maxBytes, tt.isolation)
		aborted := "null"
		if p.AbortedTransactions != nil {
			list := []string{}
			for _, a := range p.AbortedTransactions {
				list = append(list, fmt.Sprintf("%d@%d", a.ProducerID, a.FirstOffset))
			}
			aborted = fmt.Sprint(list)
		}
		if end := endOffset(p.RecordBatches); end != tt.end || aborted != tt.aborted || p.HighWatermark != 8 || p.LastStableOffset != 6 || p.ErrorCode != 0 {
			t.Errorf("from %d, %d bytes, isolation %d: up to %d, aborted %s, high watermark %d, last stable offset %d, error code %d; want up to %d, aborted %s",
				tt.offset, tt.maxBytes, tt.isolation, end, aborted, p.HighWatermark, p.LastStableOffset, p.ErrorCode, tt.end, tt.aborted)
		}
	}
	if p := fetchFrom(c, 9, 1<<20, readCommitted); p.ErrorCode != kerr.OffsetOutOfRange.Code {
		t.Errorf("above the end: error code %d", p.ErrorCode)
	}
}

// A consumer of committed data sees neither aborted nor open transactions, and
// goes on when the open one ends.
func TestReadCommittedConsumer(t *testing.T) {
	s := newServer(t)
	transactions(t, s)
	cl := s.client(kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(10*time.Second))
	read := func(want ...string) {
		t.Helper()
		var got []string
		for _, r := range consume(t, s.ctx(), cl, len(want)) {
			got = append(got, string(r.Value))
		}
		if !slices.Equal(got, want) {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	read("plain", "b1")
	topic, _ := s.log.Topic("t")
	p, _ := topic.Partition(0)
	if _, err := p.AppendMarker(log.Marker{ProducerID: 500, ProducerEpoch: 5, CoordinatorEpoch: 8, Commit: true}); err != nil {
		t.Fatal(err)
	}
	read("a3", "plain") // long before max wait: the poll is woken
	all := s.client(kgo.ConsumeTopics("t"))
	if n := len(consume(t, s.ctx(), all, 6)); n != 6 {
		t.Errorf("a reader of everything gets %d records, want 6", n)
	}
}

// ListOffsets knows every special timestamp from its version on, in both
// isolation levels.
func TestListOffsetsSpecial(t *testing.T) {
	s := newServer(t)
	transactions(t, s)
	c := s.raw()
	for _, tt := range []struct {
		version    int16
		isolation  int8
		timestamp  int64
		offset, ts int64
		code       int16
	}{
		{1, 0, latestTimestamp, 8, -1, 0},
		{2, readCommitted, latestTimestamp, 6, -1, 0},
		{11, readCommitted, latestTimestamp, 6, -1, 0},
		{1, 0, earliestTimestamp, 0, -1, 0},
		{6, 0, maxTimestamp, -1, -1, kerr.UnsupportedVersion.Code},
		{7, 0, earliestLocalTimestamp, -1, -1, kerr.UnsupportedVersion.Code},
		{8, 0, earliestLocalTimestamp, 0, -1, 0},
		{8, 0, latestTieredTimestamp, -1, -1, kerr.UnsupportedVersion.Code},
		{9, 0, latestTieredTimestamp, -1, -1, 0},
		{10, 0, earliestPendingTimestamp, -1, -1, kerr.UnsupportedVersion.Code},
		{11, 0, earliestPendingTimestamp, -1, -1, 0},
		{11, 0, -7, -1, -1, kerr.UnsupportedVersion.Code},
		{11, 0, math.MinInt64, -1, -1, kerr.UnsupportedVersion.Code},
		{4, 0, 1500, 2, 2000, 0},
		{4, readCommitted, 1500, 2, 2000, 0},
		{4, readCommitted, 8000, 3, 9000, 0},
	} {
		q := kmsg.NewPtrListOffsetsRequest()
		q.SetVersion(tt.version)
		q.ReplicaID, q.IsolationLevel = -1, tt.isolation
		topic, partition := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
		partition.Timestamp, partition.CurrentLeaderEpoch = tt.timestamp, -1
		topic.Topic, topic.Partitions = "t", append(topic.Partitions, partition)
		q.Topics = append(q.Topics, topic)
		p := ask[*kmsg.ListOffsetsResponse](c, q).Topics[0].Partitions[0]
		if p.Offset != tt.offset || p.Timestamp != tt.ts || p.ErrorCode != tt.code {
			t.Errorf("v%d isolation %d timestamp %d: %d, %d, code %d; want %d, %d, code %d",
				tt.version, tt.isolation, tt.timestamp, p.Offset, p.Timestamp, p.ErrorCode, tt.offset, tt.ts, tt.code)
		}
	}
}

// DescribeProducers shows what hangs.
func TestDescribeProducers(t *testing.T) {
	s := newServer(t)
	transactions(t, s)
	adm := kadm.NewClient(s.client())
	described, err := adm.DescribeProducers(s.ctx(), kadm.TopicsSet{"t": {0: {}}})
	if err != nil {
		t.Fatal(err)
	}
	got := described["t"].Partitions[0].ActiveProducers
	want := map[int64]string{
		400: "epoch 4 sequence 0 coordinator 8 open -1",
		500: "epoch 4 sequence 2 coordinator 8 open 6",
	}
	for id, p := range got {
		if text := fmt.Sprintf("epoch %d sequence %d coordinator %d open %d", p.ProducerEpoch, p.LastSequence, p.CoordinatorEpoch, p.CurrentTxnStartOffset); text != want[id] {
			t.Errorf("producer %d: %s, want %s", id, text, want[id])
		}
		delete(want, id)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if got := got[500].LastTimestamp; got != 6000 {
		t.Errorf("last timestamp is %d, want 6000", got)
	}
	q := kmsg.NewPtrDescribeProducersRequest()
	q.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: []int32{1}}, {Topic: "none", Partitions: []int32{0}}, {Topic: "t"}}
	resp := s.describeProducers(s.ctx(), nil, q).(*kmsg.DescribeProducersResponse) // the decoder makes empty arrays nil
	for _, rt := range resp.Topics[:2] {
		if p := rt.Partitions[0]; p.ErrorCode != kerr.UnknownTopicOrPartition.Code || p.ActiveProducers == nil {
			t.Errorf("topic %s: %+v", rt.Topic, p)
		}
	}
	if resp.Topics[2].Partitions == nil {
		t.Error("no partitions: null, want empty")
	}
}
