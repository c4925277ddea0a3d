"""The registry client and the Avro serializers of confluent-kafka, against the registry at the URL of the command line."""
import sys

from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaReference, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

client = SchemaRegistryClient({"url": sys.argv[1]})


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


def refused(what, code, call):
    try:
        got = call()
    except SchemaRegistryError as e:
        check(what, e.error_code, code)
        return
    sys.exit(f"{what}: got {got!r}, want the error {code}")


first = Schema('{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}', "AVRO")
second = Schema('{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"],"default":null}]}', "AVRO")
user = Schema('{"type":"array","items":"R"}', "AVRO", [SchemaReference("R", "a/b", 1)])
check("register_schema", client.register_schema("a/b", first), 1)
check("register_schema again", client.register_schema("a/b", second, normalize_schemas=True), 2)
check("register_schema with a reference", client.register_schema("user", user), 3)
check("get_schema", client.get_schema(1).schema_str, first.schema_str)
check("references", [(r.name, r.subject, r.version) for r in client.get_schema(3).references], [("R", "a/b", 1)])
found = client.lookup_schema("a/b", first)
check("lookup_schema", (found.subject, found.version, found.schema_id), ("a/b", 1, 1))
check("get_subjects", client.get_subjects(), ["a/b", "user"])
check("get_versions", client.get_versions("a/b"), [1, 2])
check("get_latest_version", client.get_latest_version("a/b").version, 2)
check("get_version", client.get_version("a/b", 1).schema.schema_str, first.schema_str)
check("test_compatibility", client.test_compatibility("a/b", Schema('"int"', "AVRO")), False)
check("get_compatibility", client.get_compatibility(), "BACKWARD")
check("set_compatibility", client.set_compatibility("a/b", "FULL")["compatibility"], "FULL")
client.set_config("user", ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
check("get_config", client.get_config("user").compatibility_level, ConfigCompatibilityLevel.NONE)
refused("an incompatible schema", 409, lambda: client.register_schema("a/b", Schema('"int"', "AVRO")))
refused("no Avro", 42201, lambda: client.register_schema("a/b", Schema('{"type":"x"}', "AVRO")))
refused("no subject", 40401, lambda: client.get_latest_version("none"))
refused("a schema in use", 42206, lambda: client.delete_version("a/b", 1))
check("delete_version", client.delete_version("a/b", 2), 2)
check("delete_subject", client.delete_subject("user"), [1])
check("delete_subject for good", client.delete_subject("user", permanent=True), [1])

context = SerializationContext("readings", MessageField.VALUE)
value = {"a": 7, "b": "é"}
payload = AvroSerializer(client, second.schema_str)(value, context)
check("AvroSerializer", payload[:5], b"\x00\x00\x00\x00\x02")
check("AvroDeserializer", AvroDeserializer(client)(payload, context), value)
print("all passed")
