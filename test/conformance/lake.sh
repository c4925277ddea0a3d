#!/bin/bash
# Lets Parquet for Java, from Maven Central, and pyarrow, DuckDB and fastavro, from PyPI, read the files that the S3 sink writes:
#
#     test/conformance/lake.sh
set -eu
. "$(dirname "$0")/lib.sh"
cd "$root"
venv=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/lake
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q pyarrow==21.0.0 duckdb==1.4.1 fastavro==1.12.1 cramjam==2.11.0 zstandard==0.25.0 pytz
classpath=$(cat "$(maven parquet-1.15.2 org.apache.parquet:parquet-avro:1.15.2 org.apache.hadoop:hadoop-client-{api,runtime}:3.4.1 org.slf4j:slf4j-nop:1.7.36)")
go test -count=1 ./connectors/sink/s3/format -files "$work" > /dev/null
java -cp "$classpath" test/conformance/lake/Read.java "$work"
"$venv/bin/python" test/conformance/lake/read.py "$work"
