#!/bin/sh
# Records what Avro for Java answers to schemaregistry/avro/testdata/cases.txt, and
# to the corpus that the tests of schemaregistry/avro generate, into java.txt and
# corpus.gz beside it. Needs Go, a JDK 17 and Maven; the tests need Go only.
set -eu
cd "$(dirname "$0")"
version=1.12.2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/pom.xml" <<POM
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.avro</groupId><artifactId>avro</artifactId><version>$version</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency></dependencies></project>
POM
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/lib"
mkdir "$work/classes"
javac -nowarn -cp "$work/lib/*" -d "$work/classes" Oracle.java
package=$(cd ../../../schemaregistry/avro && pwd)
(cd "$package" && go test -count=1 -run '^TestCorpus$' -write-corpus="$work/corpus" .)
oracle() {
	java -Dfile.encoding=UTF-8 -Xmx512m -cp "$work/classes:$work/lib/*" Oracle "$@" 2>"$work/log" >"$work/out" || { cat "$work/log" >&2; exit 1; }
}
oracle cases "$package/testdata/cases.txt"
{ echo "# Answers of Apache Avro $version, recorded by test/conformance/avro/record.sh."; cat "$work/out"; } >"$package/testdata/java.txt"
oracle corpus "$work/corpus"
gzip -9n <"$work/out" >"$package/testdata/corpus.gz"
ls -l "$package/testdata"
