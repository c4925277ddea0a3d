package clients

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/sluice-data/sluice/log/batch"
)

// With its defaults, each client produces to a topic that is there and reads it
// again, whatever versions it negotiates.
func TestDefaultsConnect(t *testing.T) {
	s := startServer(t)
	each(t, produces, func(t *testing.T, j judge) {
		topic := topicName("defaults", j)
		s.createTopic(t, topic, 1)
		want := numbered("v", 10)
		j.produce(t, produceRequest{addr: s.addr, topic: topic}, want...)
		wantRecords(t, j.consume(t, consumeRequest{addr: s.addr, topic: topic, n: 10}), want, j.nullIsEmpty)
	})
}

// topicName makes a topic's name of a test's and a client's.
func topicName(test string, j judge) string {
	return test + "-" + strings.ReplaceAll(j.name, " ", "-")
}

// librdkafka warns when it falls back to an older protocol or misses a feature.
func TestNoWarningsFromLibrdkafka(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "quiet", 1)
	logs := make(chan kafka.LogEvent, 1000)
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": s.addr, "log_level": 5, "enable.idempotence": true,
		"go.logs.channel.enable": true, "go.logs.channel": logs})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range rdSend(t, p, "quiet", numbered("v", 10)) {
		if err != nil {
			t.Error(err)
		}
	}
	p.Close()
	close(logs)
	for e := range logs {
		t.Errorf("librdkafka says: %s %s", e.Tag, e.Message)
	}
}

// Every client stores the codec that it was told to. librdkafka before 2.11
// silently sends uncompressed when Produce is not advertised from version 0.
func TestCodecIsStored(t *testing.T) {
	s := startServer(t)
	long := record{value: []byte(strings.Repeat("sluice ", 1000))}
	each(t, produces, func(t *testing.T, j judge) {
		for codec, want := range map[string]batch.Codec{
			"none": batch.None, "gzip": batch.Gzip, "snappy": batch.Snappy, "lz4": batch.LZ4, "zstd": batch.Zstd,
		} {
			if !j.knows(codec) {
				continue
			}
			topic := topicName("codec-"+codec, j)
			s.createTopic(t, topic, 1)
			j.produce(t, produceRequest{addr: s.addr, topic: topic, codec: codec}, long, long)
			if got := s.storedCodec(t, topic); got != want {
				t.Errorf("%s is stored as %v", codec, got)
			}
		}
	})
}

// All versions of ApiVersions say the same, except for features.
func TestEveryApiVersionsVersionAgrees(t *testing.T) {
	s := startServer(t)
	list := func(version int16) (keys []kmsg.ApiVersionsResponseApiKey) {
		q := kmsg.NewPtrApiVersionsRequest()
		q.ClientSoftwareName, q.ClientSoftwareVersion = "judge", "1"
		resp := ask[*kmsg.ApiVersionsResponse](t, s.addr, version, q)
		if resp.ErrorCode != 0 {
			t.Fatalf("v%d: error code %d", version, resp.ErrorCode)
		}
		for _, k := range resp.ApiKeys {
			keys = append(keys, kmsg.ApiVersionsResponseApiKey{ApiKey: k.ApiKey, MinVersion: k.MinVersion, MaxVersion: k.MaxVersion})
		}
		return keys
	}
	want := list(0)
	for version := int16(1); version <= 5; version++ {
		got := list(version)
		if !slices.EqualFunc(got, want, func(a, b kmsg.ApiVersionsResponseApiKey) bool {
			return a.ApiKey == b.ApiKey && a.MinVersion == b.MinVersion && a.MaxVersion == b.MaxVersion
		}) {
			t.Errorf("v%d lists other keys than v0", version)
		}
	}
	for _, k := range want {
		switch {
		case k.ApiKey == 0 && k.MinVersion != 0:
			t.Errorf("Produce is advertised from %d: librdkafka drops compression", k.MinVersion)
		case k.ApiKey == 71 || k.ApiKey == 72:
			t.Errorf("telemetry key %d is advertised", k.ApiKey)
		}
	}
}
