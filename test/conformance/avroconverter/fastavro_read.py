"""Reads lines of an Avro schema and data in hex, and adds what fastavro reads and writes again."""
import io
import json
import struct
import sys

import fastavro


def without_logical_types(schema):
    """Values are to be those of the types below them."""
    if isinstance(schema, dict):
        return {k: without_logical_types(v) for k, v in schema.items() if k != "logicalType"}
    if isinstance(schema, list):
        return [without_logical_types(s) for s in schema]
    return schema


def plain(value):
    """A form in which no number loses a bit."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return "i:%d" % value
    if isinstance(value, float):
        return "f:" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "s:" + value
    if isinstance(value, bytes):
        return "b:" + value.hex()
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items()}


for line in sys.stdin:
    record = json.loads(line)
    schema = fastavro.parse_schema(without_logical_types(record["schema"]))
    data = io.BytesIO(bytes.fromhex(record["data"]))
    value = fastavro.schemaless_reader(data, schema)
    if data.read():
        sys.exit("data is left: " + line)
    again = io.BytesIO()
    fastavro.schemaless_writer(again, schema, value)
    json.dump({"data": record["data"], "again": again.getvalue().hex(), "value": plain(value)}, sys.stdout,
              ensure_ascii=False, separators=(",", ":"))
    print()
