package e2e

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/test/s3server"
)

// TestConverters writes the same kinds of values to objects under converters that
// the config names by their Kafka class, as far as they differ from the default.
func TestConverters(t *testing.T) {
	const (
		object   = `{"celsius": 21.5, "id": 7}`
		envelope = `{"schema":{"type":"struct","optional":false,"fields":[{"field":"id","type":"int32","optional":false},` +
			`{"field":"raw","type":"bytes","optional":true}]},"payload":{"id":7,"raw":"/wA="}}`
	)
	tests := []struct{ name, value, want string }{
		{"default", object, `{"celsius":21.5,"id":7}`},
		{"org.apache.kafka.connect.storage.StringConverter", object, `"{\"celsius\": 21.5, \"id\": 7}"`},
		{"org.apache.kafka.connect.converters.ByteArrayConverter", object, `"eyJjZWxzaXVzIjogMjEuNSwgImlkIjogN30="`},
		{"org.apache.kafka.connect.json.JsonConverter", envelope, `{"id":7,"raw":"/wA="}`},
		{"org.apache.kafka.connect.json.JsonConverter without schemas", object, `{"celsius":21.5,"id":7}`},
	}
	bucket := makeBucket(t, "converters")
	s := startSluice(t, s3server.Env(bucket.url))
	for i, tt := range tests {
		topic := string(rune('a' + i))
		s.produce(t, topic, tt.value)
		s.create(t, changed(t, seedConfig(t, "s3-sink.json"), sinkWith(topic, tt.name)))
	}
	for i, tt := range tests {
		topic := string(rune('a' + i))
		key := "topics/" + topic + "/partition=0/" + topic + "+0+0000000000.json"
		eventually(t, func() error {
			_, err := bucket.read(t.Context(), key)
			return err
		})
		got, err := bucket.read(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != tt.want+"\n" {
			t.Errorf("%s: line %q, want %q", tt.name, got, tt.want)
		}
	}
}

// sinkWith returns what makes the example sink write one record of a topic under a
// converter.
func sinkWith(topic, converter string) map[string]string {
	changes := map[string]string{"name": "sink-" + topic, "topics": topic, "s3.bucket.name": "converters", "flush.size": "1"}
	switch converter {
	case "default":
	case "org.apache.kafka.connect.json.JsonConverter without schemas":
		changes["value.converter"], changes["value.converter.schemas.enable"] = "org.apache.kafka.connect.json.JsonConverter", "false"
	default:
		changes["value.converter"] = converter
	}
	return changes
}

// produce writes one record.
func (s *sluice) produce(t *testing.T, topic, value string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
