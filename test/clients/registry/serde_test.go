package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"

	"github.com/sluice-data/sluice/test/process"
)

// avroConverter is what a connector's config says to have its values in Avro, with the
// worker's own registry.
const avroConverter = "io.confluent.connect.avro.AvroConverter"

// Order is a record whose schema the serializer derives.
type Order struct {
	ID    int64    `avro:"id"`
	Item  string   `avro:"item"`
	Price float64  `avro:"price"`
	Paid  bool     `avro:"paid"`
	Tags  []string `avro:"tags"`
	Note  *string  `avro:"note"`
}

// PricedOrder is what a reader knows of an order that does not want all of it. Its
// schema has the name Order.
type PricedOrder struct {
	ID    int64   `avro:"id"`
	Price float64 `avro:"price"`
}

func order(i int) Order {
	o := Order{ID: int64(i), Item: fmt.Sprintf("item %d ü", i), Price: float64(i) / 4, Paid: i%2 == 0, Tags: []string{"a", "b"}[:i%3]}
	if i%5 == 0 {
		note := "note"
		o.Note = &note
	}
	return o
}

const orders = 100

// TestSerializerToDeserializerAndSink writes orders with the serializer over librdkafka.
// The deserializer reads them, and so does a sink.
func TestSerializerToDeserializerAndSink(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	produceOrders(t, s, "orders", serde.PrefixSchemaIDSerializer)
	wantOrders(t, s, "orders")
	out := filepath.Join(t.TempDir(), "out.txt")
	create(t, s, "sink", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "orders", "tasks.max": "1",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": avroConverter})
	var lines []string
	eventually(t, "the orders in the sink's file", func() bool {
		text, _ := os.ReadFile(out)
		lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		return len(lines) >= orders
	})
	want(t, "first line", lines[0], "Struct{id=0,item=item 0 ü,price=0.0,paid=true,tags=[],note=note}")
	want(t, "last line", lines[orders-1], "Struct{id=99,item=item 99 ü,price=24.75,paid=false,tags=[]}")

	produceOrders(t, s, "by-header", serde.HeaderSchemaIDSerializer)
	wantOrders(t, s, "by-header")
}

// TestReaderSchema reads orders with a schema of the reader, the latest of the subject.
func TestReaderSchema(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	produceOrders(t, s, "orders", serde.PrefixSchemaIDSerializer)
	c := confluent(t, s)
	_, err := c.Register("orders-value", avroInfo(`{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"price","type":"double"}]}`), false)
	must(t, err)
	conf := avrov2.NewDeserializerConfig()
	conf.UseLatestVersion = true
	d, err := avrov2.NewDeserializer(c, serde.ValueSerde, conf)
	must(t, err)
	for i, m := range consume(t, s, "orders", 3) {
		var got PricedOrder
		must(t, d.DeserializeInto("orders", m.Value, &got))
		want(t, "order", got, PricedOrder{ID: int64(i), Price: float64(i) / 4})
	}
}

// TestConnectorToDeserializer reads with librdkafka and the deserializer what a source
// connector writes.
func TestConnectorToDeserializer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	create(t, s, "source", map[string]string{"connector.class": "sluice.DatagenConnector", "kafka.topic": "bought", "quickstart": "orders",
		"iterations": "50", "max.interval": "1", "tasks.max": "1", "value.converter": avroConverter,
		"key.converter": "org.apache.kafka.connect.storage.StringConverter"})
	messages := consume(t, s, "bought", 50)
	d, err := avrov2.NewDeserializer(confluent(t, s), serde.ValueSerde, avrov2.NewDeserializerConfig())
	must(t, err)
	for i, m := range messages {
		var got map[string]any
		must(t, d.DeserializeInto("bought", m.Value, &got))
		address, _ := got["address"].(map[string]any)
		units, _ := got["orderunits"].(float64)
		if got["orderid"] != i || units < 0.1 || units > 9.9 || !strings.HasPrefix(fmt.Sprint(address["city"]), "City_") || len(got) != 5 {
			t.Errorf("order %d: %v", i, got)
		}
	}
}

// produceOrders writes orders, whose schema the serializer registers.
func produceOrders(t *testing.T, s *process.Server, topic string, id serde.SchemaIDSerializerFunc) {
	t.Helper()
	ser, err := avrov2.NewSerializer(confluent(t, s), serde.ValueSerde, avrov2.NewSerializerConfig())
	must(t, err)
	ser.SchemaIDSerializer = id
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": s.Addr, "acks": "all"})
	must(t, err)
	defer p.Close()
	reports := make(chan kafka.Event, orders)
	for i := range orders {
		o := order(i)
		headers, value, err := ser.SerializeWithHeaders(topic, &o)
		must(t, err)
		must(t, p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic}, Value: value, Headers: headers}, reports))
	}
	for range orders {
		must(t, (<-reports).(*kafka.Message).TopicPartition.Error)
	}
}

// wantOrders reads them back with a client that has seen none.
func wantOrders(t *testing.T, s *process.Server, topic string) {
	t.Helper()
	d, err := avrov2.NewDeserializer(confluent(t, s), serde.ValueSerde, avrov2.NewDeserializerConfig())
	must(t, err)
	for i, m := range consume(t, s, topic, orders) {
		var got Order
		must(t, d.DeserializeWithHeadersInto(topic, m.Headers, m.Value, &got))
		if len(got.Tags) == 0 {
			got.Tags = []string{}
		}
		if !reflect.DeepEqual(got, order(i)) {
			t.Errorf("order %d: got %+v", i, got)
		}
	}
}

// consume reads n messages of partition 0, in order.
func consume(t *testing.T, s *process.Server, topic string, n int) []*kafka.Message {
	t.Helper()
	c, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": s.Addr, "group.id": "reader", "isolation.level": "read_committed",
		"topic.metadata.refresh.interval.ms": 500, "allow.auto.create.topics": true})
	must(t, err)
	defer c.Close()
	must(t, c.Assign([]kafka.TopicPartition{{Topic: &topic, Offset: kafka.OffsetBeginning}}))
	var messages []*kafka.Message
	for deadline := time.Now().Add(patience); len(messages) < n; {
		if time.Now().After(deadline) {
			t.Fatalf("got %d of %d messages of %s in %s", len(messages), n, topic, patience)
		}
		if m, ok := c.Poll(500).(*kafka.Message); ok && m.TopicPartition.Error == nil {
			messages = append(messages, m)
		}
	}
	return messages
}
