package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	segmentio "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/log/batch"
)

// kinds are records of every kind that the format has.
func kinds() []record {
	return []record{
		{key: nil, value: []byte("null key")},
		{key: []byte("null value"), value: nil},
		{key: []byte{}, value: []byte{}},
		{key: []byte("k"), value: bytes.Repeat([]byte("long "), 190_000)},
		{key: []byte{0, 255, 10}, value: []byte{0, 1, 2, 254, 255}},
		{value: []byte("headers"), headers: []header{{"a", []byte("1")}, {"b", []byte{0, 255}}, {"a", nil}}},
	}
}

// What any client writes, with any codec, every other client reads unchanged.
func TestEveryRecordInEveryClient(t *testing.T) {
	s := startServer(t)
	each(t, produces, func(t *testing.T, writer judge) {
		topic := topicName("kinds", writer)
		s.createTopic(t, topic, 2)
		var want [2][]record // zstd has a partition of its own
		for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
			partition := 0
			if codec == "zstd" {
				partition = 1
			}
			if !writer.knows(codec) {
				continue
			}
			sent := kinds()
			for i := range sent {
				sent[i].partition = int32(partition)
			}
			writer.produce(t, produceRequest{addr: s.addr, topic: topic, codec: codec}, sent...)
			want[partition] = append(want[partition], sent...)
		}
		for _, reader := range judges(t) {
			for partition, want := range want {
				if len(want) == 0 || partition == 1 && !reader.knows("zstd") {
					continue
				}
				got := reader.consume(t, consumeRequest{addr: s.addr, topic: topic, partition: int32(partition), n: len(want)})
				for i := range want {
					if !same(got[i], want[i], reader.nullIsEmpty || writer.nullIsEmpty) {
						t.Errorf("written by %s, read by %s: record %d of partition %d is %v, want %v", writer.name, reader.name, i, partition, got[i], want[i])
					}
				}
			}
		}
	})
}

// With each acks the records arrive, and the connection stays usable: acks=0 has
// no answer that could be taken for the next one.
func TestAcks(t *testing.T) {
	s := startServer(t)
	each(t, produces, func(t *testing.T, j judge) {
		for _, acks := range []string{"0", "1", "all"} {
			topic, want := topicName("acks-"+acks, j), numbered("v", 50)
			s.createTopic(t, topic, 1)
			j.produce(t, produceRequest{addr: s.addr, topic: topic, acks: acks}, want...)
			wantRecords(t, j.consume(t, consumeRequest{addr: s.addr, topic: topic, n: 50}), want, j.nullIsEmpty)
		}
	})
}

// A batch that is too large is refused with MESSAGE_TOO_LARGE, as each client
// shows it, and smaller ones go on.
func TestTooLargeBatch(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "large", 1, "max.message.bytes=2000")
	big, small := make([]byte, 5000), []byte("small")

	cl := kgoClient(t, s.addr, kgo.ProducerBatchCompression(kgo.NoCompression()))
	err := cl.ProduceSync(limit(t), &kgo.Record{Topic: "large", Value: big}).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("franz-go: %v", err)
	}
	if err := cl.ProduceSync(limit(t), &kgo.Record{Topic: "large", Value: small}).FirstErr(); err != nil {
		t.Errorf("franz-go, small: %v", err)
	}

	p := rdProducer(t, s.addr, map[string]any{"batch.num.messages": 1})
	errs := rdSend(t, p, "large", []record{{value: big}, {value: small}})
	var k kafka.Error
	if !errors.As(errs[0], &k) || k.Code() != kafka.ErrMsgSizeTooLarge || errs[1] != nil {
		t.Errorf("librdkafka: %v, small: %v", errs[0], errs[1])
	}

	sp, err := sarama.NewSyncProducer([]string{s.addr}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	if _, _, err := sp.SendMessage(toSarama("large", []record{{value: big}})[0]); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		t.Errorf("Sarama: %v", err)
	}
	if _, _, err := sp.SendMessage(toSarama("large", []record{{value: small}})[0]); err != nil {
		t.Errorf("Sarama, small: %v", err)
	}

	w := &segmentio.Writer{Addr: segmentio.TCP(s.addr), Topic: "large", BatchTimeout: time.Millisecond, RequiredAcks: segmentio.RequireAll}
	defer w.Close()
	var writeErrors segmentio.WriteErrors
	if err := w.WriteMessages(limit(t), segmentio.Message{Value: big}); !errors.As(err, &writeErrors) || !errors.Is(writeErrors[0], segmentio.MessageSizeTooLarge) {
		t.Errorf("segmentio: %v", err)
	}
	if err := w.WriteMessages(limit(t), segmentio.Message{Value: small}); err != nil {
		t.Errorf("segmentio, small: %v", err)
	}
	wantTexts(t, "stored", kgoConsume(t, consumeRequest{addr: s.addr, topic: "large", n: 4}), "small", "small", "small", "small")
}

// A resent batch, up to five back, gets its first offset again and is not
// stored; one further back, or a gap, is out of order.
func TestResentBatches(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "resent", 1)
	id, epoch, err := kgoClient(t, s.addr).ProducerID(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	send := func(sequence int32) (offset int64, code int16) {
		b := batch.Builder{Idempotent: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: sequence}
		p := produceRaw(t, s.addr, "resent", rawBatch(t, b, numbered("s", 1)...))
		return p.BaseOffset, p.ErrorCode
	}
	for sequence := range int32(8) {
		if offset, code := send(sequence); code != 0 || offset != int64(sequence) {
			t.Fatalf("sequence %d: offset %d, error code %d", sequence, offset, code)
		}
	}
	for sequence := int32(3); sequence < 8; sequence++ {
		if offset, code := send(sequence); code != 0 || offset != int64(sequence) {
			t.Errorf("sequence %d again: offset %d, error code %d, want the first offset", sequence, offset, code)
		}
	}
	for _, sequence := range []int32{2, 9} {
		if _, code := send(sequence); code != kerr.OutOfOrderSequenceNumber.Code {
			t.Errorf("sequence %d: error code %d, want %d", sequence, code, kerr.OutOfOrderSequenceNumber.Code)
		}
	}
	if offset, code := send(8); code != 0 || offset != 8 {
		t.Errorf("sequence 8: offset %d, error code %d", offset, code)
	}
}

// A fetch waits for min_bytes, but not longer than max_wait.
func TestLongPoll(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "poll", 1)
	c := segmentio.Client{Addr: segmentio.TCP(s.addr), Transport: &segmentio.Transport{}}
	fetch := func(wait time.Duration) (time.Duration, int64) {
		begin := time.Now()
		resp, err := c.Fetch(limit(t), &segmentio.FetchRequest{Topic: "poll", MinBytes: 1, MaxBytes: 1 << 20, MaxWait: wait})
		if err == nil {
			err = resp.Error
		}
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(begin), resp.HighWatermark
	}
	if took, _ := fetch(300 * time.Millisecond); took < 280*time.Millisecond {
		t.Errorf("an empty partition answers after %v, want 300 ms and more", took)
	}
	var producing sync.WaitGroup
	producing.Go(func() {
		<-time.After(100 * time.Millisecond)
		kgoProduce(t, produceRequest{addr: s.addr, topic: "poll"}, numbered("v", 1)...)
	})
	if took, hw := fetch(patience); took > patience/2 || hw != 1 {
		t.Errorf("a record in between answers after %v, high watermark %d", took, hw)
	}
	producing.Wait()
}

// librdkafka measures its own idle time: an empty fetch comes back after
// fetch.wait.max.ms and is no error.
func TestIdleConsumer(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "idle", 1)
	c := rdConsumer(t, s.addr, map[string]any{"enable.partition.eof": true, "fetch.wait.max.ms": 200})
	defer c.Close()
	topic := "idle"
	if err := c.Assign([]kafka.TopicPartition{{Topic: &topic}}); err != nil {
		t.Fatal(err)
	}
	ends, until := 0, time.Now().Add(patience)
	for time.Now().Before(until) {
		switch e := c.Poll(100).(type) {
		case kafka.PartitionEOF:
			if ends++; ends == 1 {
				until = time.Now().Add(2 * time.Second) // ten fetches
			}
		case kafka.Error:
			t.Errorf("librdkafka: %v", e)
		}
	}
	if ends != 1 {
		t.Errorf("%d ends of partition, want 1", ends)
	}
}

// 200 idle partitions and a busy one: incremental fetches carry what is new, also
// after the session is lost.
func TestManyIdlePartitions(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "many", 200)
	for name, opts := range map[string][]kgo.Opt{
		"sessions":    nil,
		"no sessions": {kgo.DisableFetchSessions()},
	} {
		ends, err := kadmClient(t, s.addr).ListEndOffsets(limit(t), "many")
		if err != nil {
			t.Fatal(err)
		}
		cl := kgoClient(t, s.addr, append(opts, kgo.ConsumePartitions(ends.KOffsets()))...)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		cl.PollFetches(ctx) // all of them are idle
		cancel()
		for i := range 20 {
			want := fmt.Sprint(name, i)
			kgoProduce(t, produceRequest{addr: s.addr, topic: "many"}, record{partition: int32(i * 7), value: []byte(want)})
			if got := cl.PollFetches(limit(t)).Records(); len(got) != 1 || string(got[0].Value) != want {
				t.Fatalf("%s: got %d records, want %s", name, len(got), want)
			}
		}
		cl.Close()
	}
}

// The first batch comes even when it is larger than everything the client allows.
func TestBatchLargerThanFetch(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "big", 1)
	want := []record{{value: bytes.Repeat([]byte("x"), 500_000)}, {value: []byte("next")}}
	for _, r := range want {
		kgoProduce(t, produceRequest{addr: s.addr, topic: "big"}, r)
	}
	for _, j := range judges(t) {
		if j.name == "segmentio" {
			continue // it limits what it reads by itself
		}
		t.Run(j.name, func(t *testing.T) {
			got := j.consume(t, consumeRequest{addr: s.addr, topic: "big", n: 2, maxBytes: 2000})
			wantRecords(t, got, want, true)
		})
	}
}

// Before the log's start and after its end the client's reset policy decides; at
// the end it waits.
func TestOffsetReset(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "reset", 1)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "reset"}, numbered("v", 10)...)
	adm := kadmClient(t, s.addr)
	if _, err := adm.DeleteRecords(limit(t), kadmOffsets("reset", 0, 4)); err != nil {
		t.Fatal(err)
	}
	first := func(conf map[string]any, from int64, within time.Duration) string {
		c := rdConsumer(t, s.addr, conf)
		defer c.Close()
		topic := "reset"
		if err := c.Assign([]kafka.TopicPartition{{Topic: &topic, Offset: kafka.Offset(from)}}); err != nil {
			t.Fatal(err)
		}
		m, err := c.ReadMessage(within)
		var k kafka.Error
		switch {
		case err == nil:
			return string(m.Value)
		case errors.As(err, &k):
			return k.Code().String()
		}
		return err.Error()
	}
	earliest, latest := map[string]any{"auto.offset.reset": "earliest"}, map[string]any{"auto.offset.reset": "latest"}
	if got := first(earliest, 1, patience); got != "v4" {
		t.Errorf("below the log start with earliest: %s, want v4", got)
	}
	if got := first(earliest, 100, patience); got != "v4" {
		t.Errorf("above the end with earliest: %s, want v4", got)
	}
	if got := first(nil, 100, patience); !strings.Contains(got, "reset") && !strings.Contains(got, "out of range") {
		t.Errorf("above the end with error: %s", got)
	}
	if got := first(latest, 10, 2*time.Second); got != kafka.ErrTimedOut.String() {
		t.Errorf("at the end: %s, want to wait", got)
	}
	sc, err := sarama.NewConsumer([]string{s.addr}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	for _, from := range []int64{1, 100} {
		if _, err := sc.ConsumePartition("reset", 0, from); !errors.Is(err, sarama.ErrOffsetOutOfRange) {
			t.Errorf("Sarama from %d: %v", from, err)
		}
	}
}

// A client sees the times that the topic's configuration says.
func TestTimestamps(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "create", 1)
	s.createTopic(t, "append", 1, "message.timestamp.type=LogAppendTime")
	begin := time.Now().UnixMilli()
	old := begin - 1_000_000
	for _, topic := range []string{"create", "append"} {
		kgoProduce(t, produceRequest{addr: s.addr, topic: topic, codec: "lz4"}, record{value: []byte("a"), timestamp: old}, record{value: []byte("b"), timestamp: old + 1})
	}
	for _, j := range judges(t) {
		t.Run(j.name, func(t *testing.T) {
			for i, r := range j.consume(t, consumeRequest{addr: s.addr, topic: "create", n: 2}) {
				if r.timestamp != old+int64(i) {
					t.Errorf("CreateTime: %d, want %d", r.timestamp, old+int64(i))
				}
			}
			if j.name == "segmentio" {
				return // it adds the producer's times up and never looks at the attribute
			}
			for _, r := range j.consume(t, consumeRequest{addr: s.addr, topic: "append", n: 2}) {
				if r.timestamp < begin || r.timestamp > time.Now().UnixMilli() {
					t.Errorf("LogAppendTime: %d, want %d or later", r.timestamp, begin)
				}
			}
		})
	}
	future := []record{{value: []byte("x"), timestamp: begin + 2*3_600_000}}
	err := kgoClient(t, s.addr).ProduceSync(limit(t), toKgo("create", future)...).FirstErr()
	if !errors.Is(err, kerr.InvalidTimestamp) {
		t.Errorf("two hours ahead, franz-go: %v", err)
	}
	var k kafka.Error
	if errs := rdSend(t, rdProducer(t, s.addr, nil), "create", future); !errors.As(errs[0], &k) || k.Code() != kafka.ErrInvalidTimestamp {
		t.Errorf("two hours ahead, librdkafka: %v", errs[0])
	}
}

// A compacted topic takes no record without a key, and says which one it was.
func TestCompactedTopicWantsKeys(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "keyed", 1, "cleanup.policy=compact")
	sent := rawBatch(t, batch.Builder{}, record{key: []byte("k"), value: []byte("1")}, record{value: []byte("2")})
	got := produceRaw(t, s.addr, "keyed", sent)
	if got.ErrorCode != kerr.InvalidRecord.Code || len(got.ErrorRecords) != 1 || got.ErrorRecords[0].RelativeOffset != 1 {
		t.Errorf("error code %d, records %+v", got.ErrorCode, got.ErrorRecords)
	}
	var k kafka.Error
	errs := rdSend(t, rdProducer(t, s.addr, nil), "keyed", values("x"))
	if !errors.As(errs[0], &k) || k.Code() != kafka.ErrInvalidRecord {
		t.Errorf("librdkafka: %v", errs[0])
	}
}

// A time is looked up exactly, between two records, before all and after all.
func TestOffsetsForTimes(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "times", 1)
	base := time.Now().UnixMilli() - 100_000
	var records []record
	for i := range 10 {
		records = append(records, record{value: []byte("x"), timestamp: base + int64(i)*10})
	}
	for i := range records { // batches of one and of many
		if i < 5 {
			kgoProduce(t, produceRequest{addr: s.addr, topic: "times"}, records[i])
		}
	}
	kgoProduce(t, produceRequest{addr: s.addr, topic: "times", codec: "snappy"}, records[5:]...)
	for _, j := range judges(t) {
		t.Run(j.name, func(t *testing.T) {
			for ms, want := range map[int64]int64{base: 0, base - 50: 0, base + 20: 2, base + 21: 3, base + 71: 8, base + 90: 9, base + 91: -1} {
				if got := j.times(t, s.addr, "times", ms); got != want {
					t.Errorf("time %d after the first record's: offset %d, want %d", ms-base, got, want)
				}
			}
		})
	}
}
