"""Judges a schema registry with confluent-kafka-python: registry_client.py KAFKA REST_URL REGISTRY_URL.

Prints a line for each scenario and exits 1 when one failed.
"""
import io
import json
import sys
import time
import traceback
import urllib.request

import avro.io
import avro.schema
import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Metadata, MetadataProperties, Schema, SchemaReference, SchemaRegistryClient, ServerConfig, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2

KAFKA, REST, REGISTRY = sys.argv[1:]

ONE = '{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"}]}'
TWO = '{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}'
BAD = '{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"must","type":"string"}]}'
CART = '{"type":"record","name":"Cart","namespace":"shop","fields":[{"name":"orders","type":{"type":"array","items":"shop.Order"}}]}'


def client():
    """A client without anything in its caches."""
    return SchemaRegistryClient({"url": REGISTRY})


def schema(text, **more):
    return Schema(text, "AVRO", **more)


def refused(code, part, call, *args, **named):
    """The registry answers a call with an error code and a message with a part."""
    try:
        got = call(*args, **named)
    except SchemaRegistryError as e:
        assert e.error_code == code and part in e.error_message, f"{e.error_code}: {e.error_message}"
        return
    raise AssertionError(f"{call.__name__} is not refused: {got}")


def schemas():
    c = client()
    first = c.register_schema("orders", schema(ONE))
    second = c.register_schema_full_response("orders", schema(TWO), normalize_schemas=True)
    assert second.schema_id == first + 1 and second.guid, second
    c = client()
    assert c.register_schema("orders", schema(ONE)) == first
    assert c.get_schema(first, "orders").schema_str == ONE
    assert client().get_schema(first).schema_str == ONE
    assert '"note"' in client().get_schema_by_guid(second.guid).schema_str
    found = client().lookup_schema("orders", schema(" " + ONE))
    assert (found.version, found.schema_id, found.subject) == (1, first, "orders"), found
    assert c.get_subjects() == ["orders"]
    assert c.get_versions("orders") == [1, 2]
    assert c.get_latest_version("orders").version == 2
    assert c.get_version("orders", 1).schema_id == first
    assert c.get_version("orders", "latest").version == 2
    refused(40401, "none", c.get_version, "none", 1)
    refused(40402, "9", c.get_version, "orders", 9)
    refused(40403, "999", c.get_schema, 999)
    refused(42201, "", c.register_schema, "orders", schema('{"type":"nothing"}'))


def references():
    c = client()
    refs = [SchemaReference("shop.Order", "orders", 1)]
    made = c.register_schema("carts", schema(CART, references=refs))
    got = client().get_schema(made).references
    assert [(r.name, r.subject, r.version) for r in got] == [("shop.Order", "orders", 1)], got
    refused(42201, "orders", c.register_schema, "carts", schema(CART, references=[SchemaReference("shop.Order", "orders", 7)]))
    refused(42206, "orders", c.delete_version, "orders", 1)


def compatibility():
    c = client()
    refused(409, "READER_FIELD_MISSING_DEFAULT_VALUE", c.register_schema, "orders", schema(BAD))
    assert c.test_compatibility("orders", schema(TWO), 1) and not c.test_compatibility("orders", schema(BAD), verbose=True)
    assert c.test_compatibility_all_versions("orders", schema(TWO)) and not c.test_compatibility_all_versions("orders", schema(BAD))
    assert c.get_compatibility() == "BACKWARD"
    for level in ["FULL", "FORWARD", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE", "NONE"]:
        c.set_compatibility("orders", level)
        assert c.get_compatibility("orders") == level
    assert c.register_schema("orders", schema(BAD)) > 0
    refused(40408, "unset", c.get_compatibility, "unset")
    refused(42203, "", c.set_compatibility, "orders", "SOMETIMES")


def configs():
    c = client()
    c.set_config("configured", ServerConfig(compatibility=ConfigCompatibilityLevel.FORWARD, compatibility_group="major"))
    got = c.get_config("configured")
    assert (str(got.compatibility_level), got.compatibility_group) == ("FORWARD", "major"), got
    assert str(c.get_config().compatibility_level) == "BACKWARD"
    c.delete_config("configured")
    refused(40408, "configured", c.get_config, "configured")
    assert c.get_global_mode() == "READWRITE"
    assert c.update_mode("configured", "READONLY") == "READONLY" and c.get_mode("configured") == "READONLY"
    refused(42205, "configured", c.register_schema, "configured", schema(ONE))
    c.delete_mode("configured")
    refused(40409, "configured", c.get_mode, "configured")
    assert c.update_global_mode("READWRITE") == "READWRITE"


def lists():
    c = client()
    first = c.get_version("orders", 1).schema_id
    assert c.get_subjects(subject_prefix="ord") == ["orders"] and c.get_subjects(offset=1, limit=1) == ["orders"]
    assert c.get_subjects_by_schema_id(first) == ["orders"]
    assert [(v.subject, v.version) for v in c.get_schema_versions(first)] == [("orders", 1)]
    assert c.get_versions("orders", deleted=True, offset=1) == [2]
    assert c.get_referenced_by("orders", 1) == [c.get_latest_version("carts").schema_id]
    assert c.get_contexts() == ["."]
    assert c.get_schema_types() == ["JSON", "PROTOBUF", "AVRO"]
    # Without associations clients name subjects after topics: they want a 404.
    refused(404, "", c.get_associations_by_resource_name, "orders", "-")


def metadata():
    c = client()
    for major in "12":
        tagged = Metadata(None, MetadataProperties({"major": major}), None)
        c.register_schema("tagged", schema(ONE, metadata=tagged))
    got = c.get_latest_with_metadata("tagged", {"major": "1"})
    assert got.version == 1 and got.schema.metadata.properties.properties == {"major": "1"}, got
    refused(40403, "", c.get_latest_with_metadata, "tagged", {"major": "3"})


def deletes():
    c = client()
    assert c.delete_version("tagged", 2) == 2
    assert c.get_versions("tagged") == [1]
    assert client().get_version("tagged", 2, deleted=True).version == 2
    assert c.delete_version("tagged", 2, permanent=True) == 2
    assert c.delete_subject("tagged") == [1]
    refused(40404, "tagged", c.delete_subject, "tagged")
    assert c.delete_subject("tagged", permanent=True) == [1]
    refused(40405, "carts", c.delete_subject, "carts", permanent=True)
    for how in [False, True]:
        assert c.delete_subject("carts", permanent=how) == [1]
    assert c.get_subjects() == ["orders"]


ROW = """{"type":"record","name":"Row","namespace":"python","fields":[{"name":"id","type":"long"},{"name":"text","type":["null","string"],"default":null},
 {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},{"name":"when","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B"]}},{"name":"numbers","type":{"type":"map","values":"double"}},
 {"name":"hash","type":{"type":"fixed","name":"Hash","size":4}}]}"""


def rows(n):
    import datetime
    import decimal
    for i in range(n):
        yield {"id": i - 5, "text": None if i % 3 == 0 else f"text ü {i}", "amount": decimal.Decimal(i * 37 - 100).scaleb(-2),
               "when": datetime.datetime(2026, 1, 1, 0, 0, i % 60, 123000, tzinfo=datetime.timezone.utc), "kind": "AB"[i % 2],
               "numbers": {"x": i / 4}, "hash": b"%04d" % i}


def serializers():
    for name, more in {"rows": {}, "rows-by-header": {"schema.id.serializer": header_schema_id_serializer}}.items():
        ser = AvroSerializer(client(), ROW, conf={"auto.register.schemas": True, **more})
        p = Producer({"bootstrap.servers": KAFKA})
        failed = []
        for row in rows(50):
            ctx = SerializationContext(name, MessageField.VALUE, headers=[])
            p.produce(name, value=ser(row, ctx), headers=ctx.headers, on_delivery=lambda err, _: failed.append(err) if err else None)
        assert p.flush(30) == 0 and not failed, failed
        de = AvroDeserializer(client())
        got = [de(m.value(), SerializationContext(name, MessageField.VALUE, headers=m.headers() or [])) for m in consume(name, 50)]
        assert got == list(rows(50)), got[:2]


def connector_to_readers():
    """What a source connector wrote, with three readers: the deserializer, fastavro alone, and Apache's avro alone."""
    post("src", {"connector.class": "sluice.DatagenConnector", "kafka.topic": "bought", "quickstart": "orders", "iterations": "40", "max.interval": "1",
                 "tasks.max": "1", "value.converter": "io.confluent.connect.avro.AvroConverter"})
    de = AvroDeserializer(client())
    for i, m in enumerate(consume("bought", 40)):
        b = m.value()
        assert b[0] == 0
        text = client().get_schema(int.from_bytes(b[1:5], "big")).schema_str
        one = de(b, SerializationContext("bought", MessageField.VALUE))
        rest = io.BytesIO(b[5:])
        two = fastavro.schemaless_reader(rest, fastavro.parse_schema(json.loads(text)))
        assert rest.read() == b"", "bytes are left"
        three = avro.io.DatumReader(avro.schema.parse(text)).read(avro.io.BinaryDecoder(io.BytesIO(b[5:])))
        assert one == two == three and one["orderid"] == i and one["address"]["city"].startswith("City_"), (one, two, three)


def serializer_to_sink():
    """A sink reads what the serializer wrote in `serializers`."""
    import os
    import tempfile
    out = os.path.join(tempfile.mkdtemp(), "out.txt")
    post("sink", {"connector.class": "FileStreamSink", "file": out, "topics": "rows", "tasks.max": "1", "value.converter": "io.confluent.connect.avro.AvroConverter"})
    lines, end = [], time.monotonic() + 60
    while len(lines) < 50 and time.monotonic() < end:
        time.sleep(0.1)
        if os.path.exists(out):
            lines = open(out, encoding="utf-8").read().splitlines()
    assert len(lines) == 50 and lines[0].startswith("Struct{id=-5,amount=-1.00,when=") and "text=text ü 49" in lines[49], lines[:1] + lines[-1:]


PART = '{"type":"object","title":"Part","properties":{"id":{"type":"integer"},"name":{"type":["string","null"]}},"required":["id"],"additionalProperties":false}'
WIDER = PART.replace('"id":{"type":"integer"}', '"id":{"type":"number"},"note":{"type":"string"}')
NARROWER = PART.replace('"integer"', '"string"')


def json_schemas():
    c = client()
    as_json = lambda text, **more: Schema(text, "JSON", **more)
    first = c.register_schema("parts", as_json(PART))
    assert client().register_schema("parts", as_json(" " + PART)) == first
    got = client().get_schema(first)
    assert (got.schema_type, got.schema_str) == ("JSON", PART), got
    assert client().lookup_schema("parts", as_json(PART)).schema_id == first
    assert c.test_compatibility("parts", as_json(WIDER)) and not c.test_compatibility("parts", as_json(NARROWER))
    refused(409, "TYPE_CHANGED", c.register_schema, "parts", as_json(NARROWER))
    refused(409, "different schema type", c.register_schema, "parts", schema(ONE))
    refused(42201, "/type", c.register_schema, "parts", as_json('{"type":"text"}'))
    refused(42201, "nobody.json", c.register_schema, "parts", as_json('{"$ref":"nobody.json"}'))
    box = '{"type":"object","title":"Box","properties":{"parts":{"type":"array","items":{"$ref":"part.json"}}}}'
    made = c.register_schema("boxes", as_json(box, references=[SchemaReference("part.json", "parts", 1)]))
    assert c.get_referenced_by("parts", 1) == [made]
    ser = JSONSerializer(as_json(box, references=[SchemaReference("part.json", "parts", 1)]), client())
    ctx = SerializationContext("boxes-by-reference", MessageField.VALUE)
    value = {"parts": [{"id": 1, "name": None}]}
    assert JSONDeserializer(None, schema_registry_client=client())(ser(value, ctx), ctx) == value


def parts(n):
    for i in range(n):
        yield {"id": i - 5, "name": None if i % 3 == 0 else f"part ü {i}"}


def json_serializers():
    for name, more in {"parts-data": {}, "parts-by-header": {"schema.id.serializer": header_schema_id_serializer}}.items():
        ser = JSONSerializer(PART, client(), conf={"auto.register.schemas": True, **more})
        p = Producer({"bootstrap.servers": KAFKA})
        failed = []
        for part in parts(50):
            ctx = SerializationContext(name, MessageField.VALUE, headers=[])
            p.produce(name, value=ser(part, ctx), headers=ctx.headers, on_delivery=lambda err, _: failed.append(err) if err else None)
        assert p.flush(30) == 0 and not failed, failed
        de = JSONDeserializer(None, schema_registry_client=client())
        got = [de(m.value(), SerializationContext(name, MessageField.VALUE, headers=m.headers() or [])) for m in consume(name, 50)]
        assert got == list(parts(50)), got[:2]


def json_connector_to_reader():
    """What a source connector wrote with JsonSchemaConverter, with the deserializer, which validates it by the registered schema."""
    post("json-src", {"connector.class": "sluice.DatagenConnector", "kafka.topic": "json-bought", "quickstart": "orders", "iterations": "40", "max.interval": "1",
                      "tasks.max": "1", "value.converter": "io.confluent.connect.json.JsonSchemaConverter"})
    de = JSONDeserializer(None, schema_registry_client=client())
    for i, m in enumerate(consume("json-bought", 40)):
        got = de(m.value(), SerializationContext("json-bought", MessageField.VALUE))
        assert got["orderid"] == i and got["address"]["city"].startswith("City_"), got
    text = json.loads(client().get_latest_version("json-bought-value").schema.schema_str)
    assert text["properties"]["orderid"]["connect.type"] == "int32" and text["properties"]["orderid"]["connect.index"] == 1, text


def json_serializer_to_sink():
    """A sink reads what the serializer wrote in `json_serializers`."""
    import os
    import tempfile
    out = os.path.join(tempfile.mkdtemp(), "out.txt")
    post("json-sink", {"connector.class": "FileStreamSink", "file": out, "topics": "parts-data", "tasks.max": "1",
                       "value.converter": "io.confluent.connect.json.JsonSchemaConverter"})
    lines, end = [], time.monotonic() + 60
    while len(lines) < 50 and time.monotonic() < end:
        time.sleep(0.1)
        if os.path.exists(out):
            lines = open(out, encoding="utf-8").read().splitlines()
    assert len(lines) == 50 and lines[0] == "Struct{id=-5}" and "name=" in lines[49] and "part ü 49" in lines[49], lines[:1] + lines[-1:]


SHOP = 'syntax = "proto3";\npackage shop;\n\nmessage Item {\n  string sku = 1;\n  oneof price {\n    int64 cents = 2;\n    double units = 3;\n  }\n}\n'


def protobuf_schemas():
    c = client()
    as_proto = lambda text, **more: Schema(text, "PROTOBUF", **more)
    first = c.register_schema("items", as_proto(SHOP))
    assert client().register_schema("items", as_proto("// what is sold\n" + SHOP.replace("  ", "\t"))) == first
    got = client().get_schema(first)
    assert got.schema_type == "PROTOBUF" and got.schema_str == SHOP.replace("oneof", "\n  oneof").replace("\n  \n", "\n\n"), got
    assert client().lookup_schema("items", as_proto(SHOP)).schema_id == first
    import base64
    file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(client().get_schema(first, fmt="serialized").schema_str))
    assert file.package == "shop" and [f.name for f in file.message_type[0].field] == ["sku", "cents", "units"], file
    wider = SHOP.replace("}\n}", "}\n  bool sold = 4;\n}")
    assert c.test_compatibility("items", as_proto(wider)) and not c.test_compatibility("items", as_proto(SHOP.replace("string", "double")))
    refused(409, "FIELD_SCALAR_KIND_CHANGED", c.register_schema, "items", as_proto(SHOP.replace("string", "double")))
    refused(409, "ONEOF_FIELD_REMOVED", c.register_schema, "items", as_proto(SHOP.replace("    double units = 3;\n", "")))
    refused(409, "different schema type", c.register_schema, "items", schema(ONE))
    refused(42201, "nobody.proto", c.register_schema, "items", as_proto('syntax = "proto3"; import "nobody.proto";'))
    cart = 'syntax = "proto3"; package shop; import "item.proto"; message Cart { repeated Item items = 1; }'
    made = c.register_schema("cart", as_proto(cart, references=[SchemaReference("item.proto", "items", 1)]))
    assert c.get_referenced_by("items", 1) == [made]
    refused(42206, "items", c.delete_version, "items", 1)


def message_classes():
    """Classes of messages as a compiler of Protobuf makes them: of one file that imports another and a known one."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    line = descriptor_pb2.FileDescriptorProto(name="shop/line.proto", package="shop", syntax="proto3")
    m = line.message_type.add(name="Line")
    m.field.add(name="sku", number=1, type=9, label=1)
    m.field.add(name="n", number=2, type=17, label=1)
    file = descriptor_pb2.FileDescriptorProto(name="shop/basket.proto", package="shop", syntax="proto3",
                                              dependency=["shop/line.proto", "google/protobuf/timestamp.proto"])
    file.message_type.add(name="Other").field.add(name="x", number=1, type=5, label=1)
    m = file.message_type.add(name="Basket")
    m.field.add(name="id", number=1, type=3, label=1)
    m.field.add(name="lines", number=2, type=11, type_name=".shop.Line", label=3)
    m.field.add(name="tags", number=3, type=11, type_name=".shop.Basket.TagsEntry", label=3)
    m.field.add(name="at", number=4, type=11, type_name=".google.protobuf.Timestamp", label=1)
    m.field.add(name="card", number=5, type=9, label=1, oneof_index=0)
    m.field.add(name="cash", number=6, type=8, label=1, oneof_index=0)
    m.field.add(name="note", number=7, type=9, label=1, oneof_index=1, proto3_optional=True)
    m.field.add(name="kind", number=8, type=14, type_name=".shop.Basket.Kind", label=1)
    m.oneof_decl.add(name="pay")
    m.oneof_decl.add(name="_note")
    entry = m.nested_type.add(name="TagsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)
    entry.field.add(name="value", number=2, type=5, label=1)
    kind = m.enum_type.add(name="Kind")
    kind.value.add(name="NEW", number=0)
    kind.value.add(name="OLD", number=1)
    for f in (line, file):
        pool.Add(f)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Basket"))


BASKET = message_classes()


def baskets(n):
    for i in range(n):
        b = BASKET(id=i - 5, kind=i % 2)
        for j in range(i % 3):
            b.lines.add(sku=f"ü{j}", n=-j)
        b.tags["t"] = i
        b.at.FromMilliseconds(1_700_000_000_000 + i)
        if i % 2:
            b.card = f"card {i}"
        else:
            b.cash = False
        if i % 5 == 0:
            b.note = ""
        yield b


def protobuf_serializers():
    """Serializer, with an imported file that it registers by itself and a message that is not the first, librdkafka, deserializer."""
    for name, more in {"baskets": {}, "baskets-by-header": {"schema.id.serializer": header_schema_id_serializer}, "baskets-normal": {"normalize.schemas": True}}.items():
        ser = ProtobufSerializer(BASKET, client(), {"use.deprecated.format": False, **more})
        p = Producer({"bootstrap.servers": KAFKA})
        failed = []
        for b in baskets(50):
            ctx = SerializationContext(name, MessageField.VALUE, headers=[])
            p.produce(name, value=ser(b, ctx), headers=ctx.headers, on_delivery=lambda err, _: failed.append(err) if err else None)
        assert p.flush(30) == 0 and not failed, failed
        de = ProtobufDeserializer(BASKET, {"use.deprecated.format": False}, client())
        got = [de(m.value(), SerializationContext(name, MessageField.VALUE, headers=m.headers() or [])) for m in consume(name, 50)]
        assert got == list(baskets(50)), got[:2]
    c = client()
    latest = c.get_latest_version("baskets-value")
    assert [(r.name, r.subject) for r in latest.schema.references] == [("shop/line.proto", "shop/line.proto")], latest.schema.references
    assert "repeated .shop.Basket.TagsEntry tags = 3" in latest.schema.schema_str and "option map_entry = true;" in latest.schema.schema_str, latest.schema.schema_str
    assert "map<string, int32> tags = 3" in c.get_latest_version("baskets-normal-value").schema.schema_str


def protobuf_connector_to_reader():
    """What a source connector wrote with ProtobufConverter, with the deserializer and the schema as the registry describes it."""
    import base64
    post("proto-src", {"connector.class": "sluice.DatagenConnector", "kafka.topic": "proto-bought", "quickstart": "orders", "iterations": "40", "max.interval": "1",
                       "tasks.max": "1", "value.converter": "io.confluent.connect.protobuf.ProtobufConverter"})
    messages = consume("proto-bought", 40)
    latest = client().get_latest_version("proto-bought-value", fmt="serialized")
    file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(latest.schema.schema_str))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    name = ".".join(filter(None, [file.package, file.message_type[0].name]))
    cls = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    de = ProtobufDeserializer(cls, {"use.deprecated.format": False}, client())
    for i, m in enumerate(messages):
        got = de(m.value(), SerializationContext("proto-bought", MessageField.VALUE))
        assert got.orderid == i and got.address.city.startswith("City_") and 0.1 <= got.orderunits <= 9.9, json_format.MessageToJson(got)


def protobuf_serializer_to_sink():
    """A sink reads what the serializer wrote in `protobuf_serializers`."""
    import os
    import tempfile
    out = os.path.join(tempfile.mkdtemp(), "out.txt")
    post("proto-sink", {"connector.class": "FileStreamSink", "file": out, "topics": "baskets", "tasks.max": "1",
                        "value.converter": "io.confluent.connect.protobuf.ProtobufConverter"})
    lines, end = [], time.monotonic() + 60
    while len(lines) < 50 and time.monotonic() < end:
        time.sleep(0.1)
        if os.path.exists(out):
            lines = open(out, encoding="utf-8").read().splitlines()
    assert len(lines) == 50 and lines[0].startswith("Struct{pay_0=Struct{cash=false},id=-5,lines=[],tags={t=0},at=") and lines[0].endswith(",note=,kind=NEW}"), lines[:1]
    assert lines[49].startswith("Struct{pay_0=Struct{card=card 49},id=44,lines=[Struct{sku=ü0,n=0}],tags={t=49},at=") and lines[49].endswith(",kind=OLD}"), lines[-1:]


def post(name, config):
    body = json.dumps({"name": name, "config": config}).encode()
    urllib.request.urlopen(urllib.request.Request(REST + "/connectors", body, {"Content-Type": "application/json"})).read()


def consume(topic, n):
    c = Consumer({"bootstrap.servers": KAFKA, "group.id": "reader", "topic.metadata.refresh.interval.ms": 500})
    c.assign([TopicPartition(topic, 0, 0)])
    got, end = [], time.monotonic() + 60
    while len(got) < n and time.monotonic() < end:
        m = c.poll(0.5)
        if m is not None and not m.error():
            got.append(m)
    c.close()
    assert len(got) == n, f"{len(got)} of {n} records"
    return got


SCENARIOS = [schemas, references, lists, compatibility, configs, metadata, deletes, serializers, connector_to_readers, serializer_to_sink, json_schemas, json_serializers, json_connector_to_reader,
             json_serializer_to_sink, protobuf_schemas, protobuf_serializers, protobuf_connector_to_reader, protobuf_serializer_to_sink]


def main():
    failed = 0
    for s in SCENARIOS:
        try:
            s()
            print(f"pass {s.__name__}")
        except Exception:
            failed += 1
            print(f"FAIL {s.__name__}")
            traceback.print_exc()
    print(f"{len(SCENARIOS)} scenarios, {failed} failed")
    sys.exit(1 if failed else 0)


main()
