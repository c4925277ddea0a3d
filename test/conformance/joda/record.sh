#!/bin/bash
# Records what Joda-Time, from Maven Central, makes of the times and patterns in Oracle.java:
#
#     test/conformance/joda/record.sh
set -eu
cd "$(dirname "$0")"
version=2.14.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/joda
mkdir -p "$cache"
[ -s "$cache/pom.xml" ] || cat > "$cache/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>joda</artifactId><version>1</version>
  <dependencies><dependency><groupId>joda-time</groupId><artifactId>joda-time</artifactId><version>$version</version></dependency></dependencies>
</project>
POM
[ -s "$cache/classpath" ] || (cd "$cache" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath)
java -cp "$(cat "$cache/classpath")" Oracle.java > ../../../connectors/sink/s3/partitioner/testdata/joda.tsv
