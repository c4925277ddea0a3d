#!/bin/bash
# Judges bin/sluice server with Apache Kafka's Java clients (java/*.java):
#
#     test/conformance/java-clients.sh [sluice|kafka] [PATTERN]
#
# PATTERN is a regular expression that scenario names must match; without one all
# run. The server is killed with -9 by some. Needs a JDK 17 and Maven.
set -eu
. "$(dirname "$0")/lib.sh"

server=${1:-sluice}
pattern=${2:-.*}
fetch_kafka
mkdir -p "$work/classes"
javac -nowarn -cp "$classpath" -d "$work/classes" "$here"/java/*.java

# The program starts the server itself; here it is only found out how.
start_server "$server" "$work/server"
case $server in
    sluice)
        stop "$sluice_pid"
        command=("$work/sluice" server --data-dir "$work/server/data" --rest 127.0.0.1:0 --registry 127.0.0.1:0 --kafka "$addr")
        ;;
    kafka)
        stop "$kafka_pid"
        command=(java -Xmx512m -cp "$classpath" kafka.Kafka "$work/server/server.properties")
        ;;
esac
code=0
timeout "${JAVA_TIMEOUT:-1200}" java -Xmx1g -XX:+UseSerialGC "-Dserver.log=$work/server/log" -cp "$work/classes:$classpath" \
    Clients "$addr" "$pattern" "${command[@]}" || code=$?
[ $code = 0 ] || [ ! "${KEEP:-}" ] || cp "$work/server/log" "$KEEP"
exit $code
