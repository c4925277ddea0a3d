#!/bin/bash
# Records what Joda-Time, from Maven Central, makes of the times and patterns in Oracle.java:
#
#     test/conformance/joda/record.sh
set -eu
. "$(dirname "$0")/../lib.sh"
cd "$here/joda"
java -cp "$(cat "$(maven joda joda-time:joda-time:2.14.0)")" Oracle.java > "$root/connectors/sink/s3/partitioner/testdata/joda.tsv"
