#!/bin/bash
# Records what Avro for Java answers to schemaregistry/avro/testdata/cases.txt, and
# to the corpus that the tests of schemaregistry/avro generate, into java.txt and
# corpus.gz beside it. Needs Go, a JDK 17 and Maven; the tests need Go only.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/avro"
version=1.12.2
classpath=$(cat "$(maven "avro-$version" "org.apache.avro:avro:$version" org.slf4j:slf4j-nop:1.7.36)")
mkdir "$work/classes"
javac -nowarn -cp "$classpath" -d "$work/classes" Oracle.java
package=$root/schemaregistry/avro
(cd "$package" && go test -count=1 -run '^TestCorpus$' -write-corpus="$work/corpus" .)
oracle() {
	java -Dfile.encoding=UTF-8 -Xmx512m -cp "$work/classes:$classpath" Oracle "$@" 2>"$work/log" >"$work/out" || { cat "$work/log" >&2; exit 1; }
}
oracle cases "$package/testdata/cases.txt"
{ echo "# Answers of Apache Avro $version, recorded by test/conformance/avro/record.sh."; cat "$work/out"; } >"$package/testdata/java.txt"
oracle corpus "$work/corpus"
gzip -9n <"$work/out" >"$package/testdata/corpus.gz"
ls -l "$package/testdata"
