package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/jsonschema"

	"github.com/sluice-data/sluice/test/process"
)

const jsonSchemaConverter = "io.confluent.connect.json.JsonSchemaConverter"

// Part is an object whose schema the serializer derives: one of 2020-12 that is all references.
type Part struct {
	ID    int64    `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
	Box   *Box     `json:"box,omitempty"`
}

// Box is within a Part.
type Box struct {
	Size int `json:"size"`
}

func part(i int) Part {
	p := Part{ID: int64(i), Name: fmt.Sprintf("part %d ü", i), Price: float64(i)/4 + 0.5, Tags: []string{"a", "b"}[:i%3]}
	if i%5 == 0 {
		p.Box = &Box{Size: i}
	}
	return p
}

const parts = 60

// TestJSONSchemaSerializerToDeserializerAndSink writes parts with the serializer over librdkafka, which validates them by the schema that
// it has registered. The deserializer reads them, and so does a sink.
func TestJSONSchemaSerializerToDeserializerAndSink(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	produceParts(t, s, "parts", serde.PrefixSchemaIDSerializer)
	wantParts(t, s, "parts")
	out := filepath.Join(t.TempDir(), "out.txt")
	create(t, s, "sink", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "parts", "tasks.max": "1",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": jsonSchemaConverter})
	var lines []string
	eventually(t, "the parts in the sink's file", func() bool {
		text, _ := os.ReadFile(out)
		lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		return len(lines) >= parts
	})
	want(t, "first line", lines[0], "Struct{id=0,name=part 0 ü,price=0.5,tags=[],box=Struct{size=0}}")
	want(t, "last line", lines[parts-1], "Struct{id=59,name=part 59 ü,price=15.25,tags=[a, b]}")

	produceParts(t, s, "parts-by-header", serde.HeaderSchemaIDSerializer)
	wantParts(t, s, "parts-by-header")
}

// TestJSONSchemaConnectorToDeserializer reads with librdkafka and the deserializer what a source connector writes.
func TestJSONSchemaConnectorToDeserializer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	create(t, s, "source", map[string]string{"connector.class": "sluice.DatagenConnector", "kafka.topic": "bought", "quickstart": "orders",
		"iterations": "50", "max.interval": "1", "tasks.max": "1", "value.converter": jsonSchemaConverter,
		"key.converter": "org.apache.kafka.connect.storage.StringConverter"})
	messages := consume(t, s, "bought", 50)
	d := partReader(t, s)
	for i, m := range messages {
		var got map[string]any
		must(t, d.DeserializeInto("bought", m.Value, &got))
		address, _ := got["address"].(map[string]any)
		if got["orderid"] != float64(i) || !strings.HasPrefix(fmt.Sprint(address["city"]), "City_") || len(got) != 5 {
			t.Errorf("order %d: %v", i, got)
		}
	}
}

// TestJSONSchemaEvolution registers versions and asks about others with confluent-kafka-go's client.
func TestJSONSchemaEvolution(t *testing.T) {
	t.Parallel()
	c := confluent(t, startServer(t))
	info := func(text string) schemaregistry.SchemaInfo {
		return schemaregistry.SchemaInfo{Schema: text, SchemaType: "JSON"}
	}
	const one = `{"type":"object","properties":{"id":{"type":"integer"}},"additionalProperties":false}`
	id, err := c.Register("evolving", info(one), false)
	must(t, err)
	got, err := c.GetBySubjectAndID("evolving", id)
	must(t, err)
	want(t, "type", got.SchemaType, "JSON")
	want(t, "schema", got.Schema, one)
	for text, fits := range map[string]bool{
		`{"type":"object","properties":{"id":{"type":"number"},"n":{"type":"string"}},"additionalProperties":false}`:                   true,
		`{"type":"object","properties":{"id":{"type":"integer"},"n":{"type":"string"}},"required":["n"],"additionalProperties":false}`: false,
		`{"type":"object","additionalProperties":false}`:                                                                               false,
	} {
		ok, err := c.TestSubjectCompatibility("evolving", info(text))
		must(t, err)
		want(t, text, ok, fits)
	}
}

// produceParts writes parts, whose schema the serializer registers.
func produceParts(t *testing.T, s *process.Server, topic string, id serde.SchemaIDSerializerFunc) {
	t.Helper()
	conf := jsonschema.NewSerializerConfig()
	conf.EnableValidation = true
	ser, err := jsonschema.NewSerializer(confluent(t, s), serde.ValueSerde, conf)
	must(t, err)
	ser.SchemaIDSerializer = id
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": s.Addr, "acks": "all"})
	must(t, err)
	defer p.Close()
	reports := make(chan kafka.Event, parts)
	for i := range parts {
		v := part(i)
		headers, value, err := ser.SerializeWithHeaders(topic, &v)
		must(t, err)
		must(t, p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic}, Value: value, Headers: headers}, reports))
	}
	for range parts {
		must(t, (<-reports).(*kafka.Message).TopicPartition.Error)
	}
}

func partReader(t *testing.T, s *process.Server) *jsonschema.Deserializer {
	t.Helper()
	d, err := jsonschema.NewDeserializer(confluent(t, s), serde.ValueSerde, jsonschema.NewDeserializerConfig())
	must(t, err)
	return d
}

// wantParts reads them back with a client that has seen none.
func wantParts(t *testing.T, s *process.Server, topic string) {
	t.Helper()
	d := partReader(t, s)
	for i, m := range consume(t, s, topic, parts) {
		var got Part
		must(t, d.DeserializeWithHeadersInto(topic, m.Headers, m.Value, &got))
		want(t, fmt.Sprintf("part %d", i), fmt.Sprintf("%+v", flat(got)), fmt.Sprintf("%+v", flat(part(i))))
	}
}

// flat has no pointers, to compare by.
func flat(p Part) []any {
	return []any{p.ID, p.Name, p.Price, fmt.Sprint(p.Tags), fmt.Sprint(p.Box != nil)}
}
