#!/bin/bash
# Records what Kafka Connect's own classes make of its group protocol: the bytes of the
# subscriptions and assignments in engine/cluster/testdata/wire.txt, and the rounds of
# its assignor in rounds.txt.gz beside it. Needs Java 17 and Maven; the tests need
# neither.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/workers"
fetch_kafka
mkdir "$work/classes"
javac -nowarn -cp "$classpath" -d "$work/classes" Oracle.java
classpath="$work/classes:$classpath"
testdata=$root/engine/cluster/testdata
{
    echo "# The bytes are those of Kafka Connect $kafka_version, recorded by test/conformance/workers/record.sh."
    run_java org.apache.kafka.connect.runtime.distributed.Oracle wire wire.txt
} >"$work/wire.txt"
run_java org.apache.kafka.connect.runtime.distributed.Oracle rounds 150 >"$work/rounds.txt"
gzip -9n "$work/rounds.txt"
mv "$work/wire.txt" "$work/rounds.txt.gz" "$testdata/"
