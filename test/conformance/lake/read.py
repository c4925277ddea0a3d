"""Reads the files that the tests of the S3 sink's formats write with pyarrow, DuckDB and fastavro, and compares every row with the JSON
lines of the same records, as it does with what Read.java has read."""
import base64
import datetime
import decimal
import glob
import json
import os
import sys

import duckdb
import fastavro
import pyarrow.parquet

folder = sys.argv[1]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
expected = [json.loads(line, parse_float=decimal.Decimal) for line in open(os.path.join(folder, "values.json"))]


def plain(v):
    """A value as JSON has it."""
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, datetime.datetime):
        v = v if v.tzinfo else v.replace(tzinfo=datetime.timezone.utc)
        return round((v - EPOCH) / datetime.timedelta(milliseconds=1))
    if isinstance(v, datetime.date):
        return (v - EPOCH.date()).days
    if isinstance(v, datetime.time):
        return ((v.hour * 60 + v.minute) * 60 + v.second) * 1000 + v.microsecond // 1000
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


def maps(row):
    """JSON has objects for maps with text as keys, and pairs for others; readers have pairs, objects or records of key and value."""
    for name in ("map", "byKey"):
        v = row[name]
        if v is None:
            continue
        if isinstance(v, dict) and set(v) == {"key", "value"}:
            v = list(zip(v["key"], v["value"]))
        elif isinstance(v, list) and v and isinstance(v[0], dict):
            v = [(e["key"], e["value"]) for e in v]
        row[name] = sorted([list(p) for p in (v.items() if isinstance(v, dict) else v)], key=lambda p: p[0])
    return row


def same(a, b):
    if isinstance(a, (float, decimal.Decimal)) or isinstance(b, (float, decimal.Decimal)):
        return a is not None and b is not None and abs(float(a) - float(b)) <= 1e-6 * max(1, abs(float(a)))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def compare(reader, path, rows):
    n = 0
    for n, row in enumerate(rows, 1):
        got, want = maps(plain(dict(row))), maps(dict(expected[n - 1]))
        for name in want:
            if not same(got[name], want[name]):
                sys.exit(f"{reader} {os.path.basename(path)}: row {n}, {name}: {got[name]!r}, want {want[name]!r}")
        if list(row) != list(expected[n - 1]):
            sys.exit(f"{reader} {os.path.basename(path)}: columns {list(row)}")
    print(f"{reader:9} {os.path.basename(path):28} {n} rows equal")
    return n


total = 0
for path in sorted(glob.glob(os.path.join(folder, "values*.parquet"))):
    total += compare("pyarrow", path, pyarrow.parquet.read_table(path).to_pylist())
    # DuckDB and the Brotli of any Parquet: its own wheel reads it too.
    cursor = duckdb.connect().execute(f"SET TimeZone='UTC'; SELECT * FROM read_parquet('{path}')")
    names = [d[0] for d in cursor.description]
    total += compare("duckdb", path, (dict(zip(names, r)) for r in cursor.fetchall()))
for path in sorted(glob.glob(os.path.join(folder, "values*.parquet.java"))):
    with open(path) as lines:
        total += compare("java", path, (json.loads(line) for line in lines))
for path in sorted(glob.glob(os.path.join(folder, "values*.avro"))):
    with open(path, "rb") as f:
        total += compare("fastavro", path, fastavro.reader(f))
for path in (os.path.join(folder, "key.parquet"), os.path.join(folder, "headers.parquet")):
    print(f"pyarrow   {os.path.basename(path):28} {pyarrow.parquet.read_table(path).to_pylist()[:3]}")
for path in (os.path.join(folder, "key.avro"), os.path.join(folder, "headers.avro")):
    with open(path, "rb") as f:
        print(f"fastavro  {os.path.basename(path):28} {list(fastavro.reader(f))[:3]}")
print(f"all passed: {total} rows (pyarrow {pyarrow.__version__}, DuckDB {duckdb.__version__}, fastavro {fastavro.__version__})")
