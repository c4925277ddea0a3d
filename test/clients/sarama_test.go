package clients

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func saramaJudge() judge {
	return judge{name: "Sarama", produce: saramaProduce, consume: saramaConsume, join: saramaJoin, transact: saramaTransact, times: saramaTimes}
}

// saramaConfig has the newest protocol level that Sarama knows.
func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.ClientID = "judge"
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Retry.Max = 30
	c.Consumer.Return.Errors = true
	c.Metadata.Retry.Max = 30
	c.ApiVersionsRequest = true
	return c
}

var saramaCodecs = map[string]sarama.CompressionCodec{
	"": sarama.CompressionNone, "none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func saramaProduce(t *testing.T, q produceRequest, records ...record) {
	t.Helper()
	c := saramaConfig()
	c.Producer.Compression = saramaCodecs[q.codec]
	c.Producer.MaxMessageBytes = 2 << 20
	c.Producer.RequiredAcks = map[string]sarama.RequiredAcks{"0": sarama.NoResponse, "1": sarama.WaitForLocal}[q.acks]
	if q.acks == "" || q.acks == "all" {
		c.Producer.RequiredAcks = sarama.WaitForAll
	}
	if q.idempotent {
		c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	}
	p, err := sarama.NewSyncProducer([]string{q.addr}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.SendMessages(toSarama(q.topic, records)); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

func toSarama(topic string, records []record) []*sarama.ProducerMessage {
	var list []*sarama.ProducerMessage
	for _, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Partition: r.partition, Key: saramaBytes(r.key), Value: saramaBytes(r.value)}
		if r.timestamp > 0 {
			m.Timestamp = time.UnixMilli(r.timestamp)
		}
		for _, h := range r.headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.key), Value: h.value})
		}
		list = append(list, m)
	}
	return list
}

func saramaBytes(b []byte) sarama.Encoder {
	if b == nil {
		return nil
	}
	return sarama.ByteEncoder(b)
}

func fromSarama(m *sarama.ConsumerMessage) record {
	r := record{partition: m.Partition, offset: m.Offset, timestamp: m.Timestamp.UnixMilli(), key: m.Key, value: m.Value}
	for _, h := range m.Headers {
		r.headers = append(r.headers, header{string(h.Key), h.Value})
	}
	return r
}

func saramaConsume(t *testing.T, q consumeRequest) []record {
	t.Helper()
	conf := saramaConfig()
	if q.committed {
		conf.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	if q.maxBytes > 0 {
		conf.Consumer.Fetch.Default = int32(q.maxBytes)
	}
	c, err := sarama.NewConsumer([]string{q.addr}, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := c.ConsumePartition(q.topic, q.partition, q.from)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var got []record
	ctx := limit(t)
	for len(got) < q.n {
		select {
		case m := <-p.Messages():
			got = append(got, fromSarama(m))
		case err := <-p.Errors():
			t.Fatalf("after %d of %d records: %v", len(got), q.n, err)
		case <-ctx.Done():
			t.Fatalf("%d of %d records came", len(got), q.n)
		}
	}
	return got
}

func saramaTimes(t *testing.T, addr, topic string, ms int64) int64 {
	t.Helper()
	cl, err := sarama.NewClient([]string{addr}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	o, err := cl.GetOffset(topic, 0, ms)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// saramaMember consumes in Sarama's goroutines.
type saramaMember struct {
	held
	got    func(record)
	group  sarama.ConsumerGroup
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
}

func saramaJoin(t *testing.T, q memberRequest) member {
	t.Helper()
	conf := saramaConfig()
	conf.Consumer.Return.Errors = false
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	conf.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	conf.Consumer.Group.Session.Timeout = 6 * time.Second
	conf.Consumer.Group.InstanceId = q.instance
	conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	switch q.assignor {
	case "roundrobin":
		conf.Consumer.Group.Rebalance.GroupStrategies[0] = sarama.NewBalanceStrategyRoundRobin()
	case "sticky":
		conf.Consumer.Group.Rebalance.GroupStrategies[0] = sarama.NewBalanceStrategySticky()
	}
	g, err := sarama.NewConsumerGroup([]string{q.addr}, q.group, conf)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m := &saramaMember{got: q.got, group: g, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{q.topic}, m); errors.Is(err, sarama.ErrClosedConsumerGroup) {
				return
			}
		}
	}()
	t.Cleanup(func() { m.leave(t) })
	return m
}

// Setup is called with each new assignment.
func (m *saramaMember) Setup(s sarama.ConsumerGroupSession) error {
	var now []int32
	for _, partitions := range s.Claims() {
		now = append(now, partitions...)
	}
	m.set(now)
	return nil
}

// Cleanup is called when an assignment ends.
func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error {
	m.set(nil)
	return nil
}

// ConsumeClaim reads one partition of an assignment.
func (m *saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case msg, ok := <-c.Messages():
			if !ok {
				return nil
			}
			m.got(fromSarama(msg))
			s.MarkMessage(msg, "")
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *saramaMember) leave(t *testing.T) {
	m.once.Do(func() {
		m.cancel()
		<-m.done
		if err := m.group.Close(); err != nil {
			t.Error(err)
		}
	})
}

// saramaTransactor speaks the older generation of the transaction protocol (TV1).
type saramaTransactor struct{ p sarama.SyncProducer }

func saramaTransact(t *testing.T, addr, id string) transactor {
	t.Helper()
	c := saramaConfig()
	c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Transaction.ID = id
	c.Producer.Transaction.Timeout = 30 * time.Second
	p, err := sarama.NewSyncProducer([]string{addr}, c)
	if err != nil {
		t.Fatalf("init transactions: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return &saramaTransactor{p}
}

func (x *saramaTransactor) begin(t *testing.T) {
	t.Helper()
	if err := x.p.BeginTxn(); err != nil {
		t.Fatal(err)
	}
}

func (x *saramaTransactor) send(t *testing.T, topic string, records ...record) {
	t.Helper()
	if err := x.p.SendMessages(toSarama(topic, records)); err != nil {
		t.Fatalf("produce in transaction: %v", err)
	}
}

func (x *saramaTransactor) offsets(t *testing.T, group, topic string, next int64) {
	t.Helper()
	at := map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: next}}}
	if err := x.p.AddOffsetsToTxn(at, group); err != nil {
		t.Fatalf("commit offsets in transaction: %v", err)
	}
}

func (x *saramaTransactor) end(t *testing.T, commit bool) {
	t.Helper()
	end := x.p.AbortTxn
	if commit {
		end = x.p.CommitTxn
	}
	if err := end(); err != nil {
		t.Fatalf("end transaction, commit %v: %v", commit, err)
	}
}

func (x *saramaTransactor) close() {} // with the test
