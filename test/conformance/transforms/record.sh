#!/bin/sh
# Records what Kafka's own transforms and predicates answer to the records and
# configs in engine/transform/testdata into kafka.txt beside them, and what Java's own
# regular expressions and date patterns answer to inputs.txt in the testdata of
# javaregex and javadate into java.txt. Needs a JDK 17 and Maven; the tests need
# neither.
set -eu
cd "$(dirname "$0")"
version=4.3.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/pom.xml" <<POM
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>connect-transforms</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId><version>$version</version></dependency>
</dependencies></project>
POM
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/lib"
mkdir "$work/classes"
javac -nowarn -cp "$work/lib/*" -d "$work/classes" Oracle.java
transform=../../../engine/transform
oracle() {
	java -Duser.language=en -Duser.country=US -cp "$work/classes:$work/lib/*" Oracle "$@" 2>"$work/log" >"$work/out" || { cat "$work/log" >&2; exit 1; }
	cat "$work/out"
}
oracle transforms $transform/testdata/records.txt $transform/testdata/transforms.txt >"$work/kafka"
{ echo "## Answers of Kafka Connect $version, recorded by test/conformance/transforms/record.sh."; cat "$work/kafka"; } >$transform/testdata/kafka.txt
for what in regex dates; do
	case $what in regex) package=../../../internal/javaregex ;; dates) package=$transform/javadate ;; esac
	oracle $what $package/testdata/inputs.txt >"$work/java"
	{ echo "## Answers of Java 17, recorded by test/conformance/transforms/record.sh."; cat "$work/java"; } >$package/testdata/java.txt
done
