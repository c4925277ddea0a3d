package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	protoserde "github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/protobuf"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/timestamppb" // is imported by the file of a test

	"github.com/sluice-data/sluice/test/process"
)

const protobufConverter = "io.confluent.connect.protobuf.ProtobufConverter"

// basketFile has a message that is not the first, with a map, a oneof, a field of a known type and one of another file.
const basketFile = `name: "shop/basket.proto" package: "shop" syntax: "proto3" dependency: ["shop/line.proto", "google/protobuf/timestamp.proto"]
message_type { name: "Other" field { name: "x" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL } }
message_type { name: "Basket"
  field { name: "id" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "lines" number: 2 type: TYPE_MESSAGE type_name: ".shop.Line" label: LABEL_REPEATED }
  field { name: "tags" number: 3 type: TYPE_MESSAGE type_name: ".shop.Basket.TagsEntry" label: LABEL_REPEATED }
  field { name: "at" number: 4 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" label: LABEL_OPTIONAL }
  field { name: "card" number: 5 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "cash" number: 6 type: TYPE_BOOL label: LABEL_OPTIONAL oneof_index: 0 }
  nested_type { name: "TagsEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } field { name: "value" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL } }
  oneof_decl { name: "pay" } }`

const lineFile = `name: "shop/line.proto" package: "shop" syntax: "proto3" message_type { name: "Line"
  field { name: "sku" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } field { name: "n" number: 2 type: TYPE_SINT32 label: LABEL_OPTIONAL } }`

// basketDescriptor is the message Basket as a compiler of Protobuf makes it.
func basketDescriptor(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	files := &protoregistry.Files{}
	timestamp, err := protoregistry.GlobalFiles.FindFileByPath("google/protobuf/timestamp.proto")
	must(t, err)
	must(t, files.RegisterFile(timestamp))
	for _, text := range []string{lineFile, basketFile} {
		d := &descriptorpb.FileDescriptorProto{}
		must(t, prototext.Unmarshal([]byte(text), d))
		f, err := protodesc.NewFile(d, files)
		must(t, err)
		must(t, files.RegisterFile(f))
	}
	d, err := files.FindDescriptorByName("shop.Basket")
	must(t, err)
	return d.(protoreflect.MessageDescriptor)
}

const baskets = 60

func basket(t *testing.T, md protoreflect.MessageDescriptor, i int) proto.Message {
	t.Helper()
	text := fmt.Sprintf(`id: %d tags { key: "t" value: %d } at { seconds: 1700000000 nanos: %d }`, i-5, i, i*1_000_000)
	for j := range i % 3 {
		text += fmt.Sprintf(` lines { sku: "ü%d" n: %d }`, j, -j)
	}
	if i%2 == 0 {
		text += " cash: false"
	} else {
		text += fmt.Sprintf(` card: "card %d"`, i)
	}
	m := dynamicpb.NewMessage(md)
	must(t, prototext.Unmarshal([]byte(text), m))
	return m
}

// TestProtobufSerializerToDeserializerAndSink writes baskets with the serializer over librdkafka, which registers what they import by
// itself. The deserializer reads them, and so does a sink.
func TestProtobufSerializerToDeserializerAndSink(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	md := basketDescriptor(t)
	produceBaskets(t, s, md, "baskets", serde.PrefixSchemaIDSerializer)
	wantBaskets(t, s, md, "baskets")
	out := filepath.Join(t.TempDir(), "out.txt")
	create(t, s, "sink", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "baskets", "tasks.max": "1",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": protobufConverter})
	var lines []string
	eventually(t, "the baskets in the sink's file", func() bool {
		text, _ := os.ReadFile(out)
		lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		return len(lines) >= baskets
	})
	first, _, _ := strings.Cut(lines[0], ",at=")
	want(t, "first line", first, "Struct{pay_0=Struct{cash=false},id=-5,lines=[],tags={t=0}")
	last, _, _ := strings.Cut(lines[baskets-1], ",at=")
	want(t, "last line", last, "Struct{pay_0=Struct{card=card 59},id=54,lines=[Struct{sku=ü0,n=0}, Struct{sku=ü1,n=-1}],tags={t=59}")

	produceBaskets(t, s, md, "by-header", serde.HeaderSchemaIDSerializer)
	wantBaskets(t, s, md, "by-header")
}

// TestProtobufConnectorToDeserializer reads with librdkafka and the deserializer what a source connector writes.
func TestProtobufConnectorToDeserializer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	create(t, s, "source", map[string]string{"connector.class": "sluice.DatagenConnector", "kafka.topic": "bought", "quickstart": "orders",
		"iterations": "50", "max.interval": "1", "tasks.max": "1", "value.converter": protobufConverter,
		"key.converter": "org.apache.kafka.connect.storage.StringConverter"})
	messages := consume(t, s, "bought", 50)
	md := described(t, s, "bought-value")
	d := basketReader(t, s)
	for i, m := range messages {
		got := dynamicpb.NewMessage(md)
		must(t, d.DeserializeInto("bought", m.Value, got))
		order, err := protojson.Marshal(got)
		must(t, err)
		var fields struct {
			Orderid    int
			Orderunits float64
			Address    struct{ City string }
		}
		must(t, json.Unmarshal(order, &fields))
		if fields.Orderid != i || fields.Orderunits < 0.1 || fields.Orderunits > 9.9 || !strings.HasPrefix(fields.Address.City, "City_") {
			t.Errorf("order %d: %s", i, order)
		}
	}
}

// described is the first message of a subject's latest schema, as the registry describes it.
func described(t *testing.T, s *process.Server, subject string) protoreflect.MessageDescriptor {
	t.Helper()
	res, err := http.Get("http://" + s.Registry + "/subjects/" + subject + "/versions/latest/schema?format=serialized")
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	raw, err := base64.StdEncoding.DecodeString(string(text))
	must(t, err)
	file := &descriptorpb.FileDescriptorProto{}
	must(t, proto.Unmarshal(raw, file))
	fd, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	must(t, err)
	return fd.Messages().Get(0)
}

// TestProtobufEvolution registers versions and asks about others with confluent-kafka-go's client.
func TestProtobufEvolution(t *testing.T) {
	t.Parallel()
	c := confluent(t, startServer(t))
	info := func(text string) schemaregistry.SchemaInfo {
		return schemaregistry.SchemaInfo{Schema: text, SchemaType: "PROTOBUF"}
	}
	const one = "syntax = \"proto3\";\n\nmessage Order {\n  int64 id = 1;\n}\n"
	id, err := c.Register("evolving", info("syntax = 'proto3'; message Order { int64 id = 1; }"), false)
	must(t, err)
	got, err := c.GetBySubjectAndID("evolving", id)
	must(t, err)
	want(t, "type", got.SchemaType, "PROTOBUF")
	want(t, "schema", got.Schema, one)
	for text, fits := range map[string]bool{
		`syntax = "proto3"; message Order { uint32 number = 1; string note = 2; }`: true,
		`syntax = "proto3"; message Order { string id = 1; }`:                      false,
		`syntax = "proto3"; package shop; message Order { int64 id = 1; }`:         false,
		`syntax = "proto3"; message Other { int64 id = 1; }`:                       false,
	} {
		ok, err := c.TestSubjectCompatibility("evolving", info(text))
		must(t, err)
		want(t, text, ok, fits)
	}
}

// produceBaskets writes baskets, whose schema the serializer registers.
func produceBaskets(t *testing.T, s *process.Server, md protoreflect.MessageDescriptor, topic string, id serde.SchemaIDSerializerFunc) {
	t.Helper()
	ser, err := protoserde.NewSerializer(confluent(t, s), serde.ValueSerde, protoserde.NewSerializerConfig())
	must(t, err)
	ser.SchemaIDSerializer = id
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": s.Addr, "acks": "all"})
	must(t, err)
	defer p.Close()
	reports := make(chan kafka.Event, baskets)
	for i := range baskets {
		headers, value, err := ser.SerializeWithHeaders(topic, basket(t, md, i))
		must(t, err)
		must(t, p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic}, Value: value, Headers: headers}, reports))
	}
	for range baskets {
		must(t, (<-reports).(*kafka.Message).TopicPartition.Error)
	}
}

func basketReader(t *testing.T, s *process.Server) *protoserde.Deserializer {
	t.Helper()
	d, err := protoserde.NewDeserializer(confluent(t, s), serde.ValueSerde, protoserde.NewDeserializerConfig())
	must(t, err)
	return d
}

// wantBaskets reads them back with a client that has seen none.
func wantBaskets(t *testing.T, s *process.Server, md protoreflect.MessageDescriptor, topic string) {
	t.Helper()
	d := basketReader(t, s)
	for i, m := range consume(t, s, topic, baskets) {
		got := dynamicpb.NewMessage(md)
		must(t, d.DeserializeWithHeadersInto(topic, m.Headers, m.Value, got))
		if w := basket(t, md, i); !proto.Equal(got, w) {
			t.Errorf("basket %d\ngot  %v\nwant %v", i, got, w)
		}
	}
}
