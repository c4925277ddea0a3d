#!/bin/bash
# Plays the scenarios, or those that are named, against Debezium in a worker of Apache
# Kafka Connect, on the log of the binary that is built here and a PostgreSQL of its
# own, and keeps what came out in testdata/golden:
#
#     test/conformance/debezium/record.sh [scenario...]
#
# Needs Java 17 and Maven; the tests need neither. The worker's log is kept in
# $RECORD_LOG, and what came out goes to the folder $RECORD_OUT, if these are set.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/debezium"
. ./worker.sh
go build -o "$work/record" ./record
if ! "$work/record" -url "http://127.0.0.1:$rest" -kafka "$addr" -version "$debezium_version" -out "${RECORD_OUT:-testdata/golden}" "$@"; then
    grep -E 'ERROR|WARN' -A3 "$connect_log" | tail -40 >&2
    exit 1
fi
