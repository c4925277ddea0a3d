#!/bin/bash
# Records what an Apache Kafka Connect worker answers to the scripts under testdata
# into kafka.txt beside each, or to those of the directories that are named:
#
#     test/conformance/connect/record.sh [testdata/topics]
#
# The worker is Kafka's own, in distributed mode, on the log of the binary that is
# built here. Needs Java 17 and Maven; the tests need neither.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/connect"
[ $# -gt 0 ] || set -- testdata testdata/topics
fetch_connect
start_sluice "$work"
rest=127.0.0.1:$(free_port)
worker_properties connect-cluster storage.StringConverter offset.flush.interval.ms=1000 "listeners=http://$rest" plugin.discovery=service_load > "$work/worker.properties"
mkdir "$work/files" "$work/classes"
javac -nowarn -cp "$connect_classpath" -d "$work/classes" ReportingSink.java
mkdir -p "$work/classes/META-INF/services"
echo ReportingSink > "$work/classes/META-INF/services/org.apache.kafka.connect.sink.SinkConnector"
printf 'one\ntwo\nthree\n' > "$work/files/in.txt"
start_connect "$work/classes:$connect_classpath" "$work/worker.properties" "$work/connect.log" -Xmx384m -XX:TieredStopAtLevel=1

if ! go run ./record -url "http://$rest" -kafka "$addr" -files "$work/files" -version "$connect_version" "$@"; then
    tail -40 "$work/connect.log" "$work/sluice.log" >&2
    exit 1
fi
