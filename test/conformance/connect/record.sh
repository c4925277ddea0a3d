#!/bin/bash
# Records what an Apache Kafka Connect worker answers to the scripts under testdata
# into kafka.txt beside each, or to those of the directories that are named:
#
#     test/conformance/connect/record.sh [testdata/topics]
#
# The worker is Kafka's own, in distributed mode, on the log of the binary that is
# built here. Needs Java 17 and Maven; the tests need neither.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- testdata testdata/topics
. ../connectjars.sh
work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

(cd ../../.. && CGO_ENABLED=0 go build -o "$work/sluice" ./cmd/sluice)
port=$((20000 + RANDOM % 20000))
rest=$((port + 1))
"$work/sluice" server --data-dir "$work/data" --rest 127.0.0.1:0 --registry 127.0.0.1:0 --kafka "127.0.0.1:$port" > "$work/sluice.log" 2>&1 &
pids+=($!)

cat > "$work/worker.properties" <<PROPERTIES
bootstrap.servers=127.0.0.1:$port
group.id=connect-cluster
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
config.storage.topic=java-configs
offset.storage.topic=java-offsets
status.storage.topic=java-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.flush.interval.ms=1000
listeners=http://127.0.0.1:$rest
plugin.discovery=service_load
PROPERTIES
mkdir "$work/files" "$work/classes"
javac -nowarn -cp "$classpath" -d "$work/classes" ReportingSink.java
mkdir -p "$work/classes/META-INF/services"
echo ReportingSink > "$work/classes/META-INF/services/org.apache.kafka.connect.sink.SinkConnector"
printf 'one\ntwo\nthree\n' > "$work/files/in.txt"
java -Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$work/classes:$classpath" \
    org.apache.kafka.connect.cli.ConnectDistributed "$work/worker.properties" > "$work/connect.log" 2>&1 &
pids+=($!)

if ! go run ./record -url "http://127.0.0.1:$rest" -kafka "127.0.0.1:$port" -files "$work/files" -version "$version" "$@"; then
    tail -40 "$work/connect.log" "$work/sluice.log" >&2
    exit 1
fi
