package clients

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func kgoJudge() judge {
	return judge{name: "franz-go", produce: kgoProduce, consume: kgoConsume, join: kgoJoin, transact: kgoTransact, times: kgoTimes}
}

// kgoClient is a client that ends with the test.
func kgoClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.MetadataMinAge(10 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.CloseAllowingRebalance)
	return cl
}

func kadmClient(t *testing.T, addr string) *kadm.Client { return kadm.NewClient(kgoClient(t, addr)) }

// limit is a context that ends with the test or after the time of patience.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ask sends one request of exactly this version on a connection of its own.
func ask[R kmsg.Response](t *testing.T, addr string, version int16, q kmsg.Request) R {
	t.Helper()
	q.SetVersion(version)
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("judge")).AppendRequest(nil, q, 1)); err != nil {
		t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		t.Fatalf("%T v%d: %v", q, version, err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatalf("%T v%d: %v", q, version, err)
	}
	body = body[4:] // the correlation id
	if q.IsFlexible() && q.Key() != int16(kmsg.ApiVersions) {
		body = body[1:] // no tags
	}
	resp := q.ResponseKind()
	if err := resp.ReadFrom(body); err != nil {
		t.Fatalf("read %T v%d: %v", resp, version, err)
	}
	return resp.(R)
}

var kgoCodecs = map[string]kgo.CompressionCodec{
	"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func kgoProduce(t *testing.T, q produceRequest, records ...record) {
	t.Helper()
	opts := []kgo.Opt{kgo.ProducerBatchCompression(kgoCodecs[q.codec]), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	if !q.idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgoAcks(q.acks)))
	}
	if err := kgoClient(t, q.addr, opts...).ProduceSync(limit(t), toKgo(q.topic, records)...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

func kgoAcks(acks string) kgo.Acks {
	switch acks {
	case "0":
		return kgo.NoAck()
	case "1":
		return kgo.LeaderAck()
	}
	return kgo.AllISRAcks()
}

func toKgo(topic string, records []record) []*kgo.Record {
	var list []*kgo.Record
	for _, r := range records {
		k := &kgo.Record{Topic: topic, Partition: r.partition, Key: r.key, Value: r.value}
		if r.timestamp > 0 {
			k.Timestamp = time.UnixMilli(r.timestamp)
		}
		for _, h := range r.headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.key, Value: h.value})
		}
		list = append(list, k)
	}
	return list
}

func fromKgo(r *kgo.Record) record {
	out := record{partition: r.Partition, offset: r.Offset, timestamp: r.Timestamp.UnixMilli(), key: r.Key, value: r.Value}
	for _, h := range r.Headers {
		out.headers = append(out.headers, header{h.Key, h.Value})
	}
	return out
}

func kgoConsume(t *testing.T, q consumeRequest) []record {
	t.Helper()
	opts := []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{q.topic: {q.partition: kgo.NewOffset().At(q.from)}})}
	if q.committed {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if q.maxBytes > 0 {
		opts = append(opts, kgo.FetchMaxPartitionBytes(int32(q.maxBytes)))
	}
	cl := kgoClient(t, q.addr, opts...)
	defer cl.Close()
	var got []record
	ctx := limit(t)
	for len(got) < q.n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(got), q.n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, fromKgo(r)) })
	}
	return got[:q.n]
}

func kgoTimes(t *testing.T, addr, topic string, ms int64) int64 {
	t.Helper()
	offsets, err := kadmClient(t, addr).ListOffsetsAfterMilli(limit(t), ms, topic)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := offsets.Lookup(topic, 0)
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	if o.Timestamp == -1 { // kadm answers the end offset then
		return -1
	}
	return o.Offset
}

// held is a set of partitions that a client's goroutine changes.
type held struct {
	mu         sync.Mutex // guards partitions
	partitions []int32
}

func (h *held) set(partitions []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.partitions = slices.Sorted(slices.Values(partitions))
}

func (h *held) add(partitions []int32) { h.set(append(h.assigned(), partitions...)) }

func (h *held) remove(partitions []int32) {
	h.set(slices.DeleteFunc(h.assigned(), func(p int32) bool { return slices.Contains(partitions, p) }))
}

func (h *held) assigned() []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.partitions)
}

// kgoMember polls in a goroutine and commits what it got.
type kgoMember struct {
	held
	cl     *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
}

func kgoJoin(t *testing.T, q memberRequest) member {
	t.Helper()
	m := &kgoMember{done: make(chan struct{})}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(q.group), kgo.ConsumeTopics(q.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.add(p[q.topic]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.remove(p[q.topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.remove(p[q.topic]) }),
	}
	if q.session > 0 {
		opts = append(opts, kgo.SessionTimeout(q.session))
	}
	if q.instance != "" {
		opts = append(opts, kgo.InstanceID(q.instance))
	}
	m.cl = kgoClient(t, q.addr, append(opts, kgoProtocol(q)...)...)
	ctx, cancel := context.WithCancel(t.Context())
	m.cancel = cancel
	go m.run(ctx, q.got)
	t.Cleanup(func() { m.stop() })
	return m
}

func kgoProtocol(q memberRequest) []kgo.Opt {
	if q.protocol == "consumer" {
		return []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}
	}
	balancers := map[string]kgo.GroupBalancer{
		"": kgo.RangeBalancer(), "range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"cooperative-sticky": kgo.CooperativeStickyBalancer(), "sticky": kgo.StickyBalancer(),
	}
	return []kgo.Opt{kgo.Balancers(balancers[q.assignor])}
}

func (m *kgoMember) run(ctx context.Context, got func(record)) {
	defer close(m.done)
	for ctx.Err() == nil {
		fetches := m.cl.PollFetches(ctx)
		records := fetches.Records()
		for _, r := range records {
			got(fromKgo(r))
		}
		if len(records) > 0 {
			// An error shows as records that come again.
			_ = m.cl.CommitRecords(context.WithoutCancel(ctx), records...)
		}
		m.cl.AllowRebalance()
	}
}

func (m *kgoMember) stop() {
	m.cancel()
	<-m.done
}

func (m *kgoMember) leave(t *testing.T) {
	m.stop()
	m.cl.CloseAllowingRebalance()
}

// kgoTransactor speaks the newest generation of the protocol that the broker has.
type kgoTransactor struct{ cl *kgo.Client }

func kgoTransact(t *testing.T, addr, id string) transactor {
	t.Helper()
	cl := kgoClient(t, addr, kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(30*time.Second))
	if _, _, err := cl.ProducerID(limit(t)); err != nil {
		t.Fatalf("init producer id of %s: %v", id, err)
	}
	return &kgoTransactor{cl}
}

func (x *kgoTransactor) begin(t *testing.T) {
	t.Helper()
	if err := x.cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
}

func (x *kgoTransactor) send(t *testing.T, topic string, records ...record) {
	t.Helper()
	if err := x.cl.ProduceSync(limit(t), toKgo(topic, records)...).FirstErr(); err != nil {
		t.Fatalf("produce in transaction: %v", err)
	}
}

func (x *kgoTransactor) offsets(t *testing.T, group, topic string, next int64) {
	t.Helper()
	id, epoch, err := x.cl.ProducerID(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.TransactionalID, _ = x.cl.OptValue(kgo.TransactionalID).(string)
	q.Group, q.ProducerID, q.ProducerEpoch, q.Generation = group, id, epoch, -1
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = next
	topics, err := kadm.NewClient(x.cl).ListTopics(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	qt := kmsg.NewTxnOffsetCommitRequestTopic()
	qt.Topic, qt.TopicID, qt.Partitions = topic, topics[topic].ID, append(qt.Partitions, p)
	q.Topics = append(q.Topics, qt)
	resp, err := q.RequestWith(limit(t), x.cl)
	if err != nil {
		t.Fatalf("commit offsets in transaction: %v", err)
	}
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("commit offsets in transaction: error code %d", code)
	}
}

func (x *kgoTransactor) end(t *testing.T, commit bool) {
	t.Helper()
	if err := x.cl.EndTransaction(limit(t), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatalf("end transaction, commit %v: %v", commit, err)
	}
}

func (x *kgoTransactor) close() { x.cl.Close() }
