#!/bin/bash
# Records what Kafka's own FileStreamSourceTask makes of
# connectors/source/file/testdata/cases.txt into kafka.txt beside it. Needs Java 17
# and Maven; the tests need neither.
set -eu
cd "$(dirname "$0")"
. ../connectjars.sh
testdata=../../../connectors/source/file/testdata
out=$(mktemp)
java -cp "$classpath" Record.java "$testdata/cases.txt" > "$out"
{ echo "# Answers of Kafka Connect $version, recorded by test/conformance/filestream/record.sh."; echo; cat "$out"; } > "$testdata/kafka.txt"
rm -f "$out"
