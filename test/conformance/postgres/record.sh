#!/bin/bash
# Records what classes of Debezium's connector answer into the testdata of
# connectors/source/postgres: its options, and for inputs.txt the names of topics and
# schemas, which names filters match, and masked values. Needs a JDK 17 and Maven;
# the tests need neither.
set -eu
cd "$(dirname "$0")"
. ../debezium/jars.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac -nowarn -cp "$classpath" -d "$work" Oracle.java
data=$(cd ../../../connectors/source/postgres/testdata && pwd)
oracle() { java -Xmx768m -Dfile.encoding=UTF-8 -cp "$work:$classpath" Oracle "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }; }
head="# Answers of Debezium $debezium_version, recorded by test/conformance/postgres/record.sh."
{ echo "$head"; oracle options | sort; } >"$work/options" && cp "$work/options" "$data/debezium/options.txt"
for what in topics adjust filters masks; do
	{ echo "$head"; oracle $what "$data/debezium/$what.in"; } >"$work/$what" && cp "$work/$what" "$data/debezium/$what.txt"
done
