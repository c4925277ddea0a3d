#!/bin/bash
# Records what Kafka's own converters answer: to engine/convert/testdata/inputs.txt
# into kafka.txt beside it, and to the inputs that ./generate makes into
# generated.txt.gz. Needs Java 17 and Maven; the tests need neither.
set -eu -o pipefail
. "$(dirname "$0")/../lib.sh"
cd "$here/converters"
fetch_connect
testdata=$root/engine/convert/testdata
record() { # INPUTS [more]
    echo "# Answers of Kafka Connect $connect_version, recorded by test/conformance/converters/record.sh."
    java -cp "$connect_classpath" Record.java "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
}
record "$testdata/inputs.txt" >"$work/kafka.txt"
go run ./generate >"$work/inputs.txt"
record "$work/inputs.txt" more | gzip -n9 >"$work/generated.txt.gz"
mv "$work/kafka.txt" "$work/generated.txt.gz" "$testdata"
