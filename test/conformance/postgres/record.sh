#!/bin/bash
# Records what classes of Debezium's connector answer into the testdata of
# connectors/source/postgres: its options, and for the lines of *.in the names of
# topics and schemas, which names filters match, masked values, and what it posts of
# notifications by HTTP; and what its transforms make of records into that of
# engine/transform. Needs a JDK 17 and Maven; the tests need neither.
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/postgres"
. ../debezium/jars.sh
classpath=$(cat "$(debezium_jars)")
javac -nowarn -cp "$classpath" -d "$work" Oracle.java Transforms.java
data=$root/connectors/source/postgres/testdata
oracle() { java -Xmx768m -Dlog4j2.level=OFF -Dfile.encoding=UTF-8 -cp "$work:$classpath" Oracle "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }; }
head="# Answers of Debezium $debezium_version, recorded by test/conformance/postgres/record.sh."
{ echo "$head"; oracle options | sort; } >"$work/options" && cp "$work/options" "$data/debezium/options.txt"
for what in topics adjust filters masks http; do
	{ echo "$head"; oracle $what "$data/debezium/$what.in"; } >"$work/$what" && cp "$work/$what" "$data/debezium/$what.txt"
done
transforms=$root/engine/transform/testdata/debezium
# transform CLASS NAME RECORDS records what a transform makes of records under the configs of NAME.in.
transform() {
	{ echo "## Answers of Debezium $debezium_version, recorded by test/conformance/postgres/record.sh."
	java -Xmx768m -Dlog4j2.level=OFF -Dfile.encoding=UTF-8 -cp "$work:$classpath" Transforms $1 "$transforms/$3" "$transforms/$2.in" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }; } >"$work/answers" && cp "$work/answers" "$transforms/$2.txt"
}
transform ExtractNewRecordState unwrap records.txt
transform ByLogicalTableRouter logical records.txt
transform outbox.EventRouter outbox outbox.records.txt
