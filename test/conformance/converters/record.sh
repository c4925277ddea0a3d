#!/bin/sh
# Records what Kafka's own converters answer to engine/convert/testdata/inputs.txt
# into kafka.txt beside it. Needs a JDK 17 and Maven; the tests need neither.
set -eu
cd "$(dirname "$0")"
version=4.1.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/pom.xml" <<POM
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId>
<version>$version</version></dependency></dependencies></project>
POM
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/lib"
testdata=../../../engine/convert/testdata
java -cp "$work/lib/*" Record.java "$testdata/inputs.txt" >"$work/out" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
{ echo "# Answers of Kafka Connect $version, recorded by test/conformance/converters/record.sh."; cat "$work/out"; } >"$testdata/kafka.txt"
