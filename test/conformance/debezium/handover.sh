#!/bin/bash
# Hands a connector over from Debezium in a worker of Apache Kafka Connect to Sluice and
# back, with its offset, and keeps Debezium's offsets in testdata/golden/handover.json.
# With -baseline Debezium is only stopped and started, for what it loses by itself. Needs Java 17 and Maven; the tests need neither.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/debezium"
. ./worker.sh
go build -o "$work/handover" ./handover
if ! "$work/handover" -java "http://127.0.0.1:$rest" -addresses "$work/log/data/addresses.json" "$@"; then
    grep -E 'ERROR|WARN' -A3 "$connect_log" | tail -40 >&2
    grep -E 'level=(ERROR|WARN)' "$work/log/sluice.log" | tail -20 >&2
    exit 1
fi
