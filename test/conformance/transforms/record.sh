#!/bin/bash
# Records what Kafka's own transforms and predicates answer to the records and
# configs in engine/transform/testdata into kafka.txt beside them, and what Java's own
# regular expressions and date patterns answer to inputs.txt in the testdata of
# javaregex and javadate into java.txt. Needs a JDK 17 and Maven; the tests need
# neither.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/transforms"
version=4.3.0
classpath=$(cat "$(maven "transforms-$version" org.apache.kafka:{connect-transforms,connect-json}:$version)")
mkdir "$work/classes"
javac -nowarn -cp "$classpath" -d "$work/classes" Oracle.java
transform=$root/engine/transform
oracle() {
	java -Duser.language=en -Duser.country=US -cp "$work/classes:$classpath" Oracle "$@" 2>"$work/log" >"$work/out" || { cat "$work/log" >&2; exit 1; }
	cat "$work/out"
}
oracle transforms $transform/testdata/records.txt $transform/testdata/transforms.txt >"$work/kafka"
{ echo "## Answers of Kafka Connect $version, recorded by test/conformance/transforms/record.sh."; cat "$work/kafka"; } >$transform/testdata/kafka.txt
for what in regex dates; do
	case $what in regex) package=$root/internal/javaregex ;; dates) package=$transform/javadate ;; esac
	oracle $what $package/testdata/inputs.txt >"$work/java"
	{ echo "## Answers of Java 17, recorded by test/conformance/transforms/record.sh."; cat "$work/java"; } >$package/testdata/java.txt
done
