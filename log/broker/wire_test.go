package broker

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// An ApiVersions request of a version from the future, whatever is in it, gets
// the v0 list (KIP-511), and the connection can go on.
func TestApiVersionsFromTheFuture(t *testing.T) {
	c := newServer(t).raw()
	frame := []byte{0, 18, 0, 127, 0, 0, 0, 42, 0xff, 0xee, 0xdd, 0xcc, 0xbb}
	c.send(frame)
	body, err := c.receive()
	if err != nil {
		t.Fatal(err)
	}
	resp := kmsg.NewPtrApiVersionsResponse()
	if err := resp.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	if resp.ErrorCode != kerr.UnsupportedVersion.Code {
		t.Errorf("error code %d, want %d", resp.ErrorCode, kerr.UnsupportedVersion.Code)
	}
	if got, ok := advertised(resp)[18]; !ok || got.MaxVersion != 5 {
		t.Errorf("key 18 is %+v, %v", got, ok)
	}
	q := kmsg.NewPtrApiVersionsRequest()
	q.SetVersion(4)
	q.ClientSoftwareName, q.ClientSoftwareVersion = "test", "1.0"
	if again := ask[*kmsg.ApiVersionsResponse](c, q); again.ErrorCode != 0 {
		t.Errorf("v4 on the same connection: error code %d", again.ErrorCode)
	}
}

func advertised(resp *kmsg.ApiVersionsResponse) map[int16]kmsg.ApiVersionsResponseApiKey {
	keys := map[int16]kmsg.ApiVersionsResponseApiKey{}
	for _, k := range resp.ApiKeys {
		keys[k.ApiKey] = k
	}
	return keys
}

// What librdkafka 2.11.1 sends to see all topics: its count of topics takes four
// bytes instead of one, so that three are left over. Kafka does not look at them.
func TestTrailingBytes(t *testing.T) {
	c := newServer(t).raw()
	c.send([]byte{0, 3, 0, 13, 0, 0, 0, 42, 0, 1, 'r', 0, 0, 0, 0, 0, 1, 0, 0})
	body, err := c.receive()
	if err != nil {
		t.Fatal(err)
	}
	resp := kmsg.NewPtrMetadataResponse()
	resp.SetVersion(13)
	if err := resp.ReadFrom(body[1:]); err != nil || len(resp.Brokers) != 1 { // a byte without tags first
		t.Errorf("%d brokers, %v", len(resp.Brokers), err)
	}
}

func TestApiVersionsChecks(t *testing.T) {
	s := newServer(t)
	other, ours := "other", s.log.ClusterID()
	tests := []struct {
		name    string
		version int16
		change  func(q *kmsg.ApiVersionsRequest)
		want    int16
	}{
		{"plain", 3, func(q *kmsg.ApiVersionsRequest) {}, 0},
		{"no name", 3, func(q *kmsg.ApiVersionsRequest) { q.ClientSoftwareName = "" }, kerr.InvalidRequest.Code},
		{"bad name", 3, func(q *kmsg.ApiVersionsRequest) { q.ClientSoftwareName = "a b" }, kerr.InvalidRequest.Code},
		{"dash at the end", 3, func(q *kmsg.ApiVersionsRequest) { q.ClientSoftwareVersion = "1-" }, kerr.InvalidRequest.Code},
		{"bootstrapping", 5, func(q *kmsg.ApiVersionsRequest) {}, 0},
		{"our cluster", 5, func(q *kmsg.ApiVersionsRequest) { q.ClusterID, q.NodeID = &ours, 0 }, 0},
		{"another cluster", 5, func(q *kmsg.ApiVersionsRequest) { q.ClusterID, q.NodeID = &other, 0 }, kerr.RebootstrapRequired.Code},
		{"another node", 5, func(q *kmsg.ApiVersionsRequest) { q.ClusterID, q.NodeID = &ours, 3 }, kerr.RebootstrapRequired.Code},
		{"cluster without node", 5, func(q *kmsg.ApiVersionsRequest) { q.ClusterID = &ours }, kerr.InvalidRequest.Code},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := kmsg.NewPtrApiVersionsRequest()
			q.SetVersion(tt.version)
			q.ClientSoftwareName, q.ClientSoftwareVersion = "test-client", "1.0"
			tt.change(q)
			if got := ask[*kmsg.ApiVersionsResponse](s.raw(), q).ErrorCode; got != tt.want {
				t.Errorf("error code %d, want %d", got, tt.want)
			}
		})
	}
}

// What is no request closes the connection, and only that.
func TestBadFramesCloseTheConnection(t *testing.T) {
	s := newServer(t)
	tests := map[string][]byte{
		"unknown key":                []byte{0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff},
		"unknown version":            []byte{0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff},
		"size 0x7fffffff":            {0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 1},
		"negative size":              {0xff, 0xff, 0xff, 0xff},
		"size smaller than a header": {0, 0, 0, 7, 0, 3, 0, 1, 0, 0, 0},
		"TLS hello":                  {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
		"HTTP":                       []byte("GET / HTTP/1.1\r\nHost: sluice\r\n\r\n"),
		"truncated body":             {0, 0, 0, 12, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0},
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			c := s.raw()
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			c.closed()
		})
	}
	ask[*kmsg.MetadataResponse](s.raw(), kmsg.NewPtrMetadataRequest())
}

// A prefix that promises 100 MiB must not make the broker allocate them.
func TestFramesGrowAsTheirBytesArrive(t *testing.T) {
	s := newServer(t)
	before := heapBytes()
	for range 20 {
		c := s.raw()
		if _, err := c.Write([]byte{0x06, 0x00, 0x00, 0x00, 0, 0, 0, 9}); err != nil { // 96 MiB
			t.Fatal(err)
		}
	}
	if grown := heapBytes() - before; grown > 16<<20 {
		t.Errorf("20 empty promises took %d bytes", grown)
	}
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A fuzzer's worth of garbage leaves the broker serving and its memory flat.
func TestGarbage(t *testing.T) {
	s := newServer(t)
	rng := rand.New(rand.NewPCG(9, 10))
	all := handlers()
	before := heapBytes()
	for range 3000 {
		c := s.raw()
		h := &all[rng.IntN(len(all))]
		q, body := randomBody(rng, h, h.min+int16(rng.IntN(int(h.max-h.min)+1)))
		frame := requestFrame(q, body)
		for range rng.IntN(4) {
			frame[8+rng.IntN(len(frame)-8)] = byte(rng.Int())
		}
		c.SetDeadline(time.Now().Add(patience))
		c.send(frame[:8+rng.IntN(len(frame)-7)])
		c.Close()
	}
	ask[*kmsg.MetadataResponse](s.raw(), kmsg.NewPtrMetadataRequest())
	if grown := heapBytes() - before; grown > 64<<20 {
		t.Errorf("garbage took %d bytes", grown)
	}
}

// oneBatch is a batch of n records with values of size bytes.
func oneBatch(t testing.TB, n, size int) []byte {
	t.Helper()
	var b batch.Builder
	for range n {
		b.Append(time.Now().UnixMilli(), nil, bytes.Repeat([]byte{'x'}, size))
	}
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func produceRequest(topic string, acks int16, records []byte) *kmsg.ProduceRequest {
	q := kmsg.NewPtrProduceRequest()
	q.SetVersion(9)
	q.Acks = acks
	q.TimeoutMillis = 1000
	qt := kmsg.NewProduceRequestTopic()
	qt.Topic = topic
	qp := kmsg.NewProduceRequestTopicPartition()
	qp.Records = records
	qt.Partitions = append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return q
}

func fetchRequest(topic string, offset int64, maxWait time.Duration, minBytes, partitionBytes int32) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(11)
	q.ReplicaID = -1
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes = int32(maxWait.Milliseconds()), minBytes, 50<<20
	q.SessionEpoch = -1
	qt := kmsg.NewFetchRequestTopic()
	qt.Topic = topic
	qp := kmsg.NewFetchRequestTopicPartition()
	qp.FetchOffset, qp.PartitionMaxBytes, qp.CurrentLeaderEpoch = offset, partitionBytes, -1
	qt.Partitions = append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return q
}

func TestProduceAcksZero(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	c := s.raw()
	q := produceRequest("t", 0, oneBatch(t, 3, 10))
	c.send(requestFrame(q, q.AppendTo(nil)))
	got := ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 10)))
	if p := got.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != 3 {
		t.Errorf("after acks=0: error %d, base offset %d, want 0 and 3", p.ErrorCode, p.BaseOffset)
	}
	q = produceRequest("no-such-topic", 0, oneBatch(t, 3, 10))
	c.send(requestFrame(q, q.AppendTo(nil)))
	c.closed()
}

func TestProduceErrors(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	ask[*kmsg.FindCoordinatorResponse](s.raw(), kmsg.NewPtrFindCoordinatorRequest())
	broken := oneBatch(t, 1, 10)
	broken[len(broken)-1] ^= 1
	transactional := oneBatch(t, 1, 10)
	binary.BigEndian.PutUint16(transactional[21:], 1<<4)
	binary.BigEndian.PutUint32(transactional[17:], batch.Checksum(transactional))
	tests := []struct {
		name string
		q    *kmsg.ProduceRequest
		want *kerr.Error
	}{
		{"unknown topic", produceRequest("u", 1, oneBatch(t, 1, 10)), kerr.UnknownTopicOrPartition},
		{"acks 2", produceRequest("t", 2, oneBatch(t, 1, 10)), kerr.InvalidRequiredAcks},
		{"internal topic", produceRequest("__consumer_offsets", 1, oneBatch(t, 1, 10)), kerr.InvalidTopicException},
		{"bad crc", produceRequest("t", 1, broken), kerr.CorruptMessage},
		{"no records", produceRequest("t", 1, nil), kerr.InvalidRecord},
		{"two batches", produceRequest("t", 1, append(oneBatch(t, 1, 10), oneBatch(t, 1, 10)...)), kerr.InvalidRecord},
		{"too large", produceRequest("t", 1, oneBatch(t, 1, 2<<20)), kerr.MessageTooLarge},
		{"transactional without a producer id", produceRequest("t", 1, transactional), kerr.InvalidRecord},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ask[*kmsg.ProduceResponse](s.raw(), tt.q).Topics[0].Partitions[0]
			if got.ErrorCode != tt.want.Code || got.BaseOffset != -1 {
				t.Errorf("error %v, base offset %d, want %v and -1", kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, tt.want)
			}
		})
	}
	old := produceRequest("t", 1, oneBatch(t, 1, 10))
	old.SetVersion(2) // advertised but, as from Kafka, not served
	c := s.raw()
	c.send(requestFrame(old, old.AppendTo(nil)))
	c.closed()
}

// Pipelined produces are answered in order while the first waits for its sync.
func TestProducePipelined(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	c := s.raw()
	const n = 200
	go func() {
		for range n {
			q := produceRequest("t", -1, oneBatch(t, 1, 10))
			c.send(requestFrame(q, q.AppendTo(nil)))
		}
	}()
	for i := range int64(n) {
		body, err := c.receive()
		if err != nil {
			t.Fatal(err)
		}
		resp := kmsg.NewPtrProduceResponse()
		resp.SetVersion(9)
		if err := resp.ReadFrom(body[1:]); err != nil {
			t.Fatal(err)
		}
		if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != i {
			t.Fatalf("answer %d: error %d, base offset %d", i, p.ErrorCode, p.BaseOffset)
		}
	}
}

func TestFetchWaits(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	c := s.raw()
	start := time.Now()
	got := ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, 200*time.Millisecond, 1, 1<<20)).Topics[0].Partitions[0]
	if waited := time.Since(start); waited < 200*time.Millisecond {
		t.Errorf("empty fetch answered after %v, want 200ms and more", waited)
	}
	if got.ErrorCode != 0 || got.RecordBatches == nil || len(got.RecordBatches) != 0 {
		t.Errorf("empty fetch: error %d, records %v, want empty and not null", got.ErrorCode, got.RecordBatches)
	}
	done := make(chan *kmsg.FetchResponse)
	go func() { done <- ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, time.Minute, 300, 1<<20)) }()
	p := s.raw()
	for range 4 { // 100 bytes and a header each
		ask[*kmsg.ProduceResponse](p, produceRequest("t", -1, oneBatch(t, 1, 100)))
	}
	select {
	case resp := <-done:
		if got := len(resp.Topics[0].Partitions[0].RecordBatches); got < 300 {
			t.Errorf("woken with %d bytes, want 300", got)
		}
	case <-time.After(patience):
		t.Fatal("fetch did not wake")
	}
}

// The first batch comes whole, however small the limits (KIP-74).
func TestFetchFirstBatchIgnoresLimits(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	c := s.raw()
	big := oneBatch(t, 10, 10_000)
	ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, big))
	ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, big))
	q := fetchRequest("t", 4, time.Second, 1, 100)
	q.MaxBytes = 100
	got := ask[*kmsg.FetchResponse](c, q).Topics[0].Partitions[0]
	if len(got.RecordBatches) != len(big) {
		t.Errorf("got %d bytes, want the first batch of %d", len(got.RecordBatches), len(big))
	}
}

func TestFetchErrors(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	c := s.raw()
	ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 5, 10)))
	withEpoch := fetchRequest("t", 0, time.Minute, 1, 100)
	withEpoch.Topics[0].Partitions[0].CurrentLeaderEpoch = 99
	tests := []struct {
		name string
		q    *kmsg.FetchRequest
		want *kerr.Error
	}{
		{"above the end", fetchRequest("t", 6, time.Minute, 1, 100), kerr.OffsetOutOfRange},
		{"negative", fetchRequest("t", -1, time.Minute, 1, 100), kerr.OffsetOutOfRange},
		{"unknown topic", fetchRequest("u", 0, time.Minute, 1, 100), kerr.UnknownTopicOrPartition},
		{"epoch from the future", withEpoch, kerr.UnknownLeaderEpoch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ask[*kmsg.FetchResponse](s.raw(), tt.q).Topics[0].Partitions[0].ErrorCode; got != tt.want.Code {
				t.Errorf("error %v, want %v", kerr.ErrorForCode(got), tt.want)
			}
		})
	}
	session := fetchRequest("t", 0, 0, 1, 100)
	session.SessionID, session.SessionEpoch = 5, 1
	if got := ask[*kmsg.FetchResponse](c, session); got.ErrorCode != kerr.FetchSessionIDNotFound.Code {
		t.Errorf("unknown session: error %d, want %d", got.ErrorCode, kerr.FetchSessionIDNotFound.Code)
	}
	byID := fetchRequest("t", 0, time.Minute, 1, 100)
	byID.SetVersion(13)
	byID.Topics[0].TopicID = [16]byte{1}
	if got := ask[*kmsg.FetchResponse](c, byID).Topics[0].Partitions[0].ErrorCode; got != kerr.UnknownTopicID.Code {
		t.Errorf("unknown topic id: error %d, want %d", got, kerr.UnknownTopicID.Code)
	}
}

// A slow reader of answers does not let fetched records pile up, and other
// fetches go on when it is cut off.
func TestFetchMemoryIsBounded(t *testing.T) {
	s := startServer(t, t.TempDir(), vfs.OS, func(c *Config) {
		c.MaxFetchMemory = 2 << 20
		c.WriteTimeout = 500 * time.Millisecond
	})
	s.createTopic("t", 1, nil)
	c := s.raw()
	for range 8 {
		ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 900_000)))
	}
	var slow []rawConn
	for range 8 {
		nc := s.raw()
		q := fetchRequest("t", 0, 0, 1, 8<<20)
		nc.send(requestFrame(q, q.AppendTo(nil))) // and the answer is not read
		slow = append(slow, nc)
	}
	got := ask[*kmsg.FetchResponse](s.raw(), fetchRequest("t", 0, time.Minute, 1, 1<<20))
	if len(got.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Error("no records after the slow connections were cut off")
	}
	for _, nc := range slow {
		nc.Close()
	}
}
