package clients

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// librdkafkaJudge is the current librdkafka, linked into confluent-kafka-go.
func librdkafkaJudge() judge {
	return judge{
		name: "librdkafka", produce: rdProduce, consume: rdConsume, join: rdJoin, transact: rdTransact, times: rdTimes,
		nullIsEmpty: true, // confluent-kafka-go makes nil of both
	}
}

func rdConfig(addr string, more map[string]any) *kafka.ConfigMap {
	c := kafka.ConfigMap{"bootstrap.servers": addr, "log_level": 0, "go.logs.channel.enable": false}
	for k, v := range more {
		c[k] = v
	}
	return &c
}

func rdProducer(t *testing.T, addr string, more map[string]any) *kafka.Producer {
	t.Helper()
	p, err := kafka.NewProducer(rdConfig(addr, more))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	go func() { // librdkafka's own errors; those of a record come to its channel
		for range p.Events() {
		}
	}()
	return p
}

func rdProduce(t *testing.T, q produceRequest, records ...record) {
	t.Helper()
	conf := map[string]any{"enable.idempotence": q.idempotent, "linger.ms": 20}
	if q.codec != "" {
		conf["compression.codec"] = q.codec
	}
	if q.acks != "" {
		conf["acks"] = q.acks
	}
	for i, err := range rdSend(t, rdProducer(t, q.addr, conf), q.topic, records) {
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

// rdSend produces and returns what became of each record.
func rdSend(t *testing.T, p *kafka.Producer, topic string, records []record) []error {
	t.Helper()
	reports := make(chan kafka.Event, len(records))
	for i, r := range records {
		m := &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: r.partition}, Key: r.key, Value: r.value, Opaque: i,
		}
		if r.timestamp > 0 {
			m.Timestamp = time.UnixMilli(r.timestamp)
		}
		for _, h := range r.headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.key, Value: h.value})
		}
		if err := p.Produce(m, reports); err != nil {
			reports <- &kafka.Message{Opaque: i, TopicPartition: kafka.TopicPartition{Error: err}}
		}
	}
	errs := make([]error, len(records))
	ctx := limit(t)
	for range records {
		select {
		case e := <-reports:
			m := e.(*kafka.Message)
			errs[m.Opaque.(int)] = m.TopicPartition.Error
		case <-ctx.Done():
			t.Fatal("librdkafka reports nothing")
		}
	}
	return errs
}

func rdConsumer(t *testing.T, addr string, more map[string]any) *kafka.Consumer {
	t.Helper()
	conf := map[string]any{"group.id": "unused", "auto.offset.reset": "error", "enable.auto.commit": false, "fetch.wait.max.ms": 100}
	maps.Copy(conf, more)
	c, err := kafka.NewConsumer(rdConfig(addr, conf))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rdConsume(t *testing.T, q consumeRequest) []record {
	t.Helper()
	conf := map[string]any{"isolation.level": "read_uncommitted", "check.crcs": true}
	if q.committed {
		conf["isolation.level"] = "read_committed"
	}
	if q.maxBytes > 0 {
		conf["max.partition.fetch.bytes"] = q.maxBytes
	}
	c := rdConsumer(t, q.addr, conf)
	defer c.Close()
	at := kafka.TopicPartition{Topic: &q.topic, Partition: q.partition, Offset: kafka.Offset(q.from)}
	if err := c.Assign([]kafka.TopicPartition{at}); err != nil {
		t.Fatal(err)
	}
	var got []record
	for deadline := time.Now().Add(patience); len(got) < q.n; {
		m, err := c.ReadMessage(100 * time.Millisecond)
		if err != nil && !isTimeout(err) || time.Now().After(deadline) {
			t.Fatalf("after %d of %d records: %v", len(got), q.n, err)
		}
		if err == nil {
			got = append(got, fromRd(m))
		}
	}
	return got
}

func isTimeout(err error) bool {
	var k kafka.Error
	return errors.As(err, &k) && k.IsTimeout()
}

func fromRd(m *kafka.Message) record {
	r := record{partition: m.TopicPartition.Partition, offset: int64(m.TopicPartition.Offset), key: m.Key, value: m.Value}
	r.timestamp = m.Timestamp.UnixMilli()
	for _, h := range m.Headers {
		r.headers = append(r.headers, header{h.Key, h.Value})
	}
	return r
}

func rdTimes(t *testing.T, addr, topic string, ms int64) int64 {
	t.Helper()
	c := rdConsumer(t, addr, nil)
	defer c.Close()
	got, err := c.OffsetsForTimes([]kafka.TopicPartition{{Topic: &topic, Offset: kafka.Offset(ms)}}, int(patience.Milliseconds()))
	if err != nil || got[0].Error != nil {
		t.Fatal(err, got[0].Error)
	}
	return max(int64(got[0].Offset), -1) // librdkafka says END, which is -1
}

// rdMember polls in a goroutine and commits what it got.
type rdMember struct {
	held
	c    *kafka.Consumer
	quit chan struct{}
	done chan struct{}
}

func rdJoin(t *testing.T, q memberRequest) member {
	t.Helper()
	m := &rdMember{quit: make(chan struct{}), done: make(chan struct{})}
	m.c = rdConsumer(t, q.addr, rdGroup(q))
	if err := m.c.Subscribe(q.topic, nil); err != nil {
		t.Fatal(err)
	}
	go m.run(q.got)
	t.Cleanup(func() { m.leave(t) })
	return m
}

func rdGroup(q memberRequest) map[string]any {
	conf := map[string]any{"group.id": q.group, "auto.offset.reset": "earliest"}
	if q.protocol == "consumer" {
		conf["group.protocol"] = "consumer"
		if q.assignor != "" {
			conf["group.remote.assignor"] = q.assignor
		}
	} else {
		conf["heartbeat.interval.ms"] = 500
		conf["session.timeout.ms"] = 6000
		conf["partition.assignment.strategy"] = "range"
		if q.assignor != "" {
			conf["partition.assignment.strategy"] = q.assignor
		}
		if q.session > 0 {
			conf["session.timeout.ms"] = int(q.session.Milliseconds())
		}
	}
	if q.instance != "" {
		conf["group.instance.id"] = q.instance
	}
	return conf
}

func (m *rdMember) run(got func(record)) {
	defer close(m.done)
	for {
		select {
		case <-m.quit:
			return
		default:
		}
		if msg, err := m.c.ReadMessage(50 * time.Millisecond); err == nil {
			got(fromRd(msg))
			// An error shows as records that come again.
			_, _ = m.c.CommitMessage(msg)
		}
		if parts, err := m.c.Assignment(); err == nil {
			var now []int32
			for _, p := range parts {
				now = append(now, p.Partition)
			}
			m.set(now)
		}
	}
}

func (m *rdMember) leave(t *testing.T) {
	select {
	case <-m.quit:
		return
	default:
	}
	close(m.quit)
	<-m.done
	if err := m.c.Close(); err != nil {
		t.Error(err)
	}
}

// rdTransactor speaks the older generation of the transaction protocol (TV1).
type rdTransactor struct{ p *kafka.Producer }

func rdTransact(t *testing.T, addr, id string) transactor {
	t.Helper()
	return rdTransactAs(t, addr, map[string]any{"transactional.id": id, "transaction.timeout.ms": 30_000})
}

func rdTransactAs(t *testing.T, addr string, conf map[string]any) transactor {
	t.Helper()
	conf["linger.ms"] = 5
	p := rdProducer(t, addr, conf)
	if err := p.InitTransactions(limit(t)); err != nil {
		t.Fatalf("init transactions: %v", err)
	}
	return &rdTransactor{p}
}

func (x *rdTransactor) begin(t *testing.T) {
	t.Helper()
	if err := x.p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
}

func (x *rdTransactor) send(t *testing.T, topic string, records ...record) {
	t.Helper()
	for i, err := range rdSend(t, x.p, topic, records) {
		if err != nil {
			t.Fatalf("record %d in transaction: %v", i, err)
		}
	}
}

func (x *rdTransactor) offsets(t *testing.T, group, topic string, next int64) {
	t.Helper()
	meta, err := kafka.NewTestConsumerGroupMetadata(group)
	if err != nil {
		t.Fatal(err)
	}
	at := kafka.TopicPartition{Topic: &topic, Offset: kafka.Offset(next)}
	if err := x.p.SendOffsetsToTransaction(limit(t), []kafka.TopicPartition{at}, meta); err != nil {
		t.Fatalf("commit offsets in transaction: %v", err)
	}
}

func (x *rdTransactor) end(t *testing.T, commit bool) {
	t.Helper()
	end := x.p.AbortTransaction
	if commit {
		end = x.p.CommitTransaction
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := end(ctx); err != nil {
		t.Fatalf("end transaction, commit %v: %v", commit, err)
	}
}

func (x *rdTransactor) close() {} // with the test
