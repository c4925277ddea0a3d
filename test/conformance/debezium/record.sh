#!/bin/bash
# Plays the scenarios, or those that are named, against Debezium in a worker of Apache
# Kafka Connect, on the log of the binary that is built here and a PostgreSQL of its
# own, and keeps what came out in testdata/golden:
#
#     test/conformance/debezium/record.sh [scenario...]
#
# Needs Java 17 and Maven; the tests need neither. The worker's log is kept in
# $RECORD_LOG, if that is set.
set -eu
cd "$(dirname "$0")"
. ../lib.sh
. ./jars.sh
start_sluice "$work/log"
rest=$(free_port)
cat > "$work/worker.properties" <<PROPERTIES
bootstrap.servers=$addr
group.id=debezium
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
config.storage.topic=debezium-configs
offset.storage.topic=debezium-offsets
status.storage.topic=debezium-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.flush.interval.ms=500
listeners=http://127.0.0.1:$rest
plugin.discovery=service_load
PROPERTIES
java -Xmx768m -Duser.timezone=UTC -XX:+UseSerialGC -cp "$classpath" \
    org.apache.kafka.connect.cli.ConnectDistributed "$work/worker.properties" > "${RECORD_LOG:-$work/connect.log}" 2>&1 &
pids+=($!)
wait_port "$rest" $! "Kafka Connect" "${RECORD_LOG:-$work/connect.log}"
cd "$here/debezium"
go build -o "$work/record" ./record
if ! "$work/record" -url "http://127.0.0.1:$rest" -kafka "$addr" -version "$debezium_version" "$@"; then
    grep -E 'ERROR|WARN' -A3 "${RECORD_LOG:-$work/connect.log}" | tail -40 >&2
    exit 1
fi
