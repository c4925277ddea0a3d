package clients

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	segmentio "github.com/segmentio/kafka-go"
)

func segmentioJudge() judge {
	return judge{
		name: "segmentio", produce: segmentioProduce, consume: segmentioConsume, join: segmentioJoin, times: segmentioTimes,
		nullIsEmpty: true, showsMarkers: true,
	}
}

var segmentioCodecs = map[string]segmentio.Compression{
	"gzip": segmentio.Gzip, "snappy": segmentio.Snappy, "lz4": segmentio.Lz4, "zstd": segmentio.Zstd,
}

func segmentioProduce(t *testing.T, q produceRequest, records ...record) {
	t.Helper()
	w := &segmentio.Writer{
		Addr: segmentio.TCP(q.addr), Topic: q.topic, BatchTimeout: 20 * time.Millisecond, BatchBytes: 2 << 20,
		Compression: segmentioCodecs[q.codec], RequiredAcks: segmentio.RequireAll, Transport: &segmentio.Transport{},
		Balancer: segmentio.BalancerFunc(func(m segmentio.Message, _ ...int) int { return m.WriterData.(int) }),
	}
	switch q.acks {
	case "0":
		w.RequiredAcks = segmentio.RequireNone
	case "1":
		w.RequiredAcks = segmentio.RequireOne
	}
	defer w.Close()
	defer w.Transport.(*segmentio.Transport).CloseIdleConnections()
	var list []segmentio.Message
	for _, r := range records {
		m := segmentio.Message{WriterData: int(r.partition), Key: r.key, Value: r.value}
		if r.timestamp > 0 {
			m.Time = time.UnixMilli(r.timestamp)
		}
		for _, h := range r.headers {
			m.Headers = append(m.Headers, segmentio.Header{Key: h.key, Value: h.value})
		}
		list = append(list, m)
	}
	if err := w.WriteMessages(limit(t), list...); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

func fromSegmentio(m segmentio.Message) record {
	r := record{partition: int32(m.Partition), offset: m.Offset, timestamp: m.Time.UnixMilli(), key: m.Key, value: m.Value}
	for _, h := range m.Headers {
		r.headers = append(r.headers, header{h.Key, h.Value})
	}
	return r
}

func segmentioConsume(t *testing.T, q consumeRequest) []record {
	t.Helper()
	conf := segmentio.ReaderConfig{
		Brokers: []string{q.addr}, Topic: q.topic, Partition: int(q.partition), MinBytes: 1, MaxBytes: 4 << 20,
		MaxWait: 100 * time.Millisecond,
	}
	if q.committed {
		conf.IsolationLevel = segmentio.ReadCommitted
	}
	if q.maxBytes > 0 {
		conf.MaxBytes = q.maxBytes
	}
	c := segmentio.NewReader(conf)
	defer c.Close()
	if err := c.SetOffset(q.from); err != nil {
		t.Fatal(err)
	}
	var got []record
	ctx := limit(t)
	for len(got) < q.n {
		m, err := c.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("after %d of %d records: %v", len(got), q.n, err)
		}
		got = append(got, fromSegmentio(m))
	}
	return got
}

func segmentioTimes(t *testing.T, addr, topic string, ms int64) int64 {
	t.Helper()
	cl := &segmentio.Client{Addr: segmentio.TCP(addr)}
	resp, err := cl.ListOffsets(limit(t), &segmentio.ListOffsetsRequest{
		Topics: map[string][]segmentio.OffsetRequest{topic: {segmentio.TimeOffsetOf(0, time.UnixMilli(ms))}}})
	if err != nil {
		t.Fatal(err)
	}
	p := resp.Topics[topic][0]
	if p.Error != nil {
		t.Fatal(p.Error)
	}
	for offset := range p.Offsets {
		return offset
	}
	return -1
}

// segmentioMember reads each generation's partitions with readers of their own,
// because a plain Reader does not say which partitions it has.
type segmentioMember struct {
	held
	q      memberRequest
	group  *segmentio.ConsumerGroup
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
}

func segmentioJoin(t *testing.T, q memberRequest) member {
	t.Helper()
	balancers := map[string]segmentio.GroupBalancer{
		"": segmentio.RangeGroupBalancer{}, "range": segmentio.RangeGroupBalancer{}, "roundrobin": segmentio.RoundRobinGroupBalancer{},
	}
	g, err := segmentio.NewConsumerGroup(segmentio.ConsumerGroupConfig{
		ID: q.group, Brokers: []string{q.addr}, Topics: []string{q.topic}, StartOffset: segmentio.FirstOffset,
		HeartbeatInterval: 500 * time.Millisecond, SessionTimeout: 6 * time.Second, JoinGroupBackoff: 100 * time.Millisecond,
		GroupBalancers: []segmentio.GroupBalancer{balancers[q.assignor]},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m := &segmentioMember{q: q, group: g, cancel: cancel, done: make(chan struct{})}
	go m.run(ctx)
	t.Cleanup(func() { m.leave(t) })
	return m
}

func (m *segmentioMember) run(ctx context.Context) {
	defer close(m.done)
	for ctx.Err() == nil {
		gen, err := m.group.Next(ctx)
		if err != nil {
			m.set(nil)
			continue
		}
		var now []int32
		for _, p := range gen.Assignments[m.q.topic] {
			now = append(now, int32(p.ID))
			gen.Start(func(ctx context.Context) { m.read(ctx, gen, p) })
		}
		gen.Start(func(ctx context.Context) { <-ctx.Done() }) // a generation without partitions lasts too
		m.set(now)
	}
}

// read reads one partition for as long as its generation lasts.
func (m *segmentioMember) read(ctx context.Context, gen *segmentio.Generation, p segmentio.PartitionAssignment) {
	c := segmentio.NewReader(segmentio.ReaderConfig{
		Brokers: []string{m.q.addr}, Topic: m.q.topic, Partition: p.ID, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond,
	})
	defer c.Close()
	if err := c.SetOffset(p.Offset); err != nil {
		return
	}
	for {
		msg, err := c.ReadMessage(ctx)
		if errors.Is(err, context.Canceled) || errors.Is(err, segmentio.ErrGenerationEnded) {
			return
		}
		if err != nil {
			continue
		}
		m.q.got(fromSegmentio(msg))
		// An error shows as records that come again.
		_ = gen.CommitOffsets(map[string]map[int]int64{m.q.topic: {p.ID: msg.Offset + 1}})
	}
}

func (m *segmentioMember) leave(t *testing.T) {
	m.once.Do(func() {
		m.cancel()
		<-m.done
		if err := m.group.Close(); err != nil {
			t.Error(err)
		}
	})
}
