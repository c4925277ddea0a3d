#!/bin/bash
# Records what Kafka's own FileStreamSourceTask makes of
# connectors/source/file/testdata/cases.txt into kafka.txt beside it. Needs Java 17
# and Maven; the tests need neither.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/filestream"
fetch_connect
testdata=$root/connectors/source/file/testdata
out=$work/out
java -cp "$connect_classpath" Record.java "$testdata/cases.txt" > "$out"
{ echo "# Answers of Kafka Connect $connect_version, recorded by test/conformance/filestream/record.sh."; echo; cat "$out"; } > "$testdata/kafka.txt"
