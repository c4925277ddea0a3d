package clients

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/batch"
)

// produceRaw sends one batch as it is and returns the answer for its partition.
func produceRaw(t *testing.T, addr, topic string, records []byte) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = -1, 10_000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = records
	qt := kmsg.NewProduceRequestTopic()
	qt.Topic, qt.Partitions = topic, append(qt.Partitions, p)
	q.Topics = append(q.Topics, qt)
	return ask[*kmsg.ProduceResponse](t, addr, 9, q).Topics[0].Partitions[0]
}

// rawBatch builds a batch; b says whose.
func rawBatch(t *testing.T, b batch.Builder, records ...record) []byte {
	t.Helper()
	for _, r := range records {
		b.Append(time.Now().UnixMilli(), r.key, r.value)
	}
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kadmOffsets is one offset.
func kadmOffsets(topic string, partition int32, at int64) kadm.Offsets {
	var o kadm.Offsets
	o.AddOffset(topic, partition, at, -1)
	return o
}

// makeTopic creates a topic over the protocol.
func makeTopic(t *testing.T, addr, name string, partitions int32, configs ...string) {
	t.Helper()
	overrides := map[string]*string{}
	for _, c := range configs {
		key, value, _ := strings.Cut(c, "=")
		overrides[key] = &value
	}
	if _, err := kadmClient(t, addr).CreateTopic(limit(t), partitions, 1, overrides, name); err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
}
