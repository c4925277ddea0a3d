#!/bin/bash
# Lets pyarrow, DuckDB and fastavro, from PyPI, read the files that the S3 sink writes:
#
#     test/conformance/lake.sh
set -eu
cd "$(dirname "$0")/../.."
venv=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/lake
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q pyarrow==21.0.0 duckdb==1.4.1 fastavro==1.12.1 cramjam==2.11.0 zstandard==0.25.0 pytz
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
go test -count=1 ./connectors/sink/s3/format -files "$files" > /dev/null
"$venv/bin/python" test/conformance/lake/read.py "$files"
